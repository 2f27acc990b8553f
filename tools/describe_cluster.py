"""The tool `describe-cluster`."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Annotated

from pydantic import BeforeValidator, Field

from corpuscope.tools.core.errors import BadInput, CorpuscopeError
from corpuscope.tools.core.ids import is_within
from corpuscope.tools.core.schema import NOISE, Node, Sentence, Watch
from corpuscope.tools.core.text import clean_text, shorten
from corpuscope.tools.describing.batch import (
    DescriptionOrder,
    describe_batch,
    expected_batch_usage,
    prompt_context,
    take_names,
    waves,
)
from corpuscope.tools.describing.evidence import Evidence
from corpuscope.tools.describing.gathering import gather_tasks
from corpuscope.tools.describing.prompting import assistant_prompt
from corpuscope.tools.describing.result import (
    DescribeResult,
    Detail,
    Failure,
    ToWrite,
    described_cluster,
    usage_cost,
)
from corpuscope.tools.workspace.arguments import DatasetName, Focus, RunId, as_id
from corpuscope.tools.workspace.selection import Selection, redact_description, select
from corpuscope.tools.workspace.workspace import Workspace

ALL, TREE = "all", "tree"

EVIDENCE_CHARACTERS = 20_000
"""Evidence for several clusters at a time, within the 25 kB that hosts take well."""

MOST_PACKS = 16
"""More evidence than this does not fit even where all texts are short."""

QUOTED_CHARACTERS = 160


def describe_cluster(
    workspace: Workspace,
    watch: Watch,
    cluster: Annotated[
        str | list[str],
        BeforeValidator(as_id),
        Field(
            description='A cluster id, a list of ids, "all" (of the recommended layer), or "tree" '
            "(these and the headings above them)."
        ),
    ],
    dataset: DatasetName = None,
    run: RunId = None,
    refresh: Annotated[bool, Field(description="Write anew what is described already.")] = False,
    detail: Annotated[
        Detail, Field(description="detailed: the texts that support each description as well.")
    ] = "concise",
    focus: Focus = None,
    verify: Annotated[
        bool,
        Field(description="The model also sorts unseen texts by each description: one call more."),
    ] = False,
    max_calls: Annotated[
        int | None, Field(ge=1, description="Calls to the model at most; the rest is named.")
    ] = None,
    estimate: Annotated[
        bool, Field(description="Only say how many calls and tokens it takes; nothing is sent.")
    ] = False,
) -> DescribeResult:
    """Say in words what clusters are: title, summary, supporting records, and how far to trust it.

    A configured model writes from sampled texts, keywords, metadata and the nearest outsiders;
    each description is tried on texts it was not made from (`proof`) and saved with the run: asked
    again, it costs nothing. Without a model you get that evidence, for several clusters at a time:
    write the words yourself and save them with `label-cluster`. Noise is no theme and is refused.
    """
    selection = select(workspace, dataset, run)
    nodes = _chosen(selection, cluster)
    said = None if focus is None else clean_text(focus)
    if said is not None and not estimate:
        workspace.runs.save_focus(selection.run, said)
    watch.report(0.02, "gathering evidence")
    if (writer := workspace.writer) is not None:
        order = DescriptionOrder(writer, nodes, refresh, verify, max_calls, said)
        result = _by_the_model(workspace, watch, selection, order, estimate)
    elif estimate or verify or max_calls is not None:
        raise BadInput(
            "No model is configured, so estimate, verify and max_calls mean nothing: leave them "
            "out, and you get the evidence to write from (or set CORPUSCOPE_LLM_MODEL)."
        )
    else:
        result = _for_the_assistant(workspace, selection, nodes, refresh)
    if detail == "detailed":
        result = _with_texts(workspace, selection, result)
    return result


def _for_the_assistant(
    workspace: Workspace, selection: Selection, nodes: Sequence[Node], refresh: bool
) -> DescribeResult:
    """What is described, and the evidence for the rest, as much as one answer holds."""
    runs = workspace.runs
    there = runs.descriptions(selection.run) if refresh else take_names(workspace, selection, nodes)
    known = {} if refresh else there
    missing = [node for node in nodes if node.id not in known]
    # Headings come later: they are named from their parts.
    levels = waves([node.id for node in missing])
    first = sorted(
        (node for node in missing if node.id in levels[0]) if levels else [],
        key=lambda node: -node.size,
    )
    titles = {id: workspace.redact(one.title) for id, one in there.items()}
    tasks = gather_tasks(workspace, selection, first[:MOST_PACKS])
    shown = _fitting([task.evidence.with_titles(titles) for task in tasks])
    for evidence in shown:
        runs.save_evidence(selection.run, evidence)
    ids = [evidence.cluster for evidence in shown]
    held = runs.stability(selection.run)
    scores = held.scores if held else {}
    context = prompt_context(workspace, selection)
    result = _result(workspace, selection, [node for node in nodes if node.id in known])
    to_write = ToWrite(
        shown=ids,
        remaining=[node.id for node in missing if node.id not in ids],
        stability={id: scores[id] for id in ids if id in scores},
    )
    return result.with_evidence(
        to_write, refresh, assistant_prompt(context, shown) if shown else None
    )


def _by_the_model(
    workspace: Workspace,
    watch: Watch,
    selection: Selection,
    order: DescriptionOrder,
    estimate: bool,
) -> DescribeResult:
    """The descriptions that there are after the model has written what was missing."""
    if estimate:
        usage = expected_batch_usage(workspace, selection, order)
        there = [node for node in order.nodes if node.id in selection.descriptions]
        estimated = usage_cost(usage, order.writer)
        return _result(workspace, selection, there).with_estimate(estimated)
    written = describe_batch(workspace, selection, order, watch.report)
    used = usage_cost(written.usage, order.writer, written.seconds)
    asked = written.usage.calls or written.usage.cached
    if written.failures and len(written.failures) == len(order.nodes):
        spent = f" The model used {used.as_text()}." if asked else ""
        raise CorpuscopeError(f"{written.failures[0][1]}{spent}")
    lost = {id for id, _ in written.failures}
    done = [node for node in order.nodes if node.id not in lost]
    failures = [
        *(Failure(cluster=id, reason=reason) for id, reason in written.failures),
        *(
            Failure(cluster=id, reason=reason, kind="not verified")
            for id, reason in written.unverified
        ),
    ]
    return _result(workspace, selection, done).with_usage(failures, used if asked else None)


def _result(workspace: Workspace, selection: Selection, nodes: Sequence[Node]) -> DescribeResult:
    """The descriptions of these clusters as they are saved now."""
    saved = workspace.runs.descriptions(selection.run)
    held = workspace.runs.stability(selection.run)
    return DescribeResult(
        dataset=selection.card.name,
        run=selection.run.id,
        focus=workspace.redact(workspace.runs.focus(selection.run)),
        descriptions=[
            described_cluster(node, redact_description(saved[node.id], workspace.redact), held)
            for node in nodes
        ],
        failures=[],
        to_write=[],
        remaining=[],
        refresh=False,
        evidence=None,
        stability={},
        used=None,
        estimate=None,
    )


def _chosen(selection: Selection, cluster: str | list[str]) -> list[Node]:
    layer = selection.standing_in(selection.run.recommended)
    if cluster in (ALL, TREE) and not layer:
        raise BadInput(
            f"Run {selection.run.id} found no clusters to describe. {selection.run.hint or ''} "
            "Cluster again with a smaller min_cluster_size, or read the records with get-members "
            "(cluster='noise')."
        )
    if cluster == ALL:
        return layer
    if cluster == TREE:
        return [
            node
            for node in selection.run.nodes
            if any(is_within(leaf.id, node.id) for leaf in layer)
        ]
    ids = [cluster] if isinstance(cluster, str) else cluster
    if not ids:
        raise BadInput(f"No cluster named. Give an id, a list of ids, '{ALL}' or '{TREE}'.")
    if NOISE in ids:
        raise BadInput(
            "Noise is what belongs to no theme, so there is nothing to describe. Read it with "
            "get-members(cluster='noise'), or look for themes in it with cluster(within='noise')."
        )
    return [selection.node(one) for one in dict.fromkeys(ids)]


def _fitting(evidences: Sequence[Evidence]) -> list[Evidence]:
    """As many as one answer holds, at least one."""
    room = EVIDENCE_CHARACTERS
    for at, evidence in enumerate(evidences):
        room -= len(evidence.as_text())
        if room < 0 and at:
            return list(evidences[:at])
    return list(evidences)


def _with_texts(
    workspace: Workspace, selection: Selection, result: DescribeResult
) -> DescribeResult:
    """The result with the supporting texts quoted after each sentence."""
    shown = result.descriptions
    cited = {i for one in shown for sentence in one.summary for i in sentence.records}
    records = workspace.store.fetch(selection.card, sorted(cited))

    def quoted(sentence: Sentence) -> Sentence:
        quotes = [
            f'"{shorten(workspace.redact(records[i].text), QUOTED_CHARACTERS)}" [{i}]'
            for i in sentence.records
            if i in records
        ]
        support = f" (supported by {'; '.join(quotes)})" if quotes else ""
        return replace(sentence, text=sentence.text + support)

    return result.with_descriptions(
        [one.with_summary([quoted(sentence) for sentence in one.summary]) for one in shown]
    )

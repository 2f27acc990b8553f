"""The tool `describe-cluster`: descriptions by a model, or the evidence to write them from."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Annotated

from pydantic import BeforeValidator, Field

from corpuscope.tools.core.errors import BadInput, CorpuscopeError
from corpuscope.tools.core.ids import is_within
from corpuscope.tools.core.schema import NOISE, Node, Sentence, Watch
from corpuscope.tools.core.text import clean_text, shorten
from corpuscope.tools.describing.assistant import order_for_assistant
from corpuscope.tools.describing.batch import (
    DescriptionOrder,
    describe_batch,
    expected_batch_usage,
)
from corpuscope.tools.describing.describe import prove_stale
from corpuscope.tools.describing.result import (
    DescribeResult,
    Detail,
    Failure,
    described_cluster,
    usage_cost,
)
from corpuscope.tools.workspace.arguments import DatasetName, Focus, LayerIndex, RunId, as_id
from corpuscope.tools.workspace.selection import Selection, select, shown_descriptions, shown_texts
from corpuscope.tools.workspace.workspace import Workspace

ALL, TREE = "all", "tree"

SUPPORT_CHARACTERS = 160
"""The most of a text that is quoted after the sentence it supports."""


def describe_cluster(
    workspace: Workspace,
    watch: Watch,
    cluster: Annotated[
        str | list[str],
        BeforeValidator(as_id),
        Field(
            description='A cluster id, a list of ids, "all" (of the layer shown), or "tree" '
            "(these and the headings above them)."
        ),
    ],
    dataset: DatasetName = None,
    run: RunId = None,
    layer: LayerIndex = None,
    refresh: Annotated[bool, Field(description="Write anew what is described already.")] = False,
    detail: Annotated[
        Detail,
        Field(description="full: all evidence, and the texts behind each description."),
    ] = "brief",
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
    selection = select(workspace, dataset, run, layer)
    nodes = _chosen(selection, cluster)
    asked_focus = None if focus is None else clean_text(focus)
    if asked_focus is not None and not estimate:
        workspace.runs.save_focus(selection.run, asked_focus)
    watch.report(0.02, "gathering evidence")
    if not estimate and not refresh and selection.run.collection == selection.card.collection:
        prove_stale(workspace, selection, nodes)
    if (writer := workspace.writer) is not None:
        order = DescriptionOrder(writer, nodes, refresh, verify, max_calls, asked_focus)
        if estimate:
            result = _estimated(workspace, selection, order)
        else:
            result = _by_the_model(workspace, watch, selection, order)
    elif estimate or verify or max_calls is not None:
        raise BadInput(
            "No model is configured, so estimate, verify and max_calls mean nothing: leave them "
            "out, and you get the evidence to write from (or set CORPUSCOPE_LLM_MODEL)."
        )
    else:
        assistant = order_for_assistant(
            workspace, selection, nodes, refresh, brief=detail == "brief"
        )
        result = _result(workspace, selection, assistant.described).with_evidence(
            assistant.to_write, refresh, assistant.prompt
        )
    if detail == "full":
        result = _with_quotes(workspace, selection, result)
    return result


def _estimated(
    workspace: Workspace, selection: Selection, order: DescriptionOrder
) -> DescribeResult:
    """The descriptions that there are, and what the order would use."""
    usage = expected_batch_usage(workspace, selection, order)
    described = [node for node in order.nodes if node.id in selection.descriptions]
    result = _result(workspace, selection, described)
    return result.with_estimate(usage_cost(usage, order.writer))


def _by_the_model(
    workspace: Workspace, watch: Watch, selection: Selection, order: DescriptionOrder
) -> DescribeResult:
    """The descriptions that there are after the model has written what was missing.

    Raises:
        CorpuscopeError: None could be written.
    """
    outcome = describe_batch(workspace, selection, order, watch.report)
    used = usage_cost(outcome.usage, order.writer, outcome.seconds)
    asked = outcome.usage.calls or outcome.usage.cached
    if outcome.failures and len(outcome.failures) == len(order.nodes):
        spent = f" The model used {used.as_text()}." if asked else ""
        raise CorpuscopeError(f"{outcome.failures[0][1]}{spent}")
    failed = {cluster for cluster, _ in outcome.failures}
    described = [node for node in order.nodes if node.id not in failed]
    failures = [
        *(Failure(cluster=cluster, reason=reason) for cluster, reason in outcome.failures),
        *(
            Failure(cluster=cluster, reason=reason, kind="not verified")
            for cluster, reason in outcome.unverified
        ),
    ]
    result = _result(workspace, selection, described)
    return result.with_usage(failures, used if asked else None)


def _result(workspace: Workspace, selection: Selection, nodes: Sequence[Node]) -> DescribeResult:
    """The descriptions of these clusters as they are saved now."""
    saved = shown_descriptions(workspace, selection.run)
    stability = workspace.runs.stability(selection.run)
    return DescribeResult(
        dataset=selection.card.name,
        run=selection.run.id,
        focus=workspace.runs.focus(selection.run),
        descriptions=[described_cluster(node, saved[node.id], stability) for node in nodes],
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
    return [selection.node(wanted) for wanted in dict.fromkeys(ids)]


def _with_quotes(
    workspace: Workspace, selection: Selection, result: DescribeResult
) -> DescribeResult:
    """The result with the supporting texts quoted after each sentence."""
    described = result.descriptions
    sentences = [sentence for cluster in described for sentence in cluster.summary]
    wanted = {record for sentence in sentences for record in sentence.records}
    texts = shown_texts(workspace, selection.card, sorted(wanted))

    def quoted(sentence: Sentence) -> Sentence:
        quotes = [
            f'"{shorten(texts[cited], SUPPORT_CHARACTERS)}" [{cited}]'
            for cited in sentence.records
            if cited in texts
        ]
        support = f" (supported by {'; '.join(quotes)})" if quotes else ""
        return replace(sentence, text=sentence.text + support)

    return result.with_descriptions(
        [
            cluster.with_summary([quoted(sentence) for sentence in cluster.summary])
            for cluster in described
        ]
    )

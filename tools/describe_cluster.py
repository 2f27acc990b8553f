"""The tool `describe-cluster`, and the page of one cluster."""

from collections.abc import Sequence
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from corpuscope.tools.describing import describe_many, describe_yourself
from corpuscope.tools.errors import BadInput, CorpuscopeError
from corpuscope.tools.evidence import Evidence, Sibling, build_evidence, choose_records
from corpuscope.tools.excerpts import shortened
from corpuscope.tools.runs import Members
from corpuscope.tools.schema import (
    NOISE,
    Author,
    Description,
    Node,
    Result,
    Sentence,
    Stability,
    Watch,
)
from corpuscope.tools.selection import DatasetName, RunId, Selection, as_id, rows_of, select
from corpuscope.tools.stability import known_word, meanings, said
from corpuscope.tools.workspace import Workspace

ALL = "all"
# Evidence for several clusters at a time, within the 25 kB that hosts take well.
EVIDENCE_CHARACTERS = 20_000


class DescribedCluster(Result):
    """One cluster in words."""

    cluster: str
    title: str
    summary: list[Sentence]
    keywords: list[str]
    size: int
    share: float
    author: Author
    stability: float | None = None
    """0 to 1: how surely it comes back when a part of the texts is clustered again; None where
    that was not checked."""
    stability_word: str | None = None
    """stable, shaky, unstable, or `not checked` where only others were; None where none was."""

    def as_text(self) -> str:
        """Title and summary."""
        summary = " ".join(sentence.text for sentence in self.summary)
        holds = f", {said(self.stability)}" if self.stability_word else ""
        return (
            f"{self.cluster}: {self.title} ({self.size:,} records, {self.share:.1%}, "
            f"by {self.author}{holds})\n  {summary}"
        )


class Failure(Result):
    """A cluster that could not be described, and why."""

    cluster: str
    reason: str

    def as_text(self) -> str:
        """One line."""
        return f"{self.cluster}: {self.reason}"


class DescribeResult(Result):
    """Descriptions, and the evidence for those that the assistant should write itself."""

    dataset: str
    run: str
    descriptions: list[DescribedCluster]
    failures: list[Failure]
    to_write: list[str]
    """Clusters whose evidence is below: answer with `label-cluster`."""
    remaining: list[str]
    """Clusters asked for whose evidence did not fit into this answer."""
    evidence: str | None
    stability: dict[str, float]
    """The scores of the clusters to write, 0 to 1, where they were checked."""

    def as_text(self) -> str:
        """The descriptions, what went wrong, and what is left to write."""
        lines = [described.as_text() for described in self.descriptions]
        if self.failures:
            lines.append("Not described:")
            lines += [failure.as_text() for failure in self.failures]
        if self.remaining:
            asked = len(self.to_write) + len(self.remaining)
            lines.append(f"Evidence for {len(self.to_write)} of {asked} clusters; then the rest.")
        if self.stability:
            scores = ", ".join(f"{id}: {said(score)}" for id, score in self.stability.items())
            lines.append(f"Do they hold? {scores}.")
        if meaning := meanings(
            [*(d.stability for d in self.descriptions), *self.stability.values()]
        ):
            lines.append(meaning)
        if self.evidence is not None:
            lines.append(self.evidence)
        if self.remaining:
            lines.append(f"Afterwards, call describe-cluster for: {', '.join(self.remaining)}.")
        return "\n".join(lines)


def describe_cluster(
    workspace: Workspace,
    watch: Watch,
    cluster: Annotated[
        str | list[str],
        BeforeValidator(as_id),
        Field(description='A cluster id, a list of ids, or "all" (of the recommended layer).'),
    ],
    dataset: DatasetName = None,
    run: RunId = None,
    refresh: Annotated[bool, Field(description="Write anew what is described already.")] = False,
    detail: Annotated[
        Literal["concise", "detailed"],
        Field(description="detailed: the texts that support each description as well."),
    ] = "concise",
) -> DescribeResult:
    """Say in words what clusters are: title, summary, and the records that support it.

    A configured model writes from keywords and sampled texts, and the answer is saved with the
    run: asked again, it costs nothing. Without a model you get that evidence instead: write title
    and summary yourself and save them with `label-cluster`. Noise is no theme and is refused.
    """
    selection = select(workspace, dataset, run)
    nodes = _asked(selection, cluster)
    known = {} if refresh else selection.descriptions
    missing = [node for node in nodes if _wants_words(workspace, known.get(node.id))]
    members = workspace.runs.members(selection.run)
    watch.report(0.05, f"gathering evidence for {len(missing)} clusters")
    failures: list[tuple[str, str]] = []
    packs, remaining = list[Evidence](), list[str]()
    if (writer := workspace.writer) is not None and missing:
        failures = describe_many(
            gather(workspace, selection, members, missing),
            writer.endpoint,
            writer.model,
            lambda done, said: watch.report(0.05 + 0.95 * done, said),
            lambda description: workspace.runs.save_description(selection.run, description),
        )
        if len(failures) == len(nodes):
            raise CorpuscopeError(failures[0][1])
    elif missing:
        packs, remaining = _fitting(gather(workspace, selection, members, missing))
    described = workspace.runs.descriptions(selection.run)
    unwritten = {*remaining, *(pack.cluster for pack in packs), *(name for name, _ in failures)}
    held = workspace.runs.stability(selection.run)
    done = [node for node in nodes if node.id in described.keys() - unwritten]
    shown = [_described(node, described[node.id], held) for node in done]
    if detail == "detailed":
        shown = _with_texts(workspace, selection, shown)
    return DescribeResult(
        dataset=selection.card.name,
        run=selection.run.id,
        descriptions=shown,
        failures=[Failure(cluster=name, reason=reason) for name, reason in failures],
        to_write=[pack.cluster for pack in packs],
        remaining=remaining,
        evidence=describe_yourself(packs) if packs else None,
        stability=_scores(held, [pack.cluster for pack in packs]),
    )


def gather(
    workspace: Workspace, selection: Selection, members: Members, nodes: Sequence[Node]
) -> list[Evidence]:
    """The evidence for each of the clusters."""
    seed = int(selection.run.parameters.get("seed") or 0)
    chosen = []
    for node in nodes:
        rows = rows_of(selection.run, members, node.id)
        ids = [members.ids[row] for row in rows]
        chosen.append(choose_records(node.exemplars, ids, members.centrality[rows], seed=seed))
    wanted = sorted({record for picks in chosen for record, _ in picks})
    texts = {i: record.text for i, record in workspace.store.fetch(selection.card, wanted).items()}
    return [
        build_evidence(
            selection.card.name,
            node,
            [
                Sibling(id=other.id, label=selection.label(other))
                for other in selection.siblings(node)
            ],
            [(record, role) for record, role in picks if record in texts],
            texts,
        )
        for node, picks in zip(nodes, chosen, strict=True)
    ]


def cluster_page(workspace: Workspace, dataset: str, run: str, cluster: str) -> str:
    """The page of one cluster in Markdown.

    Raises:
        NotFound: No such dataset, run or cluster.
    """
    selection = select(workspace, dataset, run)
    node = selection.node(cluster)
    members = workspace.runs.members(selection.run)
    evidence = gather(workspace, selection, members, [node])[0]
    description = selection.descriptions.get(node.id)
    lines = [f"# {node.id}: {selection.label(node)}", ""]
    if description is not None:
        lines += [" ".join(sentence.text for sentence in description.summary), ""]
        lines += [f"Described by {description.author}.", ""]
    if held := workspace.runs.stability(selection.run):
        score = held.scores.get(node.id)
        lines += [f"Does it hold? {said(score)}. {meanings([score]) or ''}".strip(), ""]
    return "\n".join([*lines, evidence.as_text(record_ids=True)])


def _asked(selection: Selection, cluster: str | list[str]) -> list[Node]:
    if cluster == ALL:
        return selection.standing_in(selection.run.recommended)
    ids = [cluster] if isinstance(cluster, str) else cluster
    if not ids:
        raise BadInput(f"No cluster named. Give an id, a list of ids, or '{ALL}'.")
    if NOISE in ids:
        raise BadInput(
            "Noise is what belongs to no theme, so there is nothing to describe. Read it with "
            "get-members(cluster='noise'), or look for themes in it with cluster(within='noise')."
        )
    return [selection.node(one) for one in dict.fromkeys(ids)]


def _wants_words(workspace: Workspace, present: Description | None) -> bool:
    if present is None:
        return True
    # Keywords stand in where a model's answer was unusable: with a model at hand, try again.
    return present.author == "keywords" and workspace.writer is not None


def _fitting(packs: list[Evidence]) -> tuple[list[Evidence], list[str]]:
    """As many packs as one answer holds, at least one, and the clusters of the rest."""
    room = EVIDENCE_CHARACTERS
    for at, pack in enumerate(packs):
        room -= len(pack.as_text(record_ids=True))
        if room < 0 and at:
            return packs[:at], [rest.cluster for rest in packs[at:]]
    return packs, []


def _scores(held: Stability | None, clusters: list[str]) -> dict[str, float]:
    known = held.scores if held else {}
    return {id: known[id] for id in clusters if id in known}


def _described(node: Node, description: Description, held: Stability | None) -> DescribedCluster:
    return DescribedCluster(
        cluster=node.id,
        title=description.title,
        summary=description.summary,
        keywords=description.keywords,
        size=node.size,
        share=node.share,
        author=description.author,
        stability=held.scores.get(node.id) if held else None,
        stability_word=known_word(held, node.id),
    )


def _with_texts(
    workspace: Workspace, selection: Selection, shown: list[DescribedCluster]
) -> list[DescribedCluster]:
    """The descriptions with the supporting texts quoted after each sentence."""
    cited = {i for one in shown for sentence in one.summary for i in sentence.records}
    records = workspace.store.fetch(selection.card, sorted(cited))

    def quoted(sentence: Sentence) -> Sentence:
        quotes = [
            f'"{shortened(records[i].text, 160)}" [{i}]' for i in sentence.records if i in records
        ]
        support = f" (supported by {'; '.join(quotes)})" if quotes else ""
        return sentence.model_copy(update={"text": sentence.text + support})

    return [
        one.model_copy(update={"summary": [quoted(sentence) for sentence in one.summary]})
        for one in shown
    ]

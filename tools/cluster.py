"""The tool `cluster`: a run is computed, saved, and readable before its map is drawn."""

from dataclasses import replace
from typing import Annotated

from pydantic import Field

from corpuscope.tools import drilling
from corpuscope.tools.clustering import Clustering, Parameters, Space, find_clusters
from corpuscope.tools.corpus import Corpus, read_corpus
from corpuscope.tools.errors import BadInput
from corpuscope.tools.get_members import WhereFilter, shortened
from corpuscope.tools.mapping import draw_map
from corpuscope.tools.recording import (
    centrality,
    described_nodes,
    recorded_members,
    recorded_run,
)
from corpuscope.tools.schema import (
    NOISE,
    DatasetCard,
    Layer,
    Node,
    Report,
    Result,
    Scalar,
    Watch,
)
from corpuscope.tools.selection import DatasetName, RunId, Selection, select
from corpuscope.tools.workspace import Workspace

TOP_CLUSTERS = 12
KEYWORDS_SHOWN = 6
EXEMPLAR_CHARACTERS = 110
# The shares of the progress: reading, then clustering, then the map.
READ_SHARE = 0.2
FOUND_SHARE = 0.6
SAVED_SHARE = 0.7


class TopCluster(Result):
    """One cluster with what shows it."""

    id: str
    size: int
    share: float
    keywords: list[str]
    exemplar: str

    def as_text(self) -> str:
        """The cluster in two lines."""
        words = ", ".join(self.keywords[:KEYWORDS_SHOWN])
        return f"{self.id}: {words}: {self.size:,} records ({self.share:.1%})\n    {self.exemplar}"


class ClusterResult(Result):
    """What a clustering found."""

    dataset: str
    run: str
    within: str | None
    records: int
    clusters: int
    """In the recommended layer, or below `within`."""
    noise: int
    noise_share: float
    layers: list[Layer]
    recommended_layer: int
    reason: str
    top: list[TopCluster]
    hint: str | None
    map: str
    """`ready`, or `being drawn`: `plot` waits for it."""

    def as_text(self) -> str:
        """Counts, the top clusters and the next step."""
        where = f"cluster {self.within} of '{self.dataset}'" if self.within else f"'{self.dataset}'"
        lines = [
            f"Run {self.run} of {where}: {self.records:,} records, {self.noise:,} of them noise "
            f"({self.noise_share:.1%}). {self.reason}"
        ]
        if len(self.layers) > 1 and not self.within:
            counts = ", ".join(f"{layer.index}: {layer.clusters}" for layer in self.layers)
            lines.append(f"Layers, coarse to fine (clusters): {counts}.")
        lines += [cluster.as_text() for cluster in self.top]
        if self.clusters > len(self.top):
            lines.append(f"… {self.clusters - len(self.top)} more: `list-clusters`.")
        if self.hint:
            lines.append(self.hint)
        if self.top:
            first = self.top[0].id
            words = [one.id for one in self.top] if self.within else "all"
            lines.append(
                f"Next: describe-cluster(cluster={words!r}), plot, or cluster(within='{first}')."
            )
        return "\n".join(lines)


def cluster(
    workspace: Workspace,
    watch: Watch,
    dataset: DatasetName = None,
    run: RunId = None,
    within: Annotated[
        str | None,
        Field(description="Drill down: cluster only this cluster (3, 3.1 or noise) of the run."),
    ] = None,
    where: WhereFilter = None,
    min_cluster_size: Annotated[
        int | None,
        Field(ge=2, description="Smallest cluster; left out (better): every resolution is tried."),
    ] = None,
    space: Annotated[
        Space,
        Field(description="graph (best); map: clusters as the map shows; embedding: raw vectors."),
    ] = "graph",
    seed: Annotated[int, Field(ge=0, lt=2**31, description="Same seed, same result.")] = 0,
) -> ClusterResult:
    """Find the themes in a dataset: density clusters at several resolutions, as a tree.

    Gives the recommended layer with size, keywords and an example of each of the largest
    clusters; the rest is noise. Use within to split one cluster further (its parts become 3.1,
    3.2 … in a new run), where to cluster a part. A run is kept and never changes. About 20 s for
    20,000 records, then it becomes a job; the map is drawn after the clusters can be read.
    """
    parameters = Parameters(min_cluster_size, space, seed)
    if within is not None and where:
        raise BadInput("Give within or where, not both: within takes the whole of a cluster.")
    if within is not None:
        return _drill(workspace, watch, select(workspace, dataset, run), within, parameters)
    card = workspace.store.card(dataset)
    chosen = workspace.store.matching(card, where) if where else None
    corpus = _read(workspace, card, chosen, watch.report)
    found = find_clusters(corpus, parameters, _part(watch.report, READ_SHARE, FOUND_SHARE))
    watch.report(FOUND_SHARE, "choosing keywords and examples")
    nodes = described_nodes(corpus, found)
    draft = recorded_run(card, corpus, found, nodes, _settled(parameters, found, where))
    saved = workspace.runs.save(draft, recorded_members(corpus, found))
    selection = Selection(card, saved, {})
    result = _result(workspace, selection, selection.standing_in(saved.recommended), None)
    watch.report(SAVED_SHARE, "clusters found and saved; drawing the map")
    watch.ready(result)
    draw_map(workspace, saved, corpus, found)
    return result.model_copy(update={"map": "ready"})


def _drill(
    workspace: Workspace, watch: Watch, selection: Selection, within: str, parameters: Parameters
) -> ClusterResult:
    if within != NOISE:
        selection.node(within)
    members = workspace.runs.members(selection.run)
    inside = drilling.inside(members, within)
    corpus = _read(workspace, selection.card, inside, watch.report)
    flat = replace(parameters, only_recommended=True)
    found = find_clusters(corpus, flat, _part(watch.report, READ_SHARE, FOUND_SHARE))
    layer = found.choice.layers[found.choice.recommended]
    # One part is no part: the cluster stays as it is, and the answer says so.
    if layer.clusters < 2:
        hint = f"{within} does not split further: {found.hint}"
        return _result(workspace, selection, [], within).model_copy(
            update={"hint": hint, "clusters": 0, "reason": "No parts found.", "map": "ready"}
        )
    nodes = described_nodes(corpus, found)
    part = drilling.Part(within, corpus, found, nodes, centrality(corpus, found))
    child = drilling.grafted(selection.run, part, _settled(parameters, found, None))
    saved = workspace.runs.save(child, drilling.regrouped(members, part))
    drilling.keep_words_and_map(workspace.runs, selection, saved)
    below = Selection(selection.card, saved, {})
    result = _result(workspace, below, below.children(within), within)
    return result.model_copy(update={"reason": found.choice.reason, "map": "ready"})


def _read(
    workspace: Workspace, card: DatasetCard, chosen: set[str] | None, report: Report
) -> Corpus:
    report(0.01, f"reading '{card.name}'")
    corpus = read_corpus(workspace.store, card, chosen)
    if not corpus.ids:
        raise BadInput(
            f"No records to cluster in '{card.name}'. "
            + ("None fits `where`." if chosen is not None else "Add some with `ingest`.")
        )
    report(READ_SHARE, f"read {len(corpus.ids):,} records, {len(corpus.texts):,} distinct texts")
    return corpus


def _part(report: Report, start: float, end: float) -> Report:
    """A report of a step whose 0 to 1 is `start` to `end` of the whole."""
    return lambda fraction, message: report(start + (end - start) * fraction, message)


def _settled(parameters: Parameters, found: Clustering, where: WhereFilter) -> dict[str, Scalar]:
    return {
        "space": parameters.space,
        "min_cluster_size": parameters.min_cluster_size,
        "seed": parameters.seed,
        "neighbours": found.graph.provider if found.graph else None,
        "where": str(where) if where else None,
    }


def _result(
    workspace: Workspace, selection: Selection, shown: list[Node], within: str | None
) -> ClusterResult:
    run = selection.run
    top = sorted(shown, key=lambda node: -node.size)[:TOP_CLUSTERS]
    first = [node.exemplars[0] for node in top]
    records = workspace.store.fetch(selection.card, first)
    size = run.records
    noise = run.noise
    if within is not None:
        size = run.noise if within == NOISE else selection.node(within).size
        noise = size - sum(node.size for node in shown)
    return ClusterResult(
        dataset=selection.card.name,
        run=run.id,
        within=within,
        records=size,
        clusters=len(shown),
        noise=noise,
        noise_share=round(noise / max(1, size), 4),
        layers=run.layers,
        recommended_layer=run.recommended,
        reason=run.reason,
        top=[
            TopCluster(
                id=node.id,
                size=node.size,
                share=node.share,
                keywords=node.keywords,
                exemplar=shortened(records[shows].text, EXEMPLAR_CHARACTERS),
            )
            for node, shows in zip(top, first, strict=True)
        ],
        hint=run.hint,
        map="being drawn",
    )

"""The tool `cluster`: a run is computed, saved, and readable before its map is drawn."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from corpuscope.tools import drilling
from corpuscope.tools.clustering import Clustering, Parameters, Space, find_clusters
from corpuscope.tools.corpus import Corpus, read_corpus
from corpuscope.tools.embedding.spec import LEXICAL
from corpuscope.tools.errors import BadInput, NotReady
from corpuscope.tools.excerpts import shortened
from corpuscope.tools.locks import dataset_lock
from corpuscope.tools.mapping import draw_map
from corpuscope.tools.recording import (
    centrality,
    described_nodes,
    recorded_members,
    recorded_run,
)
from corpuscope.tools.runs import Members
from corpuscope.tools.schema import (
    NOISE,
    DatasetCard,
    Layer,
    Node,
    Report,
    Result,
    Run,
    Scalar,
    Watch,
)
from corpuscope.tools.selection import (
    DatasetName,
    RunId,
    Selection,
    WhereFilter,
    as_id,
    select,
)
from corpuscope.tools.workspace import Workspace

TOP_CLUSTERS = 12
KEYWORDS_SHOWN = 6
EXEMPLAR_CHARACTERS = 110
LEXICAL_HINT = (
    "The vectors are lexical: these themes share words, boilerplate included, rather than meaning."
)
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
    where: str | None
    records: int
    """In the dataset, or the part of it that was clustered."""
    clusters: int
    """In the recommended layer, or below `within`."""
    noise: int
    noise_share: float
    layers: list[Layer]
    """Of the whole run; empty where one cluster was split."""
    recommended_layer: int
    reason: str
    top: list[TopCluster]
    hint: str | None
    map: str
    """`ready`, or `being drawn`: `plot` waits for it."""

    def as_text(self) -> str:
        """Counts, the top clusters and the next step."""
        if self.within and not self.top:
            return (
                f"{self.within} of '{self.dataset}' ({self.records:,} records) does not split "
                f"further; no run was made. {self.hint}"
            )
        what = f"{self.within} of '{self.dataset}'" if self.within else f"'{self.dataset}'"
        where = f" where {self.where}" if self.where else ""
        lines = [
            f"Run {self.run} of {what}{where}: {self.records:,} records, {self.noise:,} of them "
            f"noise ({self.noise_share:.1%}). {self.reason}"
        ]
        if len(self.layers) > 1:
            counts = ", ".join(f"{layer.index}: {layer.clusters}" for layer in self.layers)
            lines.append(f"Layers, coarse to fine (clusters): {counts}.")
        lines += [cluster.as_text() for cluster in self.top]
        if self.clusters > len(self.top):
            lines.append(f"… {self.clusters - len(self.top)} more: `list-clusters`.")
        if self.hint:
            lines.append(self.hint)
        if self.top:
            whose = f"dataset='{self.dataset}', run='{self.run}'"
            words = [one.id for one in self.top] if self.within else "all"
            lines.append(
                f"Next: describe-cluster(cluster={words!r}, {whose}), plot({whose}), or "
                f"cluster(within='{self.top[0].id}', {whose})."
            )
        return "\n".join(lines)


def cluster(
    workspace: Workspace,
    watch: Watch,
    dataset: DatasetName = None,
    run: RunId = None,
    within: Annotated[
        str | None,
        BeforeValidator(as_id),
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
    3.2 … in a new run, in place of sub-clusters it had), where to cluster only records that fit a
    filter. A run is kept and never changes. About 20 s for 20,000 records, then it becomes a job;
    the map is drawn after the clusters can be read.
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
    selection = Selection(card, draft, {})
    # The answer first: a run is saved only when it can be told about.
    result = _result(workspace, selection, selection.standing_in(draft.recommended), None)
    saved = _saved(workspace, draft, recorded_members(corpus, found), lambda folder: None)
    result = result.model_copy(update={"run": saved.id})
    watch.report(SAVED_SHARE, "clusters found and saved; drawing the map")
    watch.ready(result)
    draw_map(workspace, saved, corpus, found)
    return result.model_copy(update={"map": "ready"})


def _drill(
    workspace: Workspace, watch: Watch, selection: Selection, within: str, parameters: Parameters
) -> ClusterResult:
    selection.check(within)
    members = workspace.runs.members(selection.run)
    inside = drilling.inside(selection.run, members, within)
    if not inside:
        raise BadInput(f"Nothing to split: {within} is empty in run {selection.run.id}.")
    corpus = _read(workspace, selection.card, inside, watch.report)
    flat = replace(parameters, only_recommended=True)
    found = find_clusters(corpus, flat, _part(watch.report, READ_SHARE, FOUND_SHARE))
    layer = found.choice.layers[found.choice.recommended]
    # One part is no part: the cluster stays as it is, and the answer says so.
    if layer.clusters < 2:
        whole = _result(workspace, selection, [], within)
        return whole.model_copy(
            update={"hint": found.hint, "noise": 0, "noise_share": 0.0, "map": "ready"}
        )
    nodes = described_nodes(corpus, found)
    part = drilling.Part(within, corpus, found, nodes, centrality(corpus, found))
    settled = _settled(parameters, found, None) | {"where": selection.run.parameters["where"]}
    moved = drilling.regrouped(members, part)
    child = drilling.grafted(selection.run, part, moved, settled)
    below = Selection(selection.card, child, {})
    result = _result(workspace, below, below.children(within), within)
    saved = _saved(
        workspace,
        child,
        moved,
        lambda folder: drilling.keep_words_and_map(workspace.runs, selection, within, folder),
    )
    update: dict[str, Any] = {"run": saved.id, "reason": found.choice.reason, "map": "ready"}
    if replaced := len(selection.children(within)):
        update["hint"] = (
            f"They take the place of the {replaced} sub-clusters that {within} had: its ids below "
            f"mean other clusters in {selection.run.id}."
        )
    return result.model_copy(update=update)


def _saved(
    workspace: Workspace, run: Run, members: Members, inherit: Callable[[Path], None]
) -> Run:
    """The run as it was saved, if its dataset is still the one that was clustered."""
    with dataset_lock(workspace.home, run.dataset):
        if workspace.store.card(run.dataset).collection != run.collection:
            raise NotReady(f"'{run.dataset}' was replaced while it was clustered. Call again.")
        return workspace.runs.save(run, members, inherit)


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
        "where": json.dumps(where, ensure_ascii=False) if where else None,
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
        where=None if run.parameters["where"] is None else str(run.parameters["where"]),
        records=size,
        clusters=len(shown),
        noise=noise,
        noise_share=round(noise / max(1, size), 4),
        layers=[] if within else run.layers,
        recommended_layer=run.recommended,
        reason=run.reason,
        top=[
            TopCluster(
                id=node.id,
                size=node.size,
                share=round(node.size / max(1, size), 6),
                keywords=node.keywords,
                exemplar=shortened(records[shows].text, EXEMPLAR_CHARACTERS),
            )
            for node, shows in zip(top, first, strict=True)
        ],
        hint=run.hint or (LEXICAL_HINT if selection.card.embedding == LEXICAL else None),
        map="being drawn",
    )

"""The tool `cluster`: a run is computed, saved, and readable before its map is drawn."""

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from corpuscope.tools.cluster_result import ClusterResult, told
from corpuscope.tools.clustering.layers import MIN_SAMPLES
from corpuscope.tools.clustering.pipeline import (
    Clustering,
    Parameters,
    Space,
    drop_coarser_layers,
    find_clusters,
)
from corpuscope.tools.core.errors import BadInput, NotReady
from corpuscope.tools.core.schema import DatasetCard, Members, Report, Run, Watch
from corpuscope.tools.core.text import clean_text
from corpuscope.tools.runs import assignment, drill_down
from corpuscope.tools.runs.assembly import (
    centrality,
    described_nodes,
    recorded_members,
    recorded_run,
    run_parameters,
)
from corpuscope.tools.runs.inheritance import (
    cluster_centroids,
    earlier_labels,
    inherit,
    kept_centroids,
    newest_like,
    of_all_sizes,
)
from corpuscope.tools.runs.run_map import draw_map
from corpuscope.tools.store.locks import dataset_lock
from corpuscope.tools.store.runs import write_focus
from corpuscope.tools.workspace.arguments import DatasetName, Focus, RunId, WhereFilter, as_id
from corpuscope.tools.workspace.reading import LoadedDataset, choose_search, load_dataset
from corpuscope.tools.workspace.selection import Selection, select_stored
from corpuscope.tools.workspace.workspace import Workspace

# The shares of the time: reading, then clustering, then words and saving; the rest is the map.
READ_SHARE = 0.15
FOUND_SHARE = 0.55
SAVED_SHARE = 0.6


@dataclass(frozen=True)
class _Chosen:
    """The records to cluster, all (None) or some, and what the run says of the choice."""

    card: DatasetCard
    ids: set[str] | None
    where: str | None = None
    parent_run: str | None = None
    within: str | None = None


def cluster(
    workspace: Workspace,
    watch: Watch,
    dataset: DatasetName = None,
    run: RunId = None,
    within: Annotated[
        str | list[str] | None,
        BeforeValidator(as_id),
        Field(
            description="Drill down: split this cluster (3, 3.1 or noise) of the run; a list: "
            "cluster what is in any of them, as a run of its own."
        ),
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
    min_samples: Annotated[
        int | None,
        Field(ge=1, le=100, description=f"Neighbours that make a text dense; {MIN_SAMPLES}."),
    ] = None,
    neighbours: Annotated[
        int | None,
        Field(ge=5, le=200, description="Neighbours of each text; left out: 8 to 30, by size."),
    ] = None,
    seed: Annotated[
        int, Field(ge=0, lt=2**31, description="Same data, earlier runs and seed: same.")
    ] = 0,
    assign: Annotated[
        bool,
        Field(description="Only put records that are new into the clusters of the newest run."),
    ] = False,
    focus: Focus = None,
) -> ClusterResult:
    """Find the themes in a dataset: density clusters at several resolutions, as a tree.

    Gives the recommended layer with size, keywords and an example of each of the largest
    clusters; the rest is noise. A cluster that is the same as in the newest earlier run keeps id
    and description, and the answer says what is new, gone, split or merged. Use within to split
    one cluster further (its parts become 3.1, 3.2 … in a new run, in place of sub-clusters it
    had), where to cluster only records that fit a filter, assign after an `ingest` of a few more
    records: they join the clusters there are, in seconds. A run is kept and never changes. About
    20 s for 20,000 records, then it becomes a job; the map is drawn after the clusters can be read.
    """
    parameters = Parameters(
        min_cluster_size,
        space,
        seed,
        min_samples=min_samples or MIN_SAMPLES,
        neighbours=neighbours,
    )
    if assign:
        given = {"within": within, "where": where, "min_cluster_size": min_cluster_size}
        given |= {"min_samples": min_samples, "neighbours": neighbours}
        if useless := [name for name, value in given.items() if value is not None]:
            raise BadInput(
                f"assign=True finds no clusters, so {' and '.join(useless)} cannot be given: it "
                "puts all records that are new into the clusters that the run has."
            )
        return _assign(workspace, watch, select_stored(workspace, dataset, run), focus)
    if within is not None and where:
        raise BadInput("Give within or where, not both: within takes the whole of a cluster.")
    if within is not None:
        selection = select_stored(workspace, dataset, run)
        selection.check_current()
        several = drill_down.outermost(selection, [within] if isinstance(within, str) else within)
        if len(several) == 1:
            return _drill(workspace, watch, selection, several[0], parameters, focus)
        union = _union(workspace, selection, several)
        return _find(workspace, watch, union, parameters, focus)
    card = workspace.store.card(dataset)
    chosen = _Chosen(card, None)
    if where:
        fitting = workspace.store.matching_ids(card, where)
        chosen = _Chosen(card, fitting, json.dumps(where, ensure_ascii=False, sort_keys=True))
    return _find(workspace, watch, chosen, parameters, focus)


def _find(
    workspace: Workspace, watch: Watch, chosen: _Chosen, parameters: Parameters, focus: str | None
) -> ClusterResult:
    """A run of its own over the chosen records."""
    reading = _read(workspace, chosen.card, chosen.ids, watch.report)
    corpus = reading.corpus
    earlier = newest_like(workspace.runs, chosen.card, chosen.where)
    if earlier:
        before = earlier_labels(workspace.runs, earlier, corpus)
        parameters = replace(parameters, before=before)
    found = _found(workspace, chosen.card, reading, parameters, watch.report)
    deeper = found.choice.recommended - earlier.recommended if earlier else 0
    if earlier and deeper > 0 and of_all_sizes(earlier):
        # A heading more above the themes would change all their ids.
        found = drop_coarser_layers(found, corpus.weights, deeper)
    watch.report(FOUND_SHARE, "choosing keywords and examples")
    nodes = described_nodes(corpus, found, workspace.redact)
    kept = run_parameters(parameters, found, chosen.where)
    members = recorded_members(corpus, found)
    draft = recorded_run(chosen.card, corpus, found, nodes, members, kept)
    draft = replace(draft, parent_run=chosen.parent_run, within=chosen.within)
    centroids = cluster_centroids(corpus, found.tree)
    new = inherit(workspace.runs, chosen.card, draft, members, centroids)
    # The answer first: a run is saved only when it can be told about.
    selection = Selection(chosen.card, new.run, new.descriptions)
    result = told(workspace, selection, carried=new)
    saved = _saved(workspace, new.run, new.members, new.keep, focus)
    watch.report(SAVED_SHARE, "clusters found and saved; drawing the map")
    watch.ready(result.with_run(saved.id, "being drawn"))
    draw_map(workspace, saved, reading, found)
    return result.with_run(saved.id, "ready")


def _union(workspace: Workspace, selection: Selection, clusters: list[str]) -> _Chosen:
    """The records in any of the clusters; such a run has to be named, like one of a filter."""
    run = selection.run
    members = workspace.runs.members(run)
    ids = {record for one in clusters for record in drill_down.records_within(run, members, one)}
    where = json.dumps({"cluster": clusters, "run": run.id})
    return _Chosen(selection.card, ids, where, run.id, ", ".join(clusters))


def _assign(
    workspace: Workspace, watch: Watch, selection: Selection, focus: str | None
) -> ClusterResult:
    """A new run: the clusters of an earlier one, with the records that it does not know."""
    assignment.check(selection, workspace.redact)
    corpus = _read(workspace, selection.card, None, watch.report).corpus
    members = workspace.runs.members(selection.run)
    watch.report(READ_SHARE, "searching the neighbours of new records")
    folder = workspace.runs.folder(selection.run.dataset, selection.run.id)
    grown = assignment.assign_records(selection, members, corpus, kept_centroids(folder))
    new = grown.carried
    result = told(workspace, Selection(selection.card, new.run, new.descriptions))
    saved = _saved(workspace, new.run, new.members, new.keep, focus)
    points = workspace.runs.map(selection.run)
    if points is not None:
        workspace.runs.save_map(saved, grown.places(points))
    return result.with_run(saved.id, "ready" if points is not None else "not drawn yet")


def _drill(
    workspace: Workspace,
    watch: Watch,
    selection: Selection,
    within: str,
    parameters: Parameters,
    focus: str | None,
) -> ClusterResult:
    members = workspace.runs.members(selection.run)
    inside = drill_down.records_within(selection.run, members, within)
    if not inside:
        raise BadInput(f"Nothing to split: {within} is empty in run {selection.run.id}.")
    reading = _read(workspace, selection.card, inside, watch.report)
    corpus = reading.corpus
    flat = replace(parameters, only_recommended=True)
    found = _found(workspace, selection.card, reading, flat, watch.report)
    layer = found.choice.layers[found.choice.recommended]
    # One part is no part: the cluster stays as it is, and the answer says so.
    if layer.clusters < 2:
        whole: dict[str, Any] = {"hint": found.hint, "noise": 0, "noise_share": 0.0, "map": "ready"}
        return told(workspace, selection, within).model_copy(
            update=whole | {"top": [], "clusters": 0}
        )
    nodes = described_nodes(corpus, found, workspace.redact)
    part = drill_down.Part(within, corpus, found, nodes, centrality(corpus, found))
    kept = run_parameters(parameters, found, None) | {"where": selection.run.parameters["where"]}
    child, moved = drill_down.replace_subtree(selection.run, members, part)
    child = replace(child, parameters=kept)
    result = told(workspace, Selection(selection.card, child, {}), within)
    saved = _saved(
        workspace,
        child,
        moved,
        lambda folder: drill_down.keep_what_holds(workspace.runs, selection, child, folder),
        focus,
    )
    drawn = "ready" if workspace.runs.map(saved) is not None else "not drawn yet"
    update: dict[str, Any] = {"run": saved.id, "reason": found.choice.reason, "map": drawn}
    if replaced := len(selection.children(within)):
        update["hint"] = (
            f"They take the place of the {replaced} sub-clusters that {within} had: its ids below "
            f"mean other clusters in {selection.run.id}."
        )
    return result.model_copy(update=update)


def _saved(
    workspace: Workspace,
    run: Run,
    members: Members,
    inherit: Callable[[Path], None],
    focus: str | None,
) -> Run:
    """The run as it was saved, if its dataset is still the one that was clustered.

    Without a focus of its own it has that of the run before it.
    """
    before = run.parent_run or run.assigned_from or run.follows
    if focus is None and before:
        focus = workspace.runs.focus(workspace.runs.load(run.dataset, before))

    def keep(folder: Path) -> None:
        inherit(folder)
        if focus:
            write_focus(folder, clean_text(focus))

    with dataset_lock(workspace.home, run.dataset):
        if workspace.store.card(run.dataset).collection != run.collection:
            raise NotReady(f"'{run.dataset}' was replaced while it was clustered. Call again.")
        return workspace.runs.save(run, members, keep)


def _read(
    workspace: Workspace, card: DatasetCard, chosen: set[str] | None, report: Report
) -> LoadedDataset:
    report(0.01, f"reading '{card.name}'")
    reading = load_dataset(workspace, card, chosen)
    count = len(reading.corpus.ids)
    if not count:
        raise BadInput(
            f"No records to cluster in '{card.name}'. "
            + ("None fits `where`." if chosen is not None else "Add some with `ingest`.")
        )
    report(READ_SHARE, f"read {count:,} records, {len(reading.corpus.texts):,} distinct texts")
    return reading


def _found(
    workspace: Workspace,
    card: DatasetCard,
    reading: LoadedDataset,
    parameters: Parameters,
    report: Report,
) -> Clustering:
    """The clusters, with progress from `READ_SHARE` to `FOUND_SHARE` of the whole."""

    def part(fraction: float, message: str) -> None:
        report(READ_SHARE + (FOUND_SHARE - READ_SHARE) * fraction, message)

    raw = parameters.space == "embedding"
    search = choose_search(workspace.store, card, reading.corpus, raw=raw)
    return find_clusters(reading.corpus, parameters, part, reading.memory, search)

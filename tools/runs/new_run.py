"""A run of its own over all records of a dataset, or over some of them.

In come the chosen records and parameters, out comes the draft of a run. Clusters that are the same
as in the newest earlier run of the same records keep id and description.
"""

import json
from dataclasses import dataclass, replace

from corpuscope.tools.clustering.pipeline import (
    Clustering,
    Parameters,
    find_clusters,
)
from corpuscope.tools.core.disk import check_space
from corpuscope.tools.core.errors import BadInput
from corpuscope.tools.core.masking import keyword_text
from corpuscope.tools.core.schema import DatasetCard, Report
from corpuscope.tools.runs.assembly import (
    assemble_run,
    cluster_centroids,
    run_members,
    run_nodes,
    run_parameters,
    with_nearest,
    with_noise_assigned,
)
from corpuscope.tools.runs.draft import MapSource, RunDraft
from corpuscope.tools.runs.frozen import frozen_themes, with_frozen
from corpuscope.tools.runs.inheritance import alike_runs, inherit
from corpuscope.tools.runs.regardless import set_aside
from corpuscope.tools.tables.where import Where
from corpuscope.tools.workspace.reading import LoadedDataset, choose_search, load_dataset
from corpuscope.tools.workspace.selection import Selection, cluster_records
from corpuscope.tools.workspace.tables import where_ids
from corpuscope.tools.workspace.workspace import Workspace

# The shares of the time of `cluster`: reading, then clustering; the rest is words and the map.
READ_SHARE = 0.15
CLUSTERED_SHARE = 0.55

RUN_BYTES = 100
"""What a record takes in a run: its id, path, place on the map and neighbours noted."""


@dataclass(frozen=True)
class Scope:
    """The records to cluster, all (None) or some, and what the run says of the choice."""

    card: DatasetCard
    ids: set[str] | None = None
    where: str | None = None
    parent_run: str | None = None
    within: str | None = None
    regardless_of: tuple[str, ...] = ()
    """Columns across whose groups themes are looked for."""
    assign_noise: bool = False
    """Whether the theme that is nearest to each record of the noise is kept too."""


def filtered(workspace: Workspace, card: DatasetCard, where: Where) -> Scope:
    """The records of a dataset that fit a filter.

    Raises:
        BadInput: The filter names no column, or a value of another type.
    """
    ids = where_ids(workspace, card, where)
    return Scope(card, ids, json.dumps(where, ensure_ascii=False, sort_keys=True))


def union(workspace: Workspace, selection: Selection, clusters: list[str]) -> Scope:
    """The records in any of the clusters; such a run has to be named, like one of a filter."""
    run = selection.run
    members = workspace.runs.members(run)
    ids = {record for cluster in clusters for record in cluster_records(run, members, cluster)}
    where = json.dumps({"cluster": clusters, "run": run.id})
    return Scope(selection.card, ids, where, run.id, ", ".join(clusters))


def new_run(workspace: Workspace, scope: Scope, parameters: Parameters, report: Report) -> RunDraft:
    """Cluster the records of a scope.

    Raises:
        BadInput: It has no records, or a column of `regardless_of` no groups.
        NotReady: The dataset grew while it was read.
    """
    loaded = load_records(workspace, scope.card, scope.ids, report)
    offsets = None
    if scope.regardless_of:
        columns, part = scope.regardless_of, scope.parent_run is not None
        loaded, offsets = set_aside(workspace, scope.card, loaded, columns, part=part)
    corpus = loaded.corpus
    clustering = cluster_loaded(workspace, scope.card, loaded, parameters, report)
    past = alike_runs(workspace.runs, scope.card, scope.where)
    clustering, frozen = with_frozen(
        workspace.runs, frozen_themes(workspace.runs, past), corpus, clustering
    )
    report(CLUSTERED_SHARE, "choosing keywords and examples")
    nodes = run_nodes(corpus, clustering, keyword_text(scope.card.mask, workspace.redact))
    members = run_members(corpus, clustering)
    if scope.assign_noise:
        members = with_nearest(members, corpus, clustering)
    stated = run_parameters(parameters, clustering, scope.where)
    run = assemble_run(scope.card, clustering, nodes, members, stated)
    run, members = with_noise_assigned(run, members)
    draft = RunDraft(
        card=scope.card,
        run=replace(
            run,
            parent_run=scope.parent_run,
            within=scope.within,
            regardless_of=list(scope.regardless_of),
            frozen=list(frozen),
        ),
        frozen=frozen,
        members=members,
        descriptions={},
        centroids=cluster_centroids(corpus, clustering.tree),
        source=MapSource(loaded, clustering),
        offsets=offsets,
    )
    return inherit(workspace.runs, draft)


def load_records(
    workspace: Workspace, card: DatasetCard, ids: set[str] | None, report: Report
) -> LoadedDataset:
    """The records to cluster, in memory: all of a dataset (None), or those with these ids.

    Raises:
        BadInput: There are none.
        NotReady: The dataset grew while it was read.
        SystemFailure: There is no space for the run, said before it is worked out.
    """
    report(0.01, f"reading '{card.name}'")
    loaded = checked_records(card, load_dataset(workspace, card, ids), chosen=ids is not None)
    corpus = loaded.corpus
    count = f"{len(corpus.ids):,} records, {len(corpus.texts):,} distinct texts"
    report(READ_SHARE, f"read {count}")
    check_space(workspace.home, RUN_BYTES * len(corpus.ids), f"a run of {count}")
    return loaded


def checked_records(
    card: DatasetCard, loaded: LoadedDataset, *, chosen: bool = True
) -> LoadedDataset:
    """Loaded records, if there are any; `chosen` says whether they are a part of the dataset.

    Raises:
        BadInput: There are none.
    """
    if not loaded.corpus.ids:
        raise BadInput(
            f"No records to cluster in '{card.name}'. "
            + ("None fits `where`." if chosen else "Add some with `ingest`.")
        )
    return loaded


def cluster_loaded(
    workspace: Workspace,
    card: DatasetCard,
    loaded: LoadedDataset,
    parameters: Parameters,
    report: Report,
) -> Clustering:
    """The clusters of loaded records, with progress from `READ_SHARE` to `CLUSTERED_SHARE`."""

    def report_part(fraction: float, message: str) -> None:
        report(READ_SHARE + (CLUSTERED_SHARE - READ_SHARE) * fraction, message)

    raw = parameters.space == "embedding" and loaded.as_stored
    search = choose_search(workspace.store, card, loaded.corpus, raw=raw)
    return find_clusters(loaded.corpus, parameters, report_part, loaded.memory, search)

"""The map of a run, (n, 2): laid out by UMAP once, by whoever needs it first, and kept with it."""

import numpy as np

from corpuscope.tools.archive.origins import original_run
from corpuscope.tools.clustering.pipeline import Clustering, corpus_graph, lay_out_map
from corpuscope.tools.core.errors import NotReady
from corpuscope.tools.core.schema import DatasetCard, Floats, Report, Run
from corpuscope.tools.runs.assembly import clustering_parameters
from corpuscope.tools.runs.draft import MapSource
from corpuscope.tools.store.locks import map_lock
from corpuscope.tools.workspace.reading import LoadedDataset, load_run
from corpuscope.tools.workspace.workspace import Workspace

# A million texts take minutes; whoever waits for a map waits for its maker this long.
MOST_SECONDS = 1_800.0


def draw_map(workspace: Workspace, run: Run, source: MapSource) -> None:
    """Lay out and keep the map of a run that was just saved, from what clustering left.

    Raises:
        NotFound: The run, or its dataset, was deleted meanwhile; nothing is kept of it.
        NotReady: Another process takes too long over it.
    """
    loaded, clustering = source.loaded, source.clustering
    with map_lock(workspace.home, run.dataset, run.id, MOST_SECONDS):
        workspace.runs.check_there(run)
        if workspace.runs.map(run) is None:
            points = clustering.map
            if points is None:
                points = _layout(workspace, run, loaded, clustering)
            workspace.runs.save_map(run, points[loaded.corpus.copies_of])


def ensure_map(workspace: Workspace, card: DatasetCard, run: Run, report: Report) -> Floats:
    """The run's map, (n, 2) row for row with its members; laid out where there is none yet.

    Where another process is at it, this waits for that one. Records that the dataset no longer
    has get the place (0, 0).

    Raises:
        NotReady: All records of the run are gone, or another process takes too long.
        NotFound: The run, or its dataset, was deleted meanwhile.
    """
    with map_lock(workspace.home, run.dataset, run.id, MOST_SECONDS):
        points = workspace.runs.map(run)
        if points is not None:
            return points
        members = workspace.runs.members(run)
        report(0.1, "reading vectors for the map")
        loaded = load_run(workspace, card, run, members)
        corpus = loaded.corpus
        if not corpus.ids:
            raise NotReady(f"The records of run {run.id} are gone. Cluster again.")
        report(0.4, "laying out the map")
        distinct = _layout(workspace, run, loaded, None)
        place = dict(zip(corpus.ids, distinct[corpus.copies_of], strict=True))
        nowhere = np.zeros(2, dtype=np.float32)
        points = np.array([place.get(i, nowhere) for i in members.ids], dtype=np.float32)
        workspace.runs.save_map(run, points)
        return points


def _layout(
    workspace: Workspace, run: Run, loaded: LoadedDataset, clustering: Clustering | None
) -> Floats:
    """(m, 2) places of the distinct texts; `clustering` is what found the run, if it is at hand."""
    # A run that split a cluster has the parameters of that alone.
    parameters = clustering_parameters(original_run(workspace.runs, run))
    vectors, memory = loaded.corpus.vectors, loaded.memory
    if clustering is None or clustering.graph is None or parameters.space == "embedding":
        # A graph that Milvus searched is not remembered, and neither is what is laid out from it.
        graph, start = corpus_graph(vectors, parameters, memory), None
    else:
        graph, start = clustering.graph, clustering.start
    return lay_out_map(graph, vectors, start, parameters.seed, memory)

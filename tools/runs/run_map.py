"""The map of a run: computed once, by whoever needs it first."""

import numpy as np

from corpuscope.tools.clustering.pipeline import Clustering, corpus_graph, lay_out_map
from corpuscope.tools.core.errors import NotReady
from corpuscope.tools.core.schema import DatasetCard, Floats, Report, Run
from corpuscope.tools.runs.assembly import clustering_parameters
from corpuscope.tools.store.locks import map_lock
from corpuscope.tools.store.runs import original_run
from corpuscope.tools.workspace.reading import LoadedDataset, load_dataset
from corpuscope.tools.workspace.workspace import Workspace

# A million texts take minutes; whoever waits for a map waits for its maker this long.
MOST_SECONDS = 1_800.0


def draw_map(workspace: Workspace, run: Run, reading: LoadedDataset, found: Clustering) -> None:
    """Lay out and keep the map of a run that was just saved, from what clustering left."""
    with map_lock(workspace.home, run.dataset, run.id, MOST_SECONDS):
        if workspace.runs.map(run) is None:
            points = _laid_out(workspace, run, reading, found) if found.map is None else found.map
            workspace.runs.save_map(run, points[reading.corpus.copies_of])


def ensure_map(workspace: Workspace, card: DatasetCard, run: Run, report: Report) -> Floats:
    """The run's map, (n, 2) row for row with its members; laid out where there is none yet.

    Where another process is at it, this waits for that one. Records that the dataset no longer
    has get the place (0, 0).

    Raises:
        NotReady: All records of the run are gone, or another process takes too long.
    """
    with map_lock(workspace.home, run.dataset, run.id, MOST_SECONDS):
        points = workspace.runs.map(run)
        if points is not None:
            return points
        members = workspace.runs.members(run)
        report(0.1, "reading vectors for the map")
        reading = load_dataset(workspace, card, set(members.ids))
        corpus = reading.corpus
        if not corpus.ids:
            raise NotReady(f"The records of run {run.id} are gone. Cluster again.")
        report(0.4, "laying out the map")
        distinct = _laid_out(workspace, run, reading, None)
        place = dict(zip(corpus.ids, distinct[corpus.copies_of], strict=True))
        nowhere = np.zeros(2, dtype=np.float32)
        points = np.array([place.get(i, nowhere) for i in members.ids], dtype=np.float32)
        workspace.runs.save_map(run, points)
        return points


def _laid_out(
    workspace: Workspace, run: Run, reading: LoadedDataset, found: Clustering | None
) -> Floats:
    # A run that split a cluster has the parameters of that alone.
    parameters = clustering_parameters(original_run(workspace.runs, run))
    vectors, memory = reading.corpus.vectors, reading.memory
    if found is None or found.graph is None or parameters.space == "embedding":
        # A graph that Milvus searched is not remembered, and neither is what is laid out from it.
        graph, start = corpus_graph(vectors, parameters, memory), None
    else:
        graph, start = found.graph, found.start
    return lay_out_map(graph, vectors, start, parameters.seed, memory)

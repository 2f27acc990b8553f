"""The methods that are compared, each from texts and vectors in memory to labels."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from bench.made import mixture
from bench.measures import Cost, Meter
from corpuscope.tools.clustering.corpus import Corpus, collapse
from corpuscope.tools.clustering.pipeline import Clustering, Parameters, find_clusters
from corpuscope.tools.clustering.warm_up import warm_up
from corpuscope.tools.core.schema import Floats, Ints, Report, no_report
from corpuscope.tools.geometry.projection import map_points
from corpuscope.tools.runs.assembly import run_nodes

TUTORIAL_NEIGHBOURS = 50
TUTORIAL_SMALLEST = 3

WARM_ROWS = 17_000
"""From 16,385 on HDBSCAN starts processes, and from 4,096 on UMAP takes NN-descent: once each
before anything is measured."""


@dataclass(frozen=True)
class Method:
    """A name for the tables, and how to get from n texts, (n, dim) vectors and a seed to labels.

    Whoever does not take a seed by default is not given one.
    """

    name: str
    run: Callable[[list[str], Floats, int], Ints]


@dataclass(frozen=True, eq=False)
class Found:
    """What corpuscope found: the records and their clusters."""

    corpus: Corpus
    clustering: Clustering

    @property
    def labels(self) -> Ints:
        """(n,): the recommended layer for every record."""
        choice = self.clustering.choice
        return choice.layers[choice.recommended].labels[self.corpus.copies_of]

    def draw(self, seed: int) -> Floats:
        """(n, 2): the map of the records."""
        clustering = self.clustering
        assert clustering.graph is not None  # None only for fewer texts than any set has
        points = map_points(clustering.graph, self.corpus.vectors, clustering.start, seed=seed)
        return points[self.corpus.copies_of]


@dataclass(frozen=True)
class Step:
    """One step of corpuscope and its cost."""

    name: str
    cost: Cost


def find(texts: list[str], vectors: Floats, seed: int, report: Report) -> Found:
    """The engine, as the tool `cluster` calls it."""
    corpus = collapse([str(row) for row in range(len(texts))], texts, vectors)
    parameters = Parameters(min_cluster_size=None, space="graph", seed=seed)
    return Found(corpus, find_clusters(corpus, parameters, report))


def find_in_steps(
    texts: list[str], vectors: Floats, seed: int, *, words: bool
) -> tuple[Found, list[Step]]:
    """The same and the map, with the cost of each step: the steps are those the engine reports.

    `words` adds what the tool does for every cluster, keywords and exemplars.
    """
    steps: list[Step] = []
    name, meter = "collapsing equal texts", Meter()

    def begin(what: str) -> None:
        nonlocal name, meter
        steps.append(Step(name, meter.stop()))
        name, meter = what, Meter()

    result = find(texts, vectors, seed, lambda _fraction, message: begin(message))
    begin("laying out the map")
    result.draw(seed)
    if words:
        begin("keywords and exemplars")
        run_nodes(result.corpus, result.clustering)
    steps.append(Step(name, meter.stop()))
    return result, steps


def ours(texts: list[str], vectors: Floats, seed: int) -> Ints:
    """corpuscope's clusters."""
    return find(texts, vectors, seed, no_report).labels


def ours_with_map(texts: list[str], vectors: Floats, seed: int) -> Ints:
    """corpuscope's clusters, with the map of them."""
    result = find(texts, vectors, seed, no_report)
    result.draw(seed)
    return result.labels


def bertopic(texts: list[str], vectors: Floats, _seed: int) -> Ints:
    """BERTopic (Grootendorst 2022) with all defaults: UMAP to 5-D, HDBSCAN, words by c-TF-IDF."""
    from bertopic import BERTopic

    topics, _probabilities = BERTopic(calculate_probabilities=False).fit_transform(texts, vectors)
    return np.asarray(topics, np.int32)


def evoc(_texts: list[str], vectors: Floats, _seed: int) -> Ints:
    """EVoC (McInnes et al.) with all defaults: its most persistent layer."""
    from evoc import EVoC

    return np.asarray(EVoC().fit_predict(vectors), np.int32)


def evoc_seeded(_texts: list[str], vectors: Floats, seed: int) -> Ints:
    """The same, repeatable."""
    from evoc import EVoC

    return np.asarray(EVoC(random_state=seed).fit_predict(vectors), np.int32)


def tutorial(_texts: list[str], vectors: Floats, _seed: int) -> Ints:
    """The tutorial's clusters of the 50 nearest neighbours' distances, made to run.

    Its matrix with infinities crashes hdbscan; here it is sparse, and fast_hdbscan makes it
    symmetric by the minimum and bridges its components.
    """
    import faiss
    from fast_hdbscan import HDBSCAN
    from scipy.sparse import csr_array

    count = len(vectors)
    index = faiss.IndexFlatIP(vectors.shape[1])
    index.add(vectors)
    cosines, columns = index.search(vectors, min(TUTORIAL_NEIGHBOURS, count))
    rows = np.repeat(np.arange(count), columns.shape[1])
    lengths = np.sqrt(np.maximum(2.0 - 2.0 * cosines.ravel().astype(np.float64), 0.0))
    not_self = rows != columns.ravel()
    edges = (lengths[not_self], (rows[not_self], columns.ravel()[not_self]))
    model = HDBSCAN(
        metric="precomputed", min_samples=TUTORIAL_SMALLEST, min_cluster_size=TUTORIAL_SMALLEST
    )
    return np.asarray(model.fit_predict(csr_array(edges, shape=(count, count))), np.int32)


METHODS: dict[str, Method] = {
    "ours": Method("corpuscope", ours),
    "ours+map": Method("corpuscope with its map", ours_with_map),
    "bertopic": Method("BERTopic", bertopic),
    "evoc": Method("EVoC", evoc),
    "tutorial": Method("the tutorial's way", tutorial),
}
SEEDED: dict[str, Method] = {
    "ours": Method("corpuscope", ours),
    "evoc": Method("EVoC with a seed", evoc_seeded),
}


def warm_methods(methods: Sequence[Method]) -> None:
    """Let numba compile, and processes start, before anything is measured."""
    print("warming", flush=True)
    warm_up()  # both ways of searching neighbours: the rows below take only one
    made = mixture(WARM_ROWS)
    for method in methods:
        print(f"warming {method.name}", flush=True)
        method.run(made.texts, made.vectors, 0)

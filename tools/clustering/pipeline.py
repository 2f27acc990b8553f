"""From a corpus in memory to a tree of clusters, step by step.

In: the distinct texts of a dataset with unit vectors. Out: the layers of clusters, the recommended
one, and the tree of them all. The steps: neighbour graph, node embedding (EVoC), density clusters
at every stable resolution (PLSCAN), the choice of layers, the tree; and the map (UMAP), where it is
what is clustered.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal, TypeAlias

import numpy as np

from corpuscope.tools.clustering.corpus import Corpus
from corpuscope.tools.clustering.headings import add_headings
from corpuscope.tools.clustering.layers import (
    MIN_SAMPLES,
    LayerChoice,
    choose_layers,
    density_layers,
    embedding_layer,
    flat_layer,
)
from corpuscope.tools.clustering.linkage import group_few_texts
from corpuscope.tools.clustering.memory import Intermediates, NoIntermediates
from corpuscope.tools.clustering.tree import ClusterTree, build_tree
from corpuscope.tools.core.schema import Floats, Ints, Report, no_report
from corpuscope.tools.geometry.graph import (
    NeighbourGraph,
    embed_nodes,
    neighbour_graph,
    usual_neighbours,
)
from corpuscope.tools.geometry.projection import map_points

Space: TypeAlias = Literal["graph", "map", "embedding"]

NeighbourSearch: TypeAlias = Callable[[int, Report], NeighbourGraph]
"""The graph with k neighbours of each distinct text, itself included; tells its progress."""

FEWEST_TEXTS = 30
"""Density says nothing about fewer: with 30 neighbours, everything is everything's neighbour."""

TRIED_UP_TO, TRIES = 5_000, 3
"""Distinct texts up to which several node embeddings are made, half a second in all: over five
choices of 2,400 tweets the AMI with their topics rises from 0.858 to 0.875, and that between seeds
from 0.908 to 0.942 (870 news: from 0.852 to 0.923). For 12,000 texts it gains nothing."""

SEARCH_SHARE = 0.4
"""What the search for neighbours takes of the time."""

EMBEDDING_MIN_SIZE = 10
"""In the space of the vectors there are no layers to choose from; this is HDBSCAN's usual size."""


@dataclass(frozen=True)
class Parameters:
    """What a client may choose about a clustering."""

    min_cluster_size: int | None
    """In distinct texts; None: every resolution is tried."""
    space: Space
    """Where density is measured: in the node embedding, on the map, or among the vectors."""
    seed: int
    only_recommended: bool = False
    """Keep one layer: the parts of one cluster are its children, and each can be split again."""
    min_samples: int = MIN_SAMPLES
    """Neighbours that make a text dense."""
    neighbours: int | None = None
    """Of each text in the graph, itself included; None: as many as serve best."""


@dataclass(frozen=True)
class ClusteringInput:
    """What is clustered: m distinct texts as `vectors` (m, dim) unit float32, the records behind
    each in `weights` (m,) int32, and their neighbour graph."""

    graph: NeighbourGraph
    vectors: Floats
    weights: Ints


@dataclass(frozen=True)
class Layering:
    """The layers that were found; `points` (m, d) is where they were found, `start` (m, d) the
    node embedding, which a map begins with. In the space of the vectors there is neither."""

    choice: LayerChoice
    start: Floats | None
    points: Floats | None


@dataclass(frozen=True)
class Clustering:
    """What was found in a corpus of m distinct texts; `hint` says what to try where it is little.

    `graph` is None where there were too few texts to search one; `start` and `map` are (m, d) and
    (m, 2), where they were needed already.
    """

    tree: ClusterTree
    choice: LayerChoice
    hint: str | None
    graph: NeighbourGraph | None
    start: Floats | None
    map: Floats | None


def search_in_memory(corpus: Corpus) -> NeighbourSearch:
    """The search over the vectors that were read."""
    return lambda k, _report: neighbour_graph(corpus.vectors, k=k)


def find_clusters(
    corpus: Corpus,
    parameters: Parameters,
    report: Report = no_report,
    memory: Intermediates | None = None,
    search: NeighbourSearch | None = None,
) -> Clustering:
    """Cluster the distinct texts of a corpus.

    Args:
        corpus: At least one text.
        parameters: What the client chose.
        report: Called at each step, from 0 to 1.
        memory: What is known of the corpus already; None: nothing.
        search: How neighbours are searched where they are not known; None: in this process.
    """
    memory, search = memory or NoIntermediates(), search or search_in_memory(corpus)
    count = len(corpus.texts)
    if count < FEWEST_TEXTS:
        return _few_texts(corpus, parameters.min_cluster_size)
    report(0.0, f"searching the neighbours of {count:,} distinct texts")
    k = parameters.neighbours or usual_neighbours(count)

    def search_now() -> NeighbourGraph:
        return search(k, lambda done, message: report(SEARCH_SHARE * done, message))

    # What Milvus' index found is for the space of the vectors alone, and not remembered. The graph
    # does not depend on the run's seed: it is the same for all runs of the data.
    graph = search_now() if parameters.space == "embedding" else memory.graph(k, search_now)
    report(SEARCH_SHARE, f"neighbours: {graph.provider}; embedding the graph")
    layering = find_layers(
        ClusteringInput(graph, corpus.vectors, corpus.weights), parameters, report, memory
    )
    choice = layering.choice
    tree = build_tree(choice.layers, corpus.weights, choice.recommended)
    map_places = layering.points if parameters.space == "map" else None
    return Clustering(tree, choice, _hint(choice), graph, layering.start, map_places)


def corpus_graph(vectors: Floats, parameters: Parameters, memory: Intermediates) -> NeighbourGraph:
    """The neighbour graph of (m, dim) distinct texts, looked up or searched in this process."""
    k = parameters.neighbours or usual_neighbours(len(vectors))
    return memory.graph(k, lambda: neighbour_graph(vectors, k=k))


def find_layers(
    given: ClusteringInput,
    parameters: Parameters,
    report: Report = no_report,
    memory: Intermediates | None = None,
) -> Layering:
    """The layers of a graph, and the one to show first: what clustering is, once it has a graph."""
    memory = memory or NoIntermediates()
    size, seed = parameters.min_cluster_size, parameters.seed
    start, points = None, None
    if parameters.space == "embedding":
        smallest = size or EMBEDDING_MIN_SIZE
        layers = [embedding_layer(given.graph, smallest, parameters.min_samples)]
    else:
        start = points = ensure_embedding(given.graph, given.vectors, seed, memory)
        if parameters.space == "map":
            report(0.5, "laying out the map to cluster in")
            points = lay_out_map(given.graph, given.vectors, start, seed, memory)
        report(0.7, "looking for clusters" + ("" if size else " at every resolution"))
        if size is not None:
            layers = [flat_layer(points, size, parameters.min_samples)]
        else:
            layers = density_layers(points, min_samples=parameters.min_samples)
    choice = choose_layers(layers, given.weights)
    if parameters.only_recommended:
        choice = replace(choice, layers=(choice.layers[choice.recommended],), recommended=0)
    else:
        choice = add_headings(choice, given.vectors, given.weights)
    return Layering(choice, start, points)


def ensure_embedding(
    graph: NeighbourGraph, vectors: Floats, seed: int, memory: Intermediates
) -> Floats:
    """The node embedding, (m, d), looked up or worked out; of few texts the most typical one."""
    name = f"embedding-{graph.indices.shape[1]}-{seed}"
    embed = typical_embedding if len(vectors) <= TRIED_UP_TO else embed_nodes
    return memory.points(name, lambda: embed(graph, vectors, seed=seed))


def typical_embedding(graph: NeighbourGraph, vectors: Floats, *, seed: int) -> Floats:
    """Of `TRIES` node embeddings (m, d) the one whose themes agree best with those of the others.

    What few texts fall into depends on the seed more than what many do, and to try is cheap.
    """
    from sklearn.metrics import adjusted_mutual_info_score

    tries = [embed_nodes(graph, vectors, seed=TRIES * seed + number) for number in range(TRIES)]
    weights = np.ones(len(vectors), np.int32)
    choices = [choose_layers(density_layers(points), weights) for points in tries]
    labels = [choice.layers[choice.recommended].labels for choice in choices]
    agreement = [
        sum(adjusted_mutual_info_score(mine, other) for other in labels) for mine in labels
    ]
    return tries[int(np.argmax(agreement))]


def lay_out_map(
    graph: NeighbourGraph, vectors: Floats, start: Floats | None, seed: int, memory: Intermediates
) -> Floats:
    """The map, (m, 2), looked up or laid out from `start` (m, d), the node embedding."""

    def lay_out() -> Floats:
        init = ensure_embedding(graph, vectors, seed, memory) if start is None else start
        return map_points(graph, vectors, init, seed=seed)

    return memory.points(f"map-{graph.indices.shape[1]}-{seed}", lay_out)


def _few_texts(corpus: Corpus, smallest: int | None) -> Clustering:
    """Too few texts to speak of density: groups by average linkage, and the reason says so."""
    choice = group_few_texts(corpus.vectors, smallest or 0)
    hint = None
    if len(corpus.texts) == 1:
        hint = f"All {len(corpus.ids):,} texts are equal, so there is one cluster: that text."
    elif choice.layers[0].clusters == 1:
        hint = (
            f"Only {len(corpus.texts)} distinct texts, fewer than {FEWEST_TEXTS}, and no clear "
            "groups among them. Read them with `get-members`."
        )
    return Clustering(build_tree(choice.layers, corpus.weights), choice, hint, None, None, None)


def _hint(choice: LayerChoice) -> str | None:
    """What to try where there is no cluster, or only one."""
    layer = choice.layers[choice.recommended]
    if layer.clusters == 0:
        return (
            "All texts are noise: no group of them is denser than the rest. Try a smaller "
            "min_cluster_size, or vectors of a better model (`ingest` with mode='replace')."
        )
    if layer.clusters == 1:
        return (
            "One theme holds all that is not noise. Look into it with cluster(within='1'), or "
            "try a smaller min_cluster_size."
        )
    return None

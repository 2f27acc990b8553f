"""From a corpus in memory to a tree of clusters: the way of the engine, step by step."""

from dataclasses import dataclass, replace
from typing import Literal, TypeAlias

import numpy as np

from corpuscope.tools.corpus import Corpus
from corpuscope.tools.graph import NeighbourGraph, neighbour_graph, node_embedding
from corpuscope.tools.layers import (
    MIN_SAMPLES,
    SMALLEST_CLUSTER,
    Choice,
    ClusterLayer,
    choose_layers,
    density_layers,
    embedding_layer,
    flat_layer,
)
from corpuscope.tools.layout import map_points
from corpuscope.tools.schema import Floats, Report
from corpuscope.tools.tree import ClusterTree, build_tree

Space: TypeAlias = Literal["graph", "map", "embedding"]

# Density says nothing about fewer: with 30 neighbours, everything is everything's neighbour.
FEWEST_TEXTS = 30
# In the space of the vectors there are no layers to choose from; this is HDBSCAN's usual size.
EMBEDDING_MIN_SIZE = 10


@dataclass(frozen=True)
class Parameters:
    """What a client may choose about a clustering."""

    min_cluster_size: int | None
    space: Space
    seed: int
    only_recommended: bool = False
    """Keep one layer: the parts of one cluster are its children, and each can be split again."""


@dataclass(frozen=True)
class Clustering:
    """What was found in a corpus of m distinct texts.

    `graph` and `start` (m, d) are kept for the map; both are None where nothing was computed
    because there were too few texts. `points` (m, 2) is the map where it was needed already.
    """

    tree: ClusterTree
    choice: Choice
    hint: str | None
    graph: NeighbourGraph | None
    start: Floats | None
    points: Floats | None


def find_clusters(corpus: Corpus, parameters: Parameters, report: Report) -> Clustering:
    """Cluster the distinct texts of a corpus.

    Args:
        corpus: At least one text.
        parameters: Smallest cluster, space and seed.
        report: Told at each step, 0 to 1.
    """
    count = len(corpus.texts)
    if count < FEWEST_TEXTS:
        return _all_in_one(corpus)
    seed = parameters.seed
    report(0.05, f"searching neighbours of {count:,} distinct texts")
    graph = neighbour_graph(corpus.vectors, seed=seed)
    report(0.5, f"neighbours found, {graph.provider}; embedding the graph")
    start = node_embedding(graph, corpus.vectors, seed=seed)
    points = None
    if parameters.space == "map":
        report(0.6, "laying out the map to cluster in")
        points = map_points(graph, corpus.vectors, start, seed=seed)
    report(0.8, "looking for clusters at every resolution")
    layers = _layers(graph, start if points is None else points, parameters)
    choice = choose_layers(layers, corpus.weights)
    if parameters.only_recommended:
        choice = replace(choice, layers=(choice.layers[choice.recommended],), recommended=0)
    tree = build_tree(choice.layers, corpus.weights, choice.recommended)
    return Clustering(tree, choice, _hint(choice, corpus), graph, start, points)


def _layers(graph: NeighbourGraph, points: Floats, parameters: Parameters) -> list[ClusterLayer]:
    size = parameters.min_cluster_size
    if parameters.space == "embedding":
        return [embedding_layer(graph, size or EMBEDDING_MIN_SIZE, MIN_SAMPLES)]
    if size is not None:
        return [flat_layer(points, size, MIN_SAMPLES)]
    return density_layers(points, base_min_cluster_size=SMALLEST_CLUSTER)


def _all_in_one(corpus: Corpus) -> Clustering:
    """Too few texts to speak of density: one cluster holds them all, and the hint says why."""
    count = len(corpus.texts)
    zeros = np.zeros(count, dtype=np.int32)
    whole = ClusterLayer(labels=zeros, strengths=np.ones(count, np.float32), persistence=0.0)
    if count == 1:
        hint = f"All {len(corpus.ids):,} texts are equal, so there is one cluster: that text."
    else:
        hint = (
            f"Only {count} distinct texts, fewer than {FEWEST_TEXTS}: too few to find themes by "
            "density, so all are in one cluster. Read them with `get-members`."
        )
    choice = Choice((whole,), 0, hint)
    return Clustering(build_tree((whole,), corpus.weights), choice, hint, None, None, None)


def _hint(choice: Choice, corpus: Corpus) -> str | None:
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

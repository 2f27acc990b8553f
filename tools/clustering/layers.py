"""Layers: density clusters of points at several resolutions, and which of them to recommend.

In: places of points, or their neighbour graph. Out: the clusters of each resolution, coarse to
fine; then, with the records behind each point, those worth keeping and the recommended one.

PLSCAN (Bot, McInnes, Aerts 2025, arXiv:2512.16558; package `fast_hdbscan`) finds every stable
resolution by itself. A resolution is one cut through its tree, and leaves out branches whose
clusters are all somewhat smaller than the cut allows, though they are as dense as the rest: each
layer is completed with them. HDBSCAN serves where the caller gives the smallest size of a cluster.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import log2
from typing import Any

import numpy as np
from numpy.typing import NDArray

from corpuscope.tools.core.schema import Floats, Ints
from corpuscope.tools.geometry.graph import NeighbourGraph, distance_matrix

MIN_SAMPLES = 5
"""Neighbours that make a point dense. Between 3 and 15 the AMI moves by less than 0.01."""

SMALLEST_CLUSTER = 5
"""Fewer distinct texts are an anecdote, and the finest layer would be mostly these."""

FEWEST_THEMES = 12
"""Fewer clusters than this are headings rather than themes; for few records √n / 3, at least 2."""

PER_OCTAVE = 0.5
"""What a layer's score is multiplied by for each halving below `FEWEST_THEMES`: a soft edge."""

NEARLY_AS_GOOD = 0.95
"""The share of the best score from which on the coarsest layer is taken: what its cut leaves out is
given back, but nothing joins what a finer one splits."""

COMPLETED_FROM = 0.2
"""The share of a layer's smallest size from which on a cluster beside it is taken back. Between 0.1
and 0.35 the AMI is the same within 0.004; below 0.17 crumbs come in vague data."""

MOST_LAYERS = 4
"""More levels than this make ids that nobody says aloud."""


@dataclass(frozen=True, slots=True, eq=False)
class ClusterLayer:
    """The clusters of n points at one resolution.

    `labels` (n,) int32, -1 is noise; `strengths` (n,) float32, 0 (edge, noise) to 1 (core);
    `persistence`: PLSCAN's score, 0 if unknown; the larger, the more choices of the smallest size
    of a cluster give these same clusters. `completed`: the same clusters and those that the cut
    left out; None where it left out none, or is no cut.
    """

    labels: Ints
    strengths: Floats
    persistence: float
    completed: "ClusterLayer | None" = None

    @property
    def whole(self) -> "ClusterLayer":
        """The layer with what its cut left out."""
        return self.completed or self

    @property
    def clusters(self) -> int:
        """How many clusters it has; labels run from 0 to one less."""
        return int(self.labels.max(initial=-1)) + 1

    def coverage(self, weights: Ints) -> float:
        """The share of records in a cluster, 0 to 1; `weights` (n,) are records per point."""
        return float(weights[self.labels >= 0].sum() / max(1, weights.sum()))


@dataclass(frozen=True, slots=True, eq=False)
class LayerChoice:
    """The layers kept, coarse to fine, the index of the recommended one, and why that one; where
    its themes are many, the index of the layer whose clusters head them."""

    layers: tuple[ClusterLayer, ...]
    recommended: int
    reason: str
    headings: int | None = None


def density_layers(
    points: Floats,
    *,
    min_samples: int = MIN_SAMPLES,
    base_min_cluster_size: int = SMALLEST_CLUSTER,
) -> list[ClusterLayer]:
    """Every stable resolution of (n, d) points, coarse to fine; at least one, maybe all noise.

    Rows that are not finite are noise. Points that never fall apart are one cluster.

    The steps are PLSCAN's, the choice of the resolutions is not: PLSCAN passes over a peak of its
    persistence curve at the curve's end and takes a plateau for one peak, and so misses the groups
    of clear data with one or two scales.
    """
    finite = np.isfinite(points).all(axis=1)
    count = int(finite.sum())
    if count <= max(min_samples, base_min_cluster_size):
        return [_all_noise(len(points))]
    from fast_hdbscan import layer_clusters

    tree = _density_tree(points[finite], min_samples, base_min_cluster_size)
    if tree is None:
        return [_layer(finite, 0, 1.0, 0.0)]
    sizes, persistence = layer_clusters.compute_total_persistence(
        tree.births, tree.deaths, tree.densities
    )
    chosen = layer_clusters.select_diverse_peaks(
        _peaks(persistence), persistence, sizes, tree.births, tree.deaths
    )
    layers = []
    for at in sorted(chosen, reverse=True):  # from the largest smallest cluster
        alive = np.flatnonzero((tree.births <= sizes[at]) & (tree.deaths > sizes[at]))
        cut = _layer(finite, *_extract(tree, alive), float(persistence[at]))
        beside = _left_out(tree, alive, float(sizes[at]))
        if len(beside):
            ids = np.sort(np.concatenate((alive, beside)))
            whole = _layer(finite, *_extract(tree, ids), float(persistence[at]))
            cut = replace(cut, completed=whole)
        layers.append(cut)
    return layers or [_layer(finite, 0, 1.0, 0.0)]


def flat_layer(points: Floats, min_cluster_size: int, min_samples: int) -> ClusterLayer:
    """HDBSCAN of (n, d) points, for callers who name the smallest size of a cluster (at least 2).

    Rows that are not finite are noise.
    """
    finite = np.isfinite(points).all(axis=1)
    if finite.sum() < max(2, min_cluster_size):
        return _all_noise(len(points))
    from hdbscan import HDBSCAN

    model = HDBSCAN(
        min_cluster_size=min_cluster_size,
        min_samples=min(min_samples, int(finite.sum()) - 1),
        core_dist_n_jobs=1,  # more would start processes from within the worker process
    ).fit(points[finite].astype(np.float64))
    return _layer(finite, model.labels_, model.probabilities_, 0.0)


def embedding_layer(graph: NeighbourGraph, min_cluster_size: int, min_samples: int) -> ClusterLayer:
    """HDBSCAN in the space of the vectors themselves, over their neighbour graph.

    As the usual tutorials cluster, made sound: sparse, symmetric, components bridged. `min_samples`
    is at most the graph's k less one. Expect few or very many clusters: in hundreds of dimensions
    density says little.
    """
    matrix = distance_matrix(graph)
    count = matrix.shape[0]
    if count < max(2, min_cluster_size) or not matrix.nnz:
        return _all_noise(count)
    from fast_hdbscan import HDBSCAN

    model = HDBSCAN(
        min_cluster_size=min_cluster_size,
        min_samples=min(min_samples, graph.indices.shape[1] - 1),
        metric="precomputed",
    ).fit(matrix)
    return _layer(np.ones(count, np.bool_), model.labels_, model.probabilities_, 0.0)


def choose_layers(layers: Sequence[ClusterLayer], weights: Ints) -> LayerChoice:
    """Which of the layers (at least one, coarse to fine) to keep and which to recommend.

    Recommended is the one whose cut has the best `persistent_coverage`, of those that are
    `NEARLY_AS_GOOD` the coarsest; all that are kept are completed. Beside it are kept coarser ones
    of at most half the clusters of the next, and finer ones of at least twice, the nearest first,
    while they cover half of what the recommended covers: what is finer is crumbs, and found by
    clustering one cluster again. `weights` (n,) int32 are the records behind each point; coverage
    counts records.
    """
    scores = [persistent_coverage(layer, weights) for layer in layers]
    good_enough = min(max(scores), NEARLY_AS_GOOD * max(scores))  # scores may be negative
    first = next(at for at, score in enumerate(scores) if score >= good_enough)
    best = layers[first].whole
    kept = [best]
    coarser = [layer.whole for layer in layers[:first]]
    finer = [layer.whole for layer in layers[:first:-1]]
    while len(kept) < MOST_LAYERS and (coarser or finer):
        if coarser and 2 <= (layer := coarser.pop()).clusters <= kept[0].clusters / 2:
            kept.insert(0, layer)
        if len(kept) < MOST_LAYERS and finer:
            layer = finer.pop()
            covers_enough = layer.coverage(weights) >= best.coverage(weights) / 2
            if covers_enough and layer.clusters >= 2 * kept[-1].clusters:
                kept.append(layer)
    return LayerChoice(tuple(kept), kept.index(best), _reason(layers, first, weights))


def persistent_coverage(layer: ClusterLayer, weights: Ints) -> float:
    """The score by which a layer is recommended: persistence · coverage of its cut, less below
    `FEWEST_THEMES`.

    How many themes there are is for the data to say, so that there is no upper edge: many are told
    under headings.
    """
    if not layer.clusters:
        return -1.0  # below any layer with clusters
    fewest = np.clip(float(np.sqrt(weights.sum())) / 3, 2, FEWEST_THEMES)
    octaves = max(0.0, log2(fewest / layer.clusters))
    return float(layer.persistence * layer.coverage(weights) * PER_OCTAVE**octaves)


@dataclass(frozen=True, slots=True, eq=False)
class _DensityTree:
    """PLSCAN's tree of n points: c clusters, the root first, parents before their children.

    A cluster lives at the smallest sizes from `births` to `deaths` (c,). `parents` (c,) are
    positions, -1 for the root; `sizes` (c,) points; `densities` (c,) are PLSCAN's.
    """

    condensed: Any
    points: int
    births: Floats
    deaths: Floats
    densities: Floats
    parents: NDArray[np.int64]
    sizes: NDArray[np.int64]


def _density_tree(points: Floats, min_samples: int, smallest: int) -> _DensityTree | None:
    """The tree over the minimum spanning tree of mutual reachability; None where nothing splits."""
    from fast_hdbscan import layer_clusters
    from fast_hdbscan.cluster_trees import mask_condensed_tree

    count = len(points)
    condensed = _condensed_tree(points, min_samples, smallest)
    splits = mask_condensed_tree(condensed, condensed.child >= count)
    if not len(splits.child):
        return None
    births, deaths, _parents, densities = layer_clusters.min_cluster_size_barcode(
        splits, count, smallest
    )
    parents = np.full(len(births), -1, np.int64)
    sizes = np.full(len(births), count, np.int64)
    parents[splits.child - count] = splits.parent - count
    sizes[splits.child - count] = splits.child_size
    return _DensityTree(condensed, count, births, deaths, densities, parents, sizes)


def _extract(tree: _DensityTree, clusters: NDArray[np.int64]) -> tuple[Any, Any]:
    """Labels and strengths (n,) of the points for some clusters, none inside another."""
    from fast_hdbscan import layer_clusters

    labels, strengths = layer_clusters.extract_clusters_by_id(
        tree.condensed, clusters + tree.points
    )
    return labels, strengths


def _left_out(tree: _DensityTree, cut: NDArray[np.int64], smallest: float) -> NDArray[np.int64]:
    """The clusters that complete a cut, whose clusters have at least `smallest` points.

    Looked at is every branch that hangs beside the cut: its parent is above a cluster of the cut,
    itself is neither in the cut nor above it. In each, a cluster or its parts are taken, whichever
    has the larger sum of size · log(death / birth), births from `COMPLETED_FROM` of the cut's
    smallest size on; clusters below that size are passed over.
    """
    floor = COMPLETED_FROM * smallest
    large = np.flatnonzero(tree.sizes >= floor)
    lives = np.log(np.maximum(tree.deaths / np.maximum(tree.births, floor), 1.0))
    worth = tree.sizes * lives
    parts = np.zeros(len(worth))
    in_cut, above = np.zeros(len(worth), np.bool_), np.zeros(len(worth), np.bool_)
    in_cut[cut] = True
    for cluster in large[:0:-1]:  # children come after their parents
        parent = tree.parents[cluster]
        parts[parent] += max(worth[cluster], parts[cluster])
        above[parent] |= in_cut[cluster] | above[cluster]
    taken, covered = np.zeros(len(worth), np.bool_), in_cut.copy()
    for cluster in large[1:]:
        below = covered[tree.parents[cluster]]
        is_better = worth[cluster] > 0 and worth[cluster] >= parts[cluster]
        taken[cluster] = is_better and not (covered[cluster] or below or above[cluster])
        covered[cluster] |= below or taken[cluster]
    return np.flatnonzero(taken)


def _condensed_tree(points: Floats, min_samples: int, smallest: int) -> Any:
    """PLSCAN's tree of clusters and points."""
    from fast_hdbscan import cluster_trees
    from fast_hdbscan.hdbscan import compute_minimum_spanning_tree

    edges, _neighbours, cores = compute_minimum_spanning_tree(
        np.ascontiguousarray(points, dtype=np.float32), min_samples=min_samples, reproducible=True
    )
    # Distances in units of the points' own density, so that persistence does not depend on scale.
    lowest, mean = float(cores.min()), float(cores.mean())
    if mean > lowest:
        edges[:, 2] = (edges[:, 2] - lowest) / (mean - lowest)
    linkage = cluster_trees.mst_to_linkage_tree(edges[np.argsort(edges[:, 2])])
    return cluster_trees.condense_tree(linkage, smallest, lambda_method="plscan")


def _peaks(curve: Floats) -> Any:
    """Positions no lower than their neighbours, ends included, every one of a plateau."""
    around = np.concatenate(([0.0], curve, [0.0]))
    return np.flatnonzero((curve > 0) & (curve >= around[:-2]) & (curve >= around[2:]))


def _reason(layers: Sequence[ClusterLayer], first: int, weights: Ints) -> str:
    """Why this layer is recommended, and how it was completed, in a sentence for people."""
    cut, best = layers[first], layers[first].whole
    if not best.clusters:
        return "No clusters: no group of texts is denser than what lies around it."
    name = "1 theme" if best.clusters == 1 else f"{best.clusters} themes"
    covers = f"covers {best.coverage(weights):.0%} of the records"
    if len(layers) == 1 and best.clusters == 1:
        return f"{name}: the texts do not fall into separate groups; {covers}."
    most = "the only resolution found"
    if len(layers) > 1:
        most = f"the best of {len(layers)} resolutions by persistence and coverage"
    if added := best.clusters - cut.clusters:
        most += (
            f" ({cut.clusters}, {cut.coverage(weights):.0%}), completed with {added} smaller "
            f"group{'s' if added > 1 else ''} that it leaves out"
        )
    return f"{name}: {most}; {covers}."


def _layer(finite: Any, labels: Any, strengths: Any, persistence: float) -> ClusterLayer:
    """A layer of all points from the labels of the finite ones."""
    layer = _all_noise(len(finite))
    layer.labels[finite] = labels
    layer.strengths[finite] = np.clip(strengths, 0.0, 1.0)
    return replace(layer, persistence=persistence)


def _all_noise(count: int) -> ClusterLayer:
    return ClusterLayer(np.full(count, -1, np.int32), np.zeros(count, np.float32), 0.0)

"""The map: every point of a neighbour graph on a plane, for people to look at.

In: a neighbour graph and where to begin. Out: (n, 2) places, near ones similar. The method is UMAP
(McInnes, Healy, Melville 2018; package `umap-learn`) on the graph that is there already.
"""

import warnings
from typing import Any

import numpy as np

from corpuscope.tools.core.schema import Floats
from corpuscope.tools.geometry.graph import NeighbourGraph, fuzzy_graph, principal_axes

MAP_NEIGHBOURS = 15
"""UMAP's own default; more draws the themes together without changing which lie side by side."""

MAP_EPOCHS = (200, 70)
"""For few and for many points (`MANY_POINTS`): on many, 200 keep 21 % of the 15 nearest and not
17 %, and 96 % in the same cluster and not 95 %, in three times the time."""

MANY_POINTS = 10_000

FEWEST_FOR_UMAP = 5
"""Fewer points have no neighbourhoods; their main axes say it all."""

RING = 1.06
"""Where points without neighbours stand, around a map of radius 1: seen, and out of the way."""


def map_points(
    graph: NeighbourGraph, vectors: Floats, init: Floats | None = None, *, seed: int = 0
) -> Floats:
    """(n, 2) float32 coordinates, finite, centred, the longer side from -1 to 1; n at least 1.

    `vectors` (n, dim) are those of the graph; `init` (n, d) is where to begin, as a rule the node
    embedding, flattened to its main axes (rows of NaN are fine); None begins with the vectors.
    Points without neighbours stand on a ring around the rest. The same input and seed give the
    same map.
    """
    near = np.ascontiguousarray(graph.indices[:, :MAP_NEIGHBOURS])
    fuzzy = fuzzy_graph(
        NeighbourGraph(near, graph.similarities[:, :MAP_NEIGHBOURS], provider=graph.provider)
    )
    linked = np.flatnonzero(np.diff(fuzzy.indptr))
    start = vectors if init is None else init
    places = np.zeros((len(vectors), 2), np.float32)
    if not linked.size:
        places[:] = _disc(len(places))
        return _fitted(places)
    flat = principal_axes(np.nan_to_num(start[linked]), 2)
    if len(linked) >= FEWEST_FOR_UMAP:
        flat = _umap(fuzzy[linked][:, linked], flat, seed)
    elif not np.ptp(flat):
        flat = _disc(len(linked))
    places[linked] = _fitted(flat)
    alone = np.flatnonzero(~np.isin(np.arange(len(places)), linked))
    if alone.size:
        angles = np.linspace(0, 2 * np.pi, len(alone), endpoint=False)
        radius = RING * np.linalg.norm(places, axis=1).max()
        places[alone] = radius * np.stack((np.cos(angles), np.sin(angles)), axis=1)
    return _fitted(places)


def _umap(fuzzy: Any, start: Floats, seed: int) -> Floats:
    """UMAP's optimisation of n points for their fuzzy graph: (n, 2)."""
    with warnings.catch_warnings():
        # umap-learn warns so on import, about a part of it that is not used here.
        warnings.filterwarnings("ignore", "Tensorflow not installed", ImportWarning)
        from umap import layouts
        from umap.umap_ import find_ab_params, simplicial_set_embedding

    # Alone of all compiled steps this one asks for no cache: two seconds in each new process.
    layouts._nb_optimize_layout_euclidean_single_epoch.enable_caching()
    random = np.random.RandomState(seed)
    # UMAP stretches the start to a square; jitter keeps points apart that start in one place.
    start = start + random.normal(scale=1e-3, size=start.shape).astype(np.float32)
    a, b = find_ab_params(spread=1.0, min_dist=0.0)
    places, _details = simplicial_set_embedding(
        data=start,
        graph=fuzzy,
        n_components=2,
        initial_alpha=1.0,
        a=a,
        b=b,
        gamma=1.0,
        negative_sample_rate=5,
        n_epochs=MAP_EPOCHS[len(start) > MANY_POINTS],
        init=start,
        random_state=random,
        metric="cosine",
        metric_kwds={},
        densmap=False,
        densmap_kwds={},
        output_dens=False,
    )
    result: Floats = np.nan_to_num(places.astype(np.float32))
    return result


def _disc(count: int) -> Floats:
    """Points spread evenly over a disc, as the seeds of a sunflower (Vogel 1979)."""
    index = np.arange(count)
    radius, angle = np.sqrt(index), index * np.pi * (3.0 - np.sqrt(5.0))
    return np.stack((radius * np.cos(angle), radius * np.sin(angle)), axis=1).astype(np.float32)


def _fitted(places: Floats) -> Floats:
    """Centred in its own frame and scaled to -1 to 1 on the longer side."""
    low, high = places.min(axis=0), places.max(axis=0)
    half = float((high - low).max()) / 2
    fitted: Floats = (places - (low + high) / 2) / (half if half > 0 else 1.0)
    return fitted.astype(np.float32)

"""Headings: a coarser layer above many themes, so that they stay readable.

In: the layers of a clustering with the vectors of its points. Out: the same with a layer of at most
20 headings above the recommended one, where that has more than 40 themes. A theme goes under the
cluster of a coarser layer that holds most of it; where these are more than 20 groups, or there is
no such layer, those with the nearest mean vectors are joined (Ward's method, package `scipy`).
"""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from corpuscope.tools.clustering.layers import ClusterLayer, LayerChoice
from corpuscope.tools.clustering.tree import layer_groups
from corpuscope.tools.core.schema import Floats, Ints
from corpuscope.tools.core.vectors import unit_rows

MOST_WITHOUT = 40
"""Themes that are read as one list: two screens."""

HEADING_RANGE = (5, 20)
"""Fewer headings say too little, more are a list again."""


def add_headings(choice: LayerChoice, vectors: Floats, weights: Ints) -> LayerChoice:
    """The choice with a layer of headings in place of its coarser ones, where themes are many.

    `vectors` (n, dim) unit float32 of the points, `weights` (n,) the records behind each. Every
    theme is whole under one heading, and a heading holds nothing but its themes.
    """
    themes = choice.layers[choice.recommended]
    if themes.clusters <= MOST_WITHOUT:
        return choice
    coarser = [
        layer for layer in choice.layers[: choice.recommended] if layer.clusters >= HEADING_RANGE[0]
    ]
    groups = layer_groups(themes)
    sums = np.stack([weights[members] @ vectors[members] for members in groups])
    by_density = _holders(groups, coarser[0], weights) if coarser else np.arange(len(groups))
    heading_of = _joined(by_density, sums)
    labels = np.where(themes.labels >= 0, heading_of[themes.labels], -1).astype(np.int32)
    persistence = coarser[0].persistence if coarser else 0.0
    headings = ClusterLayer(labels, themes.strengths, persistence)
    layers = (headings, *choice.layers[choice.recommended :])
    return replace(choice, layers=layers, recommended=1, headings=0)


def _holders(groups: list[Ints], coarser: ClusterLayer, weights: Ints) -> Ints:
    """(t,) for each theme the coarser cluster that holds most of its records, else a new number."""
    holders = np.arange(coarser.clusters, coarser.clusters + len(groups), dtype=np.int32)
    for theme, members in enumerate(groups):
        inside = coarser.labels[members]
        shares = np.bincount(inside + 1, weights=weights[members])
        largest = int(shares.argmax())
        if largest and 2 * shares[largest] > shares.sum():
            holders[theme] = largest - 1
    return holders


def _joined(groups: NDArray[np.integer], sums: Floats) -> Ints:
    """(t,) numbers from 0 for the heading of each theme, at most `HEADING_RANGE[1]` of them.

    `groups` (t,) are those to begin with, `sums` (t, dim) the sum of the vectors of each theme.
    """
    from scipy.cluster.hierarchy import fcluster, linkage

    _names, places = np.unique(groups, return_inverse=True)
    group_of: Ints = places.astype(np.int32)
    means = np.zeros((int(group_of.max()) + 1, sums.shape[1]))
    np.add.at(means, group_of, sums)
    if len(means) <= HEADING_RANGE[1]:
        return group_of
    merges = linkage(unit_rows(means), method="ward")
    numbers = fcluster(merges, HEADING_RANGE[1], "maxclust")
    heading_of: Ints = (numbers[group_of] - 1).astype(np.int32)
    return heading_of

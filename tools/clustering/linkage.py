"""Groups of few texts: average linkage over the vectors, where density says nothing.

In: the unit vectors of fewer texts than have neighbourhoods. Out: one layer of groups, and in a
sentence how it was cut. Groups are found by the mean cosine between them (average linkage, Sokal
and Michener 1958), and the tree is cut where they are clearest: at the largest mean silhouette
(Rousseeuw 1987).
"""

import numpy as np
from numpy.typing import NDArray

from corpuscope.tools.clustering.layers import ClusterLayer, LayerChoice
from corpuscope.tools.core.schema import Floats, Ints

FEWEST_TO_SPLIT = 4
"""Two groups of two; three texts are a theme or none."""

ALIKE_COSINE = 0.95
"""Texts whose mean cosine reaches this say the same in other words: they are one group."""

CLEAR_SILHOUETTE = 0.15
"""The mean silhouette from which groups are taken for real. With 6 to 25 texts of four labelled
sets, MiniLM and lexical vectors, it is 0.24 to 0.47 (medians) where they are of one to five
subjects and 0.06 to 0.12 where each is of another subject; a test against vectors without groups
finds no more of the former, and misses two groups of three."""

Cuts = list[tuple[NDArray[np.int64], float]]
"""For each number of groups from 2 the labels (n,) and their mean silhouette."""


def group_few_texts(vectors: Floats, smallest: int = 2) -> LayerChoice:
    """The groups of n texts with unit `vectors` (n, dim), as the only layer.

    All are one group where no cut is clear, or where they are alike. A group of fewer than
    `smallest` (at least 2) texts is noise: one text is no theme.
    """
    count = len(vectors)
    found = _clearest_cut(vectors) if count >= FEWEST_TO_SPLIT else None
    if found is not None:
        sizes = np.bincount(found)
        kept = np.flatnonzero(sizes >= max(2, smallest))
        place = np.full(len(sizes), -1, np.int32)
        place[kept] = np.arange(len(kept))
        labels: Ints = place[found]
        if len(kept):
            return _choice(labels, _reason(count, len(kept), int((labels < 0).sum())))
    one = "1 cluster" if count > 1 else "1 text"
    return _choice(
        np.zeros(count, np.int32),
        f"{one}: {count} distinct texts are too few for density, and average linkage finds no "
        "clear groups among them.",
    )


def _choice(labels: Ints, reason: str) -> LayerChoice:
    layer = ClusterLayer(labels, (labels >= 0).astype(np.float32), 0.0)
    return LayerChoice((layer,), 0, reason)


def _reason(count: int, groups: int, alone: int) -> str:
    name = "1 cluster" if groups == 1 else f"{groups} clusters"
    left = f"; {alone} like no other {'is' if alone == 1 else 'are'} noise" if alone else ""
    return (
        f"{name}: {count} distinct texts are too few for density, so they are grouped by average "
        f"linkage (cosine), cut where the groups are clearest{left}."
    )


def _clearest_cut(vectors: Floats) -> NDArray[np.int64] | None:
    """The labels of the cut whose groups are clearest; None where none is clear."""
    cosines = (vectors @ vectors.T)[np.triu_indices(len(vectors), 1)]
    if cosines.mean() >= ALIKE_COSINE:
        return None
    labels, silhouette = max(_cuts(vectors), key=lambda cut: cut[1])
    return labels if silhouette >= CLEAR_SILHOUETTE else None


def _cuts(vectors: Floats) -> Cuts:
    """The cuts of the tree into 2 to n/2 groups."""
    from scipy.cluster.hierarchy import cut_tree, linkage
    from scipy.spatial.distance import squareform
    from sklearn.metrics import silhouette_score

    count = len(vectors)
    distances = np.clip(1.0 - vectors.astype(np.float64) @ vectors.T, 0.0, 2.0)
    np.fill_diagonal(distances, 0.0)
    distances = (distances + distances.T) / 2
    tree = linkage(squareform(distances, checks=False), "average")
    labels = cut_tree(tree, list(range(2, max(3, count // 2 + 1))))
    return [
        (column, float(silhouette_score(distances, column, metric="precomputed")))
        for column in labels.T
    ]

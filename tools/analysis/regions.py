"""Regions: the parts of a cluster, and which of its texts stand alone.

Unit vectors and members come in; out go the parts that the cluster has (its children), or groups by
k-means, each with the most typical texts first, those that have others near them apart from those
that have not. Repeatable for a random generator.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from corpuscope.tools.core.schema import Floats, Ints

Places: TypeAlias = NDArray[np.int64]

GROUPS = 5
"""Of k-means: as many as texts show what a cluster without parts is made of."""

KMEANS_ROUNDS = 10
"""Steps of k-means: medoids of a rough partition show the spread as well as those of the best."""

MOST_READ = 2_000
"""Members of which groups and densities are taken, a random sample of more."""

KEPT = 50
"""The most typical texts of a region: nobody asks for more."""

LIKE_IT = 3
"""A text with so many others near it stands for something: how near its third nearest ones are is
what tells whether it stands alone."""

ALONE = 0.1
"""Share of a cluster's texts that count as standing alone. k-means gives a group of its own to a
few that are like nothing else: of small clusters of tweets three of five groups were such."""

FEWEST_TO_TELL = 10
"""In fewer texts none is called alone: the loosest is just the last."""


@dataclass(frozen=True, slots=True)
class Region:
    """Some members of a cluster, the most typical first: `dense` those with others near them,
    `sparse` those that stand alone. `is_part`: it is one of the cluster's children, whose `members`
    are these; of a part all is dense."""

    dense: list[int]
    sparse: list[int]
    members: frozenset[int] = frozenset()
    is_part: bool = False


def find_regions(
    members: Places, vectors: Floats, parts: Ints | None, random: np.random.Generator
) -> list[Region]:
    """The parts of a cluster, the largest first, then what is in none of them; where it has no
    parts, groups by k-means.

    Args:
        members: (n,) points of the cluster, at least one.
        vectors: (m, dim) unit float32 of all points.
        parts: (m,) the part that each point is in, -1 for none; None where there are no parts.
        random: Chooses which members are read, and where k-means begins.
    """
    sample = members
    if len(members) > MOST_READ:
        sample = np.sort(random.choice(members, MOST_READ, replace=False))
    regions: list[Region] = []
    inside = np.full(len(members), -1, np.int32) if parts is None else parts[members]
    if (inside >= 0).any():
        sizes = np.bincount(inside[inside >= 0])
        for part in np.argsort(-sizes, kind="stable").tolist():
            if len(points := members[inside == part]):
                typical = _nearest_to_mean(points, vectors)
                regions.append(Region(typical, [], frozenset(points.tolist()), is_part=True))
        rest = members[inside < 0]
        found = [_nearest_to_mean(rest, vectors)] if len(rest) else []
    else:
        found = _kmeans_groups(sample, vectors, random)
    floor = -np.inf
    if len(sample) >= FEWEST_TO_TELL:
        floor = float(np.quantile(local_density(sample, sample, vectors), ALONE))
    for group in found:
        points = np.array(group)
        alone = local_density(points, sample, vectors) < floor
        regions.append(Region(points[~alone].tolist(), points[alone].tolist()))
    return regions


def local_density(points: Places, sample: Places, vectors: Floats) -> Floats:
    """(p,) the mean cosine of each point to the `LIKE_IT` nearest of a sample, itself left out; 0
    where there is no other."""
    count = min(LIKE_IT, len(sample) - 1)
    if count < 1:
        return np.zeros(len(points), np.float32)
    cosines = vectors[points] @ vectors[sample].T
    cosines[points[:, None] == sample[None, :]] = -1.0
    nearest: Floats = -np.partition(-cosines, count - 1, axis=1)[:, :count]
    density: Floats = nearest.mean(axis=1)
    return density


def in_turn(groups: Sequence[Sequence[int]]) -> list[int]:
    """The first point of each group, then the second of each, and so on."""
    longest = max(map(len, groups), default=0)
    return [group[turn] for turn in range(longest) for group in groups if turn < len(group)]


def _nearest_to_mean(points: Places, vectors: Floats) -> list[int]:
    """The points nearest to their mean, the nearest first."""
    cosines = vectors[points] @ vectors[points].mean(axis=0)
    nearest: list[int] = points[np.argsort(-cosines, kind="stable")][:KEPT].tolist()
    return nearest


def _kmeans_groups(points: Places, vectors: Floats, random: np.random.Generator) -> list[list[int]]:
    """The points of each part of a k-means partition, the largest first, the nearest to its centre
    first."""
    from sklearn.cluster import KMeans

    rows = vectors[points]
    groups = min(GROUPS, len({row.tobytes() for row in rows}))  # it takes no more than there are
    seed = int(random.integers(2**31))
    kmeans = KMeans(groups, n_init=1, max_iter=KMEANS_ROUNDS, random_state=seed).fit(rows)
    distances = kmeans.transform(rows)
    return [
        points[places[np.argsort(distances[places, group], kind="stable")]].tolist()
        for group in np.argsort(-np.bincount(kmeans.labels_, minlength=groups), kind="stable")
        if len(places := np.flatnonzero(kmeans.labels_ == group))
    ]

"""Which texts show a cluster, and which are set aside to try its description on.

Unit vectors of distinct texts and their clusters come in. Out go the texts to show: the most
central, some spread over the parts of the cluster (its children, or a partition by k-means), some
at its edge, and the nearest outsiders, those that contrast with it first; none of them says the
same as another. Pure functions, repeatable for a seed.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal, TypeAlias

import numpy as np

from corpuscope.tools.analysis.exemplars import SAME_TEXT_COSINE, choose_exemplars
from corpuscope.tools.analysis.regions import Places, Region, find_regions, in_turn
from corpuscope.tools.core.schema import Floats, Ints
from corpuscope.tools.core.vectors import unit_mean

Role: TypeAlias = Literal[
    "central", "spread", "outlier", "edge", "keyword", "outside", "overlap", "missed"
]
"""Why a text is shown. `outlier`: there are few like it; `keyword`: it holds a keyword that no
other does; `outside`: of another cluster; `overlap`: of another one, but on this one's subject;
`missed`: an earlier description passed it over."""

OUTSIDE_ROLES: tuple[Role, ...] = ("outside", "overlap")

CENTRAL_SHOWN, SPREAD_SHOWN, EDGE_SHOWN, OUTSIDE_SHOWN = 5, 5, 2, 4
"""Texts shown for each role: with some 450 characters each, evidence stays below 10,000."""

FEWEST_SHOWN = 4
"""Of a small cluster a third is kept aside, but so many are shown where they differ."""

SAME_TEXT = 0.95
"""Texts at this cosine say the same in other words: they are counted with the one that is shown."""

USUAL_COSINE = 0.5
"""Cosine of two clusters up to which `SAME_TEXT` and `SAME_TEXT_COSINE` hold as they are. Some
models find all texts more similar: for theirs both rise, by as much as the clusters are nearer."""

KEPT_ASIDE = 60
"""Members, and as many outsiders, on which a description is tried: half to mend it by, half to
score it. An AUC of 30 against 30 has a standard error of 0.04 at 0.9."""

NEAR_CLUSTERS = 3
"""Outsiders come from so many of the nearest clusters. The very nearest texts outside would be
harder, but then even the mean of the cluster fails (AUC 0.66 on StackOverflow): the score would be
of the border and not of the words."""

OF_EACH_PART, MOST_PARTS = 2, 12
"""Texts of each part of a cluster that are shown at least, central ones included, and the parts of
which they are, the largest."""

OVERLAP_SHOWN = 1
"""Outsiders on the cluster's own subject: that there are some, one shows."""

WEAKEST_TRIED = 2_000
"""The members that are tried as the edge, the weakest first."""

TRIED = 50
"""The nearest texts of each near cluster, of which its outsiders are taken."""


@dataclass(frozen=True, slots=True, eq=False)
class Partition:
    """Clusters beside each other, none within another, over m distinct texts.

    `ids` (c); `labels` (m,) int32, the position in `ids` of each text's cluster, negative for none;
    `centroids` (c, dim) float32 of unit length; `usual`, the median cosine of two of them.
    """

    ids: list[str]
    labels: Ints
    centroids: Floats
    usual: float

    def least(self, cosine: float) -> float:
        """The threshold for two texts that corresponds here to this cosine in a model whose
        clusters are not similar: the nearer `usual` is to 1, the nearer it is to 1."""
        return 1 - (1 - cosine) * min(1.0, (1 - self.usual) / (1 - USUAL_COSINE))

    def nearest(self, place: int) -> list[int]:
        """The positions of the other clusters, the nearest first."""
        order = np.argsort(-(self.centroids @ self.centroids[place]), kind="stable")
        return [int(other) for other in order if other != place]


@dataclass(frozen=True, slots=True)
class Pick:
    """A text that is shown: its `point`, why, and the `records` that it stands for."""

    point: int
    role: Role
    records: int
    """Records that say the same or nearly so, itself included."""


@dataclass(frozen=True, slots=True, eq=False)
class Sample:
    """The texts of one cluster that are shown, and those set aside to try its description on.

    `trial_inside` are members and `trial_outside` outsiders, none of which is shown; both in random
    order.
    """

    picks: list[Pick]
    outside: list[Pick]
    trial_inside: Places
    trial_outside: Places


def make_partition(ids: Sequence[str], labels: Ints, vectors: Floats) -> Partition:
    """The partition into clusters whose texts have these labels (m,); `vectors` (m, dim) unit
    float32. A cluster without texts has the zero vector as its centroid."""
    centroids = np.zeros((len(ids), vectors.shape[1]), np.float32)
    order = np.argsort(labels, kind="stable")
    ends = np.searchsorted(labels[order], np.arange(len(ids) + 1))
    for place in range(len(ids)):
        rows = order[ends[place] : ends[place + 1]]
        if len(rows):
            centroids[place] = unit_mean(vectors[rows])
    between = (centroids @ centroids.T)[np.triu_indices(len(ids), 1)]
    usual = float(np.median(between)) if len(between) else 0.0
    return Partition(list(ids), labels, centroids, usual)


def sample_cluster(
    partition: Partition,
    place: int,
    vectors: Floats,
    weights: Ints,
    *,
    seed: int,
    parts: Ints | None = None,
) -> Sample:
    """The texts that show a cluster and those that are set aside.

    Args:
        partition: The clusters.
        place: The position of this one in it.
        vectors: (m, dim) unit float32 of all distinct texts.
        weights: (m,) records behind each.
        seed: Chooses what is left to chance; the same input gives the same sample.
        parts: (m,) which part of the cluster each text is in, -1 for none; None where it has none.
            The spread is taken from them, without them from a partition by k-means.
    """
    random = np.random.default_rng(seed)
    members = np.flatnonzero(partition.labels == place)
    if not len(members):
        return Sample([], [], members, members)
    groups = find_regions(members, vectors, parts, random)
    picks = _inside(partition, place, members, vectors, groups)
    cosines = vectors[members] @ vectors[[point for point, _ in picks]].T
    alike = cosines >= partition.least(SAME_TEXT)
    # A text is counted once, with the first that says the same.
    first = np.where(alike.any(axis=1), alike.argmax(axis=1), -1)
    counts = [int(weights[members[first == number]].sum()) for number in range(len(picks))]
    outside, candidates = _outside(partition, place, members, vectors)
    shown = np.array([point for point, _ in [*picks, *outside]])
    return Sample(
        picks=[
            # A zero vector is not even like itself.
            Pick(point, role, max(count, int(weights[point])))
            for (point, role), count in zip(picks, counts, strict=True)
        ],
        outside=[Pick(point, role, int(weights[point])) for point, role in outside],
        trial_inside=_set_aside(members, shown, vectors, partition.least(SAME_TEXT), random),
        trial_outside=_set_aside(candidates, shown, vectors, partition.least(SAME_TEXT), random),
    )


def with_keyword_texts(
    sample: Sample, partition: Partition, vectors: Floats, points: Sequence[int], weights: Ints
) -> Sample:
    """The sample with these members shown too, for keywords that no other text holds: none of the
    texts set aside says the same."""
    if not points:
        return sample
    same = partition.least(SAME_TEXT)
    aside = sample.trial_inside
    left = aside[(vectors[aside] @ vectors[points].T < same).all(axis=1) & ~np.isin(aside, points)]
    added = [Pick(int(point), "keyword", int(weights[point])) for point in points]
    return replace(sample, picks=[*sample.picks, *added], trial_inside=left)


def _inside(
    partition: Partition, place: int, members: Places, vectors: Floats, groups: list[Region]
) -> list[tuple[int, Role]]:
    """Points of the cluster with their roles: none twice, and none that says what another says."""
    points = members.astype(np.int32)
    most = max(FEWEST_SHOWN, 2 * len(members) // 3)
    central, edge = min(CENTRAL_SHOWN, most // 2), min(EDGE_SHOWN, most // 6)
    parts = min(MOST_PARTS, sum(group.is_part for group in groups))
    spread = min(max(SPREAD_SHOWN, OF_EACH_PART * parts), most - central - edge)
    nearest = choose_exemplars(vectors, points, np.ones(len(vectors), np.float32), count=central)
    picks: list[tuple[int, Role]] = [
        # Those of a narrow cluster are all alike: only what says the same is left out.
        (point, "central")
        for point in _distinct(nearest.tolist(), [], vectors, central, partition.least(SAME_TEXT))
    ]
    picks += _spread(partition, groups, [point for point, _ in picks], vectors, spread)
    # At the edge is what is hardly nearer to its own cluster than to the next one.
    near = [place, *partition.nearest(place)[:NEAR_CLUSTERS]]
    cosines = vectors[members] @ partition.centroids[near].T
    weakness = cosines[:, 1:].max(axis=1, initial=-1.0) - cosines[:, 0]
    weakest = members[np.argsort(-weakness, kind="stable")][:WEAKEST_TRIED]
    taken = [point for point, _ in picks]
    alike = partition.least(SAME_TEXT_COSINE)
    picks += [(point, "edge") for point in _distinct(weakest, taken, vectors, edge, alike)]
    return picks


def _spread(
    partition: Partition, groups: list[Region], central: list[int], vectors: Floats, count: int
) -> list[tuple[int, Role]]:
    """Up to `count` points that show the parts of a cluster: `OF_EACH_PART` of each, then from
    where its texts are dense, and at most one that stands alone."""
    alike, same = partition.least(SAME_TEXT_COSINE), partition.least(SAME_TEXT)
    chosen: list[int] = []

    def take(candidates: Sequence[int], most: int, cosine: float = alike) -> int:
        room = min(most, count - len(chosen))
        found = _distinct(candidates, [*central, *chosen], vectors, room, cosine)
        chosen.extend(found)
        return len(found)

    for turn in range(OF_EACH_PART):
        for part in [group for group in groups if group.is_part][:MOST_PARTS]:
            if sum(point in part.members for point in [*central, *chosen]) <= turn:
                _ = take(part.dense, 1) or take(part.dense, 1, same)
    take([group.dense[0] for group in groups if group.dense and not group.is_part], count)
    # The largest group that is like nothing else is not passed over.
    strays = [group.sparse[0] for group in groups if group.sparse and not group.dense]
    has_stray = any(take([stray], 1) for stray in strays)
    take(in_turn([group.dense for group in groups]), count)
    if not has_stray:
        take(in_turn([group.sparse for group in groups]), 1)
    alone = {point for group in groups for point in group.sparse}
    return [(point, "outlier" if point in alone else "spread") for point in chosen]


def _outside(
    partition: Partition, place: int, members: Places, vectors: Floats
) -> tuple[list[tuple[int, Role]], Places]:
    """The nearest outsiders to show, at most half of them from one cluster, and all there are.

    They are of the nearest clusters; of what is in no cluster where there is no other. Those that
    contrast come first. On the cluster's own subject is what is as near to its mean as the middle
    one of its own texts, or nearer to it than to the mean of the cluster that it is in.
    """
    near = partition.nearest(place)[:NEAR_CLUSTERS]
    inside = np.isin(partition.labels, near) if near else partition.labels == -1
    candidates = np.flatnonzero(inside)
    centroid = partition.centroids[place]
    cosines = vectors[candidates] @ centroid
    homes = partition.labels[candidates]
    own = np.einsum("ij,ij->i", vectors[candidates], partition.centroids[homes])
    overlaps = cosines >= np.median(vectors[members] @ centroid)
    # Texts without a vector are on no subject.
    overlaps = (overlaps | ((homes >= 0) & (cosines >= own))) & (cosines > 0)
    order = np.argsort(-cosines, kind="stable")
    most = OUTSIDE_SHOWN if len(near) < 2 else OUTSIDE_SHOWN // 2
    alike = partition.least(SAME_TEXT_COSINE)
    shown: list[tuple[int, Role]] = []
    roles: list[tuple[Role, int]] = [
        ("outside", OUTSIDE_SHOWN - min(OVERLAP_SHOWN, int(overlaps.sum()))),
        ("overlap", OUTSIDE_SHOWN),
        ("outside", OUTSIDE_SHOWN),
    ]
    for role, until in roles:
        rows = order[overlaps[order] == (role == "overlap")]
        tried = [rows[homes[rows] == home][:TRIED] for home in near or [-1]]
        nearest = np.concatenate(tried)
        for point in candidates[nearest[np.argsort(-cosines[nearest], kind="stable")]]:
            points = [earlier for earlier, _ in shown]
            from_same = int((partition.labels[points] == partition.labels[point]).sum())
            full = len(shown) >= until or from_same >= most
            if not full and _says_more(point, points, vectors, alike):
                shown.append((int(point), role))
    return sorted(shown, key=lambda pick: pick[1] == "overlap"), candidates


def _set_aside(
    points: Places, shown: Places, vectors: Floats, same: float, random: np.random.Generator
) -> Places:
    """Some of the points, in random order: none that is shown, and none that says the same."""
    alike = (vectors[points] @ vectors[shown].T >= same).any(axis=1)
    left = points[~alike & ~np.isin(points, shown)]
    return random.permutation(left)[:KEPT_ASIDE]


def _distinct(
    candidates: Sequence[int] | Places,
    earlier: Sequence[int],
    vectors: Floats,
    count: int,
    alike: float,
) -> list[int]:
    """The first candidates that say something else than what was picked before."""
    taken = [*earlier]
    chosen: list[int] = []
    for candidate in candidates:
        point = int(candidate)
        if len(chosen) == count:
            break
        if point not in taken and _says_more(point, taken, vectors, alike):
            chosen.append(point)
            taken.append(point)
    return chosen


def _says_more(point: int, others: Sequence[int], vectors: Floats, alike: float) -> bool:
    """Whether the cosine of a text to each of the others is below `alike`."""
    return float((vectors[others] @ vectors[point]).max(initial=-1.0)) < alike

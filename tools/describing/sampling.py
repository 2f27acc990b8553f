"""Which texts show a cluster, and which are set aside to try its description on.

Unit vectors of distinct texts and their clusters come in. Out go the texts to show: the most
central, some spread over the parts of the cluster (its children, or a partition by k-means), some
at its edge, and the nearest outsiders; none of them says the same as another. Pure functions,
repeatable for a seed.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from corpuscope.tools.analysis.exemplars import SAME_TEXT_COSINE, choose_exemplars
from corpuscope.tools.core.schema import Floats, Ints
from corpuscope.tools.core.vectors import unit_mean

Role: TypeAlias = Literal["central", "spread", "edge", "outside"]
Places: TypeAlias = NDArray[np.int64]

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

MOST_SPREAD = 8
"""Texts that show the spread of a cluster with many parts: one of each, as far as that goes."""

SPREAD_AMONG = 2_000
"""Members of which the spread is taken, a random sample of more; and the weakest that are tried as
the edge."""

TRIED = 50
"""The nearest texts of each near cluster, of which its outsiders are taken."""

KMEANS_ROUNDS = 10
"""Steps of k-means: medoids of a rough partition show the spread as well as those of the best."""


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
    groups = _parts(members, vectors, parts) or _kmeans_parts(members, vectors, random)
    picks = _inside(partition, place, members, vectors, groups)
    cosines = vectors[members] @ vectors[[point for point, _ in picks]].T
    alike = cosines >= partition.least(SAME_TEXT)
    # A text is counted once, with the first that says the same.
    first = np.where(alike.any(axis=1), alike.argmax(axis=1), -1)
    counts = [int(weights[members[first == number]].sum()) for number in range(len(picks))]
    outside, candidates = _outside(partition, place, vectors)
    shown = np.array([*(point for point, _ in picks), *outside])
    return Sample(
        picks=[
            # A zero vector is not even like itself.
            Pick(point, role, max(count, int(weights[point])))
            for (point, role), count in zip(picks, counts, strict=True)
        ],
        outside=[Pick(int(point), "outside", int(weights[point])) for point in outside],
        trial_inside=_set_aside(members, shown, vectors, partition.least(SAME_TEXT), random),
        trial_outside=_set_aside(candidates, shown, vectors, partition.least(SAME_TEXT), random),
    )


def _inside(
    partition: Partition, place: int, members: Places, vectors: Floats, groups: list[list[int]]
) -> list[tuple[int, Role]]:
    """Points of the cluster with their roles: none twice, and none that says what another says.

    `groups` are its parts, the largest first, each with the most typical points first.
    """
    points = members.astype(np.int32)
    most = max(FEWEST_SHOWN, 2 * len(members) // 3)
    central, edge = min(CENTRAL_SHOWN, most // 2), min(EDGE_SHOWN, most // 6)
    spread = min(max(SPREAD_SHOWN, min(len(groups), MOST_SPREAD)), most - central - edge)
    nearest = choose_exemplars(vectors, points, np.ones(len(vectors), np.float32), count=central)
    picks: list[tuple[int, Role]] = [
        # Those of a narrow cluster are all alike: only what says the same is left out.
        (point, "central")
        for point in _distinct(nearest.tolist(), [], vectors, central, partition.least(SAME_TEXT))
    ]
    longest = max(map(len, groups))
    in_turn = [group[turn] for turn in range(longest) for group in groups if turn < len(group)]
    alike = partition.least(SAME_TEXT_COSINE)
    picks += [(point, "spread") for point in _distinct(in_turn, picks, vectors, spread, alike)]
    # At the edge is what is hardly nearer to its own cluster than to the next one.
    near = [place, *partition.nearest(place)[:NEAR_CLUSTERS]]
    cosines = vectors[members] @ partition.centroids[near].T
    weakness = cosines[:, 1:].max(axis=1, initial=-1.0) - cosines[:, 0]
    weakest = members[np.argsort(-weakness, kind="stable")][:SPREAD_AMONG]
    picks += [(point, "edge") for point in _distinct(weakest, picks, vectors, edge, alike)]
    return picks


def _outside(partition: Partition, place: int, vectors: Floats) -> tuple[list[int], Places]:
    """The nearest outsiders to show, at most half of them from one cluster, and all there are.

    They are of the nearest clusters; of what is in no cluster where there is no other.
    """
    near = partition.nearest(place)[:NEAR_CLUSTERS]
    inside = np.isin(partition.labels, near) if near else partition.labels == -1
    candidates = np.flatnonzero(inside)
    order = np.argsort(-(vectors[candidates] @ partition.centroids[place]), kind="stable")
    nearest = candidates[order]
    homes = partition.labels[nearest]
    tried = [np.flatnonzero(homes == home)[:TRIED] for home in near or [-1]]
    shown: list[int] = []
    alike = partition.least(SAME_TEXT_COSINE)
    most = OUTSIDE_SHOWN if len(near) < 2 else OUTSIDE_SHOWN // 2
    for point in nearest[np.sort(np.concatenate(tried))]:
        from_same = sum(partition.labels[earlier] == partition.labels[point] for earlier in shown)
        if (
            len(shown) < OUTSIDE_SHOWN
            and from_same < most
            and _says_more(point, shown, vectors, alike)
        ):
            shown.append(int(point))
    return shown, candidates


def _set_aside(
    points: Places, shown: Places, vectors: Floats, same: float, random: np.random.Generator
) -> Places:
    """Some of the points, in random order: none that is shown, and none that says the same."""
    alike = (vectors[points] @ vectors[shown].T >= same).any(axis=1)
    left = points[~alike & ~np.isin(points, shown)]
    return random.permutation(left)[:KEPT_ASIDE]


def _parts(members: Places, vectors: Floats, parts: Ints | None) -> list[list[int]]:
    """The points of each part of a cluster, the largest first, the nearest to its mean first; what
    is in none comes last. Empty where there are no parts."""
    if parts is None or (parts[members] < 0).all():
        return []
    inside = parts[members]
    sizes = np.bincount(inside[inside >= 0])
    groups = []
    for part in [*np.argsort(-sizes, kind="stable").tolist(), -1]:
        points = members[inside == part]
        if len(points):
            cosines = vectors[points] @ vectors[points].mean(axis=0)
            groups.append(points[np.argsort(-cosines, kind="stable")][:TRIED].tolist())
    return groups


def _kmeans_parts(members: Places, vectors: Floats, random: np.random.Generator) -> list[list[int]]:
    """The points of each part of a k-means partition, the largest first, the nearest to its centre
    first."""
    from sklearn.cluster import KMeans

    points = members
    if len(members) > SPREAD_AMONG:
        points = np.sort(random.choice(members, SPREAD_AMONG, replace=False))
    rows = vectors[points]
    parts = min(
        SPREAD_SHOWN, len({row.tobytes() for row in rows})
    )  # it takes no more than there are
    seed = int(random.integers(2**31))
    kmeans = KMeans(parts, n_init=1, max_iter=KMEANS_ROUNDS, random_state=seed).fit(rows)
    distances = kmeans.transform(rows)
    return [
        points[places[np.argsort(distances[places, part], kind="stable")]].tolist()
        for part in np.argsort(-np.bincount(kmeans.labels_, minlength=parts), kind="stable")
        if len(places := np.flatnonzero(kmeans.labels_ == part))
    ]


def _distinct(
    candidates: Sequence[int] | Places,
    picks: Sequence[tuple[int, Role]],
    vectors: Floats,
    count: int,
    alike: float,
) -> list[int]:
    """The first candidates that say something else than what was picked before."""
    taken = [point for point, _ in picks]
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

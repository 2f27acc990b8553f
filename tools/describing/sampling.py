"""Which texts show a cluster: central, spread and edge members, the nearest outsiders, and the
texts kept aside on which its description is tried.

Pure functions over distinct texts, repeatable for a seed.
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

CENTRAL, SPREAD, EDGE, OUTSIDE = 5, 5, 2, 4
"""Texts shown for each role: with some 450 characters each, evidence stays below 10,000."""

FEWEST_SHOWN = 4
"""Of a small cluster a third is kept aside, but so many are shown where they differ."""

SAME = 0.95
"""Texts at this cosine say the same in other words: they are counted with the one that is shown."""

USUAL = 0.5
"""Cosine of two clusters up to which `SAME` and `ALIKE` hold as they are. Some models find all
texts more similar than that: for theirs both rise, as much nearer to 1 as the clusters are."""

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

ROUNDS = 10
"""Steps of k-means: medoids of a rough partition show the spread as well as those of the best."""


@dataclass(frozen=True, slots=True, eq=False)
class Stage:
    """Clusters beside each other, none within another, over m distinct texts.

    `ids` (c); `labels` (m,) int32, the position in `ids` of each text's cluster, -1 for none;
    `centroids` (c, dim) float32 of unit length; `usual`, the median cosine of two of them.
    """

    ids: list[str]
    labels: Ints
    centroids: Floats
    usual: float

    def least(self, cosine: float) -> float:
        """The cosine that says here what this one says where clusters are not similar."""
        return 1 - (1 - cosine) * min(1.0, (1 - self.usual) / (1 - USUAL))

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
    """The texts of one cluster that are shown, and those kept aside.

    `held` are members and `others` outsiders, of which none is shown; both in random order.
    """

    picks: list[Pick]
    outside: list[Pick]
    held: Places
    others: Places


def make_stage(ids: Sequence[str], labels: Ints, vectors: Floats) -> Stage:
    """The stage of clusters whose texts have these labels; `vectors` (m, dim) unit float32."""
    centroids = np.zeros((len(ids), vectors.shape[1]), np.float32)
    order = np.argsort(labels, kind="stable")
    ends = np.searchsorted(labels[order], np.arange(len(ids) + 1))
    for place in range(len(ids)):
        rows = order[ends[place] : ends[place + 1]]
        if len(rows):
            centroids[place] = unit_mean(vectors[rows])
    between = (centroids @ centroids.T)[np.triu_indices(len(ids), 1)]
    usual = float(np.median(between)) if len(between) else 0.0
    return Stage(list(ids), labels, centroids, usual)


def sample_cluster(
    stage: Stage,
    place: int,
    vectors: Floats,
    weights: Ints,
    *,
    seed: int,
    parts: Ints | None = None,
) -> Sample:
    """The texts that show a cluster and those that are kept aside.

    Args:
        stage: The clusters.
        place: The position of this one in it.
        vectors: (m, dim) unit float32 of all distinct texts.
        weights: (m,) records behind each.
        seed: Chooses what is left to chance; the same input gives the same sample.
        parts: (m,) which part of the cluster each text is in, -1 for none; None where it has none.
            The spread is taken from them, without them from a partition by k-means.
    """
    random = np.random.default_rng(seed)
    members = np.flatnonzero(stage.labels == place)
    if not len(members):
        return Sample([], [], members, members)
    groups = _parts(members, vectors, parts) or _partition(members, vectors, random)
    picks = _inside(stage, place, members, vectors, groups)
    cosines = vectors[members] @ vectors[[point for point, _ in picks]].T
    alike = cosines >= stage.least(SAME)
    # A text is counted once, with the first that says the same.
    first = np.where(alike.any(axis=1), alike.argmax(axis=1), -1)
    counts = [int(weights[members[first == number]].sum()) for number in range(len(picks))]
    outside, candidates = _outside(stage, place, vectors)
    shown = np.array([*(point for point, _ in picks), *outside])
    return Sample(
        picks=[
            # A zero vector is not even like itself.
            Pick(point, role, max(count, int(weights[point])))
            for (point, role), count in zip(picks, counts, strict=True)
        ],
        outside=[Pick(int(point), "outside", int(weights[point])) for point in outside],
        held=_kept_aside(members, shown, vectors, stage.least(SAME), random),
        others=_kept_aside(candidates, shown, vectors, stage.least(SAME), random),
    )


def _inside(
    stage: Stage, place: int, members: Places, vectors: Floats, groups: list[list[int]]
) -> list[tuple[int, Role]]:
    """Points of the cluster with their roles: none twice, and none that says what another says.

    `groups` are its parts, the largest first, each with the most typical points first.
    """
    points = members.astype(np.int32)
    most = max(FEWEST_SHOWN, 2 * len(members) // 3)
    central, edge = min(CENTRAL, most // 2), min(EDGE, most // 6)
    spread = min(max(SPREAD, min(len(groups), MOST_SPREAD)), most - central - edge)
    found = choose_exemplars(vectors, points, np.ones(len(vectors), np.float32), count=central)
    picks: list[tuple[int, Role]] = [
        # Those of a narrow cluster are all alike: only what says the same is left out.
        (point, "central")
        for point in _distinct(found.tolist(), [], vectors, central, stage.least(SAME))
    ]
    longest = max(map(len, groups))
    in_turn = [group[turn] for turn in range(longest) for group in groups if turn < len(group)]
    alike = stage.least(SAME_TEXT_COSINE)
    picks += [(point, "spread") for point in _distinct(in_turn, picks, vectors, spread, alike)]
    # The weakest claim: hardly nearer to its own cluster than to the next one.
    claims = vectors[members] @ stage.centroids[[place, *stage.nearest(place)[:NEAR_CLUSTERS]]].T
    weakness = claims[:, 1:].max(axis=1, initial=-1.0) - claims[:, 0]
    weakest = members[np.argsort(-weakness, kind="stable")][:SPREAD_AMONG]
    picks += [(point, "edge") for point in _distinct(weakest, picks, vectors, edge, alike)]
    return picks


def _outside(stage: Stage, place: int, vectors: Floats) -> tuple[list[int], Places]:
    """The nearest outsiders to show, at most half of them from one cluster, and all there are.

    They are of the nearest clusters; of what is in no cluster where there is no other.
    """
    near = stage.nearest(place)[:NEAR_CLUSTERS]
    inside = np.isin(stage.labels, near) if near else stage.labels == -1
    candidates = np.flatnonzero(inside)
    order = np.argsort(-(vectors[candidates] @ stage.centroids[place]), kind="stable")
    nearest = candidates[order]
    homes = stage.labels[nearest]
    tried = [np.flatnonzero(homes == home)[:TRIED] for home in near or [-1]]
    shown: list[int] = []
    alike = stage.least(SAME_TEXT_COSINE)
    most = OUTSIDE if len(near) < 2 else OUTSIDE // 2
    for point in nearest[np.sort(np.concatenate(tried))]:
        from_same = sum(stage.labels[one] == stage.labels[point] for one in shown)
        if len(shown) < OUTSIDE and from_same < most and _says_more(point, shown, vectors, alike):
            shown.append(int(point))
    return shown, candidates


def _kept_aside(
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
        own = members[inside == part]
        if len(own):
            central = np.argsort(-(vectors[own] @ vectors[own].mean(axis=0)), kind="stable")
            groups.append(own[central][:TRIED].tolist())
    return groups


def _partition(members: Places, vectors: Floats, random: np.random.Generator) -> list[list[int]]:
    """The points of each part of a k-means partition, the largest first, the nearest to its centre
    first."""
    from sklearn.cluster import KMeans

    some = members
    if len(members) > SPREAD_AMONG:
        some = np.sort(random.choice(members, SPREAD_AMONG, replace=False))
    own = vectors[some]
    parts = min(SPREAD, len({row.tobytes() for row in own}))  # it takes no more than there are
    seed = int(random.integers(2**31))
    found = KMeans(parts, n_init=1, max_iter=ROUNDS, random_state=seed).fit(own)
    distances = found.transform(own)
    return [
        some[rows[np.argsort(distances[rows, part], kind="stable")]].tolist()
        for part in np.argsort(-np.bincount(found.labels_, minlength=parts), kind="stable")
        if len(rows := np.flatnonzero(found.labels_ == part))
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
    """Whether a text is less than so like each of the others."""
    return float((vectors[others] @ vectors[point]).max(initial=-1.0)) < alike

"""Why a text is noise: what lies around it in the neighbour graph, seen from the clusters shown.

In: the graph and the label of each point. Out: for each point without a cluster one of five kinds,
as arrays (`ClassifiedNoise`) and in words (`ReasonTexts`), which are kept with the run. Two more,
`moved` and `dissolved`, are of records that were taken out of a cluster by hand.

Five kinds, told apart by what is *near*: at least as similar as neighbours usually are inside the
clusters of the same data, so that no fixed distance has to fit every model and language.

- `between`: most of what is near is in clusters, and two of them count.
- `edge`: most of what is near is in clusters, nearly all of it in one.
- `small`: it stands with noise that is close, but fewer texts than any cluster of the layer has.
- `isolated`: hardly anything is near.
- `diffuse`: it stands with noise that is near and many, but nowhere denser than around it.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias, get_args

import numpy as np
from numpy.typing import NDArray

from corpuscope.tools.clustering.layers import MIN_SAMPLES, SMALLEST_CLUSTER
from corpuscope.tools.core.schema import NOISE, Ints
from corpuscope.tools.geometry.graph import NeighbourGraph

NoiseKind: TypeAlias = Literal[
    "between", "edge", "small", "isolated", "diffuse", "moved", "dissolved"
]
NOISE_KINDS: tuple[NoiseKind, ...] = get_args(NoiseKind)

ReasonTexts: TypeAlias = NDArray[np.object_]
"""(n,) str, a reason each: `isolated`, `between 3 and 7.1`, `edge of 3`; empty in a cluster."""

NEIGHBOURS_READ = 15
"""Nearest neighbours that count: the rest of a long list is far for most texts."""

MUTUAL_NEIGHBOURS = 10
"""Two texts are in one group when each is among this many nearest of the other. With 5, groups of
80 like questions (BANKING77) fall into crumbs."""

NEAR_QUANTILE = 0.1
"""Neighbours are near down to this quantile of what clustered texts have. Read on BANKING77 and
StackOverflow: at 0.25 paraphrases are called isolated, at 0.05 texts that share a word are near."""

SECOND_SHARE = 1 / 3
"""A second cluster counts when it has this share of the neighbours that the first has: 4 beside 11
of 15."""

NO_CLUSTER = -1

FEW_THEMES = 8
"""Themes found in the noise that are named one by one."""

PHRASES: dict[NoiseKind, str] = {
    "between": "between two themes",
    "edge": "at the edge of one",
    "small": "in groups too small to be a theme here",
    "isolated": "isolated (little else is like them)",
    "diffuse": "diffuse (near others, but in no dense group)",
    "moved": "moved out of a theme by hand",
    "dissolved": "of themes that were dissolved by hand",
}
"""What is said of each kind after its number, in an overview."""


@dataclass(frozen=True, slots=True, eq=False)
class ClassifiedNoise:
    """The noise points and why each is noise.

    `points` (p,) int32, rising; `kinds` (p,) int8, positions in `NOISE_KINDS`; `first` and `second`
    (p,) int32, the labels of the clusters that each lies at or between, else -1.
    """

    points: Ints
    kinds: NDArray[np.int8]
    first: Ints
    second: Ints


def classify_noise(graph: NeighbourGraph, labels: Ints) -> ClassifiedNoise:
    """Why each point without a cluster has none; `labels` (n,) int32, -1 is noise.

    With `graph` over the same n points. About 0.2 s for 75,000 points with 45 neighbours.
    """
    points = np.flatnonzero(labels < 0).astype(np.int32)
    ids, near = _near(graph, labels)
    ids, near = ids[points], near[points]
    near_labels = np.where(near, labels[ids], NO_CLUSTER)
    clustered = (near_labels >= 0).sum(axis=1)
    among_noise = near.sum(axis=1) - clustered
    first, firsts, second, seconds = _two_most(near_labels)
    in_clusters = (clustered > among_noise) & (clustered > 1)
    between = in_clusters & (seconds >= SECOND_SHARE * firsts) & (second >= 0)
    sizes = np.unique(labels[labels >= 0], return_counts=True)[1]
    smallest = int(sizes.min(initial=len(labels))) if len(sizes) else SMALLEST_CLUSTER
    group = _group_sizes(points, ids, near & (labels[ids] < 0), len(labels))
    kinds = np.select(
        [between, in_clusters, (group > 1) & (group < smallest), clustered + among_noise < 2],
        [NOISE_KINDS.index(kind) for kind in ("between", "edge", "small", "isolated")],
        NOISE_KINDS.index("diffuse"),
    )
    return ClassifiedNoise(
        points,
        kinds.astype(np.int8),
        np.where(in_clusters, first, NO_CLUSTER).astype(np.int32),
        np.where(between, second, NO_CLUSTER).astype(np.int32),
    )


def nearest_clusters(graph: NeighbourGraph, labels: Ints) -> Ints:
    """(n,) int32: the cluster that each noise point is nearest to, by the votes of its neighbours.

    Each neighbour in a cluster votes for it with its cosine, and the cluster with the most votes
    takes the point; a point without such neighbours waits until one of them was taken. -1 for the
    points in a cluster, and for those that no chain of neighbours leads to one. Of equal votes
    the smaller label, which is the larger cluster, wins.
    """
    from scipy.sparse import csr_array

    count, clusters = len(labels), int(labels.max(initial=-1)) + 1
    reached = labels.astype(np.int32)
    waiting = np.flatnonzero(labels < 0)
    present = graph.indices[:, 1:] >= 0
    ends = np.concatenate(([0], np.cumsum(present.sum(axis=1))))
    cosines, ids = graph.similarities[:, 1:][present], graph.indices[:, 1:][present]
    links = csr_array((cosines, ids, ends), shape=(count, count))
    while waiting.size and clusters:
        placed = np.flatnonzero(reached >= 0)
        ones = np.ones(len(placed), np.float32)
        homes = csr_array((ones, (placed, reached[placed])), shape=(count, clusters))
        votes = links[waiting] @ homes
        found = np.flatnonzero(np.diff(votes.indptr))
        if not found.size:
            break
        reached[waiting[found]] = np.asarray(votes[found].argmax(axis=1)).ravel()
        waiting = np.delete(waiting, found)
    return np.where(labels < 0, reached, NO_CLUSTER).astype(np.int32)


def reason_texts(noise: ClassifiedNoise, ids: Sequence[str], count: int) -> ReasonTexts:
    """The reasons of all `count` points in words; `ids` are the clusters' ids, by label."""
    texts: ReasonTexts = np.full(count, "", dtype=object)
    names = (*ids, "")  # reached by the label -1
    for point, kind, first, second in zip(
        noise.points, noise.kinds, noise.first, noise.second, strict=True
    ):
        match NOISE_KINDS[kind]:
            case "between":
                texts[point] = f"between {names[first]} and {names[second]}"
            case "edge":
                texts[point] = f"edge of {names[first]}"
            case kind_alone:
                texts[point] = kind_alone
    return texts


def noise_kind(reason: str) -> str:
    """The kind of a worded reason: `between` of `between 3 and 7.1`."""
    return reason.partition(" ")[0]


def count_reasons(reasons: ReasonTexts) -> dict[str, int]:
    """How many there are of each kind, in the order of `NOISE_KINDS`, without empty kinds."""
    counts = Counter(noise_kind(reason) for reason in reasons if reason)
    return {kind: counts[kind] for kind in NOISE_KINDS if counts[kind]}


def noise_sentence(counts: Mapping[str, int]) -> str:
    """The noise by kind, the most frequent first; empty where there is none, or it is unknown.

    For example: `noise: 1,210 between two themes, 640 isolated (little else is like them)`.
    """
    present = sorted(
        (kind for kind in NOISE_KINDS if counts.get(kind)), key=lambda kind: -counts[kind]
    )
    parts = ", ".join(f"{counts[kind]:,} {PHRASES[kind]}" for kind in present)
    return f"noise: {parts}" if parts else ""


def noise_levels(in_found: int, found: Sequence[str], assigned: int | None) -> list[str]:
    """What else is known of the noise, which stays counted as such, in a sentence each.

    `found` are the themes that were found in it, with `in_found` records; `assigned` how many of
    its records have a nearest theme, None where nobody asked.
    """
    said = []
    if found:
        ids = ", ".join(found) if len(found) <= FEW_THEMES else f"{found[0]}, …, {found[-1]}"
        themes = "1 theme" if len(found) == 1 else f"{len(found)} themes"
        said.append(
            f"Of the noise, {in_found:,} records are in {themes} found in it: {ids} "
            "(list-clusters with parent='noise')."
        )
    if assigned is not None:
        said.append(
            f"Of the noise, {assigned:,} records have a nearest theme (noise='assign'): they are "
            "in no size or share; get-members(with_noise=True) reads them with it."
        )
    return said


def rename_reasons(reasons: ReasonTexts, rename: Callable[[str], str]) -> ReasonTexts:
    """The reasons after clusters got other ids, or gave way to the one that holds them.

    `rename` gives the new id of a cluster for the old one, `noise` for one that is no more. What
    lay between two clusters that are one now lies at the edge of that.
    """

    def renamed(reason: str) -> str:
        kind, *words = reason.split(" ")
        named = dict.fromkeys(rename(word) for word in words if word not in ("and", "of"))
        ids = [name for name in named if name != NOISE]
        if not ids:
            return "diffuse" if words else kind
        return f"between {ids[0]} and {ids[1]}" if len(ids) > 1 else f"edge of {ids[0]}"

    after = {reason: renamed(str(reason)) for reason in set(reasons)}
    return np.array([after[reason] for reason in reasons], dtype=object)


def _near(graph: NeighbourGraph, labels: Ints) -> tuple[Ints, NDArray[np.bool_]]:
    """The nearest of each point, (n, w), and which of them are near; others stand as point 0."""
    ids = graph.indices[:, 1 : NEIGHBOURS_READ + 1]
    cosines = graph.similarities[:, 1 : NEIGHBOURS_READ + 1]
    if not ids.shape[1]:  # one text by itself: a column of nobody
        return np.zeros((len(ids), 1), np.int32), np.zeros((len(ids), 1), np.bool_)
    usual = cosines[:, :MIN_SAMPLES].mean(axis=1)
    clustered = labels >= 0
    least = np.quantile(usual[clustered] if clustered.any() else usual, NEAR_QUANTILE)
    near = (ids >= 0) & (cosines >= least)
    return np.where(near, ids, 0), near


def _two_most(labels: Ints) -> tuple[Ints, Ints, Ints, Ints]:
    """The two most frequent labels in each row of (p, w), -1 left out: label, count, label, count.

    Of equally frequent ones the smaller label, which is the larger cluster, comes first.
    """
    count = len(labels)
    result = [np.full(count, fill, np.int32) for fill in (NO_CLUSTER, 0, NO_CLUSTER, 0)]
    # Each row and label as one number, so that one sort counts the labels of all rows.
    rows, columns = np.nonzero(labels >= 0)
    most = int(labels.max(initial=0)) + 1
    keys, counts = np.unique(rows * most + labels[rows, columns], return_counts=True)
    row, label = keys // most, (keys % most).astype(np.int32)
    order = np.lexsort((label, -counts, row))
    row, label, counts = row[order], label[order], counts[order]
    starts = np.flatnonzero(np.diff(row, prepend=-1))
    result[0][row[starts]], result[1][row[starts]] = label[starts], counts[starts]
    nexts = starts + 1
    nexts = nexts[nexts < len(row)]
    nexts = nexts[row[nexts] == row[nexts - 1]]
    result[2][row[nexts]], result[3][row[nexts]] = label[nexts], counts[nexts]
    return result[0], result[1], result[2], result[3]


def _group_sizes(points: Ints, ids: Ints, linked: NDArray[np.bool_], count: int) -> Ints:
    """(p,) how many texts the group of each noise point has: those linked through mutual ones.

    `ids` (p, w) are the nearest of the points, of `count` in all; `linked` (p, w): which of them
    are near and noise. A point in no group goes with its nearest such neighbour.
    """
    from scipy.sparse import csr_array
    from scipy.sparse.csgraph import connected_components

    place = np.full(count, NO_CLUSTER, np.int64)
    place[points] = np.arange(len(points))
    rows, columns = np.nonzero(linked[:, :MUTUAL_NEIGHBOURS])
    ends = place[ids[rows, columns]]
    # Each link as one number, there and back: mutual are those that stand in both lists.
    forth, back = rows * len(points) + ends, ends * len(points) + rows
    mutual = np.isin(forth, back)
    shape = (len(points), len(points))
    edges = csr_array((np.ones(mutual.sum(), np.int8), (rows[mutual], ends[mutual])), shape=shape)
    _groups, group = connected_components(edges, directed=False)
    sizes = np.bincount(group)[group] if len(points) else group
    lone = np.flatnonzero((sizes == 1) & linked.any(axis=1))
    nearest = ids[lone, linked[lone].argmax(axis=1)]
    joined = sizes.copy()
    joined[lone] = sizes[place[nearest]]
    return joined.astype(np.int32)

"""The nearest neighbours of every vector of a set, found together: near-exact, and fast.

In: (n, dim) unit vectors. Out: for each the rows and cosines of its k nearest, and the recall,
measured on a sample.

Vectors that share a small random Voronoi cell are compared by one matrix product, where
arithmetic is cheapest; what the cells missed is found among the neighbours of neighbours, the idea
of NN-descent (Dong, Charikar, Li 2011; packages `pynndescent`, `evoc`). Here each vector looks for
itself and no thread waits for another, so that the result does not depend on their number.

On 74,399 headlines (384-d) it takes 8.7 s of processor time for a recall@15 of 0.95; EVoC's
NN-descent takes 13.1 s for 0.94. Import this module where it is used: numba takes a second.
"""

import math
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numba
import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from corpuscope.tools.core.schema import Floats, Ints

CELL_SIZE = 800
"""Vectors in a cell, about: larger cells find more and cost more; this is the cheapest recall."""

LARGEST_CELL = 3_000
"""A larger one is divided again. A set that is no larger is compared whole, and so exactly."""

PARTITIONS = 1.3
"""Times the set is cut into cells, for each doubling beyond `LARGEST_CELL`: 3 for 13,000 vectors,
6 for 75,000. Each finds a quarter of what the earlier ones missed."""

ENOUGH_ROUNDS = 2
"""Of looking at neighbours of neighbours; from here on another cut into cells finds more."""

MOST_ROUNDS = 6
"""Where so many do not reach `RECALL`, the data has no neighbourhoods to speak of."""

RECALL = 0.95
"""The share of the true neighbours that must be found, of the `RECALL_AT` nearest."""

RECALL_AT = 15

RECALL_SAMPLE = 150
"""Vectors whose neighbours are searched exactly, to know the recall: ± 0.01."""

LINKS = (12, 8)
"""How many a vector asks for their neighbours in a round: of its own nearest neighbours, and of
the vectors that have it among theirs."""

MOST_CENTRES = 64
"""Most cells that a set is cut into in one step: their centres stay in the processor's cache."""

STRIDE = 32
"""Similarities checked at a time: most rows have none that is high enough."""

_parallel = numba.njit(parallel=True, fastmath=True, cache=True)
_serial = numba.njit(nogil=True, cache=True)


def nearest_neighbours(vectors: Floats, k: int, *, seed: int = 0) -> tuple[Ints, Floats, float]:
    """The k nearest of each of (n, dim) float32 unit vectors among the others, n > k.

    Returns:
        Their rows (n, k) int32 and cosines (n, k) float32, falling, and the recall@15 measured on
        a sample, 0 to 1. -1 stands where fewer than k were met. The same input and seed give the
        same answer.
    """
    count = len(vectors)
    ids = np.full((count, k), -1, np.int32)
    cosines = np.full((count, k), -2.0, np.float32)
    random = np.random.default_rng(seed)
    # Vectors of one cell side by side in memory are read three times as fast: everything below
    # works on the reordered ones, and the last lines put the lists back into the order given.
    order = np.concatenate(random_cells(vectors, random))
    ordered = np.ascontiguousarray(vectors[order])
    partitions = math.ceil(PARTITIONS * math.log2(max(2.0, count / LARGEST_CELL)))
    one_cell = count <= LARGEST_CELL
    for _ in range(1 if one_cell else partitions):
        _compare(ordered, random_cells(ordered, random), (ids, cosines))
    recall, rounds = 1.0, 0
    if not one_cell:
        measure = sampled_recall(ordered, min(k, RECALL_AT), random)
        while (recall := measure(ids)) < RECALL and rounds < MOST_ROUNDS:
            if rounds >= ENOUGH_ROUNDS:
                _compare(ordered, random_cells(ordered, random), (ids, cosines))
            ids, cosines = _expanded(ordered, ids, cosines)
            rounds += 1
    place = np.empty(count, np.int32)
    place[order] = np.arange(count, dtype=np.int32)
    ids = np.where(ids >= 0, order[ids], -1)[place].astype(np.int32)
    return ids, cosines[place], recall


def random_cells(vectors: Floats, random: np.random.Generator) -> list[Ints]:
    """The rows of (n, dim) vectors in random Voronoi cells of at most `LARGEST_CELL`.

    Some of the vectors are drawn as centres and each vector goes to the nearest; a cell that is
    still too large is divided again in the same way.
    """
    todo, done = [np.arange(len(vectors), dtype=np.int32)], []
    while todo:
        rows = todo.pop()
        if len(rows) <= LARGEST_CELL:
            done.append(rows)
            continue
        ways = min(MOST_CENTRES, len(rows) // CELL_SIZE)
        inside = vectors if len(rows) == len(vectors) else vectors[rows]
        centres = inside[np.sort(random.choice(len(rows), ways, replace=False))]
        cell = (inside @ centres.T).argmax(axis=1)
        ends = np.cumsum(np.bincount(cell, minlength=ways))[:-1]
        parts = np.split(rows[np.argsort(cell, kind="stable")], ends)
        if max(len(part) for part in parts) == len(rows):  # no centre stands out: any cut will do
            parts = np.array_split(random.permutation(rows), ways)
        todo += [part for part in parts if len(part)]
    return done


def sampled_recall(vectors: Floats, k: int, random: np.random.Generator) -> Callable[[Ints], float]:
    """A measure of neighbour lists (n, ≥ k): the share of the true k nearest that they hold.

    Ties are no miss: a neighbour as near as the k-th nearest is as good.
    """
    asked = np.sort(random.choice(len(vectors), min(RECALL_SAMPLE, len(vectors)), replace=False))
    near = vectors[asked] @ vectors.T
    near[np.arange(len(asked)), asked] = -np.inf
    least = np.partition(near, -k, axis=1)[:, -k, None] - 1e-5

    def recall(ids: Ints) -> float:
        met = ids[asked]
        cosines = np.einsum("id,ijd->ij", vectors[asked], vectors[met])
        hits = (cosines >= least) & (met >= 0)
        return float(np.minimum(hits.sum(axis=1), k).mean() / k)

    return recall


def _compare(vectors: Floats, parts: list[Ints], lists: tuple[Ints, Floats]) -> None:
    """Compare all vectors of each cell with each other; `lists` (ids, cosines) change in place."""

    def compare_cell(rows: Ints) -> None:
        inside = vectors[rows]
        _offer(inside @ inside.T, rows, *lists)

    # Cells side by side use the processor better than one product on all cores. The first comes
    # alone: what numba has to compile must not be compiled by several threads.
    with threadpool_limits(1, user_api="blas"), ThreadPoolExecutor(os.cpu_count()) as pool:
        compare_cell(parts[0])
        for _ in pool.map(compare_cell, parts[1:]):  # drawn, so that an error is raised here
            pass


def _expanded(vectors: Floats, ids: Ints, cosines: Floats) -> tuple[Ints, Floats]:
    """The lists after each vector looked at the neighbours of its neighbours: a round."""
    forth, back = min(LINKS[0], ids.shape[1]), LINKS[1]
    links = np.hstack((ids[:, :forth], _reverse(ids, forth, back)))
    lists = ids.copy(), cosines.copy()
    _expand(vectors, links, *lists, 16 * (os.cpu_count() or 1))
    return lists


@numba.njit(inline="always")
def _insert(
    ids: NDArray[np.int32], cosines: NDArray[np.float32], i: int, other: int, cosine: np.float32
) -> None:
    """Put a neighbour that is nearer than the last one into the list of row i, which falls off."""
    # One step of insertion sort: the list stays falling, those that are farther move down.
    at = ids.shape[1] - 1
    while at > 0 and cosines[i, at - 1] < cosine:
        cosines[i, at] = cosines[i, at - 1]
        ids[i, at] = ids[i, at - 1]
        at -= 1
    cosines[i, at] = cosine
    ids[i, at] = other


@numba.njit(inline="always")
def _known(ids: NDArray[np.int32], i: int, other: int) -> bool:
    """Whether it is in the list of row i already."""
    for at in range(ids.shape[1]):  # noqa: SIM110 - a generator would be slow here
        if ids[i, at] == other:
            return True
    return False


@_serial
def _offer(
    table: NDArray[np.float32],
    rows: NDArray[np.int32],
    ids: NDArray[np.int32],
    cosines: NDArray[np.float32],
) -> None:
    """Offer each vector of a cell to each other; `table` (p, p) holds the cosines of its `rows`.

    `a` and `b` are places within the cell, `i` and `rows[b]` rows of the whole set. Cells do not
    share rows, so several threads may work on the same lists, each on a cell of its own.
    """
    last, count = ids.shape[1] - 1, len(rows)
    for a in range(count):
        i = rows[a]
        least = cosines[i, last]  # who is not nearer than the last of the list has no chance
        for start in range(0, count, STRIDE):
            # The largest of a stride first: the compiler turns this loop into vector instructions,
            # and nearly every stride ends here.
            end = min(start + STRIDE, count)
            best = np.float32(-2.0)
            for b in range(start, end):
                best = max(best, table[a, b])
            if best <= least:
                continue
            for b in range(start, end):
                if table[a, b] > least and a != b and not _known(ids, i, rows[b]):
                    _insert(ids, cosines, i, rows[b], table[a, b])
                    least = cosines[i, last]


@_serial
def _reverse(ids: NDArray[np.int32], width: int, most: int) -> NDArray[np.int32]:
    """Who has each row among its first `width` neighbours: (n, most), the nearest ranks first.

    -1 stands where fewer have it. Rank by rank, so that the places go to those it is nearest to.
    """
    back = np.full((len(ids), most), -1, np.int32)
    filled = np.zeros(len(ids), np.int32)
    for rank in range(width):
        for i in range(len(ids)):
            other = ids[i, rank]
            if other >= 0 and filled[other] < most:
                back[other, filled[other]] = i
                filled[other] += 1
    return back


@_parallel
def _expand(
    vectors: NDArray[np.float32],
    links: NDArray[np.int32],
    ids: NDArray[np.int32],
    cosines: NDArray[np.float32],
    chunks: int,
) -> None:
    """Offer to each row what its links link to; `ids` and `cosines` change in place.

    `links` (n, w) are whom each row asks, -1 for none. Rows are dealt to `chunks` of neighbouring
    ones, each done by one thread. A row writes to its own list alone and reads no other list, only
    `links`, which stay as they are: so the result does not depend on who is first.
    """
    count, last, width = len(ids), ids.shape[1] - 1, links.shape[1]
    rows = (count + chunks - 1) // chunks
    for chunk in numba.prange(chunks):
        # seen[x] == i: row i has met x. Marking with the row's own number, nothing has to be wiped.
        seen = np.full(count, -1, np.int32)
        for i in range(chunk * rows, min(count, (chunk + 1) * rows)):
            seen[i] = i
            for known in ids[i]:
                if known >= 0:
                    seen[known] = i
            for via in links[i]:
                if via < 0:
                    continue
                for at in range(width):
                    other = links[via, at]
                    if other < 0 or seen[other] == i:
                        continue
                    seen[other] = i
                    cosine = np.float32(0.0)
                    for d in range(vectors.shape[1]):
                        cosine += vectors[i, d] * vectors[other, d]
                    if cosine > cosines[i, last]:
                        _insert(ids, cosines, i, other, cosine)

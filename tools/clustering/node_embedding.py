"""The optimisation of the node embedding: linked nodes attract, all others repel each other.

In: a weighted graph and a start in `DIMENSIONS` dimensions. Out: places in which linked nodes lie
together, by stochastic gradient descent with negative samples, as in UMAP.

The forces, their schedule and the momentum are those of EVoC (McInnes et al., package `evoc`,
`node_embedding`), in a form that takes half the time: an edge's turn is worked out instead of kept
in three arrays, and the dimensions are known to the compiler. Import this module where it is used:
numba takes a second.
"""

from typing import Any, TypeAlias

import numba
import numpy as np
from numpy.typing import NDArray

from corpuscope.tools.core.schema import Floats

DIMENSIONS = 5
"""Of the node embedding: from 3 to 6 the AMI differs by less than it does between seeds."""

EPOCHS = 100
"""EVoC's 50 score 0.005 to 0.008 AMI less over nine labelled sets."""

FIRST_STEP = 0.1
"""The step of the first epoch; it falls to 0 with the last."""

REPULSION = (0.5, 1.5)
"""What repels grows from the first epoch to the last: find the place first, then make room."""

BLOCKS = 8
"""Parts of an epoch: nodes of one part move at once and see the others where they are by now.
Within a part places are only read, so that the result does not depend on the threads."""

Edges: TypeAlias = tuple[NDArray[np.int32], NDArray[np.int32], NDArray[np.float32]]
"""Where each node's edges end, the nodes at the other ends, how often an edge has its turn: the
edges of node i are those from ends[i] to ends[i + 1], as in the rows of a sparse matrix."""
Forces: TypeAlias = tuple[np.float32, np.float32, np.float32]
"""Step, repulsion r and noise level. The forces are EVoC's, per unit of distance d: an edge
attracts by (2 noise_level d + 2) / (2 d² - d / 2 + 1), a node drawn at random repels by
4 r / ((1 + d² / 4) d²), at most 4 in each dimension."""
Turn: TypeAlias = tuple[int, np.uint32]
"""The epoch, and a random number of its own."""

_compiled = numba.njit(parallel=True, fastmath=True, error_model="numpy", cache=True)


def optimise_embedding(graph: Any, start: Floats, *, noise_level: float, seed: int) -> Floats:
    """Where the nodes of a graph come to rest: (n, DIMENSIONS) float32.

    `graph`: (n, n) sparse in rows, symmetric, weights 0 to 1; `start` (n, DIMENSIONS). A higher
    `noise_level` (0 to 1) pulls distant neighbours harder. Does not depend on the threads.
    """
    points = np.array(start, np.float32, order="C")
    pull = np.zeros_like(points)
    # An edge has its turn as often as it is heavy: the heaviest in every epoch, the lightest once
    # in all of them.
    often = np.clip(graph.data / graph.data.max(), 1.0 / EPOCHS, 1.0).astype(np.float32)
    salts = np.random.default_rng(seed).integers(0, 2**32, EPOCHS, dtype=np.uint32)
    repulsions = np.linspace(*REPULSION, EPOCHS, dtype=np.float32)
    step = np.float32(FIRST_STEP)
    for epoch in range(EPOCHS):
        edges = graph.indptr, graph.indices, often
        forces = step, repulsions[epoch], np.float32(noise_level)
        _epoch(points, pull, edges, forces, (epoch, salts[epoch]))
        pull *= np.float32((1.0 - step) ** 2 / 2)
        step = np.float32(FIRST_STEP * (1.0 - epoch / EPOCHS))
    return points


# Numbers are kept in 32 bits: the compiler makes faster code of them.
@_compiled
def _epoch(
    points: NDArray[np.float32], pull: NDArray[np.float32], edges: Edges, forces: Forces, turn: Turn
) -> None:
    """Move all nodes once; `pull` (n, DIMENSIONS) moves them and carries over, as momentum does.

    For each edge of node i whose turn it is, i is drawn towards the other end, and in two of three
    turns pushed away from a node drawn at random.
    """
    ends, others, often = edges
    step, repulsion, noise_level = forces
    epoch, salt = turn
    count = len(points)
    rows = (count + BLOCKS - 1) // BLOCKS
    now, before = np.float32(epoch + 1), np.float32(epoch)
    for block in range(BLOCKS):
        # Node i is in part i % BLOCKS; each epoch begins with another part.
        first = (block + epoch) % BLOCKS
        for row in numba.prange(rows):
            i = row * BLOCKS + first
            if i >= count:
                continue
            # A generator for each node and epoch, so that no thread waits for another's numbers:
            # the node's number is spread over 32 bits (2^32 / golden ratio) and salted.
            random = np.uint32(np.uint32(np.uint64(i + 1) * np.uint64(2654435769)) ^ salt)
            for edge in range(ends[i], ends[i + 1]):
                # An edge with share 0.25 has its turn in each fourth epoch: when the whole part of
                # epoch * share grows.
                share = often[edge]
                if np.int32(now * share) == np.int32(before * share):
                    continue
                other = others[edge]
                square = np.float32(0.0)
                for d in range(DIMENSIONS):
                    square += (points[i, d] - points[other, d]) ** 2
                length = np.sqrt(square)
                pulled = (np.float32(2.0) * noise_level * length + np.float32(2.0)) / (
                    np.float32(2.0) * square - np.float32(0.5) * length + np.float32(1.0)
                )
                for d in range(DIMENSIONS):
                    pull[i, d] -= step * pulled * (points[i, d] - points[other, d])
                # Linear congruential (Numerical Recipes): the high bits are the good ones.
                random = np.uint32(random * np.uint32(1664525) + np.uint32(1013904223))
                if (random >> np.uint32(8)) % np.uint32(3) == 0:
                    continue
                # The random number as a fraction of 2^32, times n: a node from 0 to n - 1.
                other = np.int64((np.uint64(random) * np.uint64(count)) >> np.uint64(32))
                square = np.float32(0.0)
                for d in range(DIMENSIONS):
                    square += (points[i, d] - points[other, d]) ** 2
                if square <= np.float32(0.01):  # itself, or so near that the force would explode
                    continue
                pushed = repulsion * np.float32(4.0) / ((1 + np.float32(0.25) * square) * square)
                for d in range(DIMENSIONS):
                    away = pushed * (points[i, d] - points[other, d])
                    pull[i, d] += step * min(max(away, np.float32(-4.0)), np.float32(4.0))
        # Too little work for threads to be woken up for.
        for i in range(first, count, BLOCKS):
            for d in range(DIMENSIONS):
                points[i, d] += pull[i, d]

"""The optimisation of the node embedding: linked nodes attract, all others repel each other.

In: a weighted graph and a start in `DIMENSIONS` dimensions. Out: places in which linked nodes lie
together, by stochastic gradient descent with negative samples, as in UMAP.

The forces, their schedule and the momentum are those of EVoC (McInnes et al., package `evoc`,
`node_embedding`), in a form that takes a third of the time: whose turn it is in which epoch is
listed beforehand, so that no edge is looked at in vain, and the dimensions are known to the
compiler. Import this module where it is used: numba takes a second.
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

PHASES = 10
"""Epochs after which the turns of the edges begin anew. An edge that has its turn more rarely is
in the list with the chance that makes up for it: no list is longer than the graph, about."""

NEXT_PHASE = 3
"""Phases are taken in steps of this (no divisor of `PHASES`), so that turns spread evenly."""

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
    ends, others = edge_turns(graph.indptr, graph.indices, often)
    salts = np.random.default_rng(seed).integers(0, 2**32, EPOCHS, dtype=np.uint32)
    repulsions = np.linspace(*REPULSION, EPOCHS, dtype=np.float32)
    step = np.float32(FIRST_STEP)
    for epoch in range(EPOCHS):
        forces = step, repulsions[epoch], np.float32(noise_level)
        phase = epoch * NEXT_PHASE % PHASES
        _epoch(points, pull, (ends[phase], others), forces, (epoch, salts[epoch]))
        pull *= np.float32((1.0 - step) ** 2 / 2)
        step = np.float32(FIRST_STEP * (1.0 - epoch / EPOCHS))
    return points


@numba.njit(inline="always")
def _fraction(number: int, salt: np.uint32) -> np.uint32:
    """A random number for each number: spread over 32 bits (2^32 / golden ratio) and salted."""
    return np.uint32(np.uint32(np.uint64(number + 1) * np.uint64(2654435769)) ^ salt)


@numba.njit(inline="always")
def _has_turn(edge: int, share: np.float32, phase: int) -> bool:
    """Whether it is an edge's turn: one with share 0.25 has it in each fourth phase."""
    # When the whole part of begin + phase * share grows. Each edge begins with a fraction of its
    # own, so that the turns of light ones fall into all phases.
    begin = np.float32(_fraction(edge, np.uint32(0))) * np.float32(2.0**-32)
    now, after = begin + share * np.float32(phase), begin + share * np.float32(phase + 1)
    return bool(np.int32(now) != np.int32(after))


@_compiled
def edge_turns(
    indptr: NDArray[np.int32], indices: NDArray[np.int32], often: NDArray[np.float32]
) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
    """Whom each node of a sparse graph is drawn to in each phase, by how `often` an edge's turn is.

    Returns:
        `ends` (PHASES, n + 1) and `others`: in phase p node i is drawn to the nodes
        others[ends[p, i]:ends[p, i + 1]].
    """
    count = len(indptr) - 1
    turns = np.zeros((PHASES, count), np.int64)
    for i in numba.prange(count):
        for edge in range(indptr[i], indptr[i + 1]):
            for phase in range(PHASES):
                turns[phase, i] += _has_turn(edge, often[edge], phase)
    ends = np.zeros((PHASES, count + 1), np.int64)
    total = 0
    for phase in range(PHASES):
        ends[phase, 0] = total
        for i in range(count):
            total += turns[phase, i]
            ends[phase, i + 1] = total
    others = np.empty(total, np.int32)
    for i in numba.prange(count):
        for phase in range(PHASES):
            at = ends[phase, i]
            for edge in range(indptr[i], indptr[i + 1]):
                if _has_turn(edge, often[edge], phase):
                    others[at] = indices[edge]
                    at += 1
    return ends, others


# Numbers are kept in 32 bits: the compiler makes faster code of them.
@_compiled
def _epoch(
    points: NDArray[np.float32],
    pull: NDArray[np.float32],
    edges: tuple[NDArray[np.int64], NDArray[np.int32]],
    forces: Forces,
    turn: Turn,
) -> None:
    """Move all nodes once; `pull` (n, DIMENSIONS) moves them and carries over, as momentum does.

    A node is drawn towards the other end of each of its `edges` (a phase of `edge_turns`), and
    pushed away from nodes drawn at random, two for every three edges.
    """
    ends, others = edges
    step, repulsion, noise_level = forces
    epoch, salt = turn
    count = len(points)
    rows = (count + BLOCKS - 1) // BLOCKS
    for block in range(BLOCKS):
        # Node i is in part i % BLOCKS; each epoch begins with another part.
        first = (block + epoch) % BLOCKS
        for row in numba.prange(rows):
            i = row * BLOCKS + first
            if i >= count:
                continue
            for at in range(ends[i], ends[i + 1]):
                other = others[at]
                square = np.float32(0.0)
                for d in range(DIMENSIONS):
                    square += (points[i, d] - points[other, d]) ** 2
                length = np.sqrt(square)
                pulled = (np.float32(2.0) * noise_level * length + np.float32(2.0)) / (
                    np.float32(2.0) * square - np.float32(0.5) * length + np.float32(1.0)
                )
                for d in range(DIMENSIONS):
                    pull[i, d] -= step * pulled * (points[i, d] - points[other, d])
            # A generator for each node and epoch, so that no thread waits for another's numbers.
            random = _fraction(i, salt)
            for _ in range((2 * (ends[i + 1] - ends[i]) + epoch % 3) // 3):
                # Linear congruential (Numerical Recipes): the high bits are the good ones.
                random = np.uint32(random * np.uint32(1664525) + np.uint32(1013904223))
                # The random number as a fraction of 2^32, times n: a node from 0 to n - 1.
                node = np.int64((np.uint64(random) * np.uint64(count)) >> np.uint64(32))
                square = np.float32(0.0)
                for d in range(DIMENSIONS):
                    square += (points[i, d] - points[node, d]) ** 2
                if square <= np.float32(0.01):  # itself, or so near that the force would explode
                    continue
                pushed = repulsion * np.float32(4.0) / ((1 + np.float32(0.25) * square) * square)
                for d in range(DIMENSIONS):
                    away = pushed * (points[i, d] - points[node, d])
                    pull[i, d] += step * min(max(away, np.float32(-4.0)), np.float32(4.0))
        # Too little work for threads to be woken up for.
        for i in range(first, count, BLOCKS):
            for d in range(DIMENSIONS):
                points[i, d] += pull[i, d]

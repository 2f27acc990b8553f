"""The node embedding's forces, on made graphs."""

import numpy as np
import pytest
from scipy.sparse import csr_array, kron

from corpuscope.tools.core.schema import Floats
from corpuscope.tools.geometry.node_embedding import (
    DIMENSIONS,
    PHASES,
    edge_turns,
    optimise_embedding,
)

GROUPS, EACH = 4, 30


@pytest.fixture(scope="module")
def graph() -> csr_array:
    """Four groups, each linked within, and by one weak edge to the next."""
    inside = kron(np.eye(GROUPS), np.ones((EACH, EACH)) - np.eye(EACH)).tolil()
    for group in range(GROUPS - 1):
        a, b = group * EACH, (group + 1) * EACH
        inside[a, b] = inside[b, a] = 0.05
    return csr_array(inside.tocsr().astype(np.float32))


@pytest.fixture(scope="module")
def start() -> Floats:
    size = (GROUPS * EACH, DIMENSIONS)
    return np.random.default_rng(0).normal(size=size).astype(np.float32)


def distances(points: Floats) -> tuple[float, float]:
    """The mean distance of a point to its group's centre, and of a centre to the others."""
    groups = points.reshape(GROUPS, EACH, DIMENSIONS)
    centres = groups.mean(axis=1)
    within = np.linalg.norm(groups - centres[:, None], axis=2).mean()
    apart = np.linalg.norm(centres[:, None] - centres[None], axis=2)
    return float(within), float(apart[~np.eye(GROUPS, dtype=bool)].mean())


def test_linked_nodes_come_together_and_groups_move_apart(graph: csr_array, start: Floats) -> None:
    before, after = (
        distances(start),
        distances(optimise_embedding(graph, start, noise_level=0.3, seed=0)),
    )
    assert before[0] > before[1]
    assert 3 * after[0] < after[1]


def test_the_same_seed_gives_the_same_points_and_the_start_is_left_alone(
    graph: csr_array, start: Floats
) -> None:
    kept = start.copy()
    first = optimise_embedding(graph, start, noise_level=0.3, seed=5)
    np.testing.assert_array_equal(first, optimise_embedding(graph, start, noise_level=0.3, seed=5))
    assert not np.array_equal(first, optimise_embedding(graph, start, noise_level=0.3, seed=6))
    np.testing.assert_array_equal(start, kept)


def test_nodes_that_begin_in_one_place_stay_finite(graph: csr_array, start: Floats) -> None:
    points = optimise_embedding(graph, np.zeros_like(start), noise_level=0.3, seed=0)
    assert np.isfinite(points).all()


def test_a_heavy_edge_has_its_turn_in_every_phase_and_light_ones_as_often_as_they_weigh() -> None:
    count = 200
    full = csr_array(np.ones((count, count), np.float32))
    shares = np.full(full.nnz, 0.05, np.float32)
    shares[full.indices == 7] = 1.0
    ends, others = edge_turns(full.indptr, full.indices, shares)
    for first, last in ends[:, :2]:
        assert (others[first:last] == 7).sum() == 1
    light = len(others) - PHASES * count
    assert light == pytest.approx(0.05 * PHASES * count * (count - 1), rel=0.02)
    by_phase = ends[:, -1] - ends[:, 0]
    assert by_phase.min() > 0.9 * by_phase.max()

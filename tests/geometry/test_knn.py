"""The search by random cells and neighbours of neighbours, on made vectors."""

import numpy as np
import pytest

from corpuscope.tools.core.schema import Floats, Ints
from corpuscope.tools.core.vectors import unit_rows
from corpuscope.tools.geometry.graph import neighbour_graph
from corpuscope.tools.geometry.knn import (
    LARGEST_CELL,
    RECALL,
    nearest_neighbours,
    random_cells,
    sampled_recall,
)

COUNT, DIM, K = 9_000, 48, 20


@pytest.fixture(scope="module")
def vectors() -> Floats:
    """Texts of 60 themes, some near to each other, and a fifth that is of none."""
    random = np.random.default_rng(0)
    themes = random.normal(size=(60, DIM))[random.integers(60, size=COUNT)]
    themes[::5] = 0.0
    rows = themes + random.normal(size=(COUNT, DIM))
    return unit_rows(rows)


@pytest.fixture(scope="module")
def found(vectors: Floats) -> tuple[Ints, Floats, float]:
    return nearest_neighbours(vectors, K, seed=1)


def test_nearly_all_true_neighbours_are_found_and_the_recall_is_what_it_says(
    vectors: Floats, found: tuple[Ints, Floats, float]
) -> None:
    exact = neighbour_graph(vectors, k=16, exact_up_to=COUNT).indices[:, 1:]
    hits = [len(np.intersect1d(a, b)) for a, b in zip(exact, found[0], strict=True)]
    assert found[2] >= RECALL
    assert abs(np.mean(hits) / 15 - found[2]) < 0.02


def test_nobody_is_its_own_neighbour_or_met_twice_and_cosines_are_true_and_fall(
    vectors: Floats, found: tuple[Ints, Floats, float]
) -> None:
    ids, cosines, _ = found
    assert (ids.shape, cosines.shape) == ((COUNT, K), (COUNT, K))
    assert not (ids == np.arange(COUNT)[:, None]).any()
    assert all(len(set(row)) == K for row in ids.tolist())
    assert (np.diff(cosines, axis=1) <= 0).all()
    true = np.einsum("nd,nkd->nk", vectors, vectors[ids])
    np.testing.assert_allclose(cosines, true, atol=1e-5)


def test_the_same_seed_gives_the_same_neighbours(
    vectors: Floats, found: tuple[Ints, Floats, float]
) -> None:
    again = nearest_neighbours(vectors, K, seed=1)
    np.testing.assert_array_equal(again[0], found[0])


def test_few_vectors_are_compared_whole_and_exactly(vectors: Floats) -> None:
    few = vectors[:500]
    ids, cosines, recall = nearest_neighbours(few, 10)
    exact = neighbour_graph(few, k=11)
    assert recall == 1.0
    np.testing.assert_array_equal(ids, exact.indices[:, 1:])
    np.testing.assert_allclose(cosines, exact.similarities[:, 1:], atol=1e-5)


def test_lists_shorter_than_the_links_of_a_round_are_no_trouble() -> None:
    # Without neighbourhoods no round is the last.
    spread = np.random.default_rng(0).normal(size=(4_000, 64)).astype(np.float32)
    spread /= np.linalg.norm(spread, axis=1, keepdims=True)
    ids, cosines, recall = nearest_neighbours(spread, 4)
    assert 0 < recall < RECALL
    true = np.einsum("nd,nkd->nk", spread, spread[ids])
    np.testing.assert_allclose(cosines, true, atol=1e-5)


def test_cells_hold_every_vector_once_and_none_is_too_large(vectors: Floats) -> None:
    parts = random_cells(vectors, np.random.default_rng(3))
    assert len(parts) > 3
    assert max(map(len, parts)) <= LARGEST_CELL
    assert sorted(np.concatenate(parts).tolist()) == list(range(COUNT))


def test_vectors_that_no_centre_divides_are_cut_all_the_same() -> None:
    equal = np.tile(np.eye(1, 8, dtype=np.float32), (2 * LARGEST_CELL, 1))
    parts = random_cells(equal, np.random.default_rng(0))
    assert max(map(len, parts)) <= LARGEST_CELL
    assert sum(map(len, parts)) == len(equal)


def test_recall_counts_what_is_missing(vectors: Floats) -> None:
    exact = neighbour_graph(vectors, k=16, exact_up_to=COUNT).indices[:, 1:]
    recall = sampled_recall(vectors, 15, np.random.default_rng(0))
    assert recall(exact) == 1.0
    assert recall(exact[:, :12]) == pytest.approx(0.8)
    assert recall(np.full_like(exact, -1)) == 0.0

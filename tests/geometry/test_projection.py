"""The map, on made vectors."""

import numpy as np
import pytest

from corpuscope.tools.core.schema import Floats
from corpuscope.tools.core.vectors import unit_rows
from corpuscope.tools.geometry.graph import embed_nodes, neighbour_graph
from corpuscope.tools.geometry.projection import map_points


def blobs(count: int, each: int) -> Floats:
    random = np.random.default_rng(0)
    rows = np.repeat(np.eye(count, 16), each, axis=0)
    rows = rows + 0.1 * random.normal(size=rows.shape)
    return unit_rows(rows)


def check(places: Floats, count: int) -> None:
    assert places.shape == (count, 2)
    assert places.dtype == np.float32
    assert np.isfinite(places).all()
    assert np.abs(places).max() <= 1.0001
    np.testing.assert_allclose(places.min(axis=0) + places.max(axis=0), 0, atol=1e-3)


@pytest.mark.parametrize("count", [1, 2, 3, 4, 5, 8, 40])
def test_a_map_of_any_size_is_finite_centred_and_scaled(count: int) -> None:
    vectors = blobs(1, count)
    graph = neighbour_graph(vectors)
    for init in (None, embed_nodes(graph, vectors)):
        places = map_points(graph, vectors, init)
        check(places, count)
        assert count == 1 or np.abs(places).max() == pytest.approx(1, abs=1e-4)
        assert len(np.unique(places, axis=0)) == count


def test_neighbours_in_the_graph_are_near_on_the_map() -> None:
    vectors = blobs(4, 60)
    graph = neighbour_graph(vectors, k=20)
    places = map_points(graph, vectors, embed_nodes(graph, vectors))
    check(places, 240)
    gaps = np.linalg.norm(places[:, None] - places[None], axis=2)
    np.fill_diagonal(gaps, np.inf)
    assert (gaps.argmin(axis=1) // 60 == np.arange(240) // 60).mean() > 0.95


def test_points_without_neighbours_stand_around_the_map() -> None:
    vectors = blobs(2, 40)
    vectors[::10] = 0
    graph = neighbour_graph(vectors)
    places = map_points(graph, vectors, embed_nodes(graph, vectors))
    check(places, 80)
    alone = np.zeros(80, np.bool_)
    alone[::10] = True
    centre = places[alone].mean(axis=0)
    radius = np.linalg.norm(places - centre, axis=1)
    assert radius[alone].min() > radius[~alone].max()


def test_a_map_of_nothing_but_loners_and_one_of_equal_vectors_are_spread_out() -> None:
    for vectors in (np.zeros((50, 8), np.float32), np.tile(blobs(1, 1), (50, 1))):
        places = map_points(neighbour_graph(vectors), vectors)
        check(places, 50)
        assert len(np.unique(places, axis=0)) == 50


def test_the_same_seed_gives_the_same_map_and_another_seed_another() -> None:
    vectors = blobs(3, 30)
    graph = neighbour_graph(vectors)
    first = map_points(graph, vectors, seed=1)
    assert np.array_equal(first, map_points(graph, vectors, seed=1))
    assert not np.array_equal(first, map_points(graph, vectors, seed=2))

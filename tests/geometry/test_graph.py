"""The neighbour graph and the node embedding, on made vectors."""

import numpy as np
import pytest

from corpuscope.tools.core.errors import BadInput
from corpuscope.tools.core.schema import Floats
from corpuscope.tools.core.vectors import unit_rows
from corpuscope.tools.geometry.graph import (
    NO_NEIGHBOUR,
    distance_matrix,
    embed_nodes,
    log_distances,
    neighbour_graph,
    principal_axes,
    subgraph,
)


def cloud(count: int, dim: int = 16, seed: int = 0) -> Floats:
    return unit_rows(np.random.default_rng(seed).normal(size=(count, dim)))


def blobs(count: int, each: int, dim: int = 16) -> Floats:
    random = np.random.default_rng(1)
    centres = np.repeat(np.eye(count, dim), each, axis=0)
    return unit_rows(centres + 0.05 * random.normal(size=centres.shape))


def test_each_vector_is_its_own_first_neighbour_and_similarity_falls() -> None:
    graph = neighbour_graph(cloud(200), k=10)
    assert graph.indices.shape == graph.similarities.shape == (200, 10)
    assert [graph.indices.dtype, graph.similarities.dtype] == [
        np.dtype(np.int32),
        np.dtype(np.float32),
    ]
    assert (graph.indices[:, 0] == np.arange(200)).all()
    assert (graph.similarities[:, 0] == 1).all()
    assert (np.diff(graph.similarities, axis=1) <= 0).all()


def test_neighbours_are_the_most_similar_vectors() -> None:
    vectors = cloud(120)
    graph = neighbour_graph(vectors, k=8)
    cosines = vectors @ vectors.T
    best = np.sort(cosines, axis=1)[:, ::-1][:, :8]
    np.testing.assert_allclose(graph.similarities, best, atol=1e-5)
    np.testing.assert_allclose(
        np.take_along_axis(cosines, graph.indices, axis=1), graph.similarities, atol=1e-5
    )


def test_equal_vectors_keep_themselves_in_column_0_and_no_neighbour_twice() -> None:
    vectors = cloud(150)
    vectors[40:120] = vectors[40]
    graph = neighbour_graph(vectors, k=12)
    assert (graph.indices[:, 0] == np.arange(150)).all()
    assert all(len(set(row.tolist())) == 12 for row in graph.indices)


def test_the_provider_names_the_search_and_what_it_found() -> None:
    vectors = cloud(600)
    exact = neighbour_graph(vectors, k=15)
    cells = neighbour_graph(vectors, k=15, exact_up_to=0)
    assert (exact.provider, cells.provider) == ("exact (faiss)", "random cells, recall@15 1.000")
    # So few share one cell, which is compared whole.
    np.testing.assert_array_equal(cells.indices, exact.indices)
    np.testing.assert_allclose(cells.similarities, exact.similarities, atol=1e-6)


def test_k_shrinks_to_the_number_of_vectors() -> None:
    assert neighbour_graph(cloud(4), k=30).indices.shape == (4, 4)
    assert neighbour_graph(cloud(1)).indices.tolist() == [[0]]


@pytest.mark.parametrize("exact_up_to", [10_000, 0])
def test_a_zero_vector_has_no_neighbours_and_is_none(exact_up_to: int) -> None:
    vectors = np.abs(cloud(100))
    vectors[::3] = 0
    graph = neighbour_graph(unit_rows(vectors), k=10, exact_up_to=exact_up_to)
    empty = np.arange(0, 100, 3)
    assert (graph.indices[empty, 1:] == NO_NEIGHBOUR).all()
    others = np.setdiff1d(np.arange(100), empty)
    assert not np.isin(graph.indices[others], empty).any()
    assert np.isfinite(graph.similarities).all()


def test_only_zero_vectors_make_an_empty_graph() -> None:
    vectors = np.zeros((80, 8), np.float32)
    graph = neighbour_graph(vectors)
    assert (graph.indices[:, 1:] == NO_NEIGHBOUR).all()
    assert np.isnan(embed_nodes(graph, vectors)).all()


def test_opposite_vectors_are_not_neighbours() -> None:
    graph = neighbour_graph(np.array([[1, 0], [-1, 0], [0.8, 0.6]], np.float32))
    assert graph.indices.tolist() == [[0, 2, -1], [1, -1, -1], [2, 0, -1]]


def test_an_empty_array_and_a_nan_are_refused_with_the_reason() -> None:
    with pytest.raises(BadInput, match=r"shape \(0, 8\)"):
        neighbour_graph(np.empty((0, 8), np.float32))
    vectors = cloud(10)
    vectors[7, 2] = np.nan
    with pytest.raises(BadInput, match="first is in row 7"):
        neighbour_graph(vectors)


def test_distances_are_bits_of_cosine_and_stay_finite() -> None:
    found = log_distances(np.array([[1.0, 0.5, 0.0, -1.0]], np.float32))
    assert found.tolist() == [[0.0, 1.0, 20.0, 20.0]]


def test_the_distance_matrix_is_euclidean_and_stores_the_zeros_of_equal_vectors() -> None:
    vectors = cloud(30)
    vectors[1] = vectors[0]
    graph = neighbour_graph(vectors, k=6)
    matrix = distance_matrix(graph)
    assert matrix.shape == (30, 30)
    assert matrix.nnz == (graph.indices[:, 1:] != NO_NEIGHBOUR).sum()
    assert not matrix.diagonal().any()
    row = matrix.indices[matrix.indptr[0] : matrix.indptr[1]].tolist()
    assert 1 in row
    other = row[-1]
    length = np.linalg.norm(vectors[0] - vectors[other])
    assert matrix[0, other] == pytest.approx(length, abs=1e-5)


@pytest.mark.parametrize("count", [1, 2, 3, 5, 30, 63, 64, 65, 100])
def test_the_node_embedding_works_at_every_size(count: int) -> None:
    vectors = cloud(count)
    graph = neighbour_graph(vectors)
    points = embed_nodes(graph, vectors)
    assert points.shape == (count, 5)
    linked = (graph.indices[:, 1:] != NO_NEIGHBOUR).any(axis=1)
    assert (np.isfinite(points).all(axis=1) == linked).all()


@pytest.mark.parametrize("count", [40, 100])
def test_equal_vectors_and_few_dimensions_do_not_break_the_node_embedding(count: int) -> None:
    for vectors in (np.tile(cloud(1), (count, 1)), cloud(count, dim=2)):
        points = embed_nodes(neighbour_graph(vectors), vectors)
        assert np.isfinite(points).all()


@pytest.mark.parametrize("each", [20, 100])
def test_blobs_without_a_link_between_them_lie_apart(each: int) -> None:
    vectors = blobs(2, each)
    points = embed_nodes(neighbour_graph(vectors, k=15), vectors)
    one, other = points[:each], points[each:]
    within = max(one.std(axis=0).max(), other.std(axis=0).max())
    assert np.linalg.norm(one.mean(axis=0) - other.mean(axis=0)) > 3 * within


def test_the_same_seed_gives_the_same_points_and_another_seed_others() -> None:
    vectors = cloud(300)
    graph = neighbour_graph(vectors)
    first = embed_nodes(graph, vectors, seed=4)
    assert np.array_equal(first, embed_nodes(graph, vectors, seed=4))
    assert not np.array_equal(first, embed_nodes(graph, vectors, seed=5))


def test_principal_axes_put_the_longest_side_first() -> None:
    random = np.random.default_rng(0)
    points = (random.normal(size=(500, 4)) * [0.1, 5, 1, 0.1]).astype(np.float32)
    flat = principal_axes(points, 2)
    assert abs(np.corrcoef(flat[:, 0], points[:, 1])[0, 1]) > 0.99
    assert np.ptp(flat[:, 0]) == pytest.approx(2, abs=1e-4)
    assert not principal_axes(np.ones((5, 4), np.float32), 2).any()


@pytest.mark.parametrize("share", [0.8, 0.1, 0.01])
def test_the_graph_of_a_part_is_that_of_its_vectors(share: float) -> None:
    vectors = cloud(1000)
    whole = neighbour_graph(vectors, k=20)
    random = np.random.default_rng(1)
    rows = np.sort(random.choice(1000, int(1000 * share), replace=False)).astype(np.int32)
    part = subgraph(whole, rows, vectors[rows], 12)
    alone = neighbour_graph(vectors[rows], k=12)
    np.testing.assert_array_equal(part.indices, alone.indices)
    np.testing.assert_allclose(part.similarities, alone.similarities, atol=1e-6)

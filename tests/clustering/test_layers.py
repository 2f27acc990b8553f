"""Layers of made points, and the choice among layers."""

import subprocess
import sys

import numpy as np
import pytest

from corpuscope.tools.clustering.layers import (
    ClusterLayer,
    choose_layers,
    density_layers,
    embedding_layer,
    flat_layer,
)
from corpuscope.tools.core.schema import Floats, Ints
from corpuscope.tools.geometry.graph import neighbour_graph


def blobs(centres: np.ndarray, each: int, spread: float) -> Floats:
    random = np.random.default_rng(2)
    points = np.repeat(centres, each, axis=0)
    return (points + spread * random.normal(size=points.shape)).astype(np.float32)


def ones(count: int) -> Ints:
    return np.ones(count, np.int32)


def layer(clusters: int, persistence: float, each: int = 10, noise: int = 0) -> ClusterLayer:
    """A layer of 1,200 points in which `noise` of them are in no cluster."""
    labels = np.sort(np.arange(1200) % max(1, clusters)).astype(np.int32)
    labels[: noise if clusters else 1200] = -1
    return ClusterLayer(labels, np.ones(1200, np.float32), persistence)


def agree(labels: Ints, truth: Ints) -> bool:
    """Whether two labellings draw the same groups."""
    pairs = set(zip(labels.tolist(), truth.tolist(), strict=True))
    return len(pairs) == len({a for a, _ in pairs}) == len({b for _, b in pairs})


def test_clear_groups_are_found_without_a_parameter() -> None:
    points = blobs(np.eye(5) * 10, 40, 0.5)
    choice = choose_layers(density_layers(points), ones(200))
    best = choice.layers[choice.recommended]
    assert best.clusters == 5
    assert best.coverage(ones(200)) > 0.9
    assert best.labels.dtype == np.int32
    assert best.strengths.dtype == np.float32
    assert 0 <= best.strengths.min() <= best.strengths.max() <= 1
    truth = np.repeat(np.arange(5), 40).astype(np.int32)
    assert agree(best.labels[best.labels >= 0], truth[best.labels >= 0])


def test_two_scales_come_out_as_two_layers_coarse_to_fine() -> None:
    groups = np.repeat(np.eye(4, 5) * 40, 3, axis=0)
    groups[:, 4] = np.tile([0, 6, 12], 4)
    layers = density_layers(blobs(groups, 60, 0.5))
    counts = [one.clusters for one in layers]
    assert counts == sorted(counts)
    assert {4, 12} <= set(counts)
    kept = choose_layers(layers, ones(720)).layers
    assert {4, 12} <= {one.clusters for one in kept}


def test_rows_that_are_not_finite_are_noise() -> None:
    points = blobs(np.eye(3) * 10, 30, 0.5)
    points[::10] = np.nan
    for found in (*density_layers(points), flat_layer(points, 5, 5)):
        assert (found.labels[::10] == -1).all()
        assert not found.strengths[::10].any()
        assert found.clusters == 3


@pytest.mark.parametrize("count", [0, 1, 2, 5])
def test_a_handful_of_points_is_one_layer_of_noise(count: int) -> None:
    points = np.random.default_rng(0).normal(size=(count, 5)).astype(np.float32)
    layers = density_layers(points)
    assert [one.clusters for one in (*layers, flat_layer(points, 5, 5))] == [0, 0]
    choice = choose_layers(layers, ones(count))
    assert (len(choice.layers), choice.recommended) == (1, 0)
    assert choice.reason.startswith("No clusters")


def test_equal_points_are_one_cluster_not_an_error() -> None:
    points = np.ones((60, 5), np.float32)
    choice = choose_layers(density_layers(points), ones(60))
    assert choice.reason == (
        "1 theme: the texts do not fall into separate groups; covers 100% of the records."
    )
    assert flat_layer(points, 5, 5).clusters <= 1


def test_the_flat_layer_keeps_to_the_smallest_size() -> None:
    points = blobs(np.eye(4) * 10, 30, 0.5)[:-22]  # the last group has 8 points
    assert flat_layer(points, 5, 3).clusters == 4
    large = flat_layer(points, 15, 3)
    assert large.clusters == 3
    assert np.bincount(large.labels[large.labels >= 0]).min() >= 15


def test_the_embedding_layer_agrees_with_hdbscan_on_the_vectors() -> None:
    from hdbscan import HDBSCAN

    vectors = blobs(np.eye(4, 6), 40, 0.15)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    mine = embedding_layer(neighbour_graph(vectors, k=160), 10, 5)
    theirs = HDBSCAN(min_cluster_size=10, min_samples=5, core_dist_n_jobs=1).fit(vectors)
    assert agree(mine.labels, theirs.labels_)
    assert mine.clusters == 4


def test_the_embedding_layer_bridges_components_and_zero_vectors() -> None:
    vectors = blobs(np.eye(3, 6), 40, 0.02)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    vectors[:5] = 0
    found = embedding_layer(neighbour_graph(vectors, k=10), 10, 5)
    assert found.clusters == 3
    assert (found.labels[:5] == -1).all()


def test_the_most_persistent_layer_is_recommended_and_said_why() -> None:
    choice = choose_layers([layer(4, 50), layer(16, 90), layer(200, 70)], ones(1200))
    assert choice.layers[choice.recommended].clusters == 16
    assert choice.reason == (
        "16 themes: the best of 3 resolutions by persistence and coverage; covers 100% of the "
        "records."
    )


def test_what_a_layer_leaves_out_counts_against_it() -> None:
    choice = choose_layers([layer(16, 90), layer(40, 120, noise=400)], ones(1200))
    assert choice.layers[choice.recommended].clusters == 16


def test_many_clusters_are_recommended_where_the_data_has_them() -> None:
    choice = choose_layers([layer(16, 60), layer(240, 100)], 100 * ones(1200))
    assert choice.layers[choice.recommended].clusters == 240


def test_of_layers_nearly_as_good_the_coarsest_is_recommended() -> None:
    nearly = choose_layers([layer(16, 96), layer(240, 100)], 100 * ones(1200))
    clearly = choose_layers([layer(16, 94), layer(240, 100)], 100 * ones(1200))
    assert [c.layers[c.recommended].clusters for c in (nearly, clearly)] == [16, 240]


def test_groups_smaller_than_a_cut_allows_complete_it_and_the_reason_says_so() -> None:
    # Eight groups of a large and a small part each, and three groups smaller than those parts: a
    # cut through the tree that keeps the eight whole loses the three.
    groups = np.eye(11, 12) * 40
    aside = groups[:8] + np.eye(12)[11] * 6
    sizes = [120] * 8 + [60] * 8 + [40] * 3
    made = (blobs(groups[:8], 120, 0.5), blobs(aside, 60, 0.5), blobs(groups[8:], 40, 0.5))
    points = np.vstack(made)
    truth = np.repeat([*range(8), *range(8), 8, 9, 10], sizes).astype(np.int32)
    cut = next(one for one in density_layers(points) if one.clusters < 16)
    assert (cut.clusters, cut.whole.clusters) == (8, 11)
    assert (cut.labels[truth >= 8] == -1).all()
    placed = cut.whole.labels >= 0
    assert placed.mean() > 0.9
    assert agree(cut.whole.labels[placed], truth[placed])
    choice = choose_layers([cut], ones(len(points)))
    assert choice.layers[0] is cut.whole
    assert "completed with" in choice.reason


def test_two_clusters_are_too_few_for_many_records_but_not_for_few() -> None:
    layers = [layer(2, 100), layer(10, 80)]
    many = choose_layers(layers, ones(1200) * 100)
    few = choose_layers(
        [ClusterLayer(o.labels[::33], o.strengths[::33], o.persistence) for o in layers], ones(37)
    )
    assert many.layers[many.recommended].clusters == 10
    assert few.layers[few.recommended].clusters == 2


def test_at_most_four_layers_are_kept_each_twice_as_fine_as_the_one_before() -> None:
    counts = [1, 3, 5, 12, 20, 40, 60, 200, 600]
    layers = [layer(count, 100 if count == 20 else 10) for count in counts]
    choice = choose_layers(layers, ones(1200))
    kept = [one.clusters for one in choice.layers]
    assert kept == [5, 20, 40, 200]
    assert choice.recommended == 1


def test_finer_layers_that_cover_little_are_left_out() -> None:
    choice = choose_layers([layer(10, 100, noise=100), layer(50, 60, noise=900)], ones(1200))
    assert [one.clusters for one in choice.layers] == [10]


def test_coverage_counts_records_not_points() -> None:
    half = ClusterLayer(np.array([0, -1], np.int32), np.ones(2, np.float32), 1.0)
    assert half.coverage(np.array([3, 1], np.int32)) == 0.75


WAY = """
import hashlib, numpy as np
from corpuscope.tools.geometry.graph import embed_nodes, neighbour_graph
from corpuscope.tools.clustering.layers import density_layers
from corpuscope.tools.geometry.projection import map_points
vectors = np.random.default_rng(0).normal(size=(400, 16)).astype(np.float32)
vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
graph = neighbour_graph(vectors, seed=3)
points = embed_nodes(graph, vectors, seed=3)
labels = np.stack([layer.labels for layer in density_layers(points)])
places = map_points(graph, vectors, points, seed=3)
digest = hashlib.sha256(labels.tobytes() + places.tobytes()).hexdigest()
"""


def test_the_whole_way_gives_the_same_labels_and_map_twice_and_in_another_process() -> None:
    digests = []
    for _ in range(2):
        scope: dict[str, str] = {}
        exec(WAY, scope)
        digests.append(scope["digest"])
    other = subprocess.run(
        [sys.executable, "-c", f"{WAY}\nprint(digest)"], capture_output=True, text=True, check=True
    )
    assert {*digests, other.stdout.strip()} == {digests[0]}

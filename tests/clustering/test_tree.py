"""The cluster tree: nested paths from layers."""

import numpy as np
import pytest

from corpuscope.tools.clustering.layers import ClusterLayer
from corpuscope.tools.clustering.tree import (
    ClusterTree,
    TreeNode,
    build_tree,
    found_in_noise,
    layer_paths,
)
from corpuscope.tools.core.ids import children_of, depth, id_sort_key, is_within, lineage, parent_of
from corpuscope.tools.core.schema import NOISE


def layer(*labels: int) -> ClusterLayer:
    return ClusterLayer(np.array(labels, np.int32), np.full(len(labels), 0.5, np.float32), 1.0)


def tree_of(*layers: ClusterLayer, weights: list[int] | None = None) -> ClusterTree:
    count = len(layers[0].labels)
    return build_tree(layers, np.array(weights or [1] * count, np.int32))


def test_clusters_are_numbered_by_size_within_their_parent() -> None:
    tree = tree_of(layer(0, 0, 1, 1, 1, 1, -1), layer(0, 0, 1, 2, 2, 2, -1))
    assert tree.paths.tolist() == ["2", "2", "1.2", "1.1", "1.1", "1.1", NOISE]
    assert [node.id for node in tree.nodes] == ["1", "1.1", "1.2", "2"]
    assert [node.size for node in tree.nodes] == [4, 3, 1, 2]


def test_size_counts_records_and_ties_go_to_the_first_point() -> None:
    assert tree_of(layer(0, 0, 1), weights=[1, 1, 5]).paths.tolist() == ["2", "2", "1"]
    assert tree_of(layer(1, 1, 0, 0)).paths.tolist() == ["1", "1", "2", "2"]


def test_an_only_child_is_its_parent_standing_in_both_layers() -> None:
    tree = tree_of(layer(0, 0, 0, 0, 1, 1), layer(0, 0, 0, -1, 1, 2))
    assert tree.paths.tolist() == ["1", "1", "1", "1", "2.1", "2.2"]
    assert [(node.id, node.layers) for node in tree.nodes] == [
        ("1", (0, 1)),
        ("2", (0, 0)),
        ("2.1", (1, 1)),
        ("2.2", (1, 1)),
    ]
    names = [tree.nodes[i].id if i >= 0 else NOISE for i in tree.labels_at(1)]
    assert names == ["1", "1", "1", "1", "2.1", "2.2"]


def test_a_cluster_that_no_coarser_one_holds_stands_on_top() -> None:
    tree = tree_of(layer(0, 0, 0, 0, -1, -1), layer(0, 0, 1, 1, 2, 2))
    assert tree.paths.tolist() == ["1.1", "1.1", "1.2", "1.2", "2", "2"]
    assert tree.nodes[-1].layers == (1, 1)


def test_what_first_stands_out_beyond_the_recommended_layer_has_the_last_numbers_on_top() -> None:
    layers = (layer(0, 0, 1, 1, 1, *[-1] * 6), layer(0, 0, 1, 1, -1, *[2] * 4, 3, 3))
    tree = build_tree(layers, np.ones(11, np.int32), recommended=0)
    assert [node.id for node in tree.nodes] == ["1", "2", "3", "4"]
    assert [found_in_noise(node, 0) for node in tree.nodes] == [False, False, True, True]
    assert not any(found_in_noise(node, 1) for node in tree.nodes)
    assert layer_paths(tree.paths, tree.nodes, 0)[5:] == [NOISE] * 6


def test_themes_of_older_runs_are_known_to_be_found_in_the_noise() -> None:
    older = TreeNode("noise.1", (1, 1), np.arange(2, dtype=np.int32), 2)
    below = TreeNode("noise.1.2", (2, 2), np.arange(2, dtype=np.int32), 2)
    assert found_in_noise(older, 1)
    assert not found_in_noise(below, 1)


def test_points_of_a_cluster_that_crosses_others_go_with_its_majority() -> None:
    tree = tree_of(layer(0, 0, 0, 0, 1, 1, 1), layer(0, 0, 1, 1, 1, 2, 2))
    assert tree.paths.tolist() == ["1.2", "1.2", "1.1", "1.1", "1.1", "2", "2"]


def test_a_node_that_lost_all_its_points_is_gone() -> None:
    tree = tree_of(layer(0, 1, 1), layer(0, 0, 0))
    assert [node.id for node in tree.nodes] == ["1"]


def test_layer_paths_name_the_ancestor_that_stands_in_the_layer() -> None:
    tree = tree_of(layer(0, 0, 0, -1), layer(0, 0, 1, 2))
    assert layer_paths(tree.paths, tree.nodes, 0) == ["1", "1", "1", NOISE]
    assert layer_paths(tree.paths, tree.nodes, 1) == ["1.1", "1.1", "1.2", "2"]


def test_all_noise_is_an_empty_tree() -> None:
    tree = tree_of(layer(-1, -1))
    assert tree.nodes == ()
    assert tree.paths.tolist() == [NOISE, NOISE]
    assert tree.labels_at(0).tolist() == [-1, -1]
    assert tree_of(layer()).nodes == ()


@pytest.mark.parametrize("seed", range(30))
def test_membership_is_nested_whatever_the_layers_are(seed: int) -> None:
    random = np.random.default_rng(seed)
    count = int(random.integers(1, 80))
    layers = [
        ClusterLayer(
            np.unique(random.integers(-1, clusters, count), return_inverse=True)[1].astype(np.int32)
            - 1,
            random.random(count).astype(np.float32),
            1.0,
        )
        for clusters in (2, 5, 12, 30)
    ]
    weights = random.integers(1, 9, count).astype(np.int32)
    tree = build_tree(layers, weights)
    members = {node.id: set(node.members.tolist()) for node in tree.nodes}
    assert [node.id for node in tree.nodes] == sorted(members, key=id_sort_key)
    for node in tree.nodes:
        assert members[node.id], "no node is empty"
        assert node.size == weights[node.members].sum()
        assert depth(node.id) <= len(layers)
        parent = parent_of(node.id)
        assert parent is None or members[node.id] <= members[parent]
        siblings = children_of(parent, members)
        sizes = [weights[list(members[sibling])].sum() for sibling in siblings]
        assert sizes == sorted(sizes, reverse=True)
        assert siblings == [
            f"{parent}.{n}" if parent else str(n) for n in range(1, len(siblings) + 1)
        ]
    for index, path in enumerate(tree.paths):
        holders = {cluster for cluster, points in members.items() if index in points}
        assert holders == (set() if path == NOISE else set(lineage(path)))
    for level in range(len(layers)):
        at_level = layer_paths(tree.paths, tree.nodes, level)
        assert all(
            ancestor == NOISE or is_within(path, ancestor)
            for path, ancestor in zip(tree.paths, at_level, strict=True)
        )

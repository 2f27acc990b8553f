"""Frozen themes in a clustering that found others: together again, and nothing counted twice."""

from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
from support.made_runs import made

from corpuscope.tools.archive.runs import Runs
from corpuscope.tools.clustering.corpus import Corpus
from corpuscope.tools.clustering.layers import ClusterLayer, LayerChoice
from corpuscope.tools.clustering.pipeline import Clustering
from corpuscope.tools.clustering.tree import ClusterTree, TreeNode
from corpuscope.tools.core.ids import is_within
from corpuscope.tools.runs.frozen import FrozenTheme, frozen_themes, with_frozen


def clustering(paths: str) -> tuple[Corpus, Clustering]:
    """As `made` does, of texts that are all distinct: two layers, the finer one recommended."""
    run = made(paths)
    count = len(run.members.ids)
    every = run.members.paths
    nodes = tuple(
        TreeNode(
            node.id,
            node.layers or (0, 0),
            np.flatnonzero([is_within(path, node.id) for path in every]).astype(np.int32),
            node.size,
        )
        for node in run.run.nodes
    )
    points = np.arange(count, dtype=np.int32)
    ones = np.ones(count, np.float32)
    corpus = Corpus(
        ids=run.members.ids,
        copies_of=points,
        texts=run.members.ids,
        vectors=np.eye(count, 4, dtype=np.float32),
        first=points.astype(np.int64),
        weights=np.ones(count, np.int32),
    )
    layer = ClusterLayer(points, ones, 1.0)
    choice = LayerChoice((layer, layer), 1, "")
    tree = ClusterTree(every, ones, nodes)
    return corpus, Clustering(tree, choice, None, None, None, None)


def frozen(runs: Runs, paths: str, *clusters: str) -> list[FrozenTheme]:
    """Themes of a saved run that were frozen."""
    run = made(paths)
    saved = runs.save(replace(run.run, id="", frozen=list(clusters)), run.members)
    return frozen_themes(runs, [runs.load("shop", saved.id)])


def test_a_frozen_theme_takes_the_place_of_what_is_mostly_the_same_and_new_records_join(
    tmp_path: Path,
) -> None:
    runs = Runs(tmp_path)
    # The later clustering knows five more records, 24 to 28: two are with theme 1.
    themes = frozen(runs, "1:10 2:8 noise:6", "1")
    corpus, found = clustering("1:9 2:9 noise:6 1:2 2:3")
    clusters, kept = with_frozen(runs, themes, corpus, found)
    assert {id_: theme.cluster for id_, theme in kept.items()} == {"3": "1"}
    paths = clusters.tree.paths.tolist()
    assert paths[:10] == ["3"] * 10
    assert paths[24:26] == ["3"] * 2, "new ones joined"
    assert Counter(paths) == {"3": 12, "2": 11, "noise": 6}
    assert {node.id: (node.size, node.layers) for node in clusters.tree.nodes} == {
        "2": (11, (0, 1)),
        "3": (12, (0, 1)),
    }


def test_what_is_left_of_a_cluster_that_is_mostly_frozen_is_noise(tmp_path: Path) -> None:
    runs = Runs(tmp_path)
    themes = frozen(runs, "1:10 2:8 noise:6", "1")
    corpus, found = clustering("1:13 2:5 noise:6")
    clusters, _ = with_frozen(runs, themes, corpus, found)
    assert clusters.tree.paths.tolist()[10:13] == ["noise"] * 3
    assert {node.id for node in clusters.tree.nodes} == {"2", "3"}
    half, rest = clustering("1:24")
    clusters, _ = with_frozen(runs, themes, half, rest)
    assert {node.id: node.size for node in clusters.tree.nodes} == {"1": 14, "2": 10}


def test_a_part_stays_a_part_of_the_heading_that_came_back(tmp_path: Path) -> None:
    runs = Runs(tmp_path)
    themes = frozen(runs, "1.1:10 1.2:8 2:9", "1.2")
    corpus, found = clustering("1.1:14 1.2:4 2:9")
    clusters, kept = with_frozen(runs, themes, corpus, found)
    assert [*kept] == ["1.3"]
    assert {node.id: (node.size, node.layers) for node in clusters.tree.nodes} == {
        "1": (18, (0, 0)),
        "1.1": (10, (1, 1)),
        "1.3": (8, (1, 1)),
        "2": (9, (0, 1)),
    }


def test_a_theme_that_is_frozen_no_longer_is_not_kept_for_the_run_that_it_was_handed_to(
    tmp_path: Path,
) -> None:
    runs = Runs(tmp_path)
    first, later = (
        runs.save(replace(made("1:10 2:8").run, id="", frozen=clusters), made("1:10 2:8").members)
        for clusters in ([], ["2"])
    )
    assert frozen_themes(runs, [first, later]) == []
    assert [theme.run for theme in frozen_themes(runs, [later, later])] == [later]


def test_without_frozen_themes_nothing_is_changed(tmp_path: Path) -> None:
    corpus, found = clustering("1:9 2:9")
    assert with_frozen(Runs(tmp_path), [], corpus, found) == (found, {})

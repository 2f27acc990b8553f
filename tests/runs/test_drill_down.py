from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from support.made_runs import CARD, made

from corpuscope.tools.archive.runs import Runs
from corpuscope.tools.clustering.corpus import Corpus
from corpuscope.tools.clustering.layers import ClusterLayer
from corpuscope.tools.clustering.tree import build_tree
from corpuscope.tools.core.errors import BadInput, NotFound
from corpuscope.tools.core.ids import stands_in
from corpuscope.tools.core.schema import Description, Layer, Members, Node, Run
from corpuscope.tools.runs.draft import RunDraft, Split
from corpuscope.tools.runs.drill_down import (
    Parts,
    outermost,
    replace_subtree,
    take_over_unchanged,
)
from corpuscope.tools.workspace.selection import cluster_records, cluster_rows

# A coarse cluster 1 holds 1.1, which the recommended layer has, and two records beside it; 2 has
# two; noise.1 stands out in a finer layer only; the last two records are in nothing at all.
PATHS = ["1", "1", "1.1", "1.1", "2", "2", "noise.1", "noise.1", "noise", "noise"]


def node(cluster_id: str, layers: tuple[int, int] | None, size: int) -> Node:
    return Node(
        id=cluster_id, layers=layers, size=size, share=size / 10, keywords=[], exemplars=["a"]
    )


def run() -> Run:
    return Run(
        id="r1",
        dataset="shop",
        dataset_version=0,
        collection="c",
        created="",
        parameters={"where": None},
        versions={},
        records=10,
        noise=6,
        layers=[
            Layer(index=index, clusters=2, coverage=0.5, persistence=1.0) for index in range(3)
        ],
        recommended=1,
        reason="",
        nodes=[
            node("1", (0, 0), 4),
            node("1.1", (1, 2), 2),
            node("2", (0, 2), 2),
            node("noise.1", (2, 2), 2),
        ],
    )


def members() -> Members:
    zeros = np.zeros(10, np.float32)
    return Members(
        ids=list("abcdefghij"),
        paths=np.array(PATHS, dtype=object),
        strengths=zeros,
        centrality=zeros,
        copies_of=np.arange(10, dtype=np.int32),
    )


def part(within: str, ids: str, labels: list[int]) -> Parts:
    """What clustering the records `ids` again found: a cluster number each, -1 for none."""
    count = len(ids)
    layer = ClusterLayer(np.array(labels, np.int32), np.ones(count, np.float32), 1.0)
    weights = np.ones(count, np.int32)
    corpus = Corpus(
        ids=list(ids),
        copies_of=np.arange(count, dtype=np.int32),
        texts=list(ids),
        vectors=np.eye(count, dtype=np.float32),
        first=np.arange(count),
        weights=weights,
    )
    tree = build_tree([layer], weights)
    nodes = [node(one.id, one.layers, one.size) for one in tree.nodes]
    return Parts(within, corpus, tree, nodes, np.ones(count, np.float32), last=2)


def words(cluster: str, title: str) -> Description:
    return Description(cluster=cluster, title=title, summary=[], keywords=[], author="person")


def test_noise_is_what_the_recommended_layer_leaves_out() -> None:
    assert (
        "".join(members().ids[row] for row in cluster_rows(run(), members(), "noise")) == "abghij"
    )
    assert cluster_records(run(), members(), "1") == set("abcd")


def test_parts_of_a_cluster_take_the_place_of_what_was_below_it() -> None:
    found = part("1", "abcd", [0, 1, 1, -1])
    child, moved = replace_subtree(run(), members(), found)
    assert list(moved.paths[:4]) == ["1.2", "1.1", "1.1", "1"]
    assert list(moved.paths[4:]) == PATHS[4:]
    sizes = {one.id: one.size for one in child.nodes}
    assert sizes == {"1": 4, "1.1": 2, "1.2": 1, "2": 2, "noise.1": 2}
    assert (child.parent_run, child.within) == ("r1", "1")
    # They stand in for those of the recommended layer: what they hold is no noise.
    assert all(stands_in(one, 1) for one in child.nodes if one.id.startswith("1."))
    assert child.noise == len(cluster_rows(child, moved, "noise"))


def test_where_a_coarser_layer_is_shown_the_finer_ones_have_the_parts_too() -> None:
    shown = replace(run(), recommended=0, found=1)
    child, _moved = replace_subtree(shown, members(), part("1", "abcd", [0, 1, 1, -1]))
    for layer in (1, 2):
        standing = {one.id for one in child.nodes if stands_in(one, layer)}
        assert {"1.1", "1.2", "2"} <= standing
        assert "1" not in standing
    assert {one.id for one in child.nodes if stands_in(one, 0)} == {"1", "2"}


def test_parts_of_the_noise_are_counted_as_noise_and_leave_no_double() -> None:
    found = part("noise", "abghij", [-1, 0, 0, -1, 1, 1])
    child, moved = replace_subtree(run(), members(), found)
    # `a` fits no part and stays in the coarse cluster; `h` loses the finer one, which is replaced.
    assert list(moved.paths) == [*("1", "3", "1.1", "1.1", "2", "2", "3", "noise", "4", "4")]
    sizes = {one.id: one.size for one in child.nodes}
    assert sizes == {"1": 3, "1.1": 2, "2": 2, "3": 2, "4": 2}
    assert len(cluster_rows(child, moved, "noise")) == run().noise


def test_words_that_are_written_while_a_cluster_is_split_are_taken_over(tmp_path: Path) -> None:
    runs = Runs(tmp_path)
    parent = runs.save(run(), members())
    runs.save_description(parent, words("1", "Before"))
    runs.save_description(parent, words("1.1", "A part that gives way"))
    split, moved = replace_subtree(parent, members(), part("1", "abcd", [0, 1, 1, -1]))
    draft = RunDraft(CARD, split, moved, {}, {}, split=Split("1", "", None))
    runs.save_description(parent, words("2", "Meanwhile"))
    runs.save_map(parent, np.ones((10, 2), np.float32))
    taken = take_over_unchanged(runs, draft)
    titles = {cluster: description.title for cluster, description in taken.descriptions.items()}
    assert titles == {"1": "Before", "2": "Meanwhile"}
    assert taken.map is not None


def test_clusters_named_together_are_taken_once_and_without_those_inside_others() -> None:
    selection = made("1.1:5 1.2:5 2.1:5 2.2:5 3:5 10:5 noise:2 noise.1:5").selection
    assert outermost(selection, ["10", "1.1", "1", "2.2", "1"]) == ["1", "2.2", "10"]
    assert outermost(selection, ["noise.1", "noise", "3"]) == ["3", "noise"]
    with pytest.raises(NotFound, match="No cluster '4' in run r1"):
        outermost(selection, ["1", "4"])
    with pytest.raises(BadInput, match="within is empty"):
        outermost(selection, [])

"""Stability on made data, where it is known what is a group and what only looks like one."""

import numpy as np
import pytest

from corpuscope.tools.clustering.corpus import collapse
from corpuscope.tools.clustering.pipeline import ClusteringInput, Parameters
from corpuscope.tools.clustering.stability import (
    best_jaccard,
    cluster_points,
    format_stability,
    known_stability_word,
    measure_stability,
    membership_matrix,
    stability_meanings,
    stability_word,
    unchanged_scores,
)
from corpuscope.tools.core.schema import Ints, Layer, Members, Node, Run, Stability
from corpuscope.tools.core.vectors import unit_rows
from corpuscope.tools.geometry.graph import neighbour_graph

DIM = 16


def made(size: int | None = None) -> tuple[ClusteringInput, Parameters, dict[str, Ints]]:
    """Two tight groups and a smear, of which an arbitrary half is called a cluster."""
    random = np.random.default_rng(0)
    groups = np.repeat(np.eye(2, DIM), 60, axis=0) + 0.06 * random.normal(size=(120, DIM))
    smear = np.eye(1, DIM, 5) + 0.3 * random.normal(size=(120, DIM))
    vectors = unit_rows(np.concatenate((groups, smear)))
    members = {
        "1": np.arange(60, dtype=np.int32),
        "2": np.arange(60, 120, dtype=np.int32),
        "3": np.arange(120, 180, dtype=np.int32),
    }
    weights = np.ones(len(vectors), np.int32)
    given = ClusteringInput(neighbour_graph(vectors), vectors, weights)
    return given, Parameters(size, "graph", 0), members


def node(node_id: str, size: int, layers: tuple[int, int] | None = (0, 0)) -> Node:
    return Node(id=node_id, layers=layers, size=size, share=0.5, keywords=[], exemplars=[])


@pytest.mark.parametrize("size", [None, 20])
def test_clear_groups_come_back_and_an_arbitrary_half_of_a_smear_does_not(size: int | None) -> None:
    scores = measure_stability(*made(size))
    assert stability_word(scores["1"]) == stability_word(scores["2"]) == "stable"
    assert scores["3"] < min(scores["1"], scores["2"]) - 0.3
    assert stability_word(scores["3"]) != "stable"


def test_the_same_input_gives_the_same_scores_and_each_round_is_reported() -> None:
    reports: list[tuple[float, str]] = []
    first = measure_stability(*made(), 2, lambda done, message: reports.append((done, message)))
    assert first == measure_stability(*made(), 2)
    assert [done for done, _ in reports] == [0.0, 0.5]
    assert reports[1][1].endswith("round 2 of 2")


def test_too_few_texts_have_no_scores() -> None:
    whole, parameters, _ = made()
    vectors = whole.vectors[:30]
    few = ClusteringInput(neighbour_graph(vectors), vectors, whole.weights[:30])
    assert measure_stability(few, parameters, {"1": np.arange(30, dtype=np.int32)}) == {}


def test_overlap_is_the_jaccard_similarity_to_the_most_similar_group() -> None:
    asked = membership_matrix([np.array([0, 1, 2, 3]), np.array([4, 5]), np.array([], int)], 8)
    found = membership_matrix([np.array([0, 1, 2]), np.array([3, 4, 5, 6])], 8)
    assert best_jaccard(asked, found)[:2].tolist() == [0.75, 0.5]
    assert np.isnan(best_jaccard(asked, found)[2]), "of an empty group nothing can be said"
    assert best_jaccard(asked, membership_matrix([], 8))[0] == 0


def test_words_go_with_the_numbers() -> None:
    assert [format_stability(score) for score in (0.93, 0.75, 0.74, 0.5, 0.2, None)] == [
        *("stable 0.93", "stable 0.75", "shaky 0.74", "shaky 0.50", "unstable 0.20", "not checked")
    ]
    known = Stability(rounds=5, scores={"1": 0.6})
    assert [known_stability_word(known, "1"), known_stability_word(known, "1.1")] == [
        "shaky",
        "not checked",
    ]
    assert known_stability_word(None, "1") is None


def test_only_words_that_warn_are_explained() -> None:
    assert stability_meanings([0.9, None]) is None
    assert str(stability_meanings([0.9, 0.6])).startswith("Shaky (below 0.75): ")
    assert "Unstable (below 0.5)" in str(stability_meanings([0.6, 0.1]))


def test_scores_hold_for_clusters_that_did_not_change() -> None:
    before = [node("1", 10), node("1.1", 6), node("1.2", 4), node("2", 5)]
    after = [node("1", 10), node("1.1", 7, None), node("1.2", 4), node("2", 4)]
    scores = {"1": 0.9, "1.1": 0.8, "1.2": 0.7, "2": 0.6}
    assert unchanged_scores(scores, before, after) == {"1": 0.9, "1.2": 0.7}


RUN = Run(
    id="",
    dataset="shop",
    dataset_version=0,
    collection="c",
    created="",
    parameters={"min_cluster_size": None, "where": None},
    versions={},
    records=5,
    noise=1,
    layers=[Layer(index=0, clusters=2, coverage=0.8, persistence=1.0)],
    recommended=0,
    reason="",
    nodes=[node("1", 3), node("1.1", 2, None), node("2", 1)],
)

MEMBERS = Members(
    ids=list("abcde"),
    paths=np.array(["1.1", "1.1", "1", "2", "noise"], dtype=object),
    strengths=np.ones(5, np.float32),
    centrality=np.ones(5, np.float32),
    copies_of=np.array([0, 0, 1, 2, 3], np.int32),
)


def test_the_texts_of_a_cluster_are_those_still_there_each_once() -> None:
    corpus = collapse(["e", "b", "a", "c"], ["E", "A", "A", "C"], np.eye(4, dtype=np.float32))
    found = cluster_points(RUN, MEMBERS, corpus)
    assert {cluster: points.tolist() for cluster, points in found.items()} == {"1": [1, 2]}

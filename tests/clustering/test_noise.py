"""Why texts are noise, on made vectors whose places are known."""

import numpy as np
import pytest

from corpuscope.tools.clustering.noise import (
    NOISE_KINDS,
    classify_noise,
    count_reasons,
    nearest_clusters,
    noise_kind,
    noise_levels,
    noise_sentence,
    reason_texts,
    rename_reasons,
)
from corpuscope.tools.core.schema import Floats, Ints
from corpuscope.tools.core.vectors import unit_rows
from corpuscope.tools.geometry.graph import NeighbourGraph, neighbour_graph

DIM = 24
EACH = 40


def around(place: list[float], count: int, spread: float, seed: int) -> Floats:
    """Unit vectors around a direction."""
    centre = np.zeros(DIM)
    centre[: len(place)] = place
    centre /= np.linalg.norm(centre)
    points = centre + spread * np.random.default_rng(seed).normal(size=(count, DIM))
    return unit_rows(points)


def labelled(*parts: tuple[Floats, int]) -> tuple[NeighbourGraph, Ints]:
    """The neighbour graph of the parts and the label of each of their points."""
    labels = [np.full(len(points), label, np.int32) for points, label in parts]
    return neighbour_graph(np.concatenate([points for points, _ in parts])), np.concatenate(labels)


def two_themes() -> list[tuple[Floats, int]]:
    """Two clusters that share some ground, so that there is something between them."""
    return [(around([1, 0.5], EACH, 0.08, 0), 0), (around([0.5, 1], EACH, 0.08, 1), 1)]


def reasons(*noise: Floats) -> list[str]:
    """What is said of the noise beside two themes, 3 and 7.1."""
    graph, labels = labelled(*two_themes(), *((points, -1) for points in noise))
    words = reason_texts(classify_noise(graph, labels), ["3", "7.1"], len(labels))
    assert not any(words[: 2 * EACH]), "what is in a cluster has no reason"
    return [str(word) for word in words[2 * EACH :]]


def test_a_text_whose_neighbours_are_in_two_clusters_is_between_them() -> None:
    assert reasons(around([0.75, 0.75], 1, 0.0, 2)) in (
        ["between 3 and 7.1"],
        ["between 7.1 and 3"],
    )


def test_a_text_beside_one_cluster_is_at_its_edge() -> None:
    assert reasons(around([1, 0.45, 0.2], 1, 0.0, 2)) == ["edge of 3"]


def test_a_far_text_by_itself_is_isolated() -> None:
    assert reasons(around([0, 0, 1], 1, 0.0, 2)) == ["isolated"]


def test_a_text_without_any_neighbour_is_isolated() -> None:
    assert reasons(np.zeros((1, DIM), np.float32)) == ["isolated"]


@pytest.mark.parametrize("count", [2, 3, EACH - 1])
def test_a_group_with_fewer_texts_than_any_cluster_is_small(count: int) -> None:
    assert set(reasons(around([0, 0, 1], count, 0.05, 2))) == {"small"}


def test_many_texts_that_are_near_without_being_a_cluster_are_diffuse() -> None:
    assert set(reasons(around([0, 0, 1], 3 * EACH, 0.07, 2))) == {"diffuse"}


def test_each_noise_text_gets_one_reason_where_all_are_noise() -> None:
    graph, labels = labelled((around([1], 60, 0.1, 0), -1))
    found = classify_noise(graph, labels)
    assert list(found.points) == list(range(60))
    assert (found.first == -1).all()
    assert sum(count_reasons(reason_texts(found, [], 60)).values()) == 60


def test_no_noise_and_a_single_text_are_no_trouble() -> None:
    graph, labels = labelled((around([1], 40, 0.1, 0), 0))
    assert len(classify_noise(graph, labels).points) == 0
    alone, label = labelled((around([1], 1, 0.1, 0), -1))
    assert [NOISE_KINDS[kind] for kind in classify_noise(alone, label).kinds] == ["isolated"]


def test_the_noise_is_counted_by_kind_and_told_with_the_most_frequent_first() -> None:
    words = np.array(["", "isolated", "between 1 and 2", "between 2.1 and 3", ""], dtype=object)
    counts = count_reasons(words)
    assert counts == {"between": 2, "isolated": 1}
    assert noise_sentence(counts) == (
        "noise: 2 between two themes, 1 isolated (little else is like them)"
    )
    assert noise_sentence({}) == ""
    assert {noise_kind(word) for word in words} == {"", "between", "isolated"}


def test_reasons_follow_clusters_that_get_other_ids() -> None:
    words = np.array(["", "small", "between 3.1 and 3.2", "between 3.1 and 5", "edge of 5"], object)
    names = {"3.1": "4", "3.2": "2", "5": "5"}
    assert list(rename_reasons(words, lambda cluster: names[cluster])) == [
        *("", "small", "between 4 and 2", "between 4 and 5", "edge of 5")
    ]
    merged = rename_reasons(words, lambda cluster: cluster.partition(".")[0])
    assert list(merged) == ["", "small", "edge of 3", "between 3 and 5", "edge of 5"]


def test_noise_is_nearest_to_the_cluster_that_most_of_its_neighbours_vote_for() -> None:
    edge = (around([1, 0.35], 6, 0.1, 7), -1)
    graph, labels = labelled(*two_themes(), edge)
    nearest = nearest_clusters(graph, labels)
    assert (nearest[:-6] == -1).all(), "what is in a cluster has no other"
    assert nearest[-6:].tolist() == [0] * 6


def test_noise_without_neighbours_in_a_cluster_goes_with_those_that_have_some() -> None:
    ids = np.array([[0, 1, -1], [1, 0, -1], [2, 1, -1], [3, 2, -1], [4, -1, -1]], np.int32)
    cosines = np.where(ids >= 0, 0.8, 0.0).astype(np.float32)
    graph = NeighbourGraph(ids, cosines, "made")
    labels = np.array([0, 0, -1, -1, -1], np.int32)
    assert nearest_clusters(graph, labels).tolist() == [-1, -1, 0, 0, -1]
    assert nearest_clusters(graph, np.full(5, -1, np.int32)).tolist() == [-1] * 5


def test_the_levels_beside_the_noise_are_told_and_nothing_where_there_are_none() -> None:
    assert noise_levels(0, [], None) == []
    told = noise_levels(1_234, ["14", "15"], 2_000)
    assert told[0].startswith("Of the noise, 1,234 records are in 2 themes found in it: 14, 15 ")
    assert "2,000 records have a nearest theme" in told[1]
    assert "14, …, 30" in noise_levels(9, [str(n) for n in range(14, 31)], None)[0]

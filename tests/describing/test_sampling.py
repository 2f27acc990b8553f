"""Which texts of a cluster are shown and which are kept aside."""

from collections import Counter

import numpy as np
import pytest

from corpuscope.tools.core.schema import Floats, Ints
from corpuscope.tools.core.vectors import unit_rows
from corpuscope.tools.describing.sampling import (
    CENTRAL_SHOWN,
    EDGE_SHOWN,
    FEWEST_SHOWN,
    KEPT_ASIDE,
    NEAR_CLUSTERS,
    OF_EACH_PART,
    OUTSIDE_SHOWN,
    SAME_TEXT,
    SPREAD_SHOWN,
    Partition,
    Pick,
    Sample,
    make_partition,
    sample_cluster,
    with_keyword_texts,
)

DIM = 64
FULL = {
    "central": CENTRAL_SHOWN,
    "spread": SPREAD_SHOWN,
    "edge": EDGE_SHOWN,
    "outside": OUTSIDE_SHOWN,
}
"""How many texts have each role where there are enough of them."""

AWAY = [1.0, 0.6, 0.4, 0.2, 0.0]
"""How much of the first direction is in the centre of each cluster: the nearest first."""


def around(cosine: float, count: int, seed: int, *, width: float = 1.0) -> Floats:
    """Unit vectors about a centre with this cosine to the first axis.

    At `width` 1 they have a cosine of some 0.5 with each other.
    """
    centre = np.zeros(DIM)
    centre[0] = cosine
    centre[seed % (DIM - 1) + 1] += np.sqrt(1 - cosine**2)
    noise = np.random.default_rng(seed).normal(size=(count, DIM))
    noise /= np.linalg.norm(noise, axis=1, keepdims=True)
    rows = centre + width * noise
    return unit_rows(rows)


def five_clusters(each: int = 60, noise: int = 20) -> tuple[Partition, Floats, Ints]:
    """Clusters "1" to "5", the first four rising in their distance from "1", and some noise."""
    parts = [around(cosine, each, seed) for seed, cosine in enumerate(AWAY, 1)]
    vectors = np.concatenate([*parts, around(0.9, noise, 9)])
    labels = np.repeat([0, 1, 2, 3, 4, -1], [each] * 5 + [noise]).astype(np.int32)
    weights = np.ones(len(labels), np.int32)
    return make_partition(["1", "2", "3", "4", "5"], labels, vectors), vectors, weights


def one_cluster(own: Floats) -> tuple[Partition, Floats, Ints]:
    """Cluster "1" of these vectors, with a cluster "2" of forty texts far from it."""
    vectors = np.concatenate([own, around(0.0, 40, 5)])
    labels = np.repeat([0, 1], [len(own), 40]).astype(np.int32)
    weights = np.ones(len(labels), np.int32)
    return make_partition(["1", "2"], labels, vectors), vectors, weights


def shown(sample: Sample) -> list[int]:
    return [pick.point for pick in [*sample.picks, *sample.outside]]


def roles(sample: Sample) -> Counter[str]:
    return Counter(pick.role for pick in [*sample.picks, *sample.outside])


def same(first: Sample, second: Sample) -> bool:
    return all(
        list(getattr(first, field)) == list(getattr(second, field))
        for field in ("picks", "outside", "trial_inside", "trial_outside")
    )


def test_a_partition_has_the_direction_of_each_cluster_and_none_of_an_empty_one() -> None:
    vectors = np.eye(4, dtype=np.float32)
    partition = make_partition(["1", "2", "3"], np.array([2, 0, 2, -1], np.int32), vectors)
    half = np.sqrt(0.5)
    np.testing.assert_allclose(
        partition.centroids, [[0, 1, 0, 0], [0, 0, 0, 0], [half, 0, half, 0]], atol=1e-6
    )


def test_the_other_clusters_come_the_nearest_first_and_equally_near_ones_in_their_order() -> None:
    partition, _, _ = five_clusters()
    assert partition.nearest(0) == [1, 2, 3, 4]
    ties = make_partition(
        ["1", "2", "3"], np.arange(3, dtype=np.int32), np.eye(3, dtype=np.float32)
    )
    assert ties.nearest(1) == [0, 2]


def test_a_sample_has_texts_of_every_role_and_none_twice() -> None:
    partition, vectors, weights = five_clusters()
    sample = sample_cluster(partition, 0, vectors, weights, seed=1)
    assert roles(sample) == FULL
    assert len(set(shown(sample))) == sum(FULL.values())
    assert {int(partition.labels[pick.point]) for pick in sample.picks} == {0}
    assert 0 not in {int(partition.labels[pick.point]) for pick in sample.outside}


def test_the_same_seed_gives_the_same_sample_and_another_one_another() -> None:
    partition, vectors, weights = five_clusters()
    first = sample_cluster(partition, 0, vectors, weights, seed=7)
    assert same(first, sample_cluster(partition, 0, vectors, weights, seed=7))
    assert not same(first, sample_cluster(partition, 0, vectors, weights, seed=8))


def test_a_sample_does_not_change_with_texts_of_clusters_that_are_not_near() -> None:
    partition, vectors, weights = five_clusters()
    first = sample_cluster(partition, 0, vectors, weights, seed=1)
    more = np.concatenate([vectors, around(0.0, 30, 5)])
    labels = np.concatenate([partition.labels, np.full(30, 4, np.int32)])
    bigger = make_partition(partition.ids, labels, more)
    assert same(first, sample_cluster(bigger, 0, more, np.ones(len(more), np.int32), seed=1))


def test_central_texts_are_nearer_to_the_mean_than_those_at_the_edge() -> None:
    partition, vectors, weights = five_clusters()
    sample = sample_cluster(partition, 0, vectors, weights, seed=1)
    claim = vectors @ partition.centroids[0]
    of_role = {
        role: [float(claim[pick.point]) for pick in sample.picks if pick.role == role]
        for role in ("central", "edge")
    }
    assert min(of_role["central"]) > np.median(claim[:60]) > max(of_role["edge"])


def test_the_edge_is_what_is_hardly_nearer_to_its_own_cluster_than_to_the_next() -> None:
    partition, vectors, weights = five_clusters()
    sample = sample_cluster(partition, 0, vectors, weights, seed=1)
    near = partition.nearest(0)[:NEAR_CLUSTERS]
    margin = vectors @ partition.centroids[0] - (vectors @ partition.centroids[near].T).max(axis=1)
    edge = [pick.point for pick in sample.picks if pick.role == "edge"]
    assert set(edge) <= set(np.argsort(margin[:60])[:4].tolist())


def test_the_spread_reaches_the_parts_of_a_cluster_that_its_middle_leaves_out() -> None:
    big = around(1.0, 80, 1, width=0.6)
    parts = [around(0.5, 6, seed, width=0.6) for seed in (11, 12, 13)]
    partition, vectors, weights = one_cluster(np.concatenate([big, *parts]))
    sample = sample_cluster(partition, 0, vectors, weights, seed=1)
    of_role = {
        role: {(pick.point - 80) // 6 for pick in sample.picks if pick.role == role} & {0, 1, 2}
        for role in ("central", "spread")
    }
    assert of_role["central"] == set()
    assert of_role["spread"] == {0, 1, 2}


def test_near_duplicates_are_shown_once_and_counted_with_the_records_behind_them() -> None:
    distinct = around(1.0, 30, 1)
    alike = np.repeat(distinct[:1], 9, axis=0) + 1e-3 * around(0.0, 9, 3)
    partition, vectors, weights = one_cluster(np.concatenate([unit_rows(alike), distinct]))
    weights[:9] = 3
    sample = sample_cluster(partition, 0, vectors, weights, seed=1)
    of_them = [pick for pick in sample.picks if pick.point < 10]
    assert [pick.records for pick in of_them] == [9 * 3 + 1]
    assert all(pick.records == 1 for pick in sample.picks if pick.point >= 10)


def test_no_record_is_counted_with_two_texts() -> None:
    # All pairs about 0.96 alike: each text says what many others say.
    partition, vectors, weights = one_cluster(around(1.0, 200, 1, width=0.22))
    sample = sample_cluster(partition, 0, vectors, weights, seed=1)
    assert sum(pick.records for pick in sample.picks) <= 200
    picked = vectors[[pick.point for pick in sample.picks]]
    assert (picked @ picked.T)[np.triu_indices(len(picked), 1)].max(initial=-1) < SAME_TEXT


@pytest.mark.parametrize("width", [0.0, 1e-7, 1e-3])
@pytest.mark.parametrize("count", [1, 2, 7, 100])
def test_a_cluster_that_says_one_thing_shows_one_text_for_all_its_records(
    count: int, width: float
) -> None:
    partition, vectors, weights = one_cluster(around(1.0, count, 1, width=width))
    weights[:] = 2
    sample = sample_cluster(partition, 0, vectors, weights, seed=1)
    assert [pick.records for pick in sample.picks] == [2 * count]
    assert len(sample.trial_inside) == 0


def test_texts_that_are_alike_but_not_the_same_are_still_shown_in_the_middle() -> None:
    own = around(1.0, 60, 1, width=0.3)
    assert 0.9 < np.median(own @ own.T) < SAME_TEXT
    partition, vectors, weights = one_cluster(own)
    assert roles(sample_cluster(partition, 0, vectors, weights, seed=1))["central"] == CENTRAL_SHOWN


def test_where_a_model_finds_all_texts_similar_only_those_much_nearer_say_the_same() -> None:
    partition, vectors, _ = five_clusters()
    narrow = vectors.copy()
    narrow[:, -1] += 4.0  # what all texts have in common
    copies = unit_rows(narrow[:8] + 1e-3 * around(0.0, 8, 7))
    narrow = np.concatenate([unit_rows(narrow), copies])
    labels = np.concatenate([partition.labels, np.zeros(8, np.int32)])
    assert (narrow @ narrow.T).min() > 0.9
    partition = make_partition(partition.ids, labels, narrow)
    sample = sample_cluster(partition, 0, narrow, np.ones(len(narrow), np.int32), seed=1)
    assert roles(sample) == FULL
    # The eight are counted with their originals, or kept aside with neither of the two shown.
    twice = {pick.point for pick in sample.picks if pick.records == 2}
    assert twice == {pick.point for pick in sample.picks if not 8 <= pick.point < len(vectors)}
    assert len(sample.trial_inside) == 60 + 8 - len(sample.picks) - len(twice)
    assert len(sample.trial_outside) == KEPT_ASIDE


@pytest.mark.parametrize(
    ("usual", "least"), [(-0.2, 0.95), (0.5, 0.95), (0.75, 0.975), (0.9, 0.99)]
)
def test_what_says_the_same_rises_with_the_usual_cosine_of_clusters(
    usual: float, least: float
) -> None:
    pair = np.array([[1, 0], [usual, np.sqrt(1 - usual**2)]], np.float32)
    partition = make_partition(["1", "2"], np.arange(2, dtype=np.int32), pair)
    assert partition.least(SAME_TEXT) == pytest.approx(least, abs=1e-6)


@pytest.mark.parametrize("count", [1, 2, 3, 4])
def test_a_cluster_of_very_few_texts_is_shown_whole(count: int) -> None:
    partition, vectors, weights = one_cluster(around(1.0, count, 1))
    sample = sample_cluster(partition, 0, vectors, weights, seed=1)
    assert sorted(pick.point for pick in sample.picks) == list(range(count))
    assert len(sample.trial_inside) == 0


@pytest.mark.parametrize("count", [5, 6, 8, 9, 12, 15, 18, 30])
def test_of_a_small_cluster_two_thirds_are_shown_and_the_rest_is_kept_aside(count: int) -> None:
    partition, vectors, weights = one_cluster(around(1.0, count, 1))
    sample = sample_cluster(partition, 0, vectors, weights, seed=1)
    expected = min(max(FEWEST_SHOWN, 2 * count // 3), CENTRAL_SHOWN + SPREAD_SHOWN + EDGE_SHOWN)
    assert len(sample.picks) == expected
    assert sorted([*(pick.point for pick in sample.picks), *sample.trial_inside]) == list(
        range(count)
    )


def test_a_cluster_without_texts_has_an_empty_sample() -> None:
    partition, vectors, weights = five_clusters()
    labels = np.where(partition.labels == 0, -1, partition.labels).astype(np.int32)
    empty = make_partition(partition.ids, labels, vectors)
    sample = sample_cluster(empty, 0, vectors, weights, seed=1)
    assert shown(sample) == []
    assert len(sample.trial_inside) == len(sample.trial_outside) == 0


def test_what_is_kept_aside_is_neither_shown_nor_says_what_is_shown() -> None:
    partition, vectors, weights = five_clusters(each=100)
    first = sample_cluster(partition, 0, vectors, weights, seed=1)
    # Each text that was shown comes back in other words, on the same side and on the other.
    points = shown(first)
    copies = unit_rows(vectors[points] + 0.05 * around(0.0, len(points), 7))
    vectors = np.concatenate([vectors, copies, copies])
    homes = partition.labels[points]
    labels = np.concatenate([partition.labels, homes, np.where(homes == 0, 1, 0)]).astype(np.int32)
    partition = make_partition(partition.ids, labels, vectors)
    sample = sample_cluster(partition, 0, vectors, np.ones(len(vectors), np.int32), seed=1)
    assert len(sample.trial_inside) == len(sample.trial_outside) == KEPT_ASIDE
    aside = [*sample.trial_inside, *sample.trial_outside]
    assert not set(aside) & set(shown(sample))
    assert (vectors[aside] @ vectors[shown(sample)].T).max() < SAME_TEXT


def test_what_is_kept_aside_is_of_the_cluster_and_of_its_nearest_ones() -> None:
    partition, vectors, weights = five_clusters()
    sample = sample_cluster(partition, 0, vectors, weights, seed=1)
    assert set(partition.labels[sample.trial_inside].tolist()) == {0}
    assert set(partition.labels[sample.trial_outside].tolist()) == {1, 2, 3}
    assert (
        len(set(sample.trial_inside.tolist())) == len(sample.trial_inside) == 60 - len(sample.picks)
    )
    assert len(set(sample.trial_outside.tolist())) == len(sample.trial_outside) == KEPT_ASIDE


def test_what_is_kept_aside_is_in_random_order() -> None:
    partition, vectors, weights = five_clusters()
    sample = sample_cluster(partition, 0, vectors, weights, seed=1)
    for points in (sample.trial_inside, sample.trial_outside):
        assert sorted(points.tolist()) != points.tolist()


def test_the_outsiders_are_near_and_at_most_half_of_them_from_one_cluster() -> None:
    partition, vectors, weights = five_clusters()
    sample = sample_cluster(partition, 0, vectors, weights, seed=1)
    homes = Counter(int(partition.labels[pick.point]) for pick in sample.outside)
    assert homes[1] == OUTSIDE_SHOWN // 2
    assert set(homes) <= set(partition.nearest(0)[:NEAR_CLUSTERS])
    nearness = vectors @ partition.centroids[0]
    first = sample.outside[0].point
    assert nearness[first] == nearness[partition.labels == 1].max()


def test_a_huge_cluster_beside_it_leaves_room_for_outsiders_from_others() -> None:
    own, huge, small = around(1.0, 20, 1), around(0.7, 3_000, 2), around(0.1, 20, 3)
    vectors = np.concatenate([own, huge, small])
    labels = np.repeat([0, 1, 2], [20, 3_000, 20]).astype(np.int32)
    partition = make_partition(["1", "2", "3"], labels, vectors)
    nearness = vectors @ partition.centroids[0]
    assert (nearness[labels == 1] > nearness[labels == 2].max()).sum() > 50 * OUTSIDE_SHOWN
    sample = sample_cluster(partition, 0, vectors, np.ones(len(labels), np.int32), seed=1)
    assert [int(labels[pick.point]) for pick in sample.outside] == [1, 1, 2, 2]


def test_with_two_clusters_only_all_outsiders_are_from_the_other_and_none_is_noise() -> None:
    own, other, noise = around(1.0, 20, 1), around(0.2, 20, 2), around(1.0, 20, 3)
    labels = np.repeat([0, 1, -1], 20).astype(np.int32)
    vectors = np.concatenate([own, other, noise])
    partition = make_partition(["1", "2"], labels, vectors)
    sample = sample_cluster(partition, 0, vectors, np.ones(60, np.int32), seed=1)
    assert [int(labels[pick.point]) for pick in sample.outside] == [1] * OUTSIDE_SHOWN
    assert set(labels[sample.trial_outside].tolist()) == {1}


def test_with_no_other_cluster_the_outsiders_are_noise_but_not_what_the_run_does_not_know() -> None:
    vectors = np.concatenate([around(1.0, 20, 1), around(0.2, 20, 2), around(0.9, 20, 3)])
    labels = np.repeat([0, -1, -2], 20).astype(np.int32)
    partition = make_partition(["1"], labels, vectors)
    sample = sample_cluster(partition, 0, vectors, np.ones(60, np.int32), seed=1)
    assert [int(labels[pick.point]) for pick in sample.outside] == [-1] * OUTSIDE_SHOWN
    assert set(labels[sample.trial_outside].tolist()) == {-1}


def test_where_everything_is_one_cluster_there_are_no_outsiders() -> None:
    vectors = around(1.0, 30, 1)
    partition = make_partition(["1"], np.zeros(30, np.int32), vectors)
    sample = sample_cluster(partition, 0, vectors, np.ones(30, np.int32), seed=1)
    assert roles(sample) == {"central": CENTRAL_SHOWN, "spread": SPREAD_SHOWN, "edge": EDGE_SHOWN}
    assert len(sample.trial_outside) == 0


def test_outsiders_that_say_the_same_are_shown_once() -> None:
    own, other = around(1.0, 20, 1), around(0.5, 6, 2)
    vectors = np.concatenate([own, other, np.repeat(other[:1], 30, axis=0)])
    labels = np.repeat([0, 1], [20, 36]).astype(np.int32)
    partition = make_partition(["1", "2"], labels, vectors)
    sample = sample_cluster(partition, 0, vectors, np.ones(56, np.int32), seed=1)
    points = [pick.point for pick in sample.outside]
    assert len(points) == OUTSIDE_SHOWN
    assert len({vectors[point].tobytes() for point in points}) == OUTSIDE_SHOWN


def test_texts_without_a_vector_do_no_harm() -> None:
    own = around(1.0, 30, 1)
    own[:6] = 0
    partition, vectors, weights = one_cluster(own)
    vectors[30:36] = 0
    weights[:] = 4
    sample = sample_cluster(partition, 0, vectors, weights, seed=1)
    assert not {*sample.trial_inside, *sample.trial_outside} & set(shown(sample))
    assert all(pick.records == 4 for pick in sample.picks)
    nothing = np.zeros((12, 8), np.float32)
    partition = make_partition(["1", "2"], np.repeat([0, 1], 6).astype(np.int32), nothing)
    blind = sample_cluster(partition, 0, nothing, np.ones(12, np.int32), seed=1)
    assert len(set(shown(blind))) == len(shown(blind)) == FEWEST_SHOWN + OUTSIDE_SHOWN


def test_a_huge_cluster_is_sampled_as_well_as_a_small_one() -> None:
    partition, vectors, weights = five_clusters(each=6_000)
    sample = sample_cluster(partition, 0, vectors, weights, seed=1)
    assert roles(sample) == FULL
    assert len(set(shown(sample))) == sum(FULL.values())
    assert same(sample, sample_cluster(partition, 0, vectors, weights, seed=1))


def test_two_texts_of_every_part_are_shown_those_in_the_middle_counted() -> None:
    sizes = [40, 35, 30, 25, 20, 15]
    own = np.concatenate([around(0.3, size, seed) for seed, size in enumerate(sizes, 10)])
    partition, vectors, weights = one_cluster(own)
    parts = np.full(len(vectors), -1, np.int32)
    parts[: len(own)] = np.repeat(np.arange(len(sizes)), sizes)
    sample = sample_cluster(partition, 0, vectors, weights, seed=1, parts=parts)
    of_part = Counter(
        int(parts[pick.point]) for pick in sample.picks if pick.role in ("central", "spread")
    )
    assert set(of_part) == set(range(len(sizes)))
    assert min(of_part.values()) >= OF_EACH_PART
    assert {pick.role for pick in sample.picks} == {"central", "spread", "edge"}


def test_a_text_like_no_other_shows_the_spread_once_at_most_and_is_marked() -> None:
    # Two real groups, and three texts each of which is far from all else.
    groups = [around(0.5, 30, seed, width=0.6) for seed in (11, 12)]
    alone = around(0.0, 3, 40, width=3.0)
    partition, vectors, weights = one_cluster(np.concatenate([*groups, alone]))
    sample = sample_cluster(partition, 0, vectors, weights, seed=1)
    lone = [pick.role for pick in sample.picks if 60 <= pick.point < 63 and pick.role != "edge"]
    assert lone == ["outlier"]
    assert roles(sample)["spread"] == SPREAD_SHOWN - 1


def test_outsiders_that_contrast_come_first_and_one_on_the_same_subject_last() -> None:
    own, other = around(1.0, 40, 1), around(0.4, 40, 2)
    strays = around(1.0, 6, 1, width=0.5)  # in the other cluster, on this one's subject
    vectors = np.concatenate([own, other, strays])
    labels = np.repeat([0, 1], [40, 46]).astype(np.int32)
    partition = make_partition(["1", "2"], labels, vectors)
    sample = sample_cluster(partition, 0, vectors, np.ones(86, np.int32), seed=1)
    shown_roles = [(pick.role, pick.point >= 80) for pick in sample.outside]
    assert shown_roles == [("outside", False)] * (OUTSIDE_SHOWN - 1) + [("overlap", True)]


def test_where_all_outsiders_near_are_on_the_same_subject_they_are_shown_as_such() -> None:
    vectors = around(1.0, 60, 1)
    labels = np.repeat([0, 1], 30).astype(np.int32)
    partition = make_partition(["1", "2"], labels, vectors)
    sample = sample_cluster(partition, 0, vectors, np.ones(60, np.int32), seed=1)
    marks = [pick.role for pick in sample.outside]
    assert marks == sorted(marks, key=lambda role: role == "overlap")
    assert "overlap" in marks


def test_texts_shown_for_a_keyword_are_not_tried_on() -> None:
    partition, vectors, weights = five_clusters()
    sample = sample_cluster(partition, 0, vectors, weights, seed=1)
    point = int(sample.trial_inside[0])
    more = with_keyword_texts(sample, partition, vectors, [point], weights)
    assert more.picks[-1] == Pick(point, "keyword", 1)
    assert point not in more.trial_inside
    assert {*more.trial_inside} < {*sample.trial_inside}


def test_parts_that_hold_none_of_the_texts_are_as_no_parts() -> None:
    partition, vectors, weights = one_cluster(around(1.0, 60, 1))
    none = np.full(len(vectors), -1, np.int32)
    without = sample_cluster(partition, 0, vectors, weights, seed=1)
    assert sample_cluster(partition, 0, vectors, weights, seed=1, parts=none).picks == without.picks

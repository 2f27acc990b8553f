"""The parts of a cluster, and which of its texts stand alone."""

import numpy as np

from corpuscope.tools.analysis.regions import LIKE_IT, find_regions, in_turn, local_density
from corpuscope.tools.core.vectors import unit_rows

POINTS = np.arange(24)
CROWD, STRAYS = POINTS[:22], POINTS[22:]


def crowd_and_strays() -> np.ndarray:
    """Two tight groups of eleven, and two texts that are like nothing else."""
    axes = np.eye(12)
    noise = 0.1 * np.random.default_rng(0).normal(size=(24, 12))
    return unit_rows(np.concatenate([axes[[0] * 11], axes[[1] * 11], axes[[5, 6]]]) + noise)


def test_density_is_the_mean_cosine_to_the_nearest_others() -> None:
    vectors = crowd_and_strays()
    cosines = vectors.astype(np.float64) @ vectors.astype(np.float64).T
    np.fill_diagonal(cosines, -1)
    expected = np.sort(cosines, axis=1)[:, -LIKE_IT:].mean(axis=1)
    np.testing.assert_allclose(local_density(POINTS, POINTS, vectors), expected, atol=1e-5)


def test_the_loosest_texts_stand_alone_and_every_text_is_in_one_region() -> None:
    regions = find_regions(POINTS, crowd_and_strays(), None, np.random.default_rng(0))
    alone = {point for region in regions for point in region.sparse}
    assert {*STRAYS.tolist()} <= alone
    assert len(alone) <= 3, "a tenth of 24"
    assert sorted(p for region in regions for p in [*region.dense, *region.sparse]) == [*range(24)]


def test_parts_come_the_largest_first_and_what_is_in_none_last() -> None:
    parts = np.repeat([1, 0, -1], [8, 10, 6]).astype(np.int32)
    regions = find_regions(POINTS, crowd_and_strays(), parts, np.random.default_rng(0))
    assert [len(region.members) for region in regions] == [10, 8, 0]
    assert [region.is_part for region in regions] == [True, True, False]
    assert {*STRAYS.tolist()} <= {*regions[-1].sparse}


def test_of_few_texts_none_is_said_to_stand_alone() -> None:
    few = POINTS[18:]
    regions = find_regions(few, crowd_and_strays(), None, np.random.default_rng(0))
    assert not any(region.sparse for region in regions)
    one = find_regions(POINTS[:1], crowd_and_strays(), None, np.random.default_rng(0))
    assert [region.dense for region in one] == [[0]]


def test_points_are_taken_from_each_group_in_turn() -> None:
    assert in_turn([[1, 2, 3], [], [4]]) == [1, 4, 2, 3]

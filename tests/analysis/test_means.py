"""Means by group, what a group does to the mean, and what moved it, against pandas and scipy."""

import numpy as np
import pandas as pd
from scipy import stats

from corpuscope.tools.analysis.means import (
    group_sums,
    impact,
    mean_difference,
    mean_interval,
    mix_and_within,
)

RANDOM = np.random.default_rng(1)
CODES = RANDOM.integers(0, 4, 500).astype(np.int32)
NUMBERS = np.where(RANDOM.random(500) < 0.1, np.nan, 1e6 + CODES + RANDOM.normal(0, 3, 500))
FRAME = pd.DataFrame({"group": CODES, "number": NUMBERS})
GROUPS = [FRAME.number[at == CODES].dropna() for at in range(4)]


def test_means_and_intervals_are_those_of_pandas_and_student() -> None:
    sums = group_sums(NUMBERS, CODES, 5)
    grouped = FRAME.groupby("group").number
    np.testing.assert_allclose(sums.n[:4], grouped.count())
    np.testing.assert_allclose(sums.mean[:4], grouped.mean())
    np.testing.assert_allclose(sums.variance[:4], grouped.var())
    low, high = mean_interval(sums)
    for at, group in enumerate(GROUPS):
        expected = stats.t.interval(0.95, len(group) - 1, group.mean(), group.sem())
        np.testing.assert_allclose((low[at], high[at]), expected)
    assert np.isnan([low[4], sums.mean[4]]).all()


def test_a_group_is_held_against_the_others_by_the_less_sure_of_two_tests() -> None:
    sums = group_sums(NUMBERS, CODES, 4)
    shift = mean_difference(sums, sums.summed().without(sums))
    for at, group in enumerate(GROUPS):
        rest = FRAME.number[at != CODES].dropna()
        welch = stats.ttest_ind(group, rest, equal_var=False)
        student = stats.ttest_ind(group, rest)
        np.testing.assert_allclose(shift.p[at], max(welch.pvalue, student.pvalue), rtol=1e-6)
        interval = welch.confidence_interval()
        np.testing.assert_allclose((shift.low[at], shift.high[at]), interval, rtol=1e-6)


def test_an_impact_is_what_the_mean_would_be_without_the_group() -> None:
    moved = impact(group_sums(NUMBERS, CODES, 4))
    for at in range(4):
        without = FRAME.number[at != CODES].mean() - FRAME.number.mean()
        np.testing.assert_allclose(moved.size[at], without, atol=1e-9)
        assert moved.low[at] < without < moved.high[at]


def test_a_change_is_split_into_mix_and_within_without_a_rest() -> None:
    later = RANDOM.random(500) < 0.2 + 0.15 * CODES
    numbers = NUMBERS + 0.5 * later * (CODES == 2)
    before, after = (
        group_sums(np.where(side, numbers, np.nan), CODES, 4) for side in (~later, later)
    )
    mix, within = mix_and_within(before, after)
    frame = FRAME.assign(number=numbers)
    change = frame.number[later].mean() - frame.number[~later].mean()
    # The centres differ between the two: means are told in full.
    np.testing.assert_allclose(mix.sum() + within.sum(), change, atol=1e-6)
    shares = [each.n / each.n.sum() for each in (before, after)]
    np.testing.assert_allclose(
        within.sum(), ((shares[0] + shares[1]) / 2 * (after.mean - before.mean)).sum(), atol=1e-6
    )

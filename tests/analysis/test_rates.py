"""Intervals and q-values, against scipy's own."""

import numpy as np
import pytest
from scipy import stats

from corpuscope.tools.analysis.rates import q_values, wilson_interval


@pytest.mark.parametrize(("count", "total"), [(0, 5), (5, 5), (3, 10), (370, 1_000), (1, 10**6)])
def test_an_interval_is_that_of_wilson(count: int, total: int) -> None:
    low, high = wilson_interval(count, total)
    expected = stats.binomtest(count, total).proportion_ci(method="wilson")
    assert (float(low), float(high)) == pytest.approx((expected.low, expected.high), abs=1e-12)


def test_a_share_of_nothing_has_no_interval() -> None:
    low, high = wilson_interval([0, 1], [0, 2])
    assert np.isnan([low[0], high[0]]).all()
    assert low[1] < 0.5 < high[1]


def test_q_values_count_only_what_was_tried() -> None:
    values = q_values([0.01, np.nan, 0.04, 0.03])
    np.testing.assert_allclose(values[[0, 2, 3]], [0.03, 0.04, 0.04])
    assert np.isnan(values[1])


def test_q_values_are_those_of_scipy() -> None:
    p_values = np.random.default_rng(0).random((8, 9)) ** 3
    q = stats.false_discovery_control(p_values.ravel())
    np.testing.assert_allclose(q_values(p_values).ravel(), q)
    assert q_values([]).tolist() == []

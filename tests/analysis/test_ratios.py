"""Ratios of shares, held against scipy's own."""

import numpy as np
import pytest
from scipy import stats

from corpuscope.tools.analysis.ratios import exact_p_values, ratio_interval, signed_surprise

A, TOTAL_A = np.array([30, 5, 12, 200]), 400
B, TOTAL_B = np.array([20, 40, 18, 310]), 600
PAIRS = [*zip(A.tolist(), B.tolist(), strict=True)]


def test_the_interval_of_a_ratio_is_that_of_scipy() -> None:
    ratio, low, high = ratio_interval(A, TOTAL_A, B, TOTAL_B)
    for at, (a, b) in enumerate(PAIRS):
        known = stats.contingency.relative_risk(a, TOTAL_A, b, TOTAL_B)
        assert ratio[at] == pytest.approx(known.relative_risk)
        assert (low[at], high[at]) == pytest.approx(tuple(known.confidence_interval()))


def test_a_count_of_nothing_has_an_interval_still() -> None:
    ratio, low, high = ratio_interval(np.array([0, 9, 0]), 50, np.array([9, 0, 0]), 50)
    assert ratio[0] == 0
    assert np.isinf(ratio[1])
    assert np.isnan(ratio[2])
    assert np.all((low > 0) & np.isfinite(high) & (low < high))
    assert high[0] < 1 < low[1]


def test_p_values_are_twice_the_tail_of_fishers_test() -> None:
    p = exact_p_values(A, TOTAL_A, B, TOTAL_B)
    for at, (a, b) in enumerate(PAIRS):
        table = [[a, TOTAL_A - a], [b, TOTAL_B - b]]
        tails = [stats.fisher_exact(np.array(table), side).pvalue for side in ("less", "greater")]
        assert p[at] == pytest.approx(min(1, 2 * min(tails)))


def test_the_surprise_is_the_root_of_the_likelihood_ratio_and_its_sign_the_side() -> None:
    found = signed_surprise(A, TOTAL_A, B, TOTAL_B)
    for at, (a, b) in enumerate(PAIRS):
        table = [[a, TOTAL_A - a], [b, TOTAL_B - b]]
        g = stats.chi2_contingency(table, correction=False, lambda_="log-likelihood").statistic
        assert abs(found[at]) == pytest.approx(np.sqrt(g), abs=1e-6)
        assert np.sign(found[at]) == np.sign(a / TOTAL_A - b / TOTAL_B)

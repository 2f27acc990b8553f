"""Slopes, jumps and silence, against scipy and against all divisions there are."""

from itertools import combinations, pairwise

import numpy as np
import pytest
from scipy import stats

from corpuscope.tools.analysis.series import (
    JUMP_COST,
    jumps,
    movement,
    rough_dispersion,
    silent_stretch,
)

RANDOM = np.random.default_rng(2)
TOTALS = np.array([300, 500, 100, 800, 400])


def test_a_slope_is_the_correlation_of_belonging_with_time_and_the_spread_is_chi_square() -> None:
    counts = np.array([[10, 25, 6, 60, 40], [30, 50, 10, 80, 40]])
    moved = movement(counts, TOTALS)
    for at, group in enumerate(counts):
        rest = TOTALS - group
        inside = np.concatenate([np.repeat([1, 0], pair) for pair in zip(group, rest, strict=True)])
        correlation = stats.pearsonr(inside, np.repeat(np.arange(5), TOTALS)).statistic
        spread = stats.chi2_contingency([group, rest], correction=False)
        about = (spread.statistic - correlation**2 * TOTALS.sum()) / 3
        expected = correlation * np.sqrt(TOTALS.sum() / max(1, about))
        assert moved.slope[at] == pytest.approx(expected)
        p = min(1, 2 * min(spread.pvalue, 2 * stats.norm.sf(abs(expected))))
        assert moved.p[at] == pytest.approx(p)


def test_periods_without_any_record_are_no_evidence() -> None:
    counts = np.array([[5, 0, 9, 20]])
    with_gap = movement(counts, np.array([50, 0, 60, 70]))
    assert np.isfinite(with_gap.p).all()
    assert np.isnan(movement(counts[:, :1], np.array([50])).p).all()


def test_jumps_are_the_likeliest_division() -> None:
    for _ in range(20):
        counts = RANDOM.poisson([3, 3, 30, 30, 8], 5) * RANDOM.integers(1, 4)
        best: tuple[float, tuple[int, ...]] = (-np.inf, ())
        for size in range(5):
            for places in combinations(range(1, 5), size):
                edges = [0, *places, 5]
                fitted = np.concatenate(
                    [
                        TOTALS[i:j] * counts[i:j].sum() / TOTALS[i:j].sum()
                        for i, j in pairwise(edges)
                    ]
                )
                likelihood = float(np.sum(stats.poisson.logpmf(counts, fitted)))
                best = max(best, (likelihood - size * (JUMP_COST + np.log(5)), places))
        assert jumps(counts[None], TOTALS.astype(float)) == [list(best[1])]


def test_steady_series_seldom_jump_and_seldom_move() -> None:
    counts = RANDOM.poisson(20, (1_000, 30))
    assert np.mean([bool(places) for places in jumps(counts, np.ones(30))]) < 0.05
    assert (movement(counts, np.full(30, 400)).p < 0.05).mean() < 0.07
    rhythm = np.tile([100, 100, 100, 100, 100, 30, 30], 6)
    assert jumps(rhythm[None], np.ones(42), rough_dispersion(rhythm)) != [[]]


def test_a_source_is_silent_where_the_others_are_not() -> None:
    own = np.array([20, 0, 0, 0, 22, 19])
    totals = own + np.array([100, 110, 90, 100, 0, 100])
    assert silent_stretch(own, totals, 0.05, 20) == (1, 3)
    assert silent_stretch(own, totals, 0.05, 80) is None
    assert silent_stretch(own, own, 0.05, 1) is None

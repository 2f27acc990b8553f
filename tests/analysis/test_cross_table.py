"""Cells against what they should hold, and means of groups, against scipy and pandas."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from corpuscope.tools.analysis.cross_table import cross_table, pair_counts

RANDOM = np.random.default_rng(0)
ROWS = RANDOM.integers(0, 4, 900).astype(np.int32)
COLUMNS = np.where(RANDOM.random(900) < 0.3, ROWS % 3, RANDOM.integers(0, 3, 900)).astype(np.int32)


def test_lift_residual_and_evidence_are_those_of_scipy() -> None:
    counts = pair_counts(ROWS, COLUMNS, (4, 3))
    np.testing.assert_array_equal(counts, pd.crosstab(ROWS, COLUMNS).to_numpy())
    table = cross_table(counts, np.ones((4, 3), bool))
    expected = stats.contingency.expected_freq(counts)
    np.testing.assert_allclose(table.lift, counts / expected)
    row, column = counts.sum(1, keepdims=True) / 900, counts.sum(0, keepdims=True) / 900
    np.testing.assert_allclose(
        table.residual, (counts - expected) / np.sqrt(expected * (1 - row) * (1 - column))
    )
    for cell in np.ndindex(4, 3):
        a, b, c = counts[cell], counts[cell[0]].sum(), counts[:, cell[1]].sum()
        four = [[a, b - a], [c - a, 900 - b - c + a]]
        ratio = stats.chi2_contingency(four, correction=False, lambda_="log-likelihood")
        assert table.evidence[cell] ** 2 == pytest.approx(ratio.statistic, abs=1e-9)
    assert table.tried == 12


def test_cells_that_should_hold_nearly_nothing_are_not_tried() -> None:
    table = cross_table(np.array([[3, 0], [0, 5_000]]), np.ones((2, 2), bool))
    assert np.isnan(table.q[0, 0])
    assert table.tried == 3


def test_a_table_of_nothing_has_nothing_to_try() -> None:
    table = cross_table(np.zeros((2, 3), np.int64), np.ones((2, 3), bool))
    assert table.tried == 0

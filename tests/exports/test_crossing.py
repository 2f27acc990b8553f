"""Themes by the values of a column, against pandas and statistics computed anew."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from support.made_themes import OPEN, made_facts, made_source

from corpuscope.tools.core.errors import BadInput
from corpuscope.tools.exports.crossing import NO_VALUE, OTHER_VALUES, check_column, cross_themes

FACTS = [made_facts("1", "Bags", 0), made_facts("2", "Seats", 0)]


def test_counts_shares_lift_and_residuals_are_those_of_the_table() -> None:
    chooser = np.random.default_rng(1)
    themes = chooser.choice([0, 1, -1], 400, p=[0.5, 0.3, 0.2])
    airlines = np.where(chooser.random(400) < 0.3 + 0.3 * (themes == 0), "United", "Delta")
    made = made_source(
        themes.tolist(), {"airline": "string"}, [{"airline": str(name)} for name in airlines]
    )
    crossing = cross_themes(OPEN, made, FACTS, "airline")
    table = pd.crosstab(themes, airlines).loc[[0, 1, -1], list(crossing.values)]
    counts = np.array([[cell.count for cell in row.cells] for row in crossing.rows])
    assert (counts == table.to_numpy()).all()
    expected = stats.contingency.expected_freq(counts)
    shares = np.array([[cell.share for cell in row.cells] for row in crossing.rows])
    assert shares == pytest.approx((table / table.sum()).to_numpy())
    lifts = np.array([[cell.lift for cell in row.cells] for row in crossing.rows])
    assert lifts == pytest.approx(counts / expected)
    rows, columns = (counts.sum(axis=axis, keepdims=True) / 400 for axis in (1, 0))
    residuals = (counts - expected) / np.sqrt(expected * (1 - rows) * (1 - columns))
    told = np.array([[cell.residual for cell in row.cells] for row in crossing.rows])
    assert told == pytest.approx(residuals)
    assert "of United is in \u201cBags\u201d" in crossing.highlights(1)[0]


def test_rare_values_are_one_missing_ones_another_and_numbers_are_ranges() -> None:
    rows = [{"city": f"c{at % 12}" if at % 5 else None, "age": at} for at in range(120)]
    made = made_source([0, 1] * 60, {"city": "string", "age": "number"}, rows)
    cities = cross_themes(OPEN, made, FACTS, "city")
    assert cities.values[-2:] == (OTHER_VALUES, NO_VALUE)
    assert (len(cities.values), sum(cities.totals), cities.totals[-1]) == (9, 120, 24)
    ages = cross_themes(OPEN, made, FACTS, "age")
    assert ages.values[0].startswith("up to ")
    assert len(ages.values) == 4
    assert max(ages.totals) - min(ages.totals) <= 2


def test_a_column_with_a_value_for_each_record_is_refused_with_those_that_serve() -> None:
    rows = [{"key": f"k{at}", "kind": "ab"[at % 2]} for at in range(200)]
    made = made_source([0, 1] * 100, {"key": "string", "kind": "string"}, rows)
    with pytest.raises(BadInput, match="200 values for 200 records.*Columns to count by: kind"):
        check_column(made, "key")

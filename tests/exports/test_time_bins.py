"""Themes over time, against pandas."""

import numpy as np
import pandas as pd
import pytest
from support.made_themes import made_facts, made_source

from corpuscope.tools.exports.time_bins import ThemeTrend, bar_line, theme_trend

FACTS = [made_facts("1", "Bags", 0), made_facts("2", "Seats", 0)]


def trend_of(days: "pd.Index[pd.Timestamp]", themes: list[int]) -> ThemeTrend:
    rows = [{"day": day.date().isoformat()} for day in days]
    trend = theme_trend(made_source(themes, {"day": "date"}, rows), FACTS)
    assert trend is not None
    return trend


@pytest.mark.parametrize(
    ("span", "unit", "period"),
    [(30, "day", "D"), (200, "week", "W-SUN"), (900, "month", "M"), (3_000, "quarter", "Q")],
)
def test_counts_of_each_bin_are_those_of_pandas(span: int, unit: str, period: str) -> None:
    chooser = np.random.default_rng(span)
    days = pd.Timestamp("2021-03-03") + pd.to_timedelta(chooser.integers(0, span, 500), "D")
    themes = chooser.integers(-1, 2, 500)
    trend = trend_of(days, themes.tolist())
    assert trend.unit == unit
    wanted = pd.crosstab(pd.PeriodIndex(days, freq=period), themes)
    every = wanted.reindex(pd.period_range(wanted.index.min(), wanted.index.max()), fill_value=0)
    assert list(trend.totals) == every.sum(axis=1).tolist()
    assert [list(series.counts) for series in trend.series] == [
        every[0].tolist(),
        every[1].tolist(),
    ]
    first = wanted.index.min()
    assert trend.labels[0] == {
        "day": str(first), "week": f"week of {first.start_time.date()}", "month": str(first),
        "quarter": f"{first.year} Q{first.quarter}",
    }[unit]  # fmt: skip


def test_a_theme_that_grew_beyond_chance_is_told_and_a_stray_date_is_left_out() -> None:
    days = pd.DatetimeIndex(np.repeat(pd.date_range("2024-01-01", periods=10), 40))
    themes = [0 if at % 40 < (4 if at < 200 else 20) else 1 for at in range(400)]
    stray = days.append(pd.DatetimeIndex(["1950-01-01"]))
    trend = trend_of(stray, [*themes, 1])
    assert (trend.unit, trend.left_out, len(trend.labels)) == ("day", 1, 10)
    [grew] = trend.changed(1, 3)
    assert (grew.title, grew.earlier, grew.later) == ("Bags", 0.1, 0.5)
    [shrank] = trend.changed(-1, 3)
    assert shrank.title == "Seats"


def test_a_hundredth_of_stray_dates_is_no_earlier_half_of_which_shares_are_told() -> None:
    days = pd.DatetimeIndex(np.repeat(pd.date_range("2024-01-01", periods=10), 80))
    stray = pd.DatetimeIndex(pd.date_range("2014-05-22", periods=8))
    themes = [at % 2 for at in range(800)]
    trend = trend_of(days.append(stray), [*themes, *([0] * 8)])
    assert (trend.unit, trend.left_out) == ("day", 8)
    assert trend.changed(1, 3) == trend.changed(-1, 3) == []


def test_one_day_or_no_column_of_dates_is_no_trend_and_nothing_is_a_flat_line() -> None:
    rows = [{"day": "2024-01-01", "city": "x"}] * 30
    made = made_source([0, 1] * 15, {"city": "string", "day": "date"}, rows)
    assert theme_trend(made, FACTS) is None
    assert (bar_line([0, 0]), bar_line([1, 0, 4])) == ("▁▁", "▃▁█")

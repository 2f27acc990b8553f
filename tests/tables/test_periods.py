"""Dates by period, against pandas."""

import numpy as np
import pandas as pd
import pytest

from corpuscope.tools.tables.periods import BINS, Bin, date_periods, fitting_bin
from corpuscope.tools.tables.table import Column

DAYS = pd.date_range("2019-12-20", "2021-03-05", freq="11D")


def column(days: list[str]) -> Column:
    values = np.array(sorted(days), dtype=object)
    return Column("date", "date", np.arange(-1, len(values), dtype=np.int32), values)


@pytest.mark.parametrize("bin_", BINS)
def test_each_day_lies_in_the_period_that_pandas_says(bin_: Bin) -> None:
    days = [day.isoformat() if at % 2 else str(day.date()) for at, day in enumerate(DAYS)]
    found = date_periods(column(days), bin_)
    sign = {"day": "D", "week": "W-SUN", "month": "M", "quarter": "Q", "year": "Y"}[bin_]
    periods = DAYS.to_period(sign)
    starts = [str(period.start_time.date()) for period in periods]
    assert [str(found.first_days[at]) for at in found.codes[1:]] == starts
    assert found.codes[0] == -1
    whole = pd.period_range(periods[0], periods[-1], freq=sign)
    assert len(found.names) == len(whole)
    if bin_ in ("month", "year"):
        assert found.names == [str(period) for period in whole]
    if bin_ == "quarter":
        assert found.names == [f"{period.year}-Q{period.quarter}" for period in whole]


def test_the_bin_fits_the_time_between_the_first_and_the_last_date() -> None:
    spans = {"2024-01-20": "day", "2024-06-01": "week", "2026-01-01": "month", "1300-01-01": "year"}
    for last, expected in spans.items():
        assert fitting_bin(column(["2024-01-01", last])) == expected
    assert fitting_bin(column([])) == "day"
    many = column(["1990-01-01", *(f"2024-01-{day:02d}" for day in range(1, 32))])
    often = np.concatenate([many.codes, np.repeat(many.codes[2:], 9)])
    assert fitting_bin(Column("date", "date", often, many.values)) == "day"


def test_a_stray_date_makes_no_million_of_empty_periods() -> None:
    found = date_periods(column(["0001-01-01", "2024-01-01", "9999-12-31"]), "day")
    assert found.names == ["0001-01-01", "2024-01-01", "9999-12-31"]
    assert date_periods(column([]), "week").names == []

"""Dates by day, week, month, quarter or year.

In: a column of dates (ISO 8601, in UTC where they have a zone); out: the periods from the first to
the last one, without gaps where they are not too many, and which one each record is in.
"""

from dataclasses import dataclass
from typing import Literal, TypeAlias, get_args

import numpy as np
from numpy.typing import NDArray

from corpuscope.tools.core.schema import Ints
from corpuscope.tools.tables.table import MISSING, Column
from corpuscope.tools.tables.where import DAY

Bin: TypeAlias = Literal["day", "week", "month", "quarter", "year"]
BINS: tuple[Bin, ...] = get_args(Bin)

FITTING_PERIODS = 40
"""So many periods a person still reads as one table or line."""

STRAY_SHARE = 0.01
"""Of the records, the share at either end whose dates may be far off."""

MOST_PERIODS = 5_000
"""Beyond, periods without records are left out: one date of the year 1 must not make a million."""

BIN_DAYS: dict[Bin, float] = {
    "day": 1,
    "week": 7,
    "month": 30.44,
    "quarter": 91.3,
    "year": 365.2,
}
"""How long each is, about."""

DAY_LENGTH = len("2024-04-01")

Days: TypeAlias = NDArray[np.datetime64]


@dataclass(frozen=True, eq=False)
class Periods:
    """`names` (p,) rising: `2015-02-22`, for weeks their Monday, `2015-02`, `2015-Q1`, `2015`;
    `codes` (n,) the place of each record's period, -1 where it has no date; `first_days` (p,)."""

    bin: Bin
    names: list[str]
    codes: Ints
    first_days: Days


def fitting_bin(column: Column, most: int = FITTING_PERIODS) -> Bin:
    """The finest bin by which the column's dates, but for stray ones, are not too many periods."""
    days = _days(column)
    records = np.cumsum(np.bincount(column.codes[column.codes >= 0], minlength=len(days)))
    if not len(days) or not records[-1]:
        return "day"
    ends = records[-1] * np.array([STRAY_SHARE, 1 - STRAY_SHARE])
    span = days[np.minimum(np.searchsorted(records, ends), len(days) - 1)]
    fitting = (name for name in BINS if np.ptp(_numbers(span, name)) < most)
    return next(fitting, "year")


def date_periods(column: Column, bin_: Bin) -> Periods:
    """The periods of a column of dates, those between the first and the last without a record too.

    Args:
        column: Its kind is "date".
        bin_: How long a period is.
    """
    days = _days(column)
    numbers = _numbers(days, bin_)
    present = np.unique(numbers)
    if len(present) and present[-1] - present[0] < MOST_PERIODS:
        present = np.arange(present[0], present[-1] + 1)
    place = np.append(np.searchsorted(present, numbers), MISSING).astype(np.int32)
    first_days = _first_days(present, bin_)
    return Periods(bin_, [_name(day, bin_) for day in first_days], place[column.codes], first_days)


def period_name(day: str, bin_: Bin) -> str | None:
    """The name of the period of a day, or of a moment; None where it is no date."""
    if not DAY.match(day):
        return None
    try:
        number = _numbers(np.array([day[:DAY_LENGTH]], "datetime64[D]"), bin_)
    except ValueError:
        return None
    return _name(_first_days(number, bin_)[0], bin_)


def _days(column: Column) -> Days:
    """(m,) the day of each distinct value, rising."""
    return np.array([str(value)[:DAY_LENGTH] for value in column.values], "datetime64[D]")


def _numbers(days: Days, bin_: Bin) -> NDArray[np.int64]:
    """(m,) the number of each day's period, counted from that of 1970-01-01."""
    if bin_ == "week":  # which was a Thursday; weeks begin on Monday (ISO 8601)
        return np.asarray((days.astype(np.int64) + 3) // 7)
    if bin_ == "quarter":
        return np.asarray(days.astype("datetime64[M]").astype(np.int64) // 3)
    unit = {"day": "D", "month": "M", "year": "Y"}[bin_]
    return np.asarray(days.astype(f"datetime64[{unit}]").astype(np.int64))


def _first_days(numbers: NDArray[np.int64], bin_: Bin) -> Days:
    if bin_ == "week":
        return np.asarray((numbers * 7 - 3).astype("datetime64[D]"))
    if bin_ == "quarter":
        return np.asarray((numbers * 3).astype("datetime64[M]").astype("datetime64[D]"))
    unit = {"day": "D", "month": "M", "year": "Y"}[bin_]
    return np.asarray(numbers.astype(f"datetime64[{unit}]").astype("datetime64[D]"))


def _name(day: np.datetime64, bin_: Bin) -> str:
    written = str(day)
    if bin_ == "quarter":
        return f"{written[:4]}-Q{(int(written[5:7]) + 2) // 3}"
    return written[: {"month": 7, "year": 4}.get(bin_, DAY_LENGTH)]

"""Themes over time: the records of each in days, weeks, months, quarters or years.

In: the records with their themes, and a column of dates; out: counts by bin, and which themes have
another share in the later half of the records. Two shares differ where the pooled z statistic of
their difference is beyond 3.3 (a chance of one in a thousand).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from corpuscope.tools.exports.source import ExportSource
from corpuscope.tools.exports.theme_facts import ThemeFacts
from corpuscope.tools.workspace.slices import IN_NOISE

UNITS = (("day", 45), ("week", 7 * 45), ("month", 31 * 48), ("quarter", 92 * 48))
"""The smallest unit for a span of at most so many days; longer ones are told by the year."""

MOST_BINS = 60
USUAL = (0.01, 0.99)
"""A stray date decades away makes no bins: where they would be too many, the rest is left out."""

BEYOND_CHANCE_Z = 3.3
FEWEST_OF_A_THEME = 20
BARS = "▁▂▃▄▅▆▇█"


@dataclass(frozen=True, slots=True)
class ThemeSeries:
    """A theme over time: its records in each bin, its share of the earlier and of the later half,
    and `change`, 1 where that grew beyond chance, -1 where it shrank, else 0."""

    id: str
    title: str
    counts: tuple[int, ...]
    rates: tuple[float, ...]
    earlier: float
    later: float
    change: int

    @property
    def line(self) -> str:
        """The share over time, in a line of bars."""
        return bar_line(self.rates)


@dataclass(frozen=True, slots=True)
class ThemeTrend:
    """All themes over a column of dates; `left_out` records have no date or a stray one."""

    column: str
    unit: str
    labels: tuple[str, ...]
    totals: tuple[int, ...]
    series: tuple[ThemeSeries, ...]
    left_out: int

    @property
    def peak(self) -> str:
        """The bin with the most records."""
        return self.labels[int(np.argmax(self.totals))]

    @property
    def line(self) -> str:
        """All records over time, in a line of bars."""
        return bar_line(self.totals)

    def changed(self, sign: int, most: int) -> list[ThemeSeries]:
        """Themes that grew (1) or shrank (-1), by how much their share changed."""
        found = [series for series in self.series if series.change == sign]
        return sorted(found, key=lambda one: -abs(one.later - one.earlier))[:most]


def bar_line(values: Sequence[float]) -> str:
    """Values from 0 up as a line of block characters."""
    top = max(values, default=0)
    if top <= 0:
        return BARS[0] * len(values)
    return "".join(BARS[min(len(BARS) - 1, int(value / top * len(BARS)))] for value in values)


def theme_trend(source: ExportSource, themes: Sequence[ThemeFacts]) -> ThemeTrend | None:
    """The themes over the first column of dates that has more than one bin; None without any."""
    for name, kind in source.table.kinds.items():
        if kind == "date" and (trend := _over(source, themes, name)) is not None:
            return trend
    return None


def _over(source: ExportSource, themes: Sequence[ThemeFacts], name: str) -> ThemeTrend | None:
    places = source.places
    assert places is not None
    column = source.table.column(name)
    codes = column.codes[source.rows]
    dated = (codes >= 0) & (places.codes >= IN_NOISE)
    if not dated.any():
        return None
    of_values = np.array([value[:10] for value in column.values], "datetime64[D]")
    days = of_values[codes[dated]]
    low, high = np.quantile(days.astype(np.int64), USUAL, method="nearest")
    unit = next((unit for unit, most in UNITS if high - low <= most), "year")
    bins = _bins(days, unit)
    first, last = int(bins.min()), int(bins.max())
    if last - first >= MOST_BINS:
        ends = _bins(np.array([low, high]).astype("datetime64[D]"), unit)
        first, last = (int(end) for end in ends)
        first = max(first, last - MOST_BINS + 1)
    many = last - first + 1
    if many < 2:
        return None
    shown = (bins >= first) & (bins <= last)
    at, theme = bins[shown] - first, places.codes[dated][shown].astype(np.int64)
    rows = len(places.themes) + 1
    flat = np.bincount((theme % rows) * many + at, minlength=rows * many)
    counts = flat.reshape(rows, many)
    place = {node.id: at for at, node in enumerate(places.themes)}
    totals = counts.sum(axis=0)
    return ThemeTrend(
        column=name,
        unit=unit,
        labels=tuple(_label(first + step, unit) for step in range(many)),
        totals=tuple(totals.tolist()),
        series=tuple(_series(theme, counts[place[theme.id]], totals) for theme in themes),
        left_out=places.known - int(shown.sum()),
    )


def _bins(days: NDArray[np.datetime64], unit: str) -> NDArray[np.int64]:
    """The number of the bin of each day; weeks begin on Mondays."""
    if unit == "week":  # the first day of 1970 was a Thursday
        return (days.astype(np.int64) + 3) // 7
    if unit in ("month", "quarter"):
        months = days.astype("datetime64[M]").astype(np.int64)
        return months // 3 if unit == "quarter" else months
    if unit == "year":
        return days.astype("datetime64[Y]").astype(np.int64)
    return days.astype(np.int64)


def _label(number: int, unit: str) -> str:
    if unit == "week":
        return f"week of {np.datetime64(number * 7 - 3, 'D')}"
    if unit == "quarter":
        return f"{1970 + number // 4} Q{number % 4 + 1}"
    if unit == "day":
        return str(np.datetime64(number, "D"))
    return str(np.datetime64(number, "M") if unit == "month" else np.datetime64(number, "Y"))


def _series(theme: ThemeFacts, counts: NDArray[np.int64], totals: NDArray[np.int64]) -> ThemeSeries:
    # Where the records are half, not the time: a few stray ones are no earlier half.
    half = int(np.searchsorted(np.cumsum(totals), totals.sum() / 2)) + 1
    half = min(half, len(totals) - 1)
    few, many = (
        (counts[:half].sum(), totals[:half].sum()),
        (counts[half:].sum(), totals[half:].sum()),
    )
    earlier, later = (part / max(1, whole) for part, whole in (few, many))
    pooled = counts.sum() / max(1, totals.sum())
    spread = np.sqrt(pooled * (1 - pooled) * (1 / max(1, few[1]) + 1 / max(1, many[1])))
    z = (later - earlier) / spread if spread > 0 else 0.0
    sure = abs(z) >= BEYOND_CHANCE_Z and counts.sum() >= FEWEST_OF_A_THEME
    return ThemeSeries(
        id=theme.id,
        title=theme.title,
        counts=tuple(counts.tolist()),
        rates=tuple((counts / np.maximum(1, totals)).tolist()),
        earlier=float(earlier),
        later=float(later),
        change=int(np.sign(z)) if sure else 0,
    )

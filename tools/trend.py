"""The tool `trend`: how the share of each theme moves over time."""

from typing import Annotated, cast

import numpy as np
from numpy.typing import NDArray
from pydantic import BeforeValidator, Field

from corpuscope.tools.analysis.cross_table import pair_counts
from corpuscope.tools.core.errors import BadInput
from corpuscope.tools.core.schema import DatasetCard, Result, Verbatim
from corpuscope.tools.counting.axis import MOST_TRIED, cut_axis
from corpuscope.tools.counting.dimensions import (
    HEADING,
    THEME,
    Dimension,
    RunChoice,
    dimension,
    run_for,
)
from corpuscope.tools.counting.movements import (
    FEWEST_RECORDS_OF_A_SERIES,
    SeriesTable,
    TrendLine,
    sparkline,
    trend_lines,
    window_lines,
)
from corpuscope.tools.counting.sources import silent_sources, total_jumps
from corpuscope.tools.tables.periods import BIN_DAYS, BINS, STRAY_SHARE, Bin, period_name
from corpuscope.tools.workspace.arguments import DatasetName, LayerIndex, RunId, WhereFilter
from corpuscope.tools.workspace.tables import where_rows
from corpuscope.tools.workspace.workspace import Workspace

MOST_PERIODS = 120
"""Of one series: more bars nobody reads, and a coarser bin says the same."""

FEWEST_FAR = 10
"""Periods that a course has at least before any of its ends counts as far off."""

FIRST_AND_LAST = 2
MOST_TOTALS_TOLD = 40
"""Periods whose totals are told one by one in the text."""

UNMOVED = ("steady", "unsure", "not tried")
SIGNS = {"day": "on ", "week": "in the week of "}


class TrendResult(Result):
    """How the groups move, the surest first."""

    dataset: Verbatim
    run: Verbatim | None
    by: Verbatim
    date: Verbatim
    """The column and the bin: `created:day`."""
    records: int
    """With a date, of those that fit; of `of` in the dataset. `undated` have none."""
    undated: int
    of: int
    periods: list[Verbatim]
    totals: list[int]
    window: list[Verbatim]
    """The first and last period that were held against the others; empty for the whole course."""
    lines: list[TrendLine]
    moving: int
    tried: int
    """Groups that had records enough to be tried."""
    warnings: list[str]

    def as_text(self) -> str:
        """What moves, after what to beware of."""
        if not self.records:
            return f"0 of {self.of:,} records of '{self.dataset}' fit the filter and have a date."
        spans = f"{self.periods[0]} to {self.periods[-1]}"
        where = f"'{self.dataset}'" + (f" (run {self.run})" if self.run else "")
        lines = [
            f"{self.records:,} of {self.of:,} records of {where}, {self.date} {spans}; shares are "
            "of each period's records."
        ]
        bars = sparkline(np.array(self.totals, np.float64))
        totals = [f"{total:,}" for total in self.totals] if self._short else []
        lines.append(" ".join(["all:", bars, *totals]))
        if self.undated:
            lines.append(f"{self.undated:,} more have no date.")
        lines += [f"Beware: {warning}" for warning in self.warnings]
        called = f"{self.by}s" if self.by in (THEME, HEADING) else f"values of {self.by}"
        asked = f" in {' to '.join(self.window)} against the other periods" if self.window else ""
        if not self.tried:
            lines.append(f"None of the {called} has {FEWEST_RECORDS_OF_A_SERIES} records to try.")
        elif self.moving:
            sure = f"{self.moving} of {self.tried} {called} move{asked} (q ≤ 0.05)"
            lines.append(f"{sure}, the surest first:")
        else:
            lines.append(f"None of {self.tried} {called} surely moves{asked}:")
        lines += [line.text for line in self.lines]
        moving = sum(line.verdict not in UNMOVED for line in self.lines)
        if more := self.moving - moving:
            lines.append(f"… {more} more move: raise limit, or narrow `where`.")
        return "\n".join(lines)

    @property
    def _short(self) -> bool:
        return len(self.totals) <= MOST_TOTALS_TOLD


def as_window(value: object) -> object:
    """Models say one period alone where a list of one or two is meant."""
    return [value] if isinstance(value, str) else value


def trend(
    workspace: Workspace,
    date: Annotated[
        str | None,
        Field(
            description="A column of dates, with day, week, month, quarter or year if wanted: "
            "created:week; left out: the only one."
        ),
    ] = None,
    by: Annotated[str, Field(description="theme, heading, or a column.")] = THEME,
    dataset: DatasetName = None,
    where: WhereFilter = None,
    window: Annotated[
        list[str] | None,
        BeforeValidator(as_window),
        Field(
            description="First and last day to hold against all others: what grew then?",
        ),
    ] = None,
    run: RunId = None,
    layer: LayerIndex = None,
    limit: Annotated[int, Field(ge=1, le=40, description="Lines.")] = 20,
) -> TrendResult:
    """Say which themes rise, fall, are new, gone, or burst over time, and when.

    Shares of each period's records, so that a busy day is no trend. Warns where the total jumps or
    a source falls silent. Counts by period: `count`.
    """
    card = workspace.store.card(dataset)
    selection = run_for(workspace, card, RunChoice(run, layer), [by])
    time = dimension(workspace, card, None, date or _only_date(card))
    if time.bin is None:
        raise BadInput(f"'{time.name}' holds no dates. {_dates(card)}")
    groups = dimension(workspace, card, selection, by)
    if groups.name == time.name:
        raise BadInput(f"`by` and `date` are both {time.name}. `by` says what moves: {THEME}.")
    rows = np.flatnonzero(where_rows(workspace, card, where))
    dated = rows[time.codes[rows] < len(time.plain)]
    near = _without_stray(time.codes[dated])
    stray = len(dated) - int(near.sum())
    dated = dated[near]
    table, codes = _series(time, groups, dated)
    inside = _window(time, table, window)
    lines, tried = (
        ([], 0)
        if not len(dated)
        else trend_lines(table)
        if inside is None
        else window_lines(table, inside)
    )
    told = [line for line in lines if line.verdict != "not tried"]
    warnings = total_jumps(table.periods, table.totals, time.bin) if len(dated) else []
    if stray:
        warnings.insert(
            0,
            f"{stray:,} records far off, before {table.periods[0]} or after {table.periods[-1]}, "
            "are left out.",
        )
    warnings += silent_sources(workspace, card, dated, codes, table)
    spans = [table.periods[at] for at in np.flatnonzero(inside)] if inside is not None else []
    return TrendResult(
        dataset=card.name,
        run=selection.run.id if selection else None,
        by=groups.name,
        date=time.name,
        records=len(dated),
        undated=len(rows) - len(dated) - stray,
        of=len(time.codes),
        periods=table.periods,
        totals=table.totals.tolist(),
        window=[spans[0], spans[-1]] if spans else [],
        lines=[*told[:limit], *(line for line in lines if line.kind == "noise")],
        moving=sum(line.verdict not in UNMOVED for line in lines),
        tried=tried,
        warnings=warnings,
    )


def _only_date(card: DatasetCard) -> str:
    """The one column of dates."""
    dates = [name for name, kind in card.metadata_columns.items() if kind == "date"]
    if len(dates) != 1:
        raise BadInput(_dates(card))
    return dates[0]


def _dates(card: DatasetCard) -> str:
    dates = [name for name, kind in card.metadata_columns.items() if kind == "date"]
    if dates:
        return f"Say which dates: date='{dates[0]}'. Columns of dates: {', '.join(dates)}."
    known = ", ".join(f"{name} ({kind})" for name, kind in card.metadata_columns.items())
    return (
        f"'{card.name}' has no column of dates; its columns: {known or 'none'}. Dates are read as "
        "such at ingest where all are ISO 8601 (2024-04-01): ingest again with them written so."
    )


def _without_stray(codes: NDArray[np.int32]) -> NDArray[np.bool_]:
    """(m,) the records but for few at both ends, where these make most of the periods."""
    if not len(codes):
        return np.ones(0, bool)
    low, high = np.quantile(codes, [STRAY_SHARE, 1 - STRAY_SHARE], method="inverted_cdf")
    if np.ptp(codes) < FEWEST_FAR or (high - low + 1) * 2 > np.ptp(codes) + 1:
        return np.ones(len(codes), bool)
    return np.asarray((codes >= low) & (codes <= high))


def _series(
    time: Dimension, groups: Dimension, rows: NDArray[np.int64]
) -> tuple[SeriesTable, NDArray[np.int32]]:
    """The counts of each group in the periods from the first to the last one that has a record; and
    (m,) the period of each record."""
    codes = time.codes[rows]
    first, last = (int(codes.min()), int(codes.max())) if len(codes) else (0, -1)
    names = list(time.keys[first : last + 1])
    column, _, bin_ = time.name.rpartition(":")
    if len(names) > MOST_PERIODS:
        raise BadInput(
            f"{len(names):,} {bin_}s are too many for one series; at most {MOST_PERIODS}. Take a "
            f"coarser bin (date='{column}:{_coarser(len(names), bin_)}'), or a part with `where`."
        )
    if len(names) == 1:
        raise BadInput(
            f"All dates of these records lie in one {bin_} ({names[0]}): nothing moves. Take a "
            f"finer bin than {bin_}, a longer time, or `count`."
        )
    axis = cut_axis(groups, groups.codes[rows], MOST_TRIED)
    periods = np.asarray(codes - first, np.int32)
    counts = pair_counts(axis.codes, periods, (len(axis.slots), len(names)))
    table = SeriesTable(
        groups.name, axis.slots, names, counts, counts.sum(0), SIGNS.get(bin_, "in ")
    )
    return table, periods


def _coarser(periods: int, bin_: str) -> Bin:
    days = periods * BIN_DAYS[cast(Bin, bin_)]
    return next((name for name in BINS if days / BIN_DAYS[name] <= MOST_PERIODS), "year")


def _window(
    time: Dimension, table: SeriesTable, window: list[str] | None
) -> NDArray[np.bool_] | None:
    """(p,) which periods are asked for; None where the whole course is."""
    if not window or time.bin is None or not table.periods:
        return None
    if len(window) > FIRST_AND_LAST:
        raise BadInput(f"window takes a first and a last day, not {len(window)}.")
    places = []
    for said in window:
        name = said if said in table.periods else period_name(said, time.bin)
        if name not in table.periods:
            raise BadInput(
                f"window: '{said}' is no {time.bin} of these records; they are of "
                f"{table.periods[0]} to {table.periods[-1]}. Give days (2024-02-22)."
            )
        places.append(table.periods.index(name))
    inside = np.zeros(len(table.periods), bool)
    inside[min(places) : max(places) + 1] = True
    if inside.all():
        raise BadInput(
            "window: it is all the time there is, and nothing is left to hold it against. Give a "
            "part of it, or leave window out."
        )
    return inside

"""From a question to its answer: the records counted by one dimension, or by two."""

from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from corpuscope.tools.analysis.cross_table import cross_table, pair_counts
from corpuscope.tools.analysis.means import (
    Sums,
    group_sums,
    impact,
    mean_interval,
    mix_and_within,
)
from corpuscope.tools.analysis.rates import wilson_interval
from corpuscope.tools.core.errors import BadInput
from corpuscope.tools.core.schema import Ints
from corpuscope.tools.counting.answer import (
    ChangePart,
    CountLine,
    CountResult,
    CountTable,
    GroupMean,
    Matrix,
    MeanChange,
)
from corpuscope.tools.counting.axis import MOST_TRIED, Axis, Slot, cut_axis
from corpuscope.tools.counting.dimensions import Dimension
from corpuscope.tools.counting.findings import Finding, cell_findings, mean_findings
from corpuscope.tools.counting.measures import Measure
from corpuscope.tools.workspace.selection import Selection

RowOrder: TypeAlias = Literal["usual", "largest", "value", "highest", "lowest"]

MOST_CELLS = 250
"""Of a table that is shown: with shares and intervals some 20 kB."""

MOST_COLUMNS = 16
"""Of a table that is shown, before the rest: two weeks of days."""

MOST_PARTS = 8
"""Groups of a change that are told."""


@dataclass(frozen=True, eq=False)
class Question:
    """What is asked: `rows` (m,) are the records of the table of `whole` that are counted; `part`
    says what they have in common; at most `limit` rows are shown, in `order`."""

    dataset: str
    selection: Selection | None
    measure: Measure
    rows: NDArray[np.int64]
    whole: int
    part: str
    order: RowOrder
    limit: int

    def numbers(self) -> NDArray[np.float64] | None:
        """(m,) of the measure's column, NaN where a record has none."""
        return None if self.measure.numbers is None else self.measure.numbers[self.rows]


def one_way(asked: Question, dimension: Dimension) -> CountResult:
    """The answer by one dimension."""
    codes = dimension.codes[asked.rows]
    numbers = asked.numbers()
    axis = cut_axis(dimension, codes, asked.limit, _ranks(asked, dimension, codes))
    found: tuple[list[Finding], int] = [], 0
    if numbers is None:
        found = _part_findings(asked, dimension)
    elif asked.measure.statistic == "mean":
        wide = cut_axis(dimension, codes, MOST_TRIED)
        found = mean_findings(wide, None, _column(wide, numbers), asked.measure.column)
    sums = None if numbers is None else group_sums(numbers, axis.codes, len(axis.slots))
    return _answer(asked, [dimension], _lines(asked, axis, sums), [axis.values], found)


def two_way(asked: Question, by_row: Dimension, by_column: Dimension) -> CountResult:
    """The answer by two dimensions, at most `MOST_COLUMNS`.

    Raises:
        BadInput: An impact between other than two columns.
    """
    codes = [each.codes[asked.rows] for each in (by_row, by_column)]
    numbers = asked.numbers()
    columns = cut_axis(by_column, codes[1], MOST_COLUMNS)
    limit = max(1, min(asked.limit, MOST_CELLS // max(1, len(columns.slots))))
    rows = cut_axis(by_row, codes[0], limit, _ranks(asked, by_row, codes[0]))
    wide = [
        cut_axis(each, at, MOST_TRIED) for each, at in zip((by_row, by_column), codes, strict=True)
    ]
    shape = (len(rows.slots), len(columns.slots))
    counts = pair_counts(rows.codes, columns.codes, shape)
    sums = None if numbers is None else group_sums(numbers, rows.codes, shape[0])
    lines = _lines(asked, rows, sums)
    values = [rows.values, columns.values]
    column_lines = _lines(asked, columns, None)
    if numbers is None:
        every = pair_counts(wide[0].codes, wide[1].codes, (len(wide[0].slots), len(wide[1].slots)))
        found = cell_findings(wide[0], wide[1], every)
        answer = _answer(asked, [by_row, by_column], lines, values, found)
        return answer.with_table(_shares(counts, column_lines))
    table = _means(_cells(rows, columns, numbers), column_lines, counts)
    change = None
    if asked.measure.statistic == "impact":
        change, found = _change(asked, wide[0], columns, numbers), ([], 0)
    else:
        cells = _cells(wide[0], wide[1], numbers)
        found = mean_findings(wide[0], wide[1], cells, asked.measure.column)
    answer = _answer(asked, [by_row, by_column], lines, values, found)
    return answer.with_table(table, change)


def _answer(
    asked: Question,
    dimensions: list[Dimension],
    lines: list[CountLine],
    values: list[int],
    found: tuple[list[Finding], int],
) -> CountResult:
    selection, numbers = asked.selection, asked.numbers()
    known = np.zeros(0) if numbers is None else numbers[np.isfinite(numbers)]
    return CountResult(
        dataset=asked.dataset,
        run=selection.run.id if selection else None,
        layer=selection.run.recommended if selection else None,
        by=[dimension.name for dimension in dimensions],
        measure=asked.measure.statistic
        + (f":{asked.measure.column}" if asked.measure.column else ""),
        records=len(asked.rows),
        of=asked.whole,
        part=asked.part,
        mean=round(float(known.mean()), 6) if len(known) else None,
        numbers=None if numbers is None else len(known),
        values=values,
        rows=lines,
        findings=found[0],
        tried=found[1],
    )


def _ranks(asked: Question, dimension: Dimension, codes: Ints) -> NDArray[np.float64] | None:
    """(k,) what rows are ordered by, the lowest first; None for the usual order."""
    groups = len(dimension.keys)
    order, numbers = asked.order, asked.numbers()
    if order == "value":
        return np.arange(groups, dtype=np.float64)
    if order == "largest":
        return -np.bincount(codes, minlength=groups).astype(np.float64)
    if numbers is None:
        sizes = np.bincount(codes, minlength=groups).astype(np.float64)
        return None if order == "usual" else sizes if order == "lowest" else -sizes
    sums = group_sums(numbers, codes, groups)
    if asked.measure.statistic == "impact":
        size = impact(sums).size
        ranks = -np.abs(size) if order == "usual" else size if order == "lowest" else -size
    elif order == "usual":
        return None
    else:
        ranks = sums.mean if order == "lowest" else -sums.mean
    return np.where(np.isfinite(ranks), ranks, np.inf)


def _part_findings(asked: Question, dimension: Dimension) -> tuple[list[Finding], int]:
    """Values that are more frequent among the records that are counted than among the others."""
    if not 0 < len(asked.rows) < asked.whole:
        return [], 0
    rows = cut_axis(dimension, dimension.codes, MOST_TRIED)
    fits = np.ones(asked.whole, np.int32)
    fits[asked.rows] = 0
    counts = pair_counts(rows.codes, fits, (len(rows.slots), 2))
    if not (counts[rows.plain].all(axis=1)).any():
        return [], 0  # The filter is on what is counted by: each value fits whole or not at all.
    slots = [
        Slot("", asked.part, "value", int(counts[:, 0].sum())),
        Slot("", "", "other", int(counts[:, 1].sum())),
    ]
    return cell_findings(rows, Axis(slots, fits, 2), counts)


def _lines(asked: Question, axis: Axis, sums: Sums | None) -> list[CountLine]:
    records = len(asked.rows)
    sizes = np.array([slot.size for slot in axis.slots], np.float64)
    low, high = wilson_interval(sizes, np.full(len(sizes), records))
    means = [None] * len(sizes) if sums is None else _group_means(asked, sums)
    return [
        CountLine(
            id=slot.id or None,
            label=slot.label,
            kind=slot.kind,
            records=slot.size,
            share=round(slot.size / max(1, records), 6),
            low=_figure(low[at]),
            high=_figure(high[at]),
            number=means[at],
        )
        for at, slot in enumerate(axis.slots)
    ]


def _group_means(asked: Question, sums: Sums) -> list[GroupMean | None]:
    low, high = mean_interval(sums)
    moved = impact(sums) if asked.measure.statistic == "impact" else None
    return [
        GroupMean(
            records=int(sums.n[at]),
            mean=_figure(sums.mean[at]),
            low=_figure(low[at]),
            high=_figure(high[at]),
            impact=_figure(moved.size[at]) if moved else None,
            impact_low=_figure(moved.low[at]) if moved else None,
            impact_high=_figure(moved.high[at]) if moved else None,
        )
        for at in range(len(sums.n))
    ]


def _shares(counts: NDArray[np.int64], columns: list[CountLine]) -> CountTable:
    shown = cross_table(counts, np.zeros(counts.shape, bool))
    rows, totals = counts.sum(1, keepdims=True), counts.sum(0, keepdims=True)
    low, high = wilson_interval(counts, np.broadcast_to(rows, counts.shape))
    with np.errstate(divide="ignore", invalid="ignore"):
        row_share, column_share = counts / rows, counts / totals
    return CountTable(
        columns=columns,
        counts=counts.tolist(),
        row_share=_matrix(row_share, 4),
        column_share=_matrix(column_share, 4),
        lift=_matrix(shown.lift, 2),
        low=_matrix(low),
        high=_matrix(high),
        residual=_matrix(shown.residual, 1),
    )


def _means(sums: Sums, columns: list[CountLine], counts: NDArray[np.int64]) -> CountTable:
    low, high = mean_interval(sums)
    return CountTable(
        columns=columns,
        counts=counts.tolist(),
        numbers=sums.n.astype(np.int64).tolist(),
        means=_matrix(sums.mean, 4),
        low=_matrix(low, 4),
        high=_matrix(high, 4),
    )


def _change(asked: Question, rows: Axis, columns: Axis, numbers: NDArray[np.float64]) -> MeanChange:
    there = [at for at, slot in enumerate(columns.slots) if slot.plain and slot.size]
    if len(there) != 2:
        raise BadInput(
            f"An impact is split between two values of the second `by`; there are {len(there)}. "
            "Leave two with `where` (such as two months by date:month), or give one `by`."
        )
    cells = _cells(rows, columns, numbers)
    before, after = (
        Sums(cells.n[:, at], cells.total[:, at], cells.squares[:, at], cells.centre) for at in there
    )
    mix, within = mix_and_within(before, after)
    order = np.argsort(-np.abs(mix + within), kind="stable")[:MOST_PARTS]
    parts = [
        ChangePart(
            id=rows.slots[at].id or None,
            name=rows.slots[at].name,
            mix=round(float(mix[at]), 4),
            within=round(float(within[at]), 4),
        )
        for at in order.tolist()
    ]
    return MeanChange(
        first=columns.slots[there[0]].label,
        second=columns.slots[there[1]].label,
        size=round(float(mix.sum() + within.sum()), 4),
        mix=round(float(mix.sum()), 4),
        within=round(float(within.sum()), 4),
        parts=parts,
    )


def _column(axis: Axis, numbers: NDArray[np.float64]) -> Sums:
    """(g, 1) the sums of an axis."""
    sums = group_sums(numbers, axis.codes, len(axis.slots))
    return Sums(sums.n[:, None], sums.total[:, None], sums.squares[:, None], sums.centre)


def _cells(rows: Axis, columns: Axis, numbers: NDArray[np.float64]) -> Sums:
    """(r, c) the sums of each cell."""
    shape = (len(rows.slots), len(columns.slots))
    codes = rows.codes.astype(np.int64) * shape[1] + columns.codes
    sums = group_sums(numbers, codes, shape[0] * shape[1])
    n, total, squares = (each.reshape(shape) for each in (sums.n, sums.total, sums.squares))
    return Sums(n, total, squares, sums.centre)


def _matrix(values: NDArray[np.float64], digits: int = 3) -> Matrix:
    rounded = np.round(values, digits).tolist()
    return [[value if np.isfinite(value) else None for value in row] for row in rounded]


def _figure(value: float) -> float | None:
    return round(float(value), 4) if np.isfinite(value) else None

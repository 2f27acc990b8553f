"""What stands out of a table, the surest first, in words with the figures.

In: the table of all values, not only of those shown; out: findings. They are ordered by evidence,
never by ratio: cells of three records have the largest ratios.
"""

import numpy as np
from numpy.typing import NDArray

from corpuscope.tools.analysis.cross_table import CrossTable, cross_table
from corpuscope.tools.analysis.means import Sums, mean_difference
from corpuscope.tools.analysis.rates import q_values, wilson_interval
from corpuscope.tools.core.schema import Result, Verbatim
from corpuscope.tools.counting.axis import Axis, Slot

MOST_OVER, MOST_UNDER = 8, 4
"""Findings that are told: a person remembers no more."""

SURE_Q = 0.05
"""The usual rate of false discoveries."""

CLEAR_LIFT = 1.2
"""With many records any difference is sure; of less than a fifth more, or as much less, nobody
would act."""


FEWEST_NUMBERS = 10
"""Of a mean that is held against others; the t distribution wants more of skewed numbers."""

TIMES = "\N{MULTIPLICATION SIGN}"


class Finding(Result):
    """A cell, or a row, that holds more or less than it should."""

    row: str
    row_id: Verbatim | None = None
    column: str | None = None
    column_id: Verbatim | None = None
    records: int
    of: int
    """Records of the row."""
    value: float
    """The share of the column in the row, or the mean."""
    base: float
    """The same of all records."""
    low: float | None = None
    high: float | None = None
    lift: float | None = None
    residual: float | None = None
    """Adjusted, in standard deviations."""
    q: float
    text: str

    def as_text(self) -> str:
        """The finding in words."""
        return self.text


def cell_findings(
    rows: Axis, columns: Axis, counts: NDArray[np.int64]
) -> tuple[list[Finding], int]:
    """Cells whose share in their row is clearly another than that of all; and how many were tried.

    Args:
        rows: The rows; noise and what the run does not know are not tried.
        columns: The columns; missing values are tried, too.
        counts: (r, c)
    """
    sides = [np.array([_tried(slot) for slot in axis.slots], bool) for axis in (rows, columns)]
    tried = np.outer(*sides)
    table = cross_table(counts, tried)
    clear = (table.q <= SURE_Q) & ((table.lift >= CLEAR_LIFT) | (table.lift * CLEAR_LIFT <= 1))
    order = np.argsort(-np.abs(table.evidence), axis=None, kind="stable")
    cells = [divmod(int(at), counts.shape[1]) for at in order[clear.ravel()[order]]]
    over = [cell for cell in cells if table.lift[cell] > 1][:MOST_OVER]
    # What fills a row leaves little for the others: where more of one is told, less of them is not.
    told = {cell[0] for cell in over}
    two = np.count_nonzero(counts.sum(0)) <= 2
    under = [cell for cell in cells if table.lift[cell] < 1 and cell[0] not in told and not two]
    found = [_cell_finding(rows, columns, table, cell) for cell in [*over, *under[:MOST_UNDER]]]
    return found, table.tried


def mean_findings(
    rows: Axis, columns: Axis | None, sums: Sums, name: str
) -> tuple[list[Finding], int]:
    """Groups whose mean is another than that of all others, or cells whose mean is another than
    that of the rest of their row; and how many were tried.

    Args:
        rows: The groups.
        columns: Their parts; None where they are not parted.
        sums: (r, 1), or (r, c) of the cells.
        name: Of the column of numbers.
    """
    whole = sums.summed(0 if columns is None else 1)
    shift = mean_difference(sums, whole.without(sums))
    tried = np.array([[_tried(row)] for row in rows.slots], bool) & (sums.n >= FEWEST_NUMBERS)
    if columns is not None:
        tried = tried & np.array([_tried(column) for column in columns.slots], bool)
    q = q_values(np.where(tried, shift.p, np.nan))
    order = np.argsort(np.where(np.isfinite(q), shift.p, np.inf), axis=None, kind="stable")
    cells = [divmod(int(at), sums.n.shape[1]) for at in order]
    base = np.broadcast_to(whole.mean, sums.n.shape)
    found = []
    for cell in cells[:MOST_OVER]:
        if not q[cell] <= SURE_Q:
            break
        row, column = rows.slots[cell[0]], columns.slots[cell[1]] if columns else None
        mean, records = float(sums.mean[cell]), int(sums.n[cell])
        against = f"of all {row.name}" if column else "of all"
        found.append(
            Finding(
                row=row.label,
                row_id=row.id or None,
                column=column.label if column else None,
                column_id=(column.id or None) if column else None,
                records=records,
                of=int(whole.n[cell[0], 0]) if column else records,
                value=_rounded(mean),
                base=_rounded(float(base[cell])),
                q=float(f"{q[cell]:.3g}"),
                text=f"{row.name}{f' {TIMES} {column.name}' if column else ''}: mean {name} "
                f"{number_text(mean)} against {number_text(float(base[cell]))} {against} "
                f"({records:,} records)",
            )
        )
    return found, int(np.isfinite(q).sum())


def percent_text(share: float) -> str:
    """A share: 37%, 4.2%, and never 0% or 100% of what is not so."""
    if 0 < share < 0.0005:
        return "<0.1%"
    if 0.9995 < share < 1:
        return ">99.9%"
    return f"{share:.0%}" if 0.0995 <= share < 0.995 or share in (0, 1) else f"{share:.1%}"


def number_text(value: float) -> str:
    """A number to read: three decimals of small ones, none of large ones."""
    if not round(value, 3):
        return "0"
    if abs(value) >= 1_000:
        return f"{value:,.0f}"
    return f"{value:.2f}" if abs(round(value, 3)) >= 1 else f"{value:.3f}"


def _cell_finding(rows: Axis, columns: Axis, table: CrossTable, cell: tuple[int, int]) -> Finding:
    row, column = rows.slots[cell[0]], columns.slots[cell[1]]
    records, of = int(table.counts[cell]), int(table.counts[cell[0]].sum())
    base = float(table.counts[:, cell[1]].sum() / table.counts.sum())
    share = records / of
    low, high = (float(end) for end in wilson_interval(records, of))
    lift = float(table.lift[cell])
    times = f"{lift:.1f}" if lift >= 0.95 else f"{lift:.2f}"
    return Finding(
        row=row.label,
        row_id=row.id or None,
        column=column.label,
        column_id=column.id or None,
        records=records,
        of=of,
        value=_rounded(share),
        base=_rounded(base),
        low=_rounded(low),
        high=_rounded(high),
        lift=round(lift, 3),
        residual=round(float(table.residual[cell]), 2),
        q=float(f"{table.q[cell]:.3g}"),
        text=f"{row.name}: {percent_text(share)} {column.sign}{column.name} against "
        f"{percent_text(base)} of all, {times} {TIMES} ({records:,} of {of:,}; "
        f"{percent_text(low)} to {percent_text(high)})",
    )


def _tried(slot: Slot) -> bool:
    return slot.plain or slot.kind == "missing"


def _rounded(value: float) -> float:
    return round(value, 4)

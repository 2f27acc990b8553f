"""The answer of a count: its fields for scripts, and its text for models and people."""

from typing import Self, TypeAlias

from pydantic import Field

from corpuscope.tools.core.schema import Frozen, Result, Verbatim
from corpuscope.tools.counting.axis import SlotKind
from corpuscope.tools.counting.findings import TIMES, Finding, number_text, percent_text

Matrix: TypeAlias = list[list[float | None]]

NOTHING, MINUS = "\N{EN DASH}", "\N{MINUS SIGN}"


class GroupMean(Frozen):
    """The mean of a group, with its interval, and what the group does to the mean of all."""

    records: int
    """Those that have a number."""
    mean: float | None
    low: float | None
    high: float | None
    impact: float | None = None
    """How far the mean of all would move without the group."""
    impact_low: float | None = None
    impact_high: float | None = None


class CountLine(Result):
    """A row, or a column, of the table."""

    id: Verbatim | None
    """Of a theme its cluster id, of a period its name."""
    label: str
    kind: SlotKind
    records: int
    share: float
    """Of all that were counted; 95 of 100 such intervals, `low` to `high`, hold the true share."""
    low: float | None
    high: float | None
    number: GroupMean | None = None

    @property
    def name(self) -> str:
        """What it is called in a text."""
        return f"{self.id} {self.label}" if self.kind == "theme" else self.label

    def as_text(self) -> str:
        """The row in a line."""
        number = self.number
        if number is None:
            return f"{self.name}: {self.records:,} ({percent_text(self.share)})"
        if number.mean is None:
            return f"{self.name}: no number in {self.records:,} records"
        told = f"{self.name}: {number_text(number.mean)}"
        if number.low is not None and number.high is not None:
            told += f" ({number_text(number.low)} to {number_text(number.high)})"
        told += f", {number.records:,} records"
        if number.impact is not None:
            told += f"; without it the mean of all would move by {_signed(number.impact)}"
            if number.impact_low is not None and number.impact_high is not None:
                told += f" ({_signed(number.impact_low)} to {_signed(number.impact_high)})"
        return told


class CountTable(Frozen):
    """The cells of two dimensions, each (rows, columns) in the order of the answer's lines."""

    columns: list[CountLine]
    counts: list[list[int]]
    row_share: Matrix = Field(default_factory=list)
    column_share: Matrix = Field(default_factory=list)
    lift: Matrix = Field(default_factory=list)
    low: Matrix = Field(default_factory=list)
    """Of the share in the row, or of the mean, the lower end of its interval; `high` the upper."""
    high: Matrix = Field(default_factory=list)
    residual: Matrix = Field(default_factory=list)
    """Adjusted: how many standard deviations the count lies beside what it should be."""
    means: Matrix = Field(default_factory=list)
    numbers: list[list[int]] = Field(default_factory=list)
    """Records with a number, which the means are of."""


class ChangePart(Frozen):
    """What a group adds to the change of a mean."""

    id: Verbatim | None
    name: str
    mix: float
    """By the group's share having changed."""
    within: float
    """By its own mean having changed."""


class MeanChange(Frozen):
    """How a mean moves from the first column of a table to the second (Kitagawa)."""

    first: str
    second: str
    size: float
    mix: float
    within: float
    parts: list[ChangePart]
    """The groups that move it most."""


class CountResult(Result):
    """What a count found: exact, over all records that fit."""

    dataset: Verbatim
    run: Verbatim | None
    layer: int | None
    by: list[Verbatim]
    measure: Verbatim
    records: int
    """Records that were counted: those that fit; of `of` in the dataset."""
    of: int
    part: Verbatim = "fit the filter"
    """What those have in common that were counted, where they are not all."""
    mean: float | None = None
    """Of all that were counted, where the measure is one of a number; `numbers` have one."""
    numbers: int | None = None
    values: list[int]
    """How many values each of `by` has."""
    rows: list[CountLine]
    table: CountTable | None = None
    findings: list[Finding]
    tried: int
    """Cells, or rows, that were looked at for what stands out."""
    change: MeanChange | None = None
    """Of an impact between two columns."""

    def with_table(self, table: CountTable, change: MeanChange | None = None) -> Self:
        """The answer with its cells."""
        return self._with(table=table, change=change)

    def as_text(self) -> str:
        """What stands out, then the table, then what to know of it."""
        if not self.records:
            return f"0 of {self.of:,} records of '{self.dataset}' {self.part}."
        lines = [self._head(), *self._stands_out(), *self._changes()]
        lines += self._cells(self.table) if self.table else [row.as_text() for row in self.rows]
        return "\n".join(lines)

    def _head(self) -> str:
        where = f"'{self.dataset}'" + (f" (run {self.run}, layer {self.layer})" if self.run else "")
        fits = f"{self.records:,} records of {where}"
        if self.records < self.of:
            fits = f"{self.records:,} of {self.of:,} records of {where} {self.part}"
        told = f"{fits}, by {f' {TIMES} '.join(self.by)}"
        if self.measure != "records":
            mean = "no number" if self.mean is None else number_text(self.mean)
            told += f"; {self.measure}, mean of all {mean}"
        return f"{told}."

    def _stands_out(self) -> list[str]:
        if not self.tried:
            return []
        kind = "cells" if self.table else "rows"
        if not self.findings:
            return [f"Nothing stands out: none of {self.tried:,} {kind} tried clearly differs."]
        lines = [f"What stands out, the surest first (of {self.tried:,} {kind} tried, q ≤ 0.05):"]
        return lines + [f"- {finding.text}" for finding in self.findings]

    def _changes(self) -> list[str]:
        change = self.change
        if change is None:
            return []
        lines = [
            f"The mean moves by {_signed(change.size)} from {change.first} to {change.second}: "
            f"{_signed(change.mix)} by the mix (shares of {self.by[0]}s), {_signed(change.within)} "
            "within them. The most:"
        ]
        for part in change.parts:
            lines.append(f"- {part.name}: mix {_signed(part.mix)}, within {_signed(part.within)}")
        return lines

    def _cells(self, table: CountTable) -> list[str]:
        """The table, a row in a line; shares are of the period where one dimension is the time."""
        names = [line.name for line in table.columns]
        if self.measure != "records":
            return self._cells_of_means(table, names)
        by_column = any(line.kind == "period" for line in table.columns)
        shares = table.column_share if by_column else table.row_share
        whose = self.by[1] if by_column else self.by[0]
        lines = [f"Records and shares of each {whose}:", " | ".join([self.by[0], "all", *names])]
        for at, row in enumerate(self.rows):
            cells = [
                f"{count:,} {percent_text(share)}" if count and share is not None else "0"
                for count, share in zip(table.counts[at], shares[at], strict=True)
            ]
            whole = f"{row.records:,}" + (f" {percent_text(row.share)}" if by_column else "")
            lines.append(" | ".join([row.name, whole, *cells]))
        totals = [
            f"{line.records:,}" + ("" if by_column else f" {percent_text(line.share)}")
            for line in table.columns
        ]
        lines.append(" | ".join(["all", f"{self.records:,}", *totals]))
        return lines

    def _cells_of_means(self, table: CountTable, names: list[str]) -> list[str]:
        lines = ["Means, and records behind each:", " | ".join([self.by[0], "all", *names])]
        for at, row in enumerate(self.rows):
            whole = row.number
            means = [whole.mean if whole else None, *table.means[at]]
            behind = [whole.records if whole else 0, *table.numbers[at]]
            cells = [
                NOTHING if mean is None else f"{number_text(mean)} n={count:,}"
                for mean, count in zip(means, behind, strict=True)
            ]
            lines.append(" | ".join([row.name, *cells]))
        return lines


def _signed(value: float) -> str:
    return f"{'+' if value >= 0 else MINUS}{number_text(abs(value))}"

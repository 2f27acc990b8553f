"""Themes by the values of a column: how the share of each differs from that of all records.

In: the records with their themes, and a column; out: a row for each theme and the noise, with
counts, shares and standardised residuals. The residual is that of Haberman, "The analysis of
residuals in cross-classified tables" (1973): beyond ±3 chance alone seldom leads.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from corpuscope.tools.core.errors import BadInput
from corpuscope.tools.core.schema import NOISE, Ints
from corpuscope.tools.core.text import shorten
from corpuscope.tools.exports.source import ExportSource, RunPlaces
from corpuscope.tools.exports.theme_facts import ThemeFacts
from corpuscope.tools.tables.table import Column
from corpuscope.tools.workspace.selection import shown_values
from corpuscope.tools.workspace.slices import IN_NOISE
from corpuscope.tools.workspace.workspace import Workspace

MOST_VALUES = 8
"""Columns of the table that a page holds; rarer values are one."""

FEWEST_OWN = 50
"""Distinct values from which a column that nearly every record has its own in is none to count by.
"""

BEYOND_CHANCE = 3.0
FEWEST_RECORDS = 10
"""Of a cell that is told in words."""

LABEL_CHARACTERS = 40
NO_VALUE, OTHER_VALUES = "no value", "other values"


@dataclass(frozen=True, slots=True)
class CrossCell:
    """A theme among the records of a value: `share` of these (0 to 1), `lift` against all."""

    count: int
    share: float
    lift: float
    residual: float

    @property
    def stands_out(self) -> int:
        """1 where it is more than chance, -1 where less, else 0."""
        if abs(self.residual) < BEYOND_CHANCE:
            return 0
        return 1 if self.residual > 0 else -1


@dataclass(frozen=True, slots=True)
class CrossRow:
    """A theme, or the noise, with its share of all records."""

    id: str
    title: str
    count: int
    share: float
    cells: tuple[CrossCell, ...]


@dataclass(frozen=True, slots=True)
class ThemeCrossing:
    """Themes (rows) by the values of a column, with the records of each value."""

    column: str
    values: tuple[str, ...]
    totals: tuple[int, ...]
    rows: tuple[CrossRow, ...]

    def highlights(self, most: int) -> list[str]:
        """What stands out most, in words: the most certain first."""
        found = [
            (cell.residual, value, row, cell)
            for row in self.rows
            if row.id != NOISE
            for value, cell in zip(self.values, row.cells, strict=True)
            if cell.stands_out > 0 and cell.count >= FEWEST_RECORDS and value != OTHER_VALUES
        ]
        found.sort(key=lambda each: -each[0])
        return [
            f"{cell.share:.1%} of {value} is in "
            f"\u201c{shorten(row.title, LABEL_CHARACTERS)}\u201d, of all {row.share:.1%} "
            f"({cell.lift:.1f} times)"
            for _, value, row, cell in found[:most]
        ]


def check_column(source: ExportSource, name: str) -> None:
    """Refuse a column that themes cannot be told by.

    Raises:
        BadInput: There is no such column, it holds dates, or nearly a value for each record; names
            those that serve.
    """
    kinds = source.table.kinds
    if name not in kinds:
        raise BadInput(f"No metadata column '{shorten(name, 60)}'. {_serving(source)}")
    if kinds[name] == "date":
        raise BadInput(
            f"'{name}' holds dates: the report shows the trend over them by itself. "
            f"{_serving(source)}"
        )
    if not _serves(source, name):
        raise BadInput(
            f"'{name}' has {len(source.table.column(name).values):,} values for "
            f"{len(source.table):,} records: nothing to count by. {_serving(source)}"
        )


def cross_themes(
    workspace: Workspace, source: ExportSource, themes: Sequence[ThemeFacts], name: str
) -> ThemeCrossing:
    """The themes by the values of a column; raises as `check_column` does."""
    check_column(source, name)
    places = source.places
    assert places is not None
    labels, groups = _grouped(workspace, source, source.table.column(name))
    counts = _counts(places, groups, len(labels))
    place = {node.id: at for at, node in enumerate(places.themes)}
    named = [(theme.id, theme.title) for theme in themes] + [(NOISE, NOISE)]
    cells = _cells(counts)
    shares = counts.sum(axis=1) / max(1, counts.sum())
    rows = []
    for id_, title in named:
        at = place.get(id_, IN_NOISE)
        rows.append(
            CrossRow(id_, title, int(counts[at].sum()), float(shares[at]), tuple(cells[at]))
        )
    return ThemeCrossing(name, tuple(labels), tuple(counts.sum(axis=0).tolist()), tuple(rows))


def _serves(source: ExportSource, name: str) -> bool:
    column = source.table.column(name)
    if column.kind == "number":
        return True
    return len(column.values) < FEWEST_OWN or 2 * len(column.values) < len(source.table)


def _serving(source: ExportSource) -> str:
    kinds = source.table.kinds
    names = [name for name, kind in kinds.items() if kind != "date" and _serves(source, name)]
    if not names:
        return "No column of this dataset serves: leave `column` out."
    return f"Columns to count by: {', '.join(names)}."


def _counts(places: RunPlaces, groups: Ints, many: int) -> NDArray[np.int64]:
    """(themes + 1, values) records; the noise is the last row."""
    rows = len(places.themes) + 1
    known = places.codes >= IN_NOISE
    at = places.codes[known].astype(np.int64) % rows
    flat = np.bincount(at * many + groups[known], minlength=rows * many)
    return flat.reshape(rows, many).astype(np.int64)


def _cells(counts: NDArray[np.int64]) -> list[list[CrossCell]]:
    total = max(1, int(counts.sum()))
    row, value = counts.sum(axis=1, keepdims=True), counts.sum(axis=0, keepdims=True)
    with np.errstate(divide="ignore", invalid="ignore"):
        expected = row * value / total
        spread = np.sqrt(expected * (1 - row / total) * (1 - value / total))
        residual = np.nan_to_num((counts - expected) / spread, posinf=0, neginf=0)
        share = np.nan_to_num(counts / value)
        lift = np.nan_to_num(counts / expected)
    return [
        [
            CrossCell(int(counts[r, v]), *(float(each[r, v]) for each in (share, lift, residual)))
            for v in range(counts.shape[1])
        ]
        for r in range(counts.shape[0])
    ]


def _grouped(workspace: Workspace, source: ExportSource, column: Column) -> tuple[list[str], Ints]:
    """The values that get a column of the table, and (k,) which one each record has."""
    codes = column.codes[source.rows]
    if column.kind == "number" and len(column.values) > MOST_VALUES:
        labels, group = _ranges(column, codes)
    else:
        labels, group = _frequent(workspace, column, codes)
    if (codes < 0).any():
        labels.append(NO_VALUE)
    # A missing value has the last place, which is its own.
    place = np.append(group, len(labels) - 1)
    return labels, place[codes].astype(np.int32)


def _frequent(workspace: Workspace, column: Column, codes: Ints) -> tuple[list[str], Ints]:
    counts = np.bincount(codes[codes >= 0], minlength=len(column.values))
    ranked = np.argsort(-counts, kind="stable")
    present = int((counts > 0).sum())
    named = ranked[: min(present, MOST_VALUES if present <= MOST_VALUES else MOST_VALUES - 1)]
    if column.kind != "string":
        named = np.sort(named)
    values = [_word(column.values[at]) for at in named]
    shown = shown_values(workspace, column.name, values)
    labels = [shorten(shown[value], LABEL_CHARACTERS) for value in values]
    group = np.full(len(column.values), len(labels), np.int32)
    group[named] = np.arange(len(labels))
    if present > len(labels):
        labels.append(OTHER_VALUES)
    return labels, group


def _word(value: object) -> str:
    if isinstance(value, bool | np.bool_):
        return "yes" if value else "no"
    if isinstance(value, float | np.floating) and float(value).is_integer():
        return str(int(value))
    return str(value)


def _ranges(column: Column, codes: Ints) -> tuple[list[str], Ints]:
    """A column of many numbers in four parts of about as many records."""
    numbers = column.values[codes[codes >= 0]]
    edges = np.unique(np.quantile(numbers, [0.25, 0.5, 0.75], method="nearest"))
    group = np.searchsorted(edges, column.values, side="left").astype(np.int32)
    labels = [f"up to {_word(edges[0])}"]
    labels += [f"above {_word(low)}, up to {_word(high)}" for low, high in pairwise(edges)]
    return [*labels, f"above {_word(edges[-1])}"], group

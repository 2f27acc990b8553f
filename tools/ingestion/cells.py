"""The cells of a column as texts or as metadata values, and what is wrong with any of them.

In: the values of some rows by column name; out: a value for each row. What is wrong stands beside
it, by the place of the row, since only who goes through the rows in order knows whether it counts.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from corpuscope.tools.core.schema import ColumnType, Scalar
from corpuscope.tools.core.values import PARSERS, is_missing, without_controls

MAX_VALUE_CHARS = 1_000
"""Metadata is for filtering and colouring; longer strings are texts, and fill the store."""

VALUES_REMEMBERED, LONGEST_REMEMBERED = 10_000, 40
"""Strings of a column whose meaning is kept, and their characters: dates and numbers come again
and again."""

Cells: TypeAlias = Sequence[Mapping[str, object]]
"""Row by row, column name to value; a column that a row does not have is missing there."""


def read_texts(cells: Cells, names: Sequence[str]) -> tuple[list[str], dict[int, str]]:
    """The text of each row, cleaned and stripped: its columns in lines, without the empty ones.

    Also what is wrong, by the place of the row, where a column holds no single value.
    """
    wrong: dict[int, str] = {}
    columns = []
    for name in names:
        column = []
        for place, row in enumerate(cells):
            value = row.get(name)
            text = ""
            if isinstance(value, str):
                text = without_controls(value).strip()
            elif not is_missing(value):
                try:
                    text = str(PARSERS["string"](value))
                except ValueError:
                    kind = type(value).__name__
                    wrong.setdefault(place, f"column {name!r} holds a {kind}, not a text")
            column.append(text)
        columns.append(column)
    if len(columns) == 1:
        return columns[0], wrong
    return ["\n".join(filter(None, parts)) for parts in zip(*columns, strict=True)], wrong


@dataclass(slots=True)
class MetadataCells:
    """The metadata of some rows: `values` of each, and what became of them by its place."""

    values: list[dict[str, Scalar]]
    cut: dict[int, int] = field(default_factory=dict)
    """How many strings of the row were cut to `MAX_VALUE_CHARS`."""
    misfits: dict[int, list[str]] = field(default_factory=dict)
    """The columns of the row whose values are not of their type and were left empty."""


class MetadataReader:
    """Reads metadata by the types of its columns."""

    def __init__(self, kinds: Mapping[str, ColumnType]) -> None:
        self._kinds = kinds
        self._known: dict[str, dict[str, Scalar]] = {name: {} for name in kinds}

    def read(self, cells: Cells) -> MetadataCells:
        """The metadata of rows."""
        read = MetadataCells([])
        columns = [self._column(cells, name, read) for name in self._kinds]
        names = list(self._kinds)
        if not names:
            read.values = [{} for _ in cells]
        else:
            rows = zip(*columns, strict=True)
            read.values = [dict(zip(names, row, strict=True)) for row in rows]
        return read

    def _column(self, cells: Cells, name: str, read: MetadataCells) -> list[Scalar]:
        kind, known = self._kinds[name], self._known[name]
        column: list[Scalar] = []
        for place, row in enumerate(cells):
            value = row.get(name)
            parsed: Scalar = None
            if isinstance(value, str):
                if kind == "string":
                    # An empty string is a value here, and of no other type.
                    parsed = without_controls(value)
                elif value in known:
                    parsed = known[value]
                elif not is_missing(value):
                    parsed = self._parsed(name, value, read, place)
                    is_short = len(value) <= LONGEST_REMEMBERED
                    if parsed is not None and is_short and len(known) < VALUES_REMEMBERED:
                        known[value] = parsed
            elif not is_missing(value):
                parsed = self._parsed(name, value, read, place)
            if isinstance(parsed, str) and len(parsed) > MAX_VALUE_CHARS:
                parsed = parsed[:MAX_VALUE_CHARS]
                read.cut[place] = read.cut.get(place, 0) + 1
            column.append(parsed)
        return column

    def _parsed(self, name: str, value: object, read: MetadataCells, place: int) -> Scalar:
        """What a value means; None, and a misfit of its row, where it is not of the type."""
        try:
            return PARSERS[self._kinds[name]](value)
        except (ValueError, OverflowError):
            read.misfits.setdefault(place, []).append(name)
            return None

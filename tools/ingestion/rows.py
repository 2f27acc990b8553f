"""The rows of a source before anyone knows what its columns mean, and what all readers share.

A reader yields a `Row` for each sound row of its source and a `BadRow`, with the reason, in place
of each unsound one; what is wrong with the whole source it raises as BadInput.
"""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

from corpuscope.tools.core.errors import BadInput


@dataclass(frozen=True, slots=True)
class Row:
    """One row as it stands in the file.

    `number` is the 1-based line on which it starts (csv, tsv, jsonl) or its 1-based row number
    (json, parquet, inline; in xlsx the sheet's own, the header included). Values are what the
    format gives: str from csv, JSON types, datetime from xlsx; lists of numbers in parquet are
    1-D numpy arrays.
    """

    number: int
    values: dict[str, object]


@dataclass(frozen=True, slots=True)
class BadRow:
    """A row that could not be read, and why; `number` as in `Row`."""

    number: int
    reason: str


Rows: TypeAlias = Iterator[Row | BadRow]


def inline_rows(rows: list[dict[str, Any]]) -> Iterator[Row]:
    """Rows given in the call itself, numbered from 1."""
    return (Row(number, values) for number, values in enumerate(rows, 1))


def check_size(path: Path, size: int, max_bytes: int, verb: str) -> None:
    """Raises BadInput where `size` bytes are too many; `verb` says what they are of ("holds")."""
    if size > max_bytes:
        raise BadInput(
            f"{path.name}: {verb} {size:,} bytes, the limit is {max_bytes:,}; "
            "split the file, or raise the limit in the settings"
        )


def column_names(header: Sequence[object], source: str) -> list[str]:
    """Column names from the cells of a header row; a column without one is called by its place.

    Raises BadInput, which begins with `source`: the row is of numbers or empty and so no header, or
    names repeat.
    """
    names = ["" if cell is None else str(cell).strip() for cell in header]
    if all(re.fullmatch(r"[-+.\d\s]*", name) for name in names):
        raise BadInput(
            f"{source}: no header; the first row must name the columns, it is {names[:5]}"
        )
    names = [name or f"column_{place}" for place, name in enumerate(names, 1)]
    check_names_differ(names, source)
    return names


def check_names_differ(names: Sequence[str], source: str) -> None:
    """Raises BadInput where a column name repeats: a row keeps one value per name."""
    repeated = [name for name, times in Counter(names).items() if times > 1]
    if repeated:
        raise BadInput(f"{source}: column names must differ; repeated: {', '.join(repeated[:10])}")

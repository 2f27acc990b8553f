"""The rows of a source before anyone knows what its columns mean, and what all readers share.

A reader yields a `Row` for each sound row of its source and a `BadRow`, with the reason, in place
of each unsound one; what is wrong with the whole source, or beyond its limits, it raises as
BadInput.
"""

import math
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, ClassVar, TypeAlias

from corpuscope.tools.core.errors import BadInput
from corpuscope.tools.readers.source import MAX_COLUMNS, Source

MAX_DEPTH = 64
"""Lists and objects within each other: no row has more, and what goes through values step by step
ends at several hundred."""

MAX_INTEGER_BITS = 14_000
"""Of an integer in a row: longer ones cannot be written out (Python's limit is 4,300 digits)."""

BLOCK_BYTES = 32 * 2**20
"""Memory of the rows that are held together; a longer row stands alone."""

COUNTED_AT_ONCE = 100

OBJECT_BYTES, ITEM_BYTES = 64, 32
"""About the memory of an empty list or object, and of each item in one."""


@dataclass(frozen=True, slots=True)
class Row:
    """One row as it stands in the file.

    `number` is the 1-based line on which it starts (csv, tsv, jsonl) or its 1-based row number
    (json, parquet, inline; in xlsx the sheet's own, the header included). Values are what the
    format gives: str from csv, JSON types, datetime from xlsx; lists of numbers in parquet are
    1-D numpy arrays. `size`: about the bytes of memory that it takes.
    """

    number: int
    values: dict[str, object]
    size: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class BadRow:
    """A row that could not be read, and why; `number` as in `Row`."""

    number: int
    reason: str
    size: ClassVar[int] = 0


Rows: TypeAlias = Iterator[Row | BadRow]


def inline_rows(rows: list[dict[str, Any]]) -> Rows:
    """Rows given in the call itself, numbered from 1."""
    return (object_row(number, values) for number, values in enumerate(rows, 1))


def object_row(number: int, item: object, size: int = 0) -> Row | BadRow:
    """The row of a JSON value; a BadRow where it is no object, or holds what none can."""
    if not isinstance(item, dict):
        return BadRow(number, f"a JSON {type(item).__name__}, not an object")
    if len(item) > MAX_COLUMNS:
        return BadRow(number, f"{len(item):,} columns, the limit is {MAX_COLUMNS:,}")
    for name, value in item.items():
        if isinstance(value, float) and not math.isfinite(value):
            return BadRow(number, f"{name[:40]!r} is {value}: not finite, or too long; write null")
        if isinstance(value, int) and value.bit_length() > MAX_INTEGER_BITS:
            return BadRow(number, f"{name[:40]!r} has more than 4,300 digits; write it as text")
        if isinstance(value, list | dict) and is_too_deep(value):
            return BadRow(number, f"{name[:40]!r} is nested more than {MAX_DEPTH} deep")
    return Row(number, item, size)


def is_too_deep(value: object) -> bool:
    """Whether lists and objects stand within each other more than `MAX_DEPTH` deep."""
    level = [value]
    for _ in range(MAX_DEPTH):
        inner: list[object] = []
        for item in level:
            inner += item.values() if isinstance(item, dict) else item  # type: ignore[arg-type]
        level = [item for item in inner if type(item) in (list, dict)]
        if not level:
            return False
    return True


def blocks(
    rows: Iterable[Row | BadRow], most: int, most_bytes: int = BLOCK_BYTES
) -> Iterator[list[Row | BadRow]]:
    """The rows in lists of `most`, or of fewer where these take `most_bytes` of memory."""
    block: list[Row | BadRow] = []
    size = 0
    for row in rows:
        block.append(row)
        size += row.size
        if size >= most_bytes or len(block) == most:
            yield block
            block, size = [], 0
    if block:
        yield block


def limited(rows: Rows, source: Source) -> Rows:
    """The same rows; raises BadInput where they or their cells are too many, give or take a few."""
    count, cells, limits = 0, 0, source.limits
    for row in rows:
        yield row
        # One in `COUNTED_AT_ONCE` is looked at: looking at each would take as long as reading it.
        yield from islice(rows, COUNTED_AT_ONCE - 1)
        count += COUNTED_AT_ONCE
        cells += COUNTED_AT_ONCE * (len(row.values) if isinstance(row, Row) else 0)
        if count > limits.rows or cells > limits.cells:
            most, what = (limits.rows, "rows") if count > limits.rows else (limits.cells, "cells")
            raise BadInput(
                f"{source.name}: more than {most:,} {what}, the limit; split the file, or read a "
                "part of it with `limit`"
            )


def column_names(header: Sequence[object], source: Source) -> list[str]:
    """Column names from the cells of a header row; a column without one is called by its place.

    Raises BadInput: the row is of numbers or empty and so no header, has too many columns, or names
    repeat.
    """
    source.check_width(len(header))
    names = ["" if cell is None else str(cell).strip() for cell in header]
    if all(re.fullmatch(r"[-+.\d\s]*", name) for name in names):
        shown = [name[:40] for name in names[:5]]
        raise BadInput(
            f"{source.name}: no header; the first row must name the columns, it is {shown}"
        )
    names = [name or f"column_{place}" for place, name in enumerate(names, 1)]
    check_names_differ(names, source.name)
    return names


def check_names_differ(names: Sequence[str], source: str) -> None:
    """Raises BadInput where a column name repeats: a row keeps one value per name."""
    repeated = [name[:40] for name, times in Counter(names).items() if times > 1]
    if repeated:
        raise BadInput(f"{source}: column names must differ; repeated: {', '.join(repeated[:10])}")

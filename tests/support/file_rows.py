"""Files written and read back in tests of the readers: their rows, the sound and the bad ones."""

from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

from corpuscope.tools.readers.formats import open_source, read_rows
from corpuscope.tools.readers.rows import BadRow, Row, Rows
from corpuscope.tools.readers.source import ReadLimits, Source

LIMIT = 10_000_000

Read: TypeAlias = Callable[[str, bytes | str], list[Row | BadRow]]
"""Writes a content under a name and reads all its rows."""


def opened(path: Path, encoding: str | None = None, **limits: int) -> Source:
    """The file with these limits, and 10 MB at most."""
    return open_source(path, ReadLimits(**{"max_bytes": LIMIT, **limits}), encoding)


def rows_of(path: Path, encoding: str | None = None, **limits: int) -> Rows:
    return read_rows(opened(path, encoding, **limits))


def write_and_read(path: Path, content: bytes | str) -> list[Row | BadRow]:
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return list(rows_of(path))


def values(rows: list[Row | BadRow]) -> list[dict[str, object]]:
    return [row.values for row in rows if isinstance(row, Row)]


def bad(rows: list[Row | BadRow]) -> list[BadRow]:
    return [row for row in rows if isinstance(row, BadRow)]


def short(value: object) -> str:
    """A name for a test case whose content may be long."""
    return str(value)[:20]

"""Files written and read back in tests of the readers: their rows, the sound and the bad ones."""

from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

from corpuscope.tools.ingestion.readers import read_rows
from corpuscope.tools.ingestion.rows import BadRow, Row

LIMIT = 10_000_000

Read: TypeAlias = Callable[[str, bytes | str], list[Row | BadRow]]
"""Writes a content under a name and reads all its rows."""


def write_and_read(path: Path, content: bytes | str) -> list[Row | BadRow]:
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return list(read_rows(path, max_bytes=LIMIT))


def values(rows: list[Row | BadRow]) -> list[dict[str, object]]:
    return [row.values for row in rows if isinstance(row, Row)]


def bad(rows: list[Row | BadRow]) -> list[BadRow]:
    return [row for row in rows if isinstance(row, BadRow)]


def short(value: object) -> str:
    """A name for a test case whose content may be long."""
    return str(value)[:20]

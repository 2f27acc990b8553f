"""The rows of a file: its reader is chosen by the ending of its name.

In: a path and limits; out: rows, one after the other, without holding the file in memory. What is
wrong with the whole file is a `BadInput`; what is wrong with one row is a `BadRow` in its place,
and the reading goes on.
"""

import io
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from corpuscope.tools.core.errors import BadInput
from corpuscope.tools.readers.encodings import text_encoding
from corpuscope.tools.readers.parquet_files import parquet_rows
from corpuscope.tools.readers.rows import Rows, limited
from corpuscope.tools.readers.sheets import xlsx_rows
from corpuscope.tools.readers.source import ReadLimits, Source, tell_nobody
from corpuscope.tools.readers.text_files import delimited_rows, json_document_rows, json_line_rows

READERS: dict[str, Callable[[Source], Rows]] = {
    ".csv": delimited_rows,
    ".tsv": delimited_rows,
    ".json": json_document_rows,
    ".jsonl": json_line_rows,
    ".ndjson": json_line_rows,
    ".parquet": parquet_rows,
    ".xlsx": xlsx_rows,
}
"""By the ending of the name, the reader: from a source to rows."""

BINARY = (".parquet", ".xlsx")
"""Formats that are no text: they are not packed as .gz, and have no encoding."""

FORMATS = (
    *READERS,
    *(f"{suffix}.gz" for suffix in READERS if suffix not in BINARY),
)
"""The endings of the file names that can be read."""


def open_source(
    path: Path,
    limits: ReadLimits,
    encoding: str | None = None,
    tell: Callable[[float], None] = tell_nobody,
) -> Source:
    """The file as `read_rows` takes it, with its encoding where it is text.

    path: a file whose name ends in one of `FORMATS` (any case). encoding: of a text file; None: it
    is detected, which reads the file once or twice. tell: takes the share of the file (0 to 1) that
    was read, again and again and at each reading.

    Raises BadInput: no such file, unknown suffix, too large, empty, no text, an encoding that is
    none.
    """
    name = path.name.lower()
    suffix = next((known for known in FORMATS if name.endswith(known)), None)
    if suffix is None:
        raise BadInput(
            f"{path.name}: unknown kind of file; its name must end in one of {', '.join(FORMATS)}"
        )
    try:
        # Opening a pipe or a device could wait for ever.
        if not path.is_file():
            raise BadInput(f"{path} is not a file; check the path")
        with path.open("rb") as stream:
            size = stream.seek(0, io.SEEK_END)
    except OSError as error:
        raise BadInput(f"{path.name}: cannot be read: {error.strerror}") from error
    if size == 0:
        raise BadInput(f"{path.name}: the file is empty")
    source = Source(path, size, limits, tell=tell)
    source.check_size(size, "holds")
    if suffix not in BINARY:
        return replace(source, encoding=text_encoding(source, encoding))
    if encoding is not None:
        raise BadInput(f"{path.name}: {suffix} has no encoding of its own; leave `encoding` out")
    return source


def read_rows(source: Source) -> Rows:
    """The rows of a file, read as they are asked for.

    The csv delimiter is the most frequent of `, ; tab |` in the header line; tsv is split at tabs.
    Blank lines are no rows. Of an xlsx file the first sheet is read, formulas as saved values.

    Raises BadInput while reading: beyond the limits, no header, repeated column names, damaged or
    truncated, or JSON that is neither a list of objects nor an object with exactly one such list.
    """
    suffix = source.path.with_name(source.name.lower().removesuffix(".gz")).suffix
    return limited(READERS[suffix](source), source)

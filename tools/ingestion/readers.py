"""The rows of a file: its reader is chosen by the ending of its name.

In: a path and a limit on bytes; out: rows, one after the other, without holding the file in memory
(a json document aside). What is wrong with the whole file is a `BadInput`; what is wrong with one
row is a `BadRow` in its place, and the reading goes on.
"""

import io
from collections.abc import Callable
from pathlib import Path

from corpuscope.tools.core.errors import BadInput
from corpuscope.tools.ingestion.rows import Rows, check_size
from corpuscope.tools.ingestion.table_files import parquet_rows, xlsx_rows
from corpuscope.tools.ingestion.text_files import delimited_rows, json_document_rows, json_line_rows

READERS: dict[str, Callable[..., Rows]] = {
    ".csv": delimited_rows,
    ".tsv": delimited_rows,
    ".json": json_document_rows,
    ".jsonl": json_line_rows,
    ".ndjson": json_line_rows,
    ".parquet": parquet_rows,
    ".xlsx": xlsx_rows,
}
"""By the ending of the name, the reader: from a path and the limit on unpacked bytes to rows. Those
of text files take an encoding, too."""

BINARY = (".parquet", ".xlsx")
"""Formats that are no text: they are not packed as .gz, and have no encoding."""

FORMATS = (
    *READERS,
    *(f"{suffix}.gz" for suffix in READERS if suffix not in BINARY),
)
"""The endings of the file names that can be read."""


def read_rows(path: Path, *, max_bytes: int, encoding: str | None = None) -> Rows:
    """The rows of a file, read as they are asked for.

    path: a file whose name ends in one of `FORMATS` (any case). The csv delimiter is the most
    frequent of `, ; tab |` in the header line; tsv is split at tabs. Blank lines are no rows.
    Of an xlsx file the first sheet is read, formulas as their saved values.
    max_bytes: limit on the file, and on what it unpacks to (gzip, xlsx, parquet).
    encoding: of a text file; None: it is detected.

    Raises BadInput, at once or while reading: no such file, unknown suffix, too large, empty, no
    header, repeated column names, no text, damaged or truncated, an encoding that is none, or JSON
    that is neither a list of objects nor an object with exactly one such list.
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
    check_size(path, size, max_bytes, "holds")
    reader = READERS[suffix.removesuffix(".gz")]
    if encoding is None:
        return reader(path, max_bytes)
    if suffix in BINARY:
        raise BadInput(f"{path.name}: {suffix} has no encoding of its own; leave `encoding` out")
    return reader(path, max_bytes, encoding)

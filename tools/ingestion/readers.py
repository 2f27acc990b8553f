"""The rows of a file, one after the other, without holding the file in memory.

What is wrong with the whole file is a `BadInput`; what is wrong with one row is a `BadRow` in its
place, and the reading goes on. Encodings and values are never guessed: text files are UTF-8.
"""

import csv
import gzip
import io
import json
import math
import re
import zipfile
import zlib
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, count
from pathlib import Path
from typing import Any

from corpuscope.tools.core.errors import BadInput

MAX_FIELD = 2**20
"""Characters in one csv field. A text is cut at 65,535 bytes later, so that a field this long is
nearly always a quote that was never closed; the limit is also what ends that field."""

MAX_LINE = 16 * 2**20
"""Bytes in one line of a csv or jsonl file: keeps a bomb without line ends out of memory."""

MAX_SHEET_ROW = 1_048_576
"""Excel's last row. A row number beyond it in a sheet would be filled up with empty rows."""

PARQUET_BATCH = 256
"""Rows decoded at a time, and so what a hostile file can unpack before it is measured."""


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
    """A row that could not be read, and why."""

    number: int
    reason: str


Rows = Iterator[Row | BadRow]


def read_rows(path: Path, *, max_bytes: int) -> Rows:
    """The rows of a file, read as they are asked for.

    path: a file whose name ends in one of `FORMATS` (any case). The csv delimiter is the most
    frequent of `, ; tab |` in the header line; tsv is split at tabs. Blank lines are no rows.
    Of an xlsx file the first sheet is read, formulas as their saved values.
    max_bytes: limit on the file, and on what it unpacks to (gzip, xlsx, parquet).

    Raises BadInput, at once or while reading: no such file, unknown suffix, too large, empty, no
    header, repeated column names, not UTF-8, NUL bytes, damaged or truncated, or JSON that is
    neither a list of objects nor an object with exactly one such list.
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
    _check_size(path, size, max_bytes, "holds")
    return _READERS[suffix.removesuffix(".gz")](path, max_bytes)


def inline_rows(rows: list[dict[str, Any]]) -> Iterator[Row]:
    """Rows given in the call itself, numbered from 1."""
    return (Row(number, values) for number, values in enumerate(rows, 1))


def _check_size(path: Path, size: int, max_bytes: int, verb: str) -> None:
    if size > max_bytes:
        raise BadInput(
            f"{path.name}: {verb} {size:,} bytes, the limit is {max_bytes:,}; "
            "split the file, or raise the limit in the settings"
        )


def _lines(path: Path, max_bytes: int, max_line: int) -> Iterator[str]:
    """The lines of a UTF-8 file with their line ends, unpacked where the name ends in .gz."""
    packed = path.name.lower().endswith(".gz")
    seen = 0
    with gzip.open(path, "rb") if packed else path.open("rb") as stream:
        for number in count(1):
            try:
                raw = stream.readline(max_line + 1)
            except (EOFError, gzip.BadGzipFile, zlib.error) as error:
                raise BadInput(
                    f"{path.name}: damaged or truncated gzip after line {number - 1:,} ({error}); "
                    "copy or compress the file again"
                ) from error
            if not raw:
                return
            seen += len(raw)
            _check_size(path, seen, max_bytes, "unpacks to at least" if packed else "holds")
            if len(raw) > max_line:
                raise BadInput(
                    f"{path.name}: line {number:,} is longer than {max_line:,} bytes; "
                    "is it one record per line?"
                )
            yield _decoded(raw, number, path)


def _decoded(raw: bytes, number: int, path: Path) -> str:
    advice = (
        "save the file as UTF-8 (Excel: 'CSV UTF-8'; shell: iconv -f WINDOWS-1252 -t UTF-8) "
        "and ingest that"
    )
    if b"\0" in raw:
        raise BadInput(
            f"{path.name}: line {number:,} holds a NUL byte, so it is UTF-16 or no text; {advice}"
        )
    try:
        return raw.decode("utf-8-sig" if number == 1 else "utf-8")
    except UnicodeDecodeError as error:
        raise BadInput(
            f"{path.name}: line {number:,} is not UTF-8 (byte 0x{raw[error.start]:02x}); {advice}"
        ) from error


def _names(cells: Sequence[object], where: str) -> list[str]:
    """Column names from a header row; a column without a name is called by its place."""
    names = ["" if cell is None else str(cell).strip() for cell in cells]
    if all(re.fullmatch(r"[-+.\d\s]*", name) for name in names):
        raise BadInput(
            f"{where}: no header; the first row must name the columns, it is {names[:5]}"
        )
    names = [name or f"column_{place}" for place, name in enumerate(names, 1)]
    _check_names(names, where)
    return names


def _check_names(names: list[str], where: str) -> None:
    repeated = [name for name, times in Counter(names).items() if times > 1]
    if repeated:
        raise BadInput(f"{where}: column names must differ; repeated: {', '.join(repeated[:10])}")


def _delimited(path: Path, max_bytes: int) -> Rows:
    lines = _lines(path, max_bytes, MAX_LINE)
    skipped, header = next(
        ((place, line) for place, line in enumerate(lines) if line.strip()), (0, "")
    )
    if not header:
        raise BadInput(f"{path.name}: the file is empty")
    bare = re.sub(r'"[^"]*"', "", header)
    # max keeps the first of equals, so that a header of one column counts as comma-separated.
    tabs = path.name.lower().removesuffix(".gz").endswith(".tsv")
    delimiter = "\t" if tabs else max(",;\t|", key=bare.count)
    # The limit belongs to the whole process and csv offers no other. It is only ever raised.
    csv.field_size_limit(max(csv.field_size_limit(), MAX_FIELD))
    # Tab-separated texts are often written without quoting, so that a stray quote is content.
    reader = csv.reader(chain([header], lines), delimiter=delimiter, strict=delimiter != "\t")
    try:
        names = _names(next(reader), path.name)
    except csv.Error as error:
        raise BadInput(
            f"{path.name}: the header cannot be read: {error}; do the lines end with LF or CRLF?"
        ) from error
    while True:
        number = skipped + reader.line_num + 1
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            yield BadRow(number, f"{error}; a quote is not closed, or one inside is not doubled")
            continue
        if len(cells) == len(names):
            yield Row(number, dict(zip(names, cells, strict=True)))
        elif cells:
            yield BadRow(number, f"{len(cells)} fields, the header has {len(names)}")


def _object_row(number: int, item: object) -> Row | BadRow:
    if not isinstance(item, dict):
        return BadRow(number, f"a JSON {type(item).__name__}, not an object")
    for name, value in item.items():
        if isinstance(value, float) and not math.isfinite(value):
            return BadRow(number, f"{name!r} is {value}, which is no JSON number; write null")
    return Row(number, item)


def _json_lines(path: Path, max_bytes: int) -> Rows:
    number = 0
    for number, line in enumerate(_lines(path, max_bytes, MAX_LINE), 1):
        if not line.strip():
            continue
        try:
            item = json.loads(line)
        except RecursionError:
            yield BadRow(number, "nested too deeply")
        except ValueError as error:
            yield BadRow(number, f"not valid JSON: {error}")
        else:
            yield _object_row(number, item)
    if not number:
        raise BadInput(f"{path.name}: the file is empty")


def _json_document(path: Path, max_bytes: int) -> Rows:
    text = "".join(_lines(path, max_bytes, max_bytes))
    try:
        for number, item in enumerate(_json_items(text, path), 1):
            if number == 1 and not isinstance(item, dict):
                raise BadInput(
                    f"{path.name}: a list of {type(item).__name__}, not of objects; "
                    'write [{"text": "…"}, …]'
                )
            yield _object_row(number, item)
    except RecursionError as error:
        raise BadInput(f"{path.name}: the JSON is nested too deeply") from error
    except ValueError as error:
        many = str(error).startswith("Extra data")
        hint = "; if it is one object per line, name it .jsonl" if many else ""
        raise BadInput(f"{path.name}: not valid JSON: {error}{hint}") from error


def _json_items(text: str, path: Path) -> Iterator[object]:
    """The items of the document's list. A list on top is decoded item by item: the objects of a
    whole file take several times the memory of its text."""
    decoder = json.JSONDecoder()
    opening = re.match(r"[ \t\r\n]*\[[ \t\r\n]*(]?)[ \t\r\n]*", text)
    if opening is None:
        yield from _wrapped_list(decoder.decode(text), path)
        return
    separator = re.compile(r"[ \t\r\n]*([],])[ \t\r\n]*")
    place, closed = opening.end(), opening[1]
    while not closed:
        item, place = decoder.raw_decode(text, place)
        yield item
        found = separator.match(text, place)
        if found is None:
            raise json.JSONDecodeError("Expecting ',' delimiter", text, place)
        place, closed = found.end(), found[1].strip(",")
    if place != len(text):
        raise json.JSONDecodeError("Extra data", text, place)


def _wrapped_list(document: object, path: Path) -> list[object]:
    fields = document if isinstance(document, dict) else {}
    values = [value for value in fields.values() if isinstance(value, list)]
    lists = [value for value in values if value and isinstance(value[0], dict)]
    if len(lists) != 1:
        found = f"{len(lists)} lists of objects" if fields else f"a {type(document).__name__}"
        raise BadInput(
            f"{path.name}: {found}; expected a list of objects, or an object with exactly one "
            "such list"
        )
    return lists[0]


def _parquet(path: Path, max_bytes: int) -> Rows:
    import pyarrow as pa
    from pyarrow import parquet

    number = decoded = 0
    try:
        with parquet.ParquetFile(path) as file:
            names = file.schema_arrow.names
            _check_names(names, path.name)
            groups = map(file.metadata.row_group, range(file.metadata.num_row_groups))
            declared = sum(group.total_byte_size for group in groups)
            _check_size(path, declared, max_bytes, "unpacks to")
            for batch in file.iter_batches(batch_size=PARQUET_BATCH):
                # Dictionary and run-length pages grow beyond the declared size.
                decoded += batch.nbytes
                _check_size(path, decoded, max_bytes, "unpacks to at least")
                for values in zip(*map(_column_values, batch.columns), strict=True):
                    number += 1
                    yield Row(number, dict(zip(names, values, strict=True)))
    except (pa.ArrowException, OSError, ValueError, OverflowError) as error:
        raise BadInput(
            f"{path.name}: cannot be read as parquet: {_first_line(error)}; write the file again"
        ) from error


def _column_values(column: Any) -> list[object]:
    """The values of one Arrow array; what Python cannot hold exactly comes as text."""
    import pyarrow as pa

    kind = column.type
    if pa.types.is_timestamp(kind) and kind.tz is not None:
        # Only the label changes, and UTC needs no time zone database.
        column = column.cast(pa.timestamp(kind.unit, "UTC"))
    if pa.types.is_temporal(kind) and not pa.types.is_interval(kind):
        # Python's dates end with the year 9999 and its times with microseconds.
        column = column.cast(pa.string())
    if pa.types.is_dictionary(kind):
        # Rows share the words of the dictionary, instead of one copy each.
        words: list[object] = column.dictionary.to_pylist()
        return [None if place is None else words[place] for place in column.indices.to_pylist()]
    lists = (pa.ListType, pa.LargeListType, pa.FixedSizeListType)
    if isinstance(kind, lists) and re.match(r"u?int|half|float|double", str(kind.value_type)):
        # Vectors: a numpy array is tens of times faster than a list of Python floats.
        return [
            cell.values.to_numpy(zero_copy_only=False) if cell.is_valid else None for cell in column
        ]
    values: list[object] = column.to_pylist()
    return values


def _xlsx(path: Path, max_bytes: int) -> Rows:
    names: list[str] = []
    for number, cells in enumerate(_sheet_rows(path, max_bytes), 1):
        filled = len(cells)
        while filled and cells[filled - 1] is None:
            filled -= 1
        if not filled:
            continue
        if not names:
            names = _names(cells[:filled], path.name)
        elif filled > len(names):
            yield BadRow(number, f"{filled} cells, the header has {len(names)}")
        else:
            # A sheet does not store the empty cells at the end of a row.
            row = [*cells[:filled], *[None] * (len(names) - filled)]
            yield Row(number, dict(zip(names, row, strict=True)))
    if not names:
        raise BadInput(f"{path.name}: the first sheet is empty")


def _sheet_rows(path: Path, max_bytes: int) -> Iterator[tuple[object, ...]]:
    from xml.etree.ElementTree import ParseError

    import openpyxl

    try:
        with path.open("rb") as stream:
            with zipfile.ZipFile(stream) as archive:
                unpacked = sum(part.file_size for part in archive.infolist())
            _check_size(path, unpacked, max_bytes, "unpacks to")
            sheet = openpyxl.load_workbook(stream, read_only=True, data_only=True).worksheets[0]
            # Some exporters write a wrong size into the sheet, and cells beyond it would be lost.
            sheet.reset_dimensions()
            for cells in sheet.iter_rows(max_row=MAX_SHEET_ROW, values_only=True):
                yield tuple(
                    cell.replace("_x000D_", "\r") if isinstance(cell, str) else cell
                    for cell in cells
                )
    except (
        *(zipfile.BadZipFile, zlib.error, ParseError, EOFError, OSError, RuntimeError),
        # What openpyxl lets out when a part is missing or does not say what it should.
        *(LookupError, ArithmeticError, ValueError, TypeError, AttributeError),
    ) as error:
        raise BadInput(
            f"{path.name}: cannot be read as xlsx ({type(error).__name__}: {_first_line(error)}); "
            "is it protected by a password or an old .xls? Save it as xlsx or csv and ingest that"
        ) from error


def _first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0][:200]


_READERS: dict[str, Callable[[Path, int], Rows]] = {
    ".csv": _delimited,
    ".tsv": _delimited,
    ".json": _json_document,
    ".jsonl": _json_lines,
    ".ndjson": _json_lines,
    ".parquet": _parquet,
    ".xlsx": _xlsx,
}

FORMATS = (
    *_READERS,
    *(f"{suffix}.gz" for suffix in _READERS if suffix not in (".parquet", ".xlsx")),
)
"""The endings of the file names that can be read."""

"""Rows of text files: csv, tsv, jsonl (ndjson) and json, each also packed as .gz.

In: a path, the limit on the unpacked bytes, and the encoding where the caller gives one; out: rows,
as they are asked for. Lines are unpacked, measured and decoded one at a time; csv goes through
Python's csv module, jsonl line by line through its json. A json document is held as text
(two to three times its bytes at the peak), and the items of its list are decoded one by one: the
objects of a whole file would take several times the memory of its text.
"""

import csv
import json
import math
import re
from collections.abc import Iterator
from itertools import chain
from pathlib import Path

from corpuscope.tools.core.errors import BadInput
from corpuscope.tools.ingestion.encodings import decoded_lines
from corpuscope.tools.ingestion.rows import BadRow, Row, Rows, column_names

MAX_FIELD_CHARACTERS = 2**20
"""Characters in one csv field. A text is cut at 65,535 bytes later, so that a field this long is
nearly always a quote that was never closed; the limit is also what ends that field."""

MAX_LINE_CHARACTERS = 16 * 2**20
"""Characters in one line of a csv or jsonl file: keeps a bomb without line ends out of memory."""


def delimited_rows(path: Path, max_bytes: int, encoding: str | None = None) -> Rows:
    """The rows of a csv or tsv file, all values as str, numbered by the line they start on.

    A row with another number of fields than the header, or with a quote that is not closed or not
    doubled, is a BadRow. Raises BadInput: no lines, no header or one that cannot be read, and what
    `decoded_lines` raises.
    """
    lines = decoded_lines(path, max_bytes, MAX_LINE_CHARACTERS, encoding)
    skipped, header = next(
        ((place, line) for place, line in enumerate(lines) if line.strip()), (0, "")
    )
    if not header:
        raise BadInput(f"{path.name}: the file is empty")
    unquoted = re.sub(r'"[^"]*"', "", header)
    is_tsv = path.name.lower().removesuffix(".gz").endswith(".tsv")
    # max keeps the first of equals, so that a header of one column counts as comma-separated.
    delimiter = "\t" if is_tsv else max(",;\t|", key=unquoted.count)
    # The limit belongs to the whole process and csv offers no other. It is only ever raised.
    csv.field_size_limit(max(csv.field_size_limit(), MAX_FIELD_CHARACTERS))
    # Tab-separated texts are often written without quoting, so that a stray quote is content.
    reader = csv.reader(chain([header], lines), delimiter=delimiter, strict=delimiter != "\t")
    try:
        names = column_names(next(reader), path.name)
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


def json_line_rows(path: Path, max_bytes: int, encoding: str | None = None) -> Rows:
    """The rows of a jsonl file, one object a line, numbered by line; blank lines are no rows.

    A line that is no object, or holds a number that is not finite, is a BadRow. Raises BadInput: no
    lines, and what `decoded_lines` raises.
    """
    number = 0
    for number, line in enumerate(decoded_lines(path, max_bytes, MAX_LINE_CHARACTERS, encoding), 1):
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


def json_document_rows(path: Path, max_bytes: int, encoding: str | None = None) -> Rows:
    """The rows of a json file: a list of objects, or an object with exactly one such list.

    They are numbered from 1; a later item that is no object, or holds a number that is not finite,
    is a BadRow. Raises BadInput: another document, JSON that is not valid or nested too deeply, and
    what `decoded_lines` raises.
    """
    text = "".join(decoded_lines(path, max_bytes, max_bytes, encoding))
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
        has_more = str(error).startswith("Extra data")
        hint = "; if it is one object per line, name it .jsonl" if has_more else ""
        raise BadInput(f"{path.name}: not valid JSON: {error}{hint}") from error


def _object_row(number: int, item: object) -> Row | BadRow:
    if not isinstance(item, dict):
        return BadRow(number, f"a JSON {type(item).__name__}, not an object")
    for name, value in item.items():
        if isinstance(value, float) and not math.isfinite(value):
            return BadRow(number, f"{name!r} is {value}, which is no JSON number; write null")
    return Row(number, item)


def _json_items(text: str, path: Path) -> Iterator[object]:
    """The items of the document's list; a list on top is decoded item by item."""
    # Not by ijson 3.6, though it took half the time and 4 MB instead of 229 for an array of 118 MB:
    # one NaN or integer beyond 64 bits ends the file there instead of costing a row, and nesting
    # costs it memory by the square of its depth (20,000 brackets: 1 GB).
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
        sign = separator.match(text, place)
        if sign is None:
            raise json.JSONDecodeError("Expecting ',' delimiter", text, place)
        place, closed = sign.end(), sign[1].strip(",")
    if place != len(text):
        raise json.JSONDecodeError("Extra data", text, place)


def _wrapped_list(document: object, path: Path) -> list[object]:
    fields = document if isinstance(document, dict) else {}
    lists = [value for value in fields.values() if isinstance(value, list)]
    object_lists = [items for items in lists if items and isinstance(items[0], dict)]
    if len(object_lists) != 1:
        actual = (
            f"{len(object_lists)} lists of objects" if fields else f"a {type(document).__name__}"
        )
        raise BadInput(
            f"{path.name}: {actual}; expected a list of objects, or an object with exactly one "
            "such list"
        )
    return object_lists[0]

"""Rows of text files: csv, tsv, jsonl (ndjson) and json, each also packed as .gz.

In: a source with its encoding; out: rows, as they are asked for. What is unpacked, measured and
decoded goes by in small pieces: csv through Python's csv module, jsonl line by line and the items
of a json document one by one through its json. No more than one row is held.
"""

import csv
import json
import math
import re
from collections.abc import Iterator
from itertools import chain
from sys import getsizeof

from corpuscope.tools.core.errors import BadInput
from corpuscope.tools.readers.rows import (
    ITEM_BYTES,
    OBJECT_BYTES,
    BadRow,
    Row,
    Rows,
    column_names,
    object_row,
)
from corpuscope.tools.readers.source import Source, decoded_lines, decoded_pieces

MAX_FIELD_CHARACTERS = 2**20
"""Characters in one csv field. A text is cut at 65,535 bytes later, so that a field this long is
nearly always a quote that was never closed; the limit is also what ends that field."""

LONGEST_SIGN = len(r"\ud83d\ude00")
"""Characters of a word, a number's sign or an escape of JSON, any of which may be cut off where the
buffer ends."""

TOO_DEEP = "nested too deeply"
SPACE = re.compile(r"[ \t\r\n]*")


def delimited_rows(source: Source) -> Rows:
    """The rows of a csv or tsv file, all values as str, numbered by the line they start on.

    A row with another number of fields than the header, or with a quote that is not closed or not
    doubled, is a BadRow. Raises BadInput: no lines, no header or one that cannot be read, a row of
    too many characters, and what `decoded_lines` raises.
    """
    lines = decoded_lines(source)
    skipped, header = next(
        ((place, line) for place, line in enumerate(lines) if line.strip()), (0, "")
    )
    if not header:
        raise BadInput(f"{source.name}: the file is empty")
    unquoted = re.sub(r'"[^"]*"', "", header)
    is_tsv = source.name.lower().removesuffix(".gz").endswith(".tsv")
    # max keeps the first of equals, so that a header of one column counts as comma-separated.
    delimiter = "\t" if is_tsv else max(",;\t|", key=unquoted.count)
    source.check_width(unquoted.count(delimiter) + 1)
    # The limit belongs to the whole process and csv offers no other. It is only ever raised.
    csv.field_size_limit(max(csv.field_size_limit(), MAX_FIELD_CHARACTERS))
    taken = [0]
    row_lines = _measured(chain([header], lines), taken, source)
    # Tab-separated texts are often written without quoting, so that a stray quote is content.
    reader = csv.reader(row_lines, delimiter=delimiter, strict=delimiter != "\t")
    try:
        names = column_names(next(reader), source)
    except csv.Error as error:
        raise BadInput(
            f"{source.name}: the header cannot be read: {error}; do the lines end with LF or CRLF?"
        ) from error
    row_bytes = len(names) * ITEM_BYTES
    while True:
        number = skipped + reader.line_num + 1
        taken[0] = 0
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            yield BadRow(number, f"{error}; a quote is not closed, or one inside is not doubled")
            continue
        if len(cells) == len(names):
            yield Row(number, dict(zip(names, cells, strict=True)), taken[0] + row_bytes)
        elif cells:
            yield BadRow(number, f"{len(cells)} fields, the header has {len(names)}")


def _measured(lines: Iterator[str], taken: list[int], source: Source) -> Iterator[str]:
    """The lines for a csv reader, which asks for as many as make a row: their characters, counted
    in `taken[0]`, are limited, since what never closes a quote would be one row."""
    most = source.limits.line_characters
    for line in lines:
        taken[0] += len(line)
        if taken[0] > most:
            raise BadInput(
                f"{source.name}: a row is longer than {most:,} characters; is a quote not closed?"
            )
        yield line


def json_line_rows(source: Source) -> Rows:
    """The rows of a jsonl file, one object a line, numbered by line; blank lines are no rows.

    A line that is no object, or holds what no row can, is a BadRow. Raises BadInput: no lines, and
    what `decoded_lines` raises.
    """
    number = 0
    for number, line in enumerate(decoded_lines(source), 1):
        if not line.strip():
            continue
        size = _memory_of_json(line)
        if size > source.limits.row_bytes:
            yield BadRow(number, _too_large(size, source))
            continue
        try:
            item = json.loads(line)
        except RecursionError:
            yield BadRow(number, TOO_DEEP)
        except ValueError as error:
            yield BadRow(number, f"not valid JSON: {error}")
        else:
            yield object_row(number, item, size)
    if not number:
        raise BadInput(f"{source.name}: the file is empty")


def _memory_of_json(text: str) -> int:
    """About the bytes that the objects of a JSON text take: empty lists take most of all."""
    opening = text.count("[") + text.count("{")
    return getsizeof(text) + OBJECT_BYTES * opening + ITEM_BYTES * text.count(",")


def _too_large(size: int, source: Source) -> str:
    return (
        f"would take {size / 2**20:,.0f} MB of memory, the limit is "
        f"{source.limits.row_bytes / 2**20:,.0f} MB"
    )


def json_document_rows(source: Source) -> Rows:
    """The rows of a json file: a list of objects, or an object with exactly one such list.

    They are numbered from 1; a later item that is no object, or holds what no row can, is a BadRow.
    Raises BadInput: another document, JSON that is not valid, nested too deeply, an item or another
    value that is too long, and what `decoded_pieces` raises.
    """
    document = _JsonText(source)
    try:
        if document.next_sign() == "[":
            yield from _list_rows(document, source)
            document.expect_end()
        else:
            yield from _wrapped_rows(document, source)
    except RecursionError as error:
        raise BadInput(f"{source.name}: the JSON is {TOO_DEEP}") from error
    except json.JSONDecodeError as error:
        has_more = error.msg == "Extra data"
        hint = "; if it is one object per line, name it .jsonl" if has_more else ""
        raise BadInput(
            f"{source.name}: not valid JSON: {error.msg}: {document.place(error.pos)}{hint}"
        ) from error


def _list_rows(document: "_JsonText", source: Source) -> Rows:
    """The items of the list that comes next, as rows."""
    for number, (item, size) in enumerate(document.items(), 1):
        if number == 1 and not isinstance(item, dict):
            raise BadInput(
                f"{source.name}: a list of {type(item).__name__}, not of objects; "
                'write [{"text": "…"}, …]'
            )
        yield object_row(number, item, size)


def _wrapped_rows(document: "_JsonText", source: Source) -> Rows:
    """The rows of the one list of objects in the object that comes next."""
    kind, fields, lists = "dict", 0, 0
    if document.next_sign() != "{":
        kind = type(document.value()[0]).__name__
    else:
        for _ in document.names():
            fields += 1
            if document.next_sign() != "[":
                document.value()
                continue
            items = document.items()
            first = next(items, (None, 0))
            is_of_objects = isinstance(first[0], dict)
            lists += is_of_objects
            for number, (item, size) in enumerate(chain([first], items), 1):
                # With a second list the document is refused at its end.
                if is_of_objects and lists == 1:
                    yield object_row(number, item, size)
    document.expect_end()
    if lists != 1:
        actual = f"{lists} lists of objects" if fields else f"a {kind}"
        raise BadInput(
            f"{source.name}: {actual}; expected a list of objects, or an object with exactly one "
            "such list"
        )


class _JsonText:
    """The text of a JSON document, decoded value by value out of a buffer that slides along it.

    Not by ijson 3.6: one NaN or integer beyond 64 bits ends the file there instead of costing a
    row, and nesting costs it memory by the square of its depth (20,000 brackets: 1 GB).
    """

    def __init__(self, source: Source) -> None:
        self._source = source
        self._pieces = decoded_pieces(source)
        self._buffer, self._at = "", 0
        self._lines = self._columns = 0
        """Line ends before the buffer, and characters from the last of them to it."""
        self._decode = json.JSONDecoder().raw_decode
        self._decode_long = json.JSONDecoder(parse_int=_integer).raw_decode

    def next_sign(self) -> str:
        """The next character that is no space, "" at the end."""
        while True:
            found = SPACE.match(self._buffer, self._at)
            assert found is not None, "no space at all is found, too"
            self._at = found.end()
            if self._at < len(self._buffer) or not self._read_on():
                return self._buffer[self._at : self._at + 1]

    def value(self) -> tuple[object, int]:
        """The value that comes next, and about the memory that it takes."""
        self.next_sign()
        while True:
            try:
                value, end = self._decoded()
            except json.JSONDecodeError as error:
                cut_off = error.msg.startswith("Unterminated string")
                cut_off |= error.pos > len(self._buffer) - LONGEST_SIGN
                if not (cut_off and self._read_on()):
                    raise
                continue
            # A number may go on in the next piece.
            if end < len(self._buffer) or not self._read_on():
                size = _memory_of_json(self._buffer[self._at : end])
                self._at = end
                return value, size

    def items(self) -> Iterator[tuple[object, int]]:
        """The values of the list that comes next, each as `value` gives it."""
        self._at += 1
        if self.next_sign() == "]":
            self._at += 1
            return
        while True:
            yield self.value()
            if self._passed("],", "Expecting ',' delimiter") == "]":
                return

    def names(self) -> Iterator[object]:
        """The names in the object that comes next; the caller takes the value of each."""
        self._at += 1
        if self.next_sign() == "}":
            self._at += 1
            return
        while True:
            if self.next_sign() != '"':
                raise self._error("Expecting property name enclosed in double quotes")
            name, _ = self.value()
            self._passed(":", "Expecting ':' delimiter")
            yield name
            if self._passed("},", "Expecting ',' delimiter") == "}":
                return

    def expect_end(self) -> None:
        """Raises JSONDecodeError where more follows than space."""
        if self.next_sign():
            raise self._error("Extra data")

    def place(self, at: int) -> str:
        """Line and column of a place in the buffer."""
        lines = self._buffer.count("\n", 0, at)
        column = at - self._buffer.rfind("\n", 0, at) + (0 if lines else self._columns)
        return f"line {self._lines + lines + 1} column {column}"

    def _passed(self, signs: str, otherwise: str) -> str:
        sign = self.next_sign()
        if not sign or sign not in signs:
            raise self._error(otherwise)
        self._at += 1
        return sign

    def _error(self, message: str) -> json.JSONDecodeError:
        return json.JSONDecodeError(message, self._buffer, self._at)

    def _decoded(self) -> tuple[object, int]:
        try:
            return self._decode(self._buffer, self._at)
        except json.JSONDecodeError:
            raise
        except ValueError:
            # An integer of too many digits costs its row, not the file.
            return self._decode_long(self._buffer, self._at)

    def _read_on(self) -> bool:
        """Read as much again as is left in the buffer, which lets go of what is before; False at
        the end of the file, and then the buffer stays as it is."""
        rest = self._buffer[self._at :]
        size, limits = _memory_of_json(rest), self._source.limits
        if len(rest) > limits.line_characters:
            raise BadInput(
                f"{self._source.name}: the value at {self.place(self._at)} is longer than "
                f"{limits.line_characters:,} characters; write a list of objects, one per record"
            )
        if size > limits.row_bytes:
            raise BadInput(
                f"{self._source.name}: the value at {self.place(self._at)} "
                f"{_too_large(size, self._source)}; write a list of objects, one per record"
            )
        pieces, read = list[str](), 0
        while read <= len(rest) and (piece := next(self._pieces, "")):
            pieces.append(piece)
            read += len(piece)
        if not pieces:
            return False
        lines = self._buffer.count("\n", 0, self._at)
        before = self._at - 1 - self._buffer.rfind("\n", 0, self._at)
        self._columns = before if lines else self._columns + self._at
        self._lines += lines
        self._buffer, self._at = rest + "".join(pieces), 0
        return True


def _integer(digits: str) -> int | float:
    try:
        return int(digits)
    except ValueError:
        return math.inf

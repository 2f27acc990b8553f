"""Rows of xlsx files: a zip archive of XML, read by expat as it unpacks.

In: a source; out: rows, as they are asked for, with numbers, dates and strings as the cells say. No
tree of a part is ever made: a row is a few cells, and the strings that cells share lie in one run
of bytes. (openpyxl makes objects of both, ten times their size; its rules for dates are used.)
"""

import posixpath
import re
import struct
import zipfile
import zlib
from array import array
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import TypeAlias
from xml.parsers import expat

from corpuscope.tools.core.errors import BadInput
from corpuscope.tools.readers.rows import ITEM_BYTES, BadRow, Row, Rows, column_names
from corpuscope.tools.readers.source import READ_BYTES, Source

STRUCTURE_BYTES = 32 * 2**20
"""In a part of a workbook that holds no cells: styles, names of sheets."""

STRUCTURE_TAGS = ("Relationship", "sheet", "workbookPr", "numFmt", "xf")
MOST_TAGS = 200_000
"""Excel has at most 65,490 styles of cells."""

STRINGS_BYTES = 512 * 2**20
"""Memory for the strings that the cells of a workbook share."""

LONGEST_TAG = 2**20
"""Bytes of XML that may be read without the end of a tag; Excel's have a few hundred."""


LONGEST_FORMAT = 255
"""Characters of a number format; Excel takes no longer ones."""

ESCAPED = re.compile(r"_x(00[01][0-9A-Fa-f]|005F)_")
"""How Excel writes a control character, and the line that would begin such an escape."""

REFERENCE = re.compile(r"([A-Z]{1,3})\d{1,7}", re.ASCII)

Attributes: TypeAlias = dict[str, str]


def xlsx_rows(source: Source) -> Rows:
    """The rows of an xlsx file's first sheet, by the sheet's own numbers; formulas as saved values.

    A row wider than the header is a BadRow; rows of empty cells are none. Raises BadInput: no
    header, an empty sheet, not sound xlsx, or beyond the limits.
    """
    names: list[str] = []
    for sheet_row in _sheet_rows(source):
        cells, filled = sheet_row.cells, sheet_row.filled
        if not filled:
            continue
        if not names:
            source.check_width(filled)
            names = column_names(cells[:filled], source)
        elif filled > len(names):
            yield BadRow(sheet_row.number, f"{filled:,} cells, the header has {len(names)}")
        else:
            # A sheet does not store the empty cells at the end of a row.
            row = [*cells[:filled], *[None] * (len(names) - filled)]
            size = sheet_row.characters + ITEM_BYTES * len(row)
            yield Row(sheet_row.number, dict(zip(names, row, strict=True)), size)
    if not names:
        raise BadInput(f"{source.name}: the first sheet is empty")


@dataclass(slots=True)
class _SheetRow:
    """A row of a sheet: its cells up to the columns that may be, how far it is filled, its size."""

    number: int
    cells: list[object] = field(default_factory=list)
    filled: int = 0
    characters: int = 0


def _sheet_rows(source: Source) -> Iterator[_SheetRow]:
    """The rows of the first sheet."""
    try:
        with zipfile.ZipFile(source.path) as archive:
            declared = sum(part.file_size for part in archive.infolist())
            source.check_size(declared, "unpacks to")
            book = _workbook(archive)
            strings = _SharedStrings(source)
            if book.strings:
                for _ in _parsed(archive, book.strings, strings):
                    pass
            reader = _SheetReader(source, book, strings)
            for share in _parsed(archive, book.sheet, reader):
                yield from reader.rows
                reader.rows.clear()
                source.tell(share)
    except (
        *(zipfile.BadZipFile, zlib.error, expat.ExpatError, EOFError, OSError, RuntimeError),
        # What a part lets out that is missing or does not say what it should.
        *(LookupError, ArithmeticError, ValueError, struct.error),
    ) as error:
        what = str(error).strip().partition("\n")[0][:200]
        raise BadInput(
            f"{source.name}: cannot be read as xlsx ({type(error).__name__}: {what}); "
            "is it protected by a password or an old .xls? Save it as xlsx or csv and ingest that"
        ) from error


class _Handler:
    """What is done at the tags of a part; their names come without a namespace."""

    def start(self, tag: str, attributes: Attributes) -> None:
        """At a start tag."""

    def end(self, tag: str) -> None:
        """At an end tag."""

    def text(self, text: str) -> None:
        """At some text between tags."""


def _parsed(archive: zipfile.ZipFile, part: str, handler: _Handler) -> Iterator[float]:
    """Parse a part of the archive, and stop after each block with the share of it that was read.

    Raises ValueError for what no spreadsheet writes and a parser can be led astray by: types of
    documents, with entities that grow, and endless tags.
    """

    def refuse(*_: object) -> None:
        raise ValueError(f"{part} declares a type of document")

    parser = expat.ParserCreate(namespace_separator=" ")
    parser.buffer_text = True
    parser.StartDoctypeDeclHandler = refuse
    parser.StartElementHandler = lambda name, attributes: handler.start(_local(name), attributes)
    parser.EndElementHandler = lambda name: handler.end(_local(name))
    parser.CharacterDataHandler = handler.text
    about = archive.getinfo(part)
    # Of other methods a block may unpack to any size at once.
    if about.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise ValueError(f"{part} is packed by a method that spreadsheets do not use")
    read = 0
    with archive.open(about) as stream:
        while block := stream.read(READ_BYTES):
            read += len(block)
            parser.Parse(block)
            if read - parser.CurrentByteIndex > LONGEST_TAG:
                raise ValueError(f"{part} has a tag of more than {LONGEST_TAG:,} bytes")
            yield read / max(1, about.file_size)
    parser.Parse(b"", True)
    yield 1.0


def _local(name: str) -> str:
    return name[name.rfind(" ") + 1 :]


@dataclass(slots=True)
class _Workbook:
    """Where the first sheet and the shared strings lie in the archive ("" for none), the day from
    which dates are counted, and of each style whether it makes a date or a duration of a number."""

    sheet: str
    strings: str
    epoch: datetime
    dates: list[str]


class _Tags(_Handler):
    """The start tags of some names, each with the tag that it stands in."""

    def __init__(self) -> None:
        self.found: list[tuple[str, str, Attributes]] = []
        self._within = [""]

    def start(self, tag: str, attributes: Attributes) -> None:
        if tag in STRUCTURE_TAGS:
            self.found.append((self._within[-1], tag, attributes))
        if len(self.found) > MOST_TAGS:
            raise ValueError(f"more than {MOST_TAGS:,} styles, sheets or relations")
        self._within.append(tag)

    def end(self, tag: str) -> None:
        self._within.pop()


def _tags(archive: zipfile.ZipFile, part: str) -> list[tuple[str, str, Attributes]]:
    size = archive.getinfo(part).file_size
    if size > STRUCTURE_BYTES:
        raise ValueError(f"{part} holds {size:,} bytes, the limit is {STRUCTURE_BYTES:,}")
    tags = _Tags()
    for _ in _parsed(archive, part, tags):
        pass
    return tags.found


def _related(archive: zipfile.ZipFile, part: str) -> dict[str, tuple[str, str]]:
    """The parts to which a part refers, by the id of the relation: kind and path of each."""
    folder, name = posixpath.split(part)
    found = _tags(archive, posixpath.join(folder, "_rels", f"{name}.rels"))
    return {
        relation["Id"]: (
            posixpath.basename(relation["Type"]),
            posixpath.normpath(posixpath.join("/", folder, relation["Target"])).lstrip("/"),
        )
        for _, tag, relation in found
        if tag == "Relationship" and relation.get("TargetMode") != "External"
    }


def _workbook(archive: zipfile.ZipFile) -> _Workbook:
    from openpyxl.utils.datetime import MAC_EPOCH, WINDOWS_EPOCH

    book = dict(_related(archive, "").values())["officeDocument"]
    related = _related(archive, book)
    by_kind = dict(related.values())
    sheets, epoch = list[str](), WINDOWS_EPOCH
    for _, tag, attributes in _tags(archive, book):
        if tag == "workbookPr" and attributes.get("date1904") in ("1", "true"):
            epoch = MAC_EPOCH
        # The id of the relation is in a namespace, that of the sheet is not.
        for name in attributes if tag == "sheet" else ():
            kind, path = related[attributes[name]] if name.endswith(" id") else ("", "")
            sheets += [path] if kind == "worksheet" else []
    if not sheets:
        raise ValueError("no sheet of cells")
    styles = by_kind.get("styles", "")
    dates = _date_styles(_tags(archive, styles)) if styles else []
    return _Workbook(sheets[0], by_kind.get("sharedStrings", ""), epoch, dates)


def _date_styles(tags: list[tuple[str, str, Attributes]]) -> list[str]:
    """Of each style of cells: "date", "duration", or "" for neither."""
    from openpyxl.styles.numbers import BUILTIN_FORMATS, is_date_format, is_timedelta_format

    formats = dict(BUILTIN_FORMATS)
    formats |= {
        int(attributes["numFmtId"]): attributes["formatCode"][:LONGEST_FORMAT]
        for _, tag, attributes in tags
        if tag == "numFmt" and "formatCode" in attributes
    }
    kinds = {
        number: "duration" if is_timedelta_format(code) else "date"
        for number, code in formats.items()
        if is_date_format(code)
    }
    return [
        kinds.get(int(attributes.get("numFmtId", 0)), "")
        for within, tag, attributes in tags
        if (within, tag) == ("cellXfs", "xf")
    ]


class _SharedStrings(_Handler):
    """The strings that cells share, by number: in one run of bytes, with where each ends."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._bytes, self._ends = bytearray(), array("Q")
        self._parts: list[str] = []
        self._is_text = self._is_phonetic = False

    def __getitem__(self, number: int) -> str:
        if number < 0:
            raise IndexError("shared strings are counted from 0")
        begin = self._ends[number - 1] if number else 0
        return self._bytes[begin : self._ends[number]].decode()

    def start(self, tag: str, attributes: Attributes) -> None:
        self._is_phonetic |= tag == "rPh"
        self._is_text = tag == "t" and not self._is_phonetic

    def end(self, tag: str) -> None:
        self._is_text = False
        self._is_phonetic &= tag != "rPh"
        if tag == "si":
            self._ends.append(len(self._bytes))
            size = len(self._bytes) + self._ends.itemsize * len(self._ends)
            if size > STRINGS_BYTES:
                raise BadInput(
                    f"{self._source.name}: its cells share strings of more than "
                    f"{STRINGS_BYTES / 2**20:,.0f} MB; save the sheet as csv or parquet"
                )

    def text(self, text: str) -> None:
        if self._is_text:
            self._bytes += text.encode()


class _SheetReader(_Handler):
    """Cells of a sheet, collected into `rows`; whoever takes them clears it."""

    def __init__(self, source: Source, book: _Workbook, strings: _SharedStrings) -> None:
        self.rows: list[_SheetRow] = []
        self._limits, self._name = source.limits, source.name
        self._book, self._strings = book, strings
        self._row = _SheetRow(0)
        self._column = 0
        self._kind, self._style = "n", 0
        self._parts: list[str] = []
        self._is_value = self._is_phonetic = False

    def start(self, tag: str, attributes: Attributes) -> None:
        if tag == "c":
            reference = attributes.get("r")
            self._column = _column(reference) if reference else self._column + 1
            self._kind = attributes.get("t", "n")
            self._style = int(attributes.get("s", 0))
        elif tag == "rPh":
            self._is_phonetic = True
        elif tag == "row":
            self._row = _SheetRow(max(int(attributes.get("r", 0)), self._row.number + 1))
            self._column = 0
        else:
            wanted = "t" if self._kind == "inlineStr" else "v"
            self._is_value = tag == wanted and not self._is_phonetic

    def end(self, tag: str) -> None:
        self._is_value = False
        if tag == "c":
            if self._parts:
                self._place(self._value("".join(self._parts)))
                self._parts.clear()
        elif tag == "rPh":
            self._is_phonetic = False
        elif tag == "row":
            self.rows.append(self._row)

    def text(self, text: str) -> None:
        if self._is_value:
            self._parts.append(text)
            self._count(len(text))

    def _count(self, characters: int) -> None:
        self._row.characters += characters
        if self._row.characters > self._limits.line_characters:
            raise BadInput(
                f"{self._name}: row {self._row.number:,} is longer than "
                f"{self._limits.line_characters:,} characters; is it one record per row?"
            )

    def _place(self, value: object) -> None:
        """Put a value into its column of the row; beyond the columns that may be, only count it."""
        cells, column = self._row.cells, self._column
        self._row.filled = max(self._row.filled, column)
        if column <= self._limits.columns:
            cells += [None] * (column - len(cells))
            cells[column - 1] = value

    def _value(self, written: str) -> object:
        """What is written in a cell, by the kind of cell and its style."""
        if self._kind == "n":
            return self._number(written)
        if self._kind == "b":
            return bool(int(written))
        if self._kind == "d":
            from openpyxl.utils.datetime import from_ISO8601

            moment: object = from_ISO8601(written)
            return moment
        if self._kind == "s":
            written = self._strings[int(written)]
            self._count(len(written))
        return ESCAPED.sub(lambda found: chr(int(found[1], 16)), written)

    def _number(self, written: str) -> object:
        from openpyxl.utils.datetime import from_excel

        number = float(written) if re.search(r"[.eE]", written) else int(written)
        dates = self._book.dates
        kind = dates[self._style] if self._style < len(dates) else ""
        if not kind:
            return number
        try:
            moment: object = from_excel(number, self._book.epoch, timedelta=kind == "duration")
        except (OverflowError, ValueError):
            return number  # no day that there is
        return moment


def _column(reference: str) -> int:
    """The number of a cell's column, from 1: 28 of AB7."""
    found = REFERENCE.fullmatch(reference)
    if found is None:
        raise ValueError(f"no reference of a cell: {reference[:20]!r}")
    column = 0
    for letter in found[1]:
        column = 26 * column + ord(letter) - 64
    return column

"""What is made of good and bad xlsx files."""

import datetime
import io
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from support.file_rows import Read, values

from corpuscope.tools.core.errors import BadInput
from corpuscope.tools.readers.rows import BadRow, Row


def sheet(path: Path, rows: list[list[object]]) -> bytes:
    import openpyxl

    book = openpyxl.Workbook()
    active = book.active
    assert active is not None
    for row in rows:
        active.append(row)
    book.save(path)
    return path.read_bytes()


def rezipped(content: bytes, part: str, change: Callable[[bytes], bytes]) -> bytes:
    """The same archive with one part changed."""
    out = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(content)) as old,
        zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as new,
    ):
        for name in old.namelist():
            data = old.read(name)
            new.writestr(name, change(data) if name == part else data)
    return out.getvalue()


def test_what_is_no_archive_is_refused(read: Read) -> None:
    with pytest.raises(BadInput, match="cannot be read as xlsx"):
        read("a.xlsx", b"not a zip")


def test_xlsx_keeps_dates_and_numbers_and_fills_what_is_missing(tmp_path: Path, read: Read) -> None:
    moment = datetime.datetime(2024, 4, 25, 18, 24)
    grid: list[list[object]] = [
        ["text", "n", "when"],
        ["hello", 1.5, moment],
        [],
        ["short"],
        ["long", 1, moment, "too much"],
    ]
    assert read("b.xlsx", sheet(tmp_path / "a.xlsx", grid)) == [
        Row(2, {"text": "hello", "n": 1.5, "when": moment}),
        Row(4, {"text": "short", "n": None, "when": None}),
        BadRow(5, "4 cells, the header has 3"),
    ]


SHEET = "xl/worksheets/sheet1.xml"


def test_xlsx_with_a_wrong_dimension_is_read_whole(tmp_path: Path, read: Read) -> None:
    content = sheet(tmp_path / "a.xlsx", [["text", "n"], ["hello", 1]])
    wrong = rezipped(content, SHEET, lambda part: part.replace(b"A1:B2", b"A1:A1"))
    assert wrong != content
    assert values(read("b.xlsx", wrong)) == [{"text": "hello", "n": 1}]


def test_an_xlsx_that_unpacks_beyond_the_limit_is_refused_unopened(
    tmp_path: Path, read: Read
) -> None:
    content = sheet(tmp_path / "a.xlsx", [["text"], ["hello"]])
    bomb = rezipped(content, SHEET, lambda part: part + b" " * 20_000_000)
    assert len(bomb) < 100_000
    with pytest.raises(BadInput, match=r"unpacks to 20,0.* the limit is 10,000,000"):
        read("b.xlsx", bomb)


@pytest.mark.parametrize(
    ("part", "change"),
    [
        ("xl/workbook.xml", lambda part: part[:-30]),
        ("xl/workbook.xml", lambda part: b""),
        (
            SHEET,
            lambda part: part.replace(b't="inlineStr"><is><t>hello</t></is>', b't="s"><v>9</v>'),
        ),
        (SHEET, lambda part: part.replace(b'"A2"', b'"nowhere"')),
        ("xl/styles.xml", lambda part: part.replace(b'numFmtId="0"', b'numFmtId="none"')),
        ("xl/styles.xml", lambda part: b"<!DOCTYPE a [<!ENTITY b 'c'>]>" + part),
    ],
)
def test_a_broken_part_of_an_xlsx_is_bad_input(
    tmp_path: Path, read: Read, part: str, change: Callable[[bytes], bytes]
) -> None:
    content = sheet(tmp_path / "a.xlsx", [["text"], ["hello"]])
    broken = rezipped(content, part, change)
    assert broken != rezipped(content, part, bytes)
    with pytest.raises(BadInput, match="cannot be read as xlsx"):
        read("b.xlsx", broken)


def test_an_xlsx_without_cells_is_refused(tmp_path: Path, read: Read) -> None:
    with pytest.raises(BadInput, match="the first sheet is empty"):
        read("b.xlsx", sheet(tmp_path / "a.xlsx", []))

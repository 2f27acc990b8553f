"""What is made of good, bad and hostile parquet and xlsx files."""

import datetime
import io
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from support.file_rows import LIMIT, Read, short, values

from corpuscope.tools.core.errors import BadInput
from corpuscope.tools.ingestion.readers import read_rows
from corpuscope.tools.ingestion.rows import BadRow, Row


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


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.xlsx", b"not a zip", "cannot be read as xlsx"),
        ("a.parquet", b"PAR1 not parquet", "cannot be read as parquet"),
    ],
    ids=short,
)
def test_what_is_no_table_is_refused(read: Read, name: str, content: bytes, message: str) -> None:
    with pytest.raises(BadInput, match=message):
        read(name, content)


def test_parquet_keeps_types_and_gives_vectors_as_arrays(tmp_path: Path) -> None:
    import pyarrow as pa
    from pyarrow import parquet

    path = tmp_path / "a.parquet"
    moment = pa.array([1_714_069_444_123_456_789, None], pa.timestamp("ns", "Europe/Berlin"))
    table = pa.table(
        {
            "text": ["a", None],
            "n": [1, 2],
            "when": moment,
            "far": pa.array([300_000_000_000, 0], pa.timestamp("s")),
            "vector": pa.array([[1.0, 2.0], None], pa.list_(pa.float32())),
            "label": pa.array(["x", "x"]).dictionary_encode(),
            "tags": [["t"], []],
        }
    )
    parquet.write_table(table, path)
    first, second = list(read_rows(path, max_bytes=LIMIT))
    assert isinstance(first, Row) and isinstance(second, Row)
    vector = first.values.pop("vector")
    assert isinstance(vector, np.ndarray) and vector.tolist() == [1.0, 2.0]
    assert first == Row(
        1,
        {
            "text": "a",
            "n": 1,
            "when": "2024-04-25 18:24:04.123456789Z",
            "far": "11476-08-15 05:20:00.000",
            "label": "x",
            "tags": ["t"],
        },
    )
    assert second.values["vector"] is None and second.values["when"] is None


@pytest.mark.parametrize("fixed", [False, True], ids=["lists", "lists of one length"])
def test_vectors_of_parquet_come_whole_whatever_stands_between_them(
    tmp_path: Path, fixed: bool
) -> None:
    import pyarrow as pa
    from pyarrow import parquet

    path = tmp_path / "a.parquet"
    sound: list[list[float | None] | None] = [[float(n), n + 0.5] for n in range(600)]
    lists = [*sound[:400], None, [1.0, None], *sound[402:]]
    for cells in (sound, lists):
        missing = [400] if cells is lists else []
        kind = pa.list_(pa.float32(), 2) if fixed else pa.list_(pa.float32())
        odd: list[list[float]] = [] if fixed else [[], [1.0, 2.0, 3.0]]
        table = pa.table({"vector": pa.array([*cells, *odd], kind)}).slice(3)
        parquet.write_table(table, path)
        rows = values(list(read_rows(path, max_bytes=LIMIT)))
        for number, (row, cell) in enumerate(zip(rows, [*cells, *odd][3:], strict=True), 3):
            vector = row["vector"]
            if number in missing:
                assert vector is None
            else:
                assert isinstance(vector, np.ndarray) and cell is not None
                np.testing.assert_array_equal(vector, np.array(cell, np.float32))


def test_parquet_is_measured_unpacked(tmp_path: Path) -> None:
    import pyarrow as pa
    from pyarrow import parquet

    path = tmp_path / "a.parquet"
    parquet.write_table(pa.table({"text": ["same text again"] * 100_000}), path)
    assert path.stat().st_size < 100_000
    with pytest.raises(BadInput, match=r"unpacks to at least .* the limit is 100,000"):
        list(read_rows(path, max_bytes=100_000))


def test_parquet_with_repeated_names_and_broken_utf8_is_refused(tmp_path: Path) -> None:
    import pyarrow as pa
    from pyarrow import parquet

    path = tmp_path / "a.parquet"
    column = pa.array(["x"])
    parquet.write_table(pa.Table.from_arrays([column, column], names=["a", "a"]), path)
    with pytest.raises(BadInput, match="repeated: a"):
        list(read_rows(path, max_bytes=LIMIT))
    offsets = pa.py_buffer(np.array([0, 2], np.int32).tobytes())
    broken = pa.Array.from_buffers(pa.string(), 1, [None, offsets, pa.py_buffer(b"\xff\xfe")])
    parquet.write_table(pa.table({"text": broken}), path)
    with pytest.raises(BadInput, match="can't decode byte 0xff"):
        list(read_rows(path, max_bytes=LIMIT))


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
        ("xl/styles.xml", lambda part: part.replace(b'xfId="0"', b'xfId="99999999999"')),
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

"""What the readers make of good, bad and hostile files."""

import datetime
import gzip
import io
import json
import zipfile
from collections.abc import Callable
from itertools import islice
from pathlib import Path

import numpy as np
import pytest

from corpuscope.tools.core.errors import BadInput
from corpuscope.tools.ingestion.readers import MAX_FIELD, BadRow, Row, inline_rows, read_rows

LIMIT = 10_000_000

Read = Callable[[str, bytes | str], list[Row | BadRow]]


@pytest.fixture
def read(tmp_path: Path) -> Read:
    """Writes the content under the name and reads all its rows."""

    def write_and_read(name: str, content: bytes | str) -> list[Row | BadRow]:
        path = tmp_path / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return list(read_rows(path, max_bytes=LIMIT))

    return write_and_read


def values(rows: list[Row | BadRow]) -> list[dict[str, object]]:
    return [row.values for row in rows if isinstance(row, Row)]


def bad(rows: list[Row | BadRow]) -> list[BadRow]:
    return [row for row in rows if isinstance(row, BadRow)]


def short(value: object) -> str:
    """A name for a test case whose content may be long."""
    return str(value)[:20]


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


def test_csv_rows_carry_the_line_on_which_they_start(read: Read) -> None:
    rows = read("a.csv", 'text,n\n"two\nlines",1\n\nlast,2\n')
    assert rows == [
        Row(2, {"text": "two\nlines", "n": "1"}),
        Row(5, {"text": "last", "n": "2"}),
    ]


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_the_delimiter_of_a_csv_is_told_by_its_header(read: Read, delimiter: str) -> None:
    header = delimiter.join(["text", '"a,b;c|d"', "n"])
    row = delimiter.join(["hello", "x", "1"])
    assert values(read("a.csv", f"{header}\n{row}\n")) == [
        {"text": "hello", "a,b;c|d": "x", "n": "1"}
    ]


def test_a_csv_of_one_column_keeps_commas_in_quotes_and_empty_texts(read: Read) -> None:
    assert values(read("a.csv", 'text\n"a, b"\n""\n')) == [{"text": "a, b"}, {"text": ""}]


def test_rows_with_too_few_or_too_many_fields_are_bad_and_the_rest_is_read(read: Read) -> None:
    rows = read("a.csv", "a,b\n1,2\n3\n4,5,6\n7,8\n")
    assert bad(rows) == [
        BadRow(3, "1 fields, the header has 2"),
        BadRow(4, "3 fields, the header has 2"),
    ]
    assert values(rows) == [{"a": "1", "b": "2"}, {"a": "7", "b": "8"}]


def test_a_quote_that_is_not_doubled_costs_one_row(read: Read) -> None:
    rows = read("a.csv", 'a,b\n"he said "hi" to me",2\n3,4\n')
    assert [row.number for row in bad(rows)] == [2]
    assert "quote" in bad(rows)[0].reason
    assert values(rows) == [{"a": "3", "b": "4"}]


def test_a_quote_that_is_never_closed_is_a_bad_row_at_its_start(read: Read) -> None:
    rows = read("a.csv", 'a,b\n1,2\n"x,3\n4,5\n')
    assert [row.number for row in bad(rows)] == [3]
    assert values(rows) == [{"a": "1", "b": "2"}]


def test_a_runaway_quote_ends_at_the_field_limit_and_reading_goes_on(read: Read) -> None:
    lines = MAX_FIELD // 4 + 100
    rows = read("a.csv", 'a,b\n"x,3\n' + "4,5\n" * lines)
    assert [row.number for row in bad(rows)] == [2]
    assert 50 < len(values(rows)) < 150


def test_a_field_longer_than_the_default_limit_of_csv_is_read(read: Read) -> None:
    assert values(read("a.csv", f"text\n{'x' * 200_000}\n")) == [{"text": "x" * 200_000}]


def test_tsv_keeps_commas_and_stray_quotes(read: Read) -> None:
    assert values(read("a.tsv", 'a,b\tn\n5" disk, "new"\t1\n')) == [
        {"a,b": '5" disk, "new"', "n": "1"}
    ]


def test_an_unnamed_column_is_called_by_its_place(read: Read) -> None:
    assert values(read("a.csv", ",text\n0,hello\n")) == [{"column_1": "0", "text": "hello"}]


def test_a_byte_order_mark_is_not_part_of_the_first_name(read: Read) -> None:
    assert values(read("a.csv", b"\xef\xbb\xbftext\nhello\n")) == [{"text": "hello"}]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.csv", b"", "the file is empty"),
        ("a.csv", b"\n\n", "the file is empty"),
        ("a.jsonl.gz", gzip.compress(b""), "the file is empty"),
        ("a.csv", b",,\n1,2,3\n", "no header"),
        ("a.csv", b"1,2\n3,4\n", "no header"),
        ("a.csv", b"a,b,a\n1,2,3\n", "repeated: a"),
        ("a.csv", b"a,b\r1,2\r", "the header cannot be read"),
        ("a.csv", "text\nok\ncafé\n".encode("cp1252"), "line 3 is not UTF-8 .byte 0xe9."),
        ("a.jsonl", b'{"a":1}\n{"a":"\xff"}\n', "line 2 is not UTF-8"),
        ("a.csv", "a,b\n".encode("utf-16"), "line 1 holds a NUL byte"),
        ("a.csv", b"text\na\0b\n", "line 2 holds a NUL byte"),
        ("a.csv", b"text\n" + b"x" * 17_000_000, "bytes, the limit is 10,000,000"),
        ("a.csv.gz", gzip.compress(b"text\n" + b"abc\n" * 9000)[:-20], "truncated gzip after line"),
        ("a.csv.gz", b"text\nabc\n", "damaged or truncated gzip"),
        ("a.csv.gz", gzip.compress(b"text\n" + b"a" * 30_000_000), "unpacks to at least"),
        ("a.json.gz", gzip.compress(b"[" + b" " * 30_000_000), "the limit is 10,000,000"),
        ("a.xlsx", b"not a zip", "cannot be read as xlsx"),
        ("a.parquet", b"PAR1 not parquet", "cannot be read as parquet"),
        ("a.txt", b"text\n", "must end in one of .csv, .tsv"),
        ("a.parquet.gz", b"x", "must end in one of"),
    ],
    ids=short,
)
def test_what_is_wrong_with_the_whole_file_is_said(
    read: Read, name: str, content: bytes, message: str
) -> None:
    with pytest.raises(BadInput, match=message):
        read(name, content)


def test_a_line_without_end_is_refused_before_it_fills_the_memory(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl.gz"
    path.write_bytes(gzip.compress(b"a" * 40_000_000))
    with pytest.raises(BadInput, match="line 1 is longer than 16,777,216 bytes"):
        list(read_rows(path, max_bytes=10**9))


def test_a_missing_file_and_a_folder_are_refused_at_once(tmp_path: Path) -> None:
    (tmp_path / "folder.csv").mkdir()
    for name in ("missing.csv", "folder.csv"):
        with pytest.raises(BadInput, match="is not a file"):
            read_rows(tmp_path / name, max_bytes=LIMIT)


def test_rows_before_a_damage_are_given_as_they_are_read(tmp_path: Path) -> None:
    path = tmp_path / "a.csv.gz"
    lines = "".join(f"{place},{place * 7919 % 10007}\n" for place in range(100_000))
    path.write_bytes(gzip.compress(f"a,b\n{lines}".encode())[:-100])
    rows = read_rows(path, max_bytes=LIMIT)
    assert len(list(islice(rows, 1000))) == 1000
    with pytest.raises(BadInput, match="truncated"):
        list(rows)


def test_suffixes_are_read_in_any_case(read: Read) -> None:
    assert values(read("A.CSV.GZ", gzip.compress(b"text\nhello\n"))) == [{"text": "hello"}]


def test_a_line_of_jsonl_that_is_no_object_is_a_bad_row(read: Read) -> None:
    deep = "[" * 100_000
    lines = ['{"a": 1}', "", '{"a": ', "[1]", '{"a": NaN}', '{"a": 1e999}', deep, '{"a": 2}']
    rows = read("a.jsonl", "\n".join(lines))
    assert rows[0] == Row(1, {"a": 1})
    assert rows[-1] == Row(8, {"a": 2})
    assert [row.number for row in bad(rows)] == [3, 4, 5, 6, 7]
    words = ["not valid JSON", "a JSON list", "'a' is nan", "'a' is inf", "nested too deeply"]
    assert all(word in row.reason for word, row in zip(words, bad(rows), strict=True))


def test_line_separators_inside_json_strings_do_not_split_lines(read: Read) -> None:
    content = json.dumps({"a": "x\u2028y\x85z"}, ensure_ascii=False)
    assert values(read("a.ndjson", content)) == [{"a": "x\u2028y\x85z"}]


@pytest.mark.parametrize(
    "content",
    [
        '[{"a": 1}, {"a": 2}]',
        ' \n[ {"a": 1} ,\t{"a": 2} ] \n',
        '{"data": [{"a": 1}, {"a": 2}], "total": 2, "tags": ["x"], "none": []}',
    ],
)
def test_json_is_a_list_of_objects_or_an_object_around_one(read: Read, content: str) -> None:
    assert read("a.json", content) == [Row(1, {"a": 1}), Row(2, {"a": 2})]
    assert len(read("a.json.gz", gzip.compress(content.encode()))) == 2


def test_items_of_a_json_list_that_are_no_sound_objects_are_bad_rows(read: Read) -> None:
    rows = read("a.json", '[{"a": 1}, 3, {"a": Infinity}, {"a": 2}]')
    assert [row.number for row in bad(rows)] == [2, 3]
    assert values(rows) == [{"a": 1}, {"a": 2}]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("[1, 2]", "a list of int, not of objects"),
        ('"text"', "expected a list of objects"),
        ('{"a": [{"x": 1}], "b": [{"y": 1}]}', "2 lists of objects"),
        ('[{"a": 1}, {"a": ', "not valid JSON: .* column 18"),
        ('[{"a": 1} {"a": 2}]', "Expecting ',' delimiter"),
        ('[{"a": 1}] x', "Extra data"),
        ('{"a": 1}\n{"a": 2}\n', "name it .jsonl"),
        (" \n", "not valid JSON"),
        ("[" * 100_000, "nested too deeply"),
        ('[{"a": ' + "[" * 100_000 + "]" * 100_000 + "}]", "nested too deeply"),
        ('{"a": ' * 100_000, "nested too deeply"),
        (f'[{{"a": {"9" * 5000}}}]', "not valid JSON"),
    ],
    ids=short,
)
def test_json_that_cannot_be_rows_is_refused_with_the_reason(
    read: Read, content: str, message: str
) -> None:
    with pytest.raises(BadInput, match=message):
        read("a.json", content)


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


def test_inline_rows_are_numbered_from_one() -> None:
    assert list(inline_rows([{"text": "a"}, {"text": "b"}])) == [
        Row(1, {"text": "a"}),
        Row(2, {"text": "b"}),
    ]

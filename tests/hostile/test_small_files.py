"""Files that are small and unpack to much, or hold what no row can: refused early, and in words."""

import gzip
import io
import json
import zipfile
from pathlib import Path

import pytest
from support.file_rows import bad, rows_of, values
from support.sheets import packed_sheet

from corpuscope.tools.core.errors import BadInput
from corpuscope.tools.readers.formats import open_source, read_rows
from corpuscope.tools.readers.rows import BadRow, Row, blocks, inline_rows
from corpuscope.tools.readers.source import ReadLimits

CELL = '<c t="inlineStr"><is><t>x</t></is></c>'


def written(folder: Path, name: str, content: bytes) -> Path:
    path = folder / name
    path.write_bytes(gzip.compress(content) if name.endswith(".gz") else content)
    return path


@pytest.mark.parametrize(
    ("name", "unit"),
    [
        ("a.csv.gz", b"same words again,1\n"),
        ("a.csv.gz", b"\n"),
        ("a.jsonl.gz", b'{"text": "same words again"}\n'),
        ("a.json.gz", b'{"text": "same words again"},'),
        ("a.json.gz", b" "),
    ],
)
def test_what_unpacks_to_hundreds_of_times_its_size_is_refused(
    tmp_path: Path, name: str, unit: bytes
) -> None:
    head = b"[" if "json." in name else b"text,n\n"
    path = written(tmp_path, name, head + unit * (2_000_000 // len(unit)))
    with pytest.raises(BadInput, match=r"more than 200 times its own .* unpack it first"):
        list(rows_of(path, ratio_from=1_000_000))


def test_a_packed_file_may_repeat_itself_as_tables_do(tmp_path: Path) -> None:
    lines = "".join(
        f"card {n * 7919 % 10007} was not accepted,shop {n % 20}\n" for n in range(30_000)
    )
    path = written(tmp_path, "a.csv.gz", f"text,shop\n{lines}".encode())
    assert sum(1 for _ in rows_of(path, ratio_from=100_000)) == 30_000


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.csv", b",".join(b"c%d" % n for n in range(30)) + b"\n", "30 columns, the limit is 20"),
        ("a.csv", b'a,"b\n"' + b",c" * 30 + b"\n", "columns, the limit is 20"),
        ("a.csv", b'a,b\n"' + b"x\n" * 3_000, "a row is longer than 5,000 characters"),
        ("a.csv", b"a,b\n" + b"x" * 6_000, "line 2 is longer than 5,000 characters"),
        ("a.csv", b"a\n" + b"x\n" * 1_500, "more than 1,000 rows, the limit"),
        ("a.csv", b"a,b,c\n" + b"x,y,z\n" * 900, "more than 2,000 cells, the limit"),
        ("a.json", b'[{"a": "' + b"x" * 300_000, "longer than 5,000 characters"),
        ("a.json", b'[{"a": [' + b"[]," * 100_000, "longer than 5,000 char|MB of memory"),
        ("a.json", b'{"a": {"b": "' + b"x" * 300_000, "longer than 5,000 characters"),
        ("a.json", b'"' + b"x" * 300_000 + b'"', "longer than 5,000 characters"),
    ],
)
def test_beyond_a_limit_the_file_is_refused_with_the_limit(
    tmp_path: Path, name: str, content: bytes, message: str
) -> None:
    limits = {"columns": 20, "line_characters": 5_000, "rows": 1_000, "cells": 2_000}
    with pytest.raises(BadInput, match=message):
        list(rows_of(written(tmp_path, name, content), None, **limits))


def test_a_line_that_would_take_too_much_memory_as_objects_costs_its_row(tmp_path: Path) -> None:
    lists = b'{"a": [' + b"[]," * 500 + b"[]]}"
    path = written(tmp_path, "a.jsonl", b'{"a": 1}\n' + lists + b'\n{"a": 2}\n')
    rows = list(rows_of(path, row_bytes=20_000))
    assert [row["a"] for row in values(rows)] == [1, 2]
    assert "MB of memory" in bad(rows)[0].reason
    with pytest.raises(BadInput, match="MB of memory"):
        list(rows_of(written(tmp_path, "a.json", b'[{"a": [' + b"[]," * 200_000), row_bytes=20_000))


def test_a_json_document_is_decoded_over_the_borders_of_its_pieces(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    items = [
        {"text": f"a\\ud83d😀 \n {n}", "n": n, "x": [1.5e3, None, True, -n]} for n in range(40)
    ]
    wrapped = {"skip": [1, 2, [3]], "none": {}, "items": items, "end": "\\"}
    for piece in (1, 2, 3, 7, 64):
        monkeypatch.setattr("corpuscope.tools.readers.source.PIECE_CHARACTERS", piece)
        for document in (items, wrapped):
            for indent in (None, 1):
                content = json.dumps(document, indent=indent).encode()
                rows = list(rows_of(written(tmp_path, "a.json", content)))
                assert rows == [Row(number, item) for number, item in enumerate(items, 1)]
    monkeypatch.setattr("corpuscope.tools.readers.source.PIECE_CHARACTERS", 5)
    with pytest.raises(BadInput, match="Expecting property name .*: line 3 column 3"):
        list(rows_of(written(tmp_path, "a.json", b'[\n{"a": 1},\n{ ?')))


@pytest.mark.parametrize("depth", [65, 250, 900, 100_000])
def test_what_is_nested_deep_costs_its_row(tmp_path: Path, depth: int) -> None:
    deep = '{"a": ' + "[" * depth + "]" * depth + "}"
    content = f'{{"a": 1}}\n{deep}\n{{"a": [[[2]]]}}\n'
    rows = list(rows_of(written(tmp_path, "a.jsonl", content.encode())))
    assert [row.number for row in bad(rows)] == [2]
    assert "nested" in bad(rows)[0].reason
    assert len(values(rows)) == 2


def test_inline_rows_that_cannot_be_kept_are_bad_rows() -> None:
    deep: list[object] = []
    for _ in range(250):
        deep = [deep]
    rows = list(
        inline_rows(
            [
                {"text": "a", "v": deep},
                {"text": "b", "v": float("nan")},
                {"text": "c", "v": -(10**5_000)},
                {f"c{n}": n for n in range(2_001)},
                {"text": "d", "v": [[1], {"x": 2}]},
            ]
        )
    )
    words = ["nested more than 64", "nan", "more than 4,300 digits", "2,001 columns"]
    assert all(word in row.reason for word, row in zip(words, bad(rows), strict=True))
    assert [row["text"] for row in values(rows)] == ["d"]


def test_rows_are_held_by_their_memory_and_their_number() -> None:
    rows: list[Row | BadRow] = [Row(n, {}, 40) for n in range(10)] + [BadRow(10, "x")] * 5
    assert [len(block) for block in blocks(rows, 4, 1_000)] == [4, 4, 4, 3]
    assert [len(block) for block in blocks(rows, 9, 100)] == [3, 3, 3, 6]
    assert [len(block) for block in blocks(iter([Row(1, {}, 9_999)] * 2), 9, 100)] == [1, 1]


@pytest.mark.parametrize(
    ("name", "unit"),
    [
        ("cp1252", b"\x81\n"),
        ("utf-16-le", b"\x00\xd8\n\0"),
        ("utf-8", b"\xff\n"),
        ("gb18030", b"\xff\n"),
    ],
)
def test_what_is_damaged_throughout_is_no_text_and_said_so_after_its_first_part(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, unit: bytes
) -> None:
    path = written(tmp_path, "a.csv", unit * 200_000)
    monkeypatch.setattr("corpuscope.tools.readers.encodings.BLOCK_BYTES", 2**16)
    read: list[float] = []
    with pytest.raises(BadInput, match=f"cannot be decoded as {name}, too many for a text"):
        open_source(path, ReadLimits(10**9), name, read.append)
    assert max(read) < 0.6


def test_who_waits_is_told_how_far_the_reading_is(tmp_path: Path) -> None:
    import pyarrow as pa
    from pyarrow import parquet

    lines = "".join(f"{n * 7919 % 10007},words\n" for n in range(20_000))
    content = f"n,text\n{lines}".encode()
    document = json.dumps([{"n": n, "text": "words"} for n in range(9_000)]).encode()
    cells = [f"<row>{CELL}</row>", *(f"<row><c><v>{n}</v></c></row>" for n in range(9_000))]
    paths = [
        written(tmp_path, "a.csv", content),
        written(tmp_path, "b.csv.gz", content),
        written(tmp_path, "a.json", document),
        written(tmp_path, "a.xlsx", packed_sheet(cells)),
    ]
    paths.append(tmp_path / "a.parquet")
    parquet.write_table(pa.table({"text": ["words"] * 2_000}), paths[-1])
    for path in paths:
        shares: list[float] = []
        source = open_source(path, ReadLimits(10**9), tell=shares.append)
        shares.clear()
        assert list(read_rows(source))
        assert shares == sorted(shares) and len(shares) > 2 and shares[-1] == 1.0, path.name


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (["<row>" + CELL * 30 + "</row>"], "30 columns, the limit is 20"),
        (["<row>" + CELL + "</row>"] * 1_500, "more than 1,000 rows, the limit"),
        (["<row>" + CELL.replace("x", "x" * 6_000) + "</row>"], "longer than 5,000 characters"),
        (["<row>" + CELL.replace("x", "x" * 600) * 9 + "</row>"], "longer than 5,000 characters"),
        (["<row><c " + " " * 1_200_000 + "/></row>"], "a tag of more than 1,048,576 bytes"),
        (['<row r="999999999999999999999"/><row r="x"/>'], "cannot be read as xlsx"),
    ],
)
def test_a_sheet_beyond_a_limit_is_refused(tmp_path: Path, rows: list[str], message: str) -> None:
    limits = {"columns": 20, "line_characters": 5_000, "rows": 1_000}
    with pytest.raises(BadInput, match=message):
        list(rows_of(written(tmp_path, "a.xlsx", packed_sheet(rows)), None, **limits))


def test_a_row_of_a_sheet_without_end_holds_no_more_than_its_columns(tmp_path: Path) -> None:
    wide = "<row>" + "<c/>" * 200_000 + CELL + "</row>"
    path = written(tmp_path, "a.xlsx", packed_sheet(["<row>" + CELL + "</row>", wide]))
    assert list(rows_of(path)) == [BadRow(2, "200,001 cells, the header has 1")]


def test_entities_that_grow_and_packing_that_no_spreadsheet_uses_are_refused(
    tmp_path: Path,
) -> None:
    entity = '<!DOCTYPE a [<!ENTITY b "bbbbbbbbbb"><!ENTITY c "&b;&b;&b;&b;">]>'
    content = packed_sheet(["<row>" + CELL.replace("x", "&c;") + "</row>"], before=entity)
    with pytest.raises(BadInput, match="declares a type of document"):
        list(rows_of(written(tmp_path, "a.xlsx", content)))
    other = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(packed_sheet([]))) as old, zipfile.ZipFile(other, "w") as new:
        for part in old.namelist():
            new.writestr(part, old.read(part), zipfile.ZIP_BZIP2)
    with pytest.raises(BadInput, match="packed by a method that spreadsheets do not use"):
        list(rows_of(written(tmp_path, "b.xlsx", other.getvalue())))


def test_shared_strings_have_a_limit_of_their_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("corpuscope.tools.readers.sheets.STRINGS_BYTES", 20_000)
    content = packed_sheet(['<row><c t="s"><v>0</v></c></row>'], strings=["ab"] * 5_000)
    with pytest.raises(BadInput, match="share strings of more than 0 MB; save the sheet as csv"):
        list(rows_of(written(tmp_path, "a.xlsx", content)))


def test_parquet_that_says_little_and_holds_much_is_refused(tmp_path: Path) -> None:
    import pyarrow as pa
    from pyarrow import parquet

    path = tmp_path / "a.parquet"

    def refused(table: pa.Table, message: str, **limits: int) -> None:
        parquet.write_table(table, path)
        with pytest.raises(BadInput, match=message):
            list(rows_of(path, None, **limits))

    word = pa.array(["x" * 500_000])
    places = pa.array([0] * 400, pa.int32())
    bomb = pa.table({"text": pa.DictionaryArray.from_arrays(places, word).cast(pa.string())})
    refused(bomb, "unpacks to at least", ratio_from=2_000_000)
    nulls = pa.ListArray.from_arrays(
        pa.array([0, 900_000], pa.int32()), pa.nulls(900_000, pa.float64())
    )
    refused(pa.table({"text": ["a"], "v": nulls}), "unpacks to 7,2", max_bytes=1_000_000)
    wide = pa.table({f"c{n}": ["a"] for n in range(30)})
    refused(wide, "30 columns, the limit is 20", columns=20)


def test_long_words_of_a_parquet_dictionary_are_decoded_a_few_rows_at_a_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import pyarrow as pa
    from pyarrow import parquet

    path = tmp_path / "a.parquet"
    words = [["a" * 20_000, "b" * 20_000][n % 2] for n in range(50)]
    for kept in (False, True):  # the type of the column in Arrow
        column = pa.array(words)
        table = pa.table({"text": column.dictionary_encode() if kept else column})
        parquet.write_table(table, path)
        monkeypatch.setattr("corpuscope.tools.readers.parquet_files.PARQUET_BATCH_BYTES", 130_000)
        rows = list(rows_of(path))
        assert [row["text"] for row in values(rows)] == words
        # Two words of 20,000 in the dictionary: three rows may point to them at a time.
        assert {row.size // 10_000 for row in rows} == {2}

"""Whatever stands in a file, the readers give rows or refuse it as bad input: nothing else."""

import gzip
import io
import json
from functools import cache
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.file_rows import rows_of
from support.sheets import packed_sheet

from corpuscope.tools.core.errors import BadInput
from corpuscope.tools.readers.formats import FORMATS
from corpuscope.tools.readers.rows import BadRow, Row

LIMITS = {
    "max_bytes": 300_000,
    "columns": 50,
    "rows": 2_000,
    "line_characters": 20_000,
    "row_bytes": 100_000,
}
FUZZED = settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
ENCODINGS = (None, "utf-8", "utf-16", "utf-32-le", "cp1252", "shift_jis", "gb18030", "utf-7")


def check_rows(path: Path, encoding: str | None = None) -> None:
    """Read a file to its end: sound rows, bad rows with a reason, or bad input."""
    try:
        for row in rows_of(path, encoding, **LIMITS):
            assert row.number > 0
            if isinstance(row, BadRow):
                assert row.reason
            else:
                assert isinstance(row, Row) and len(row.values) <= LIMITS["columns"]
    except BadInput as error:
        assert str(error)


@cache
def sound_file(suffix: str) -> bytes:
    """A good file of each kind, with all that its format has."""
    rows: list[dict[str, object]] = [
        {"text": f"das Gepäck 😀 {n}", "n": n / 2, "v": [1.5, n], "t": None} for n in range(30)
    ]
    if suffix.endswith(".gz"):
        return gzip.compress(sound_file(suffix.removesuffix(".gz")), mtime=0)
    if suffix in (".csv", ".tsv"):
        sign = "," if suffix == ".csv" else "\t"
        lines = [sign.join([f'"{row["text"]}, ""so"""', str(row["n"])]) for row in rows]
        return "\n".join([sign.join(["text", "n"]), *lines, ""]).encode()
    if suffix in (".jsonl", ".ndjson"):
        return "".join(json.dumps(row, ensure_ascii=row["n"] == 3) + "\n" for row in rows).encode()
    if suffix == ".json":
        return json.dumps({"total": 30, "tags": [1, [2]], "items": rows}, indent=1).encode()
    if suffix == ".xlsx":
        cell = '<c r="{0}{1}" t="{2}"><v>{3}</v></c>'
        kinds = [("A", "s", 0), ("B", "n", 42059.48), ("C", "b", 1), ("D", "e", "#N/A")]
        made = [[cell.format(at, n, kind, value) for at, kind, value in kinds] for n in range(2, 9)]
        head = "".join(cell.format(at, 1, "str", f"c{at}") for at in "ABCD")
        return packed_sheet(
            [f'<row r="1">{head}</row>', *(f"<row>{''.join(row)}</row>" for row in made)], ["word"]
        )
    return parquet_file(rows)


def parquet_file(rows: list[dict[str, object]]) -> bytes:
    import pyarrow as pa
    from pyarrow import parquet

    out = io.BytesIO()
    table = pa.Table.from_pylist(rows)
    tags = pa.array([[{"a": ["x"]}], None] * 15)
    words = pa.array(["x", None, "y"] * 10).dictionary_encode()
    moments = pa.array([n * 10**15 for n in range(30)], pa.timestamp("us", "Europe/Berlin"))
    for name, column in (("tags", tags), ("words", words), ("at", moments)):
        table = table.append_column(name, column)
    parquet.write_table(table, out)
    return out.getvalue()


def mutated(content: bytes, changes: list[tuple[int, int, bytes]]) -> bytes:
    """The content with some pieces cut out and others put in, at places by their share of 1,000."""
    for place, length, piece in changes:
        at = len(content) * place // 1_000
        content = content[:at] + piece + content[at + length :]
    return content


PIECES = st.binary(max_size=8) | st.sampled_from(
    (
        *(
            b"",
            b"\0",
            b'"',
            b"\n",
            b"\r",
            b"\xff\xfe",
            b"[[[[",
            b"{}",
            b"9" * 5_000,
            b"NaN",
            b",,,,",
        ),
        *(b"\\ud800", b"<!DOCTYPE a>", b"<row>", b"</c>", b"\x1f\x8b", b"\xf0\x9f", b"a" * 30_000),
    )
)
CHANGES = st.lists(
    st.tuples(st.integers(0, 1_000), st.sampled_from([0, 0, 1, 2, 7, 100]), PIECES), max_size=4
)


@pytest.mark.parametrize("suffix", FORMATS)
@FUZZED
@given(st.binary(max_size=300), st.sampled_from(ENCODINGS))
def test_any_bytes_under_any_ending_are_rows_or_bad_input(
    tmp_path: Path, suffix: str, content: bytes, encoding: str | None
) -> None:
    path = tmp_path / f"a{suffix}"
    path.write_bytes(content)
    check_rows(path, encoding)


@pytest.mark.parametrize("suffix", FORMATS)
@FUZZED
@given(CHANGES, st.sampled_from(ENCODINGS))
def test_a_sound_file_that_was_damaged_is_rows_or_bad_input(
    tmp_path: Path, suffix: str, changes: list[tuple[int, int, bytes]], encoding: str | None
) -> None:
    path = tmp_path / f"a{suffix}"
    binary = suffix in (".parquet", ".xlsx")
    if suffix.endswith(".gz") and len(changes) % 2:
        inner = mutated(sound_file(suffix.removesuffix(".gz")), changes)
        path.write_bytes(gzip.compress(inner))
    else:
        path.write_bytes(mutated(sound_file(suffix), changes))
    check_rows(path, None if binary else encoding)


@FUZZED
@given(CHANGES)
def test_a_sheet_whose_xml_was_damaged_is_rows_or_bad_input(
    tmp_path: Path, changes: list[tuple[int, int, bytes]]
) -> None:
    cells = '<c r="A1" t="str"><v>text</v></c><c r="B1" t="inlineStr"><is><r><t>n</t></r></is></c>'
    xml = mutated(f"<row r='1'>{cells}</row><row>{cells}</row>".encode(), changes)
    path = tmp_path / "a.xlsx"
    path.write_bytes(packed_sheet([xml.decode("utf-8", "replace")], ["word"]))
    check_rows(path)


def test_the_sound_files_are_sound(tmp_path: Path) -> None:
    for suffix in FORMATS:
        path = tmp_path / f"a{suffix}"
        path.write_bytes(sound_file(suffix))
        rows = list(rows_of(path, None, **LIMITS))
        assert len(rows) >= 7 and all(isinstance(row, Row) for row in rows), suffix

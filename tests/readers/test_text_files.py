"""What is made of good, bad and hostile csv, tsv, jsonl and json files."""

import gzip
import json
from itertools import islice
from pathlib import Path

import pytest
from support.file_rows import Read, bad, rows_of, short, values

from corpuscope.tools.core.errors import BadInput
from corpuscope.tools.readers.rows import BadRow, Row
from corpuscope.tools.readers.text_files import MAX_FIELD_CHARACTERS


def packed(content: bytes) -> bytes:
    """Content in gzip, the same whenever it is made: it stands in the names of the tests."""
    return gzip.compress(content, mtime=0)


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
    lines = MAX_FIELD_CHARACTERS // 4 + 100
    rows = read("a.csv", 'a,b\n"x,3\n' + "4,5\n" * lines)
    assert [row.number for row in bad(rows)] == [2]
    assert 50 < len(values(rows)) < 150


def test_a_field_longer_than_the_default_limit_of_csv_is_read(read: Read) -> None:
    assert values(read("a.csv", f"text\n{'x' * 200_000}\n")) == [{"text": "x" * 200_000}]


def test_tsv_keeps_commas_and_stray_quotes(read: Read) -> None:
    assert values(read("a.tsv", 'a,b\tn\n5" disk, "new"\t1\n')) == [
        {"a,b": '5" disk, "new"', "n": "1"}
    ]


def test_a_byte_order_mark_is_not_part_of_the_first_name(read: Read) -> None:
    assert values(read("a.csv", b"\xef\xbb\xbftext\nhello\n")) == [{"text": "hello"}]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.csv", b"\n\n", "the file is empty"),
        ("a.jsonl.gz", packed(b""), "the file is empty"),
        ("a.csv", b"a,b\rc,d\n1,2\n", "the header cannot be read"),
        ("a.csv", b"text\na\0b\n", "no text: 1 of its first 9 bytes are control"),
        ("a.csv.gz", packed(b"text\n" + b"abc\n" * 9000)[:-20], "truncated gzip after line"),
        ("a.csv.gz", b"text\nabc\n", "damaged or truncated gzip"),
        ("a.csv.gz", packed(b"text\n" + b"a" * 30_000_000), "unpacks to at least"),
        ("a.json.gz", packed(b"[" + b" " * 30_000_000), "the limit is 10,000,000"),
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
    with pytest.raises(BadInput, match="line 1 is longer than 16,777,216 characters"):
        list(rows_of(path, max_bytes=10**9))


def test_rows_before_a_damage_are_given_as_they_are_read(tmp_path: Path) -> None:
    path = tmp_path / "a.csv.gz"
    lines = "".join(f"{place},{place * 7919 % 10007}\n" for place in range(100_000))
    path.write_bytes(gzip.compress(f"a,b\n{lines}".encode())[:-100])
    rows = rows_of(path)
    assert len(list(islice(rows, 1000))) == 1000
    with pytest.raises(BadInput, match="truncated"):
        list(rows)


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
    long = "9" * 5_000
    rows = read("a.json", f'[{{"a": 1}}, 3, {{"a": Infinity}}, {{"a": {long}}}, {{"a": 2}}]')
    assert [row.number for row in bad(rows)] == [2, 3, 4]
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
    ],
    ids=short,
)
def test_json_that_cannot_be_rows_is_refused_with_the_reason(
    read: Read, content: str, message: str
) -> None:
    with pytest.raises(BadInput, match=message):
        read("a.json", content)

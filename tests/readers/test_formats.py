"""Which reader a file gets, and what is refused before one opens it."""

import gzip
from pathlib import Path

import pytest
from support.file_rows import Read, rows_of, short, values

from corpuscope.tools.core.errors import BadInput


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.csv", b"", "the file is empty"),
        ("a.csv", b"text\n" + b"x" * 17_000_000, "bytes, the limit is 10,000,000"),
        ("a.txt", b"text\n", "must end in one of .csv, .tsv"),
        ("a.parquet.gz", b"x", "must end in one of"),
    ],
    ids=short,
)
def test_a_file_that_no_reader_takes_is_refused(
    read: Read, name: str, content: bytes, message: str
) -> None:
    with pytest.raises(BadInput, match=message):
        read(name, content)


def test_a_missing_file_and_a_folder_are_refused_at_once(tmp_path: Path) -> None:
    (tmp_path / "folder.csv").mkdir()
    for name in ("missing.csv", "folder.csv"):
        with pytest.raises(BadInput, match="is not a file"):
            rows_of(tmp_path / name)


def test_suffixes_are_read_in_any_case(read: Read) -> None:
    assert values(read("A.CSV.GZ", gzip.compress(b"text\nhello\n"))) == [{"text": "hello"}]

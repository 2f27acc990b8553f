"""What was read from files lately."""

import os
from pathlib import Path

import pytest

from corpuscope.tools.archive.file_memo import FileMemo


class Reader:
    """Reads a file, and notes that it did."""

    def __init__(self) -> None:
        self.read: list[str] = []

    def __call__(self, file: Path) -> str:
        self.read.append(file.name)
        return file.read_text(encoding="utf-8")


def write(file: Path, text: str) -> Path:
    """As files of runs are written: aside, and renamed."""
    draft = file.with_suffix(".draft")
    draft.write_text(text, encoding="utf-8")
    draft.replace(file)
    return file


def test_a_file_is_read_once_until_it_is_another(tmp_path: Path) -> None:
    memo, reader = FileMemo(), Reader()
    file = write(tmp_path / "a", "one")
    before = file.stat()
    assert [memo.read(file, reader) for _ in range(3)] == ["one"] * 3
    assert reader.read == ["a"]
    write(file, "two")
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))  # a clock may be coarse
    assert memo.read(file, reader) == "two"


def test_a_file_that_is_gone_is_not_remembered(tmp_path: Path) -> None:
    memo = FileMemo()
    file = write(tmp_path / "a", "one")
    memo.read(file, Reader())
    file.unlink()
    with pytest.raises(FileNotFoundError):
        memo.read(file, Reader())


def test_only_so_much_is_kept_and_the_latest_stays(tmp_path: Path) -> None:
    memo, reader = FileMemo(most_bytes=10), Reader()
    files = [write(tmp_path / name, "1234") for name in "abc"]
    large = write(tmp_path / "large", "12345678901")
    for file in [*files[:2], files[0], files[2], files[0], files[1], large, large, files[1]]:
        memo.read(file, reader)
    assert reader.read == ["a", "b", "c", "b", "large", "large"]

"""Files that are there whole or as they were: what is flushed when, and what is left."""

import os
from pathlib import Path
from typing import Any

import pytest

from corpuscope.tools.core.files import flush_tree, written_aside


@pytest.fixture
def done(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str]]:
    """What was flushed and renamed, in this order, by name."""
    steps: list[tuple[str, str]] = []
    flush, rename = os.fsync, os.replace

    def fsync(handle: int) -> None:
        steps.append(("flush", Path(os.readlink(f"/proc/self/fd/{handle}")).name.split(".")[0]))
        flush(handle)

    def replace(old: Any, new: Any) -> None:
        steps.append(("rename", Path(new).name))
        rename(old, new)

    monkeypatch.setattr(os, "fsync", fsync)
    monkeypatch.setattr(os, "replace", replace)
    return steps


def test_a_file_is_on_the_disk_before_it_has_its_name_and_its_name_before_that_is_told(
    tmp_path: Path, done: list[tuple[str, str]]
) -> None:
    with written_aside(tmp_path / "run") as draft:
        draft.write_text("words")
    assert done == [("flush", "run"), ("rename", "run"), ("flush", tmp_path.name.split(".")[0])]


def test_a_folder_is_on_the_disk_with_all_that_is_in_it(
    tmp_path: Path, done: list[tuple[str, str]]
) -> None:
    (tmp_path / "words").mkdir()
    for name in ("run", "words/1", "words/2"):
        (tmp_path / name).write_text("")
    flush_tree(tmp_path)
    assert {name for _, name in done} == {tmp_path.name, "run", "words", "1", "2"}


def test_what_fails_leaves_the_old_file_and_no_draft(tmp_path: Path) -> None:
    file = tmp_path / "run.json"
    file.write_text("old")
    with pytest.raises(RuntimeError), written_aside(file) as draft:
        draft.write_text("half")
        raise RuntimeError
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [("run.json", "old")]

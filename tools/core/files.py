"""Files that are there whole or as they were before: written aside, then renamed.

What has its name is on the disk: the file is flushed before it is renamed, its folder after, so
that a power cut leaves the old file or the new one, and never an empty one.
"""

import contextlib
import os
import uuid
from collections.abc import Iterator
from pathlib import Path

from pydantic import ValidationError

PRIVATE = 0o077
"""The umask of the processes that write: folders 0700, files 0600, also those of libraries."""


def write_privately() -> None:
    """Have this process, and those that it starts, write what this user alone can read."""
    os.umask(PRIVATE)


@contextlib.contextmanager
def written_aside(path: Path, *, flushed: bool = True) -> Iterator[Path]:
    """A path beside `path` to write to, renamed to it at the end; removed where that fails.

    `flushed=False` for what can be made again: a power cut may leave it empty.
    """
    draft = path.with_name(f"{path.name}.{uuid.uuid4().hex[:8]}")
    try:
        yield draft
        if flushed:
            _flush(draft)
        draft.replace(path)
        if flushed:
            flush_folder(path.parent)
    finally:
        with contextlib.suppress(OSError):  # the error that led here tells more
            draft.unlink(missing_ok=True)


def flush_tree(folder: Path) -> None:
    """See that all that lies in a folder is on the disk, before the folder gets its name."""
    for parent, _, files in os.walk(folder):
        for file in files:
            _flush(Path(parent, file))
        flush_folder(Path(parent))


def flush_folder(folder: Path) -> None:
    """See that the names in a folder are on the disk, where the system can do that."""
    # Windows opens no folders, and some file systems on the net flush none.
    with contextlib.suppress(OSError):
        _flush(folder)


def _flush(path: Path) -> None:
    """Have the system write to the disk what it holds of a file in memory."""
    # Windows flushes only what is open for writing; folders open for reading alone.
    handle = os.open(path, os.O_RDONLY if os.name == "posix" else os.O_RDWR)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def complaint(error: ValidationError) -> tuple[str, bool]:
    """What is wrong with stored JSON, in a few words, and whether it is damaged.

    What is no JSON object is damaged. One that is, but lacks a field or has another type in it, is
    whole: another version wrote it, and reads it.
    """
    first = error.errors(include_url=False, include_input=False, include_context=False)[0]
    if not first["loc"]:
        return "no JSON object", True
    return f"of another version ({'.'.join(map(str, first['loc']))}: {first['msg']})", False

"""The folders of a dataset's runs: which can be read, their numbers, and what is left of others.

Beside `r3` lie `draft-…`, which a process is still writing; `deleted-r3`, kept while empty so that
its number is not given twice; and `damaged-r3`, a run that can no longer be read.
"""

import logging
import os
import re
import shutil
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from corpuscope.tools.archive.run_files import (
    LAST_NUMBER_FILE,
    MEMBERS_FILE,
    RUN_FILE,
    Fault,
    read_text,
    run_fault,
    unreached,
    write_stored,
)
from corpuscope.tools.core.files import flush_folder, flush_tree
from corpuscope.tools.core.ids import RUN
from corpuscope.tools.core.schema import Run

DRAFT = re.compile(r"draft-([1-9]\d{0,8})-\w+")
"""What a process, of this id, has not finished to write."""

DELETED = "deleted-"
DAMAGED = "damaged-"
NUMBERED = re.compile(rf"(?:{DELETED}|{DAMAGED})?({RUN.pattern})(?:-\d+)?")

logger = logging.getLogger(__name__)


class RunFolders:
    """The folders that hold a run, each looked at once until it changes."""

    def __init__(self) -> None:
        self._faults: dict[tuple[Path, int, int], Fault | None] = {}
        """What is wrong with a run, by its folder and when its file changed."""

    def ids_in(self, parent: Path) -> list[str]:
        """The ids of the runs that can be read, the oldest first; damaged ones are moved aside."""
        named = (name for name in names_in(parent) if RUN.fullmatch(name))
        sound = (name for name in named if self._fault(parent / name) is None)
        return sorted(sound, key=_number)

    def unreadable_in(self, parent: Path) -> dict[str, str]:
        """The runs that cannot be read, by id: why, and where they are."""
        self.ids_in(parent)  # what is damaged is where it stays from here on
        said = {}
        for name in sorted(names_in(parent)):
            if name.startswith(DAMAGED) and (numbered := NUMBERED.fullmatch(name)):
                fault = run_fault(parent / name)
                why = fault.why if fault else f"{MEMBERS_FILE} cannot be read"
                said[numbered[1]] = f"is damaged ({why}) and was moved to {parent / name}"
            elif RUN.fullmatch(name) and (fault := self._fault(parent / name)):
                said[name] = f"cannot be read ({fault.why})"
        return said

    def _fault(self, folder: Path) -> Fault | None:
        try:
            status = (folder / RUN_FILE).stat()
        except (FileNotFoundError, NotADirectoryError):
            return Fault(f"{RUN_FILE} is missing", damaged=False)
        except OSError as error:
            return unreached(error)
        key = (folder, status.st_ino, status.st_ctime_ns)
        if key in self._faults:
            return self._faults[key]
        fault = run_fault(folder)
        if fault is not None:
            move_aside(folder, fault)
        if fault is None or fault.lasting:
            self._faults[key] = fault
        return fault


def move_aside(folder: Path, fault: Fault) -> Path:
    """Take a damaged run out of the way of the others, and log it; one that is whole stays."""
    logger.warning("the run in %s cannot be read: %s", folder, fault.why)
    aside = folder.with_name(f"{DAMAGED}{folder.name}")
    if fault.damaged:
        try:
            folder.rename(aside)
        except OSError as error:  # deleted by now, or the home is read-only
            logger.warning("it was not moved to %s: %s", aside, error.strerror)
    return aside


def names_in(folder: Path) -> list[str]:
    """The names in a folder; none where there is no such folder."""
    try:
        return os.listdir(folder)
    except (FileNotFoundError, NotADirectoryError):
        return []


def place_run(draft: Path, run: Run) -> Run:
    """Give a draft the next free number, by which it appears as a run; the run as it is named."""
    number = _last_number(draft.parent) + 1
    flush_tree(draft)
    while True:
        named = replace(run, id=f"r{number}", edit=0)
        write_stored(draft / RUN_FILE, named)
        try:
            draft.rename(draft.with_name(named.id))
        except OSError:
            if not draft.with_name(named.id).exists():
                raise
            number += 1  # another process took it in the meantime
        else:
            flush_folder(draft.parent)
            return named


def delete_run(folder: Path) -> None:
    """Take a run away, readable or not: at once, in one step that needs no room on the disk."""
    folder.rename(folder.with_name(f"{DELETED}{folder.name.removeprefix(DAMAGED)}"))
    flush_folder(folder.parent)


def deleted_in(parent: Path) -> list[Path]:
    """The folders of runs that were deleted."""
    names = (name for name in names_in(parent) if name.startswith(DELETED))
    return [parent / name for name in names if NUMBERED.fullmatch(name)]


def run_of(deleted: Path) -> str:
    """The id of the run that a folder of `deleted_in` was."""
    return NUMBERED.fullmatch(deleted.name)[1]  # type: ignore[index]  # so they are chosen


def empty_deleted(folder: Path, *, keep: tuple[str, ...] = ()) -> None:
    """Delete what is in the folder of a deleted run, but for some files; where all goes, the folder
    too, unless it holds the highest number."""
    for name in names_in(folder):
        if name not in keep:
            remove_tree(folder / name)
    if not keep and _number(run_of(folder)) != _last_number(folder.parent):
        with suppress(OSError):
            folder.rmdir()


def remove_drafts(parent: Path) -> None:
    """Delete what dead processes did not finish to write."""
    for name in names_in(parent):
        if (draft := DRAFT.fullmatch(name)) and not _alive(int(draft[1])):
            remove_tree(parent / name)


def remove_tree(path: Path) -> None:
    """Delete a folder or a file, as far as that is possible."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        with suppress(OSError):
            path.unlink()


def _last_number(parent: Path) -> int:
    """The highest number that a run has or had."""
    numbers = []
    for name in names_in(parent):
        # A folder of somebody else may be called like a run.
        ours = not RUN.fullmatch(name) or (parent / name / RUN_FILE).exists()
        if (numbered := NUMBERED.fullmatch(name)) and ours:
            numbers.append(_number(numbered[1]))
    deleted = (read_text(parent / LAST_NUMBER_FILE) or "").strip()
    if RUN.fullmatch(f"r{deleted}"):
        numbers.append(int(deleted))
    return max(numbers, default=0)


def _number(run: str) -> int:
    return int(run[1:])


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True

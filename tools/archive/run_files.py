"""The folders and files of runs: their names, how they are written, and read when damaged.

Beside `r3` lie `draft-…`, which a process is still writing; `deleted-r3`, kept while empty so that
its number is not given twice; and `damaged-r3`, which can no longer be read: that takes `run.json`
and the members. Whatever else is damaged counts as absent. It is moved aside, so that nothing
stumbles over it twice and nothing is lost.
"""

import json
import logging
import os
import re
import shutil
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar
from zipfile import BadZipFile

import numpy as np
from pydantic import ValidationError

from corpuscope.tools.archive.members import ends_as_members
from corpuscope.tools.core.files import complaint, flush_folder, flush_tree, written_aside
from corpuscope.tools.core.ids import RUN
from corpuscope.tools.core.schema import (
    Description,
    Floats,
    GroupOffsets,
    Run,
    Stability,
    from_json,
    to_json,
)

Stored = TypeVar("Stored")

RUN_FILE = "run.json"
MEMBERS_FILE = "members.parquet"
MAP_FILE = "map.npy"
STABILITY_FILE = "stability.json"
DESCRIPTIONS = "descriptions"
EVIDENCE = "evidence"
FOCUS_FILE = "focus.txt"
CENTROIDS_FILE = "centroids.npz"
REFRESH_FILE = "refresh.json"
CHOSEN_RUN_FILE = "default.json"
CHOSEN_LAYER_FILE = "shown.json"
ORIGIN_FILE = "origin.json"
LAST_NUMBER_FILE = "last"
"""Written by older versions: the number of a deleted run, if it was the highest."""
OFFSETS_FILE = "group_offsets.npz"

DRAFT = re.compile(r"draft-([1-9]\d{0,8})-\w+")
"""What a process, of this id, has not finished to write."""

DELETED = "deleted-"
DAMAGED = "damaged-"
NUMBERED = re.compile(rf"(?:{DELETED}|{DAMAGED})?({RUN.pattern})(?:-\d+)?")

UNREADABLE_ARRAYS = (ValueError, EOFError, KeyError, IndexError, BadZipFile)
"""How numpy fails at a file that is not as it was written."""

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Fault:
    """Why a run cannot be read, and whether its files are damaged; else they are whole, and of
    another version or not for this user to read."""

    why: str
    damaged: bool


def run_fault(folder: Path) -> Fault | None:
    """What is wrong with a run's folder; None where it can be read, as far as is quickly seen."""
    try:
        text = (folder / RUN_FILE).read_bytes()
        if not text.strip(b"\0 \r\n\t"):
            return Fault(f"{RUN_FILE} is empty", damaged=True)
        from_json(Run, text)
        if not ends_as_members(folder / MEMBERS_FILE):
            return Fault(f"{MEMBERS_FILE} is cut off or empty", damaged=True)
    except ValidationError as error:
        why, damaged = complaint(error)
        return Fault(f"{RUN_FILE} is {why}", damaged)
    except FileNotFoundError as error:
        return Fault(f"{Path(error.filename).name} is missing", damaged=True)
    except PermissionError as error:
        return Fault(f"{Path(error.filename).name}: {error.strerror}", damaged=False)
    return None


def read_run(file: Path) -> Run:
    """The run of a file that is sound; raises as reading and parsing do."""
    return from_json(Run, file.read_bytes())


def read_stored(file: Path, kind: type[Stored]) -> Stored | None:
    """What is kept in a file; None where there is none, or none that can be read."""
    if not file.exists():
        return None
    try:
        return from_json(kind, file.read_bytes())
    except ValidationError as error:
        why, damaged = complaint(error)
        _pass_over(file, why, damaged=damaged)
        return None


def read_text(file: Path) -> str | None:
    """A text that is kept in a file; None where there is none, or none that can be read."""
    try:
        return file.read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
    except UnicodeDecodeError as error:
        _pass_over(file, str(error), damaged=True)
        return None


def read_arrays(file: Path, parts: Callable[[Any], Stored]) -> Stored | None:
    """What `parts` takes out of a file of numpy; None where there is none, or none to be read."""
    if not file.exists():
        return None
    try:
        with file.open("rb") as opened:
            return parts(np.load(opened, allow_pickle=False))
    except UNREADABLE_ARRAYS as error:
        _pass_over(file, str(error), damaged=True)
        return None


def _pass_over(file: Path, why: str, *, damaged: bool) -> None:
    """Say that a file counts as absent; a damaged one is moved aside."""
    logger.warning("%s is passed over: it is %s", file, why)
    if damaged:
        try:
            file.replace(file.with_name(f"{file.name}.damaged"))
        except OSError as error:  # the home may be read-only
            logger.warning("%s cannot be moved aside: %s", file, error.strerror)


def write_stored(file: Path, stored: object) -> None:
    """Keep something in a file, which is there whole or as it was before."""
    with written_aside(file) as draft:
        draft.write_text(to_json(stored, indent=1), encoding="utf-8")


def write_stability(folder: Path, stability: Stability) -> None:
    """Write how surely clusters come back into the folder of a run that is about to appear."""
    _write(folder / STABILITY_FILE, stability)


def write_descriptions(folder: Path, descriptions: Mapping[str, Description]) -> None:
    """Write descriptions into the folder of a run that is about to appear."""
    if descriptions:
        (folder / DESCRIPTIONS).mkdir(exist_ok=True)
    for cluster_id, description in descriptions.items():
        _write(folder / DESCRIPTIONS / f"{cluster_id}.json", description)


def write_centroids(folder: Path, centroids: Mapping[str, Floats]) -> None:
    """Write centroids, (dim,) by cluster id, into the folder of a run that is about to appear."""
    if centroids:
        vectors = np.stack([*centroids.values()]).astype(np.float16)
        np.savez(folder / CENTROIDS_FILE, ids=np.array([*centroids]), vectors=vectors)


def read_centroids(file: Path) -> dict[str, Floats]:
    """The (dim,) float32 centroids by cluster id; none where there is no file."""

    def parts(arrays: Any) -> dict[str, Floats]:
        vectors: Floats = arrays["vectors"].astype(np.float32)
        return dict(zip(map(str, arrays["ids"]), vectors, strict=True))

    return read_arrays(file, parts) or {}


def write_offsets(folder: Path, offsets: GroupOffsets) -> None:
    """Write what was taken off the vectors of a run that is about to appear."""
    groups = {"columns": offsets.columns, "values": offsets.values, "rest": offsets.rest}
    arrays: dict[str, Any] = {f"offsets_{at}": each for at, each in enumerate(offsets.offsets)}
    arrays |= {"groups": np.array(json.dumps(groups)), "codes": offsets.codes}
    arrays |= {"axes": offsets.axes, "centre": offsets.centre}
    np.savez(folder / OFFSETS_FILE, **arrays)


def read_offsets(file: Path) -> GroupOffsets | None:
    """What was taken off the vectors of a run; None where there is no file."""

    def parts(arrays: Any) -> GroupOffsets:
        known = json.loads(str(arrays["groups"]))
        offsets = [arrays[f"offsets_{at}"] for at in range(len(known["columns"]))]
        arrays_of = {name: arrays[name] for name in ("codes", "axes", "centre")}
        return GroupOffsets(**known, offsets=offsets, **arrays_of)

    return read_arrays(file, parts)


def write_map(folder: Path, points: Floats) -> None:
    """Write a map, (n, 2), into the folder of a run that is about to appear."""
    np.save(folder / MAP_FILE, points)


def write_focus(folder: Path, focus: str) -> None:
    """Write what the person said into the folder of a run that is about to appear."""
    (folder / FOCUS_FILE).write_text(focus, encoding="utf-8")


def _write(file: Path, stored: object) -> None:
    """Write into a folder that is itself still aside."""
    file.write_text(to_json(stored, indent=1), encoding="utf-8")


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
        key = (folder, status.st_ino, status.st_ctime_ns)
        if key not in self._faults:
            fault = self._faults[key] = run_fault(folder)
            if fault is not None:
                move_aside(folder, fault)
        return self._faults[key]


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
        named = replace(run, id=f"r{number}")
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


def empty_deleted(folder: Path, *, keep: tuple[str, ...] = ()) -> None:
    """Delete what is in the folder of a deleted run, but for some files; where all goes, the folder
    too, unless it holds the highest number."""
    for name in names_in(folder):
        if name not in keep:
            remove_tree(folder / name)
    if not keep and _number(folder.name.removeprefix(DELETED)) != _last_number(folder.parent):
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

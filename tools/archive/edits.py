"""Edits of a run by hand: the log of them, and what the run is after each.

`edits.json` lists all edits, also those that were undone. `edits/<number>/` holds what one made:
the run after it, the members that are elsewhere than they were found, and centroids, words and
evidence of what it changed. No file of the run as it was found is changed, and an edit counts once
it is in the log, which is written last: it is there whole, or not at all.
"""

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from corpuscope.tools.archive import run_files
from corpuscope.tools.archive.defaults import ChosenBy
from corpuscope.tools.archive.run_files import read_stored, write_stored
from corpuscope.tools.core.files import flush_folder, flush_tree
from corpuscope.tools.core.schema import Description, Floats, Members, Run, Stability

LOG_FILE = "edits.json"
EDITS = "edits"
MOVED_FILE = "moved.npz"

EditOp: TypeAlias = Literal["merge", "move", "rename", "group", "dissolve", "freeze", "unfreeze"]

EditState: TypeAlias = Literal["active", "undone", "replaced"]
"""In force; undone, and may be redone; or undone, with another edit made in its place."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """What somebody did with an edit."""

    what: Literal["made", "undo", "redo"]
    by: ChosenBy
    at: str
    """ISO 8601, UTC, with microseconds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunEdit:
    """One edit of a run."""

    number: int
    op: EditOp
    said: str
    """What it did, in a sentence."""
    arguments: dict[str, list[str] | str]
    """As they were given."""
    state: EditState = "active"
    steps: list[Step]
    """Made first, then undone and redone, in turn."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EditedRun:
    """A run after an edit, as it is kept."""

    run: Run
    line: list[int]
    """The edits that are in it, the last of them this one."""
    since: dict[str, int]
    """The edit that last changed the records of a cluster, also of one that is gone; a cluster that
    is not named has those it was found with."""
    worded: dict[str, int]
    """The edit that last changed the words of a cluster or heading, or what they are of."""

    @property
    def alive(self) -> set[str]:
        """The ids of the clusters and headings that there are."""
        return {node.id for node in self.run.nodes} | {*self.run.grouped}


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class MadeEdit:
    """An edit with all that is kept of it. `members` are those after it; `centroids`, (dim,) by
    cluster, and `descriptions` are of what it changed."""

    edit: RunEdit
    edited: EditedRun
    members: Members
    centroids: Mapping[str, Floats] = field(default_factory=dict)
    descriptions: Mapping[str, Description] = field(default_factory=dict)

    @property
    def run(self) -> Run:
        """The run after the edit."""
        return self.edited.run


def read_edits(file: Path) -> list[RunEdit]:
    """The log of a run that has one."""
    return read_stored(file, list[RunEdit]) or []


def read_edited(file: Path) -> EditedRun | None:
    """A run after an edit; None where the file is damaged."""
    return read_stored(file, EditedRun)


def edit_folder(folder: Path, number: int) -> Path:
    """Where the run in `folder` keeps what belongs to one of its edits; to none: that itself."""
    return folder / EDITS / str(number) if number else folder


def active_edits(log: Sequence[RunEdit]) -> list[RunEdit]:
    """The edits in force, the oldest first."""
    return [edit for edit in log if edit.state == "active"]


def redoable_edit(log: Sequence[RunEdit]) -> RunEdit | None:
    """The edit that was undone last, and may be redone."""
    return next((edit for edit in log if edit.state == "undone"), None)


def with_made(log: Sequence[RunEdit], made: RunEdit) -> list[RunEdit]:
    """The log with one more edit; what was undone before cannot be redone any more."""
    kept = [replace(edit, state="replaced") if edit.state == "undone" else edit for edit in log]
    return [*kept, made]


def with_step(log: Sequence[RunEdit], number: int, state: EditState, step: Step) -> list[RunEdit]:
    """The log with one of its edits undone or redone."""
    return [
        replace(edit, state=state, steps=[*edit.steps, step]) if edit.number == number else edit
        for edit in log
    ]


def place_edit(folder: Path, draft: Path, made: MadeEdit, found: Members) -> None:
    """Put all that is kept of an edit into the folder of a run; it does not count before it is in
    the log. `found` are the members as they were found; `draft` is a folder to write in first."""
    for part in (draft.parent, draft, draft / run_files.DESCRIPTIONS):
        part.mkdir(exist_ok=True)  # not the run's: where that is gone, nothing is kept of it
    write_stored(draft / run_files.RUN_FILE, made.edited)
    write_moved(draft / MOVED_FILE, found, made.members)
    run_files.write_centroids(draft, made.centroids)
    run_files.write_descriptions(draft, made.descriptions)
    flush_tree(draft)
    target = edit_folder(folder, made.edit.number)
    # Of an edit that did not come to its end.
    shutil.rmtree(target, ignore_errors=True)
    draft.rename(target)
    flush_folder(target.parent)


def write_moved(file: Path, found: Members, now: Members) -> None:
    """Write the rows of members that differ from those that were found."""
    names = [name for name in _COLUMNS if getattr(found, name) is not None]
    differ = np.zeros(len(found.ids), np.bool_)
    for name in names:
        differ |= np.asarray(getattr(found, name) != getattr(now, name), np.bool_)
    rows = np.flatnonzero(differ)
    columns: dict[str, NDArray[Any]] = {"rows": rows.astype(np.int32)}
    for name in names:
        values = getattr(now, name)[rows]
        columns[name] = values.astype(str) if values.dtype == object else values
    save: Any = np.savez_compressed  # its options are arrays of any name
    save(file, **columns)


def read_moved(file: Path) -> dict[str, NDArray[Any]] | None:
    """The rows that `write_moved` wrote, and their columns; None where they cannot be read.

    Raises:
        FileNotFoundError: There is no such file.
    """
    file.stat()
    return run_files.read_arrays(file, lambda arrays: {name: arrays[name] for name in arrays})


def with_moved(found: Members, moved: Mapping[str, NDArray[Any]]) -> Members:
    """The members as they were found, but for the rows that edits moved."""
    columns: dict[str, NDArray[Any]] = {}
    for name in _COLUMNS:
        if name in moved:
            values = getattr(found, name).copy()
            values[moved["rows"]] = moved[name]
            columns[name] = values
    changed: Any = columns
    return replace(found, **changed)


_COLUMNS = ("paths", "strengths", "centrality", "noise_reasons", "nearest")


def edited_centroids(folder: Path, edited: EditedRun) -> dict[str, Floats]:
    """The centroids of the clusters of an edited run, each from the edit that changed it last."""
    alive, kept = edited.alive, {}
    for number in {0, *edited.since.values()}:
        file = edit_folder(folder, number) / run_files.CENTROIDS_FILE
        for cluster, vector in run_files.read_centroids(file).items():
            if cluster in alive and edited.since.get(cluster, 0) == number:
                kept[cluster] = vector
    return kept


def edited_words(folder: Path, edited: EditedRun) -> dict[str, Description]:
    """The descriptions in an edited run, each from the edit that it is of."""
    alive, kept = edited.alive, {}
    for number in sorted({0, *edited.worded.values()}):
        for cluster, words in read_words(edit_folder(folder, number)).items():
            if cluster in alive and edited.worded.get(cluster, 0) == number:
                kept[cluster] = words
    return kept


def read_words(folder: Path) -> dict[str, Description]:
    """The descriptions in the folder of a run or of an edit, by cluster."""
    files = sorted((folder / run_files.DESCRIPTIONS).glob("*.json"))
    read = (read_stored(file, Description) for file in files)
    return {description.cluster: description for description in read if description}


def edited_stability(folder: Path, edited: EditedRun) -> Stability | None:
    """What was measured last in this line of edits, of the clusters that have not changed since."""
    for number in [*reversed(edited.line), 0]:
        file = edit_folder(folder, number) / run_files.STABILITY_FILE
        if (known := read_stored(file, Stability)) is not None:
            scores = {
                cluster: score
                for cluster, score in known.scores.items()
                if cluster in edited.alive and edited.since.get(cluster, 0) <= number
            }
            return replace(known, scores=scores)
    return None

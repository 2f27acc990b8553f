"""Runs on disk: `runs/<dataset>/<run>/`, each file written under another name and renamed.

Beside the runs of a dataset lie `deleted-r3`, empty and kept so that a number is never given twice,
and `damaged-r3`, a run that can no longer be read.
"""

import os
import shutil
import uuid
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from corpuscope.tools.archive import run_files, run_folders
from corpuscope.tools.archive.defaults import (
    ChosenLayer,
    ChosenRun,
    DefaultRun,
    Origin,
    default_run,
    reason_of_choice,
    showing_layer,
)
from corpuscope.tools.archive.edits import (
    EDITS,
    LOG_FILE,
    MOVED_FILE,
    MadeEdit,
    RunEdit,
    active_edits,
    edit_folder,
    place_edit,
    read_edits,
    read_moved,
    with_made,
    with_moved,
)
from corpuscope.tools.archive.members import UnreadableMembers, read_members, write_members
from corpuscope.tools.archive.notes import RunNotes, dataset_gone
from corpuscope.tools.archive.origins import hand_down
from corpuscope.tools.archive.run_files import Fault, read_stored
from corpuscope.tools.core.errors import BadInput, NotFound, NotReady
from corpuscope.tools.core.ids import check_run_id
from corpuscope.tools.core.schema import Members, Run


def _nothing(folder: Path) -> None:
    """What most runs inherit."""


class Runs(RunNotes):
    """The runs of all datasets below one folder."""

    def save(self, run: Run, members: Members, inherit: Callable[[Path], None] = _nothing) -> Run:
        """Keep a new run; it gets the next free id, and appears whole or not at all.

        `inherit` may put more into the run's folder before it appears.
        """
        parent = self.root / run.dataset
        parent.mkdir(parents=True, exist_ok=True)
        self.sweep(run.dataset)
        draft = parent / f"draft-{os.getpid()}-{uuid.uuid4().hex[:8]}"
        draft.mkdir()
        try:
            write_members(draft / run_files.MEMBERS_FILE, members)
            inherit(draft)
            return run_folders.place_run(draft, run)
        finally:
            shutil.rmtree(draft, ignore_errors=True)  # there only where that failed

    def load(self, dataset: str, run: str | None = None, layer: int | None = None) -> Run:
        """A run by id, or the dataset's default, as it is shown: at the layer asked for, else the
        one chosen for it, else the recommended one.

        Raises:
            NotFound: No such run; the message lists those there are.
            BadInput: The run has no such layer.
        """
        if run is None:
            return self._shown(self.default(dataset).run, layer)
        known = self.ids(dataset)
        if known and check_run_id(run) in known:
            return self._shown(self._read(dataset, run), layer)
        raise self._missing(dataset, run, known)

    def as_of(self, run: Run, edit: int = 0) -> Run:
        """A run as it was after one of its edits, with those before; 0: as it was found.

        Raises:
            NotReady: What is kept of the edit is damaged.
        """
        if not edit:
            return self._read(run.dataset, run.id)
        if (edited := self._edited(replace(run, edit=edit))) is None:
            raise self._edit_lost(run, edit, run_files.RUN_FILE)
        return edited.run

    def edits(self, run: Run) -> list[RunEdit]:
        """All edits of a run, the oldest first, also those that were undone."""
        try:
            return self._memo.read(self._in(run, LOG_FILE), read_edits)
        except FileNotFoundError:
            return []

    def keep_edit(self, made: MadeEdit) -> None:
        """Keep an edit that was made of a run, whole or not at all. To be called with `edit_lock`.

        Raises:
            NotFound: The run, or its dataset, was deleted meanwhile.
        """
        run = made.run
        self.check_there(run)
        draft = self._in(run, EDITS, "draft")
        shutil.rmtree(draft, ignore_errors=True)  # of an edit that did not come to its end
        try:
            place_edit(self._in(run), draft, made, self.members(self.as_of(run)))
        except FileNotFoundError:
            raise self._gone(run.dataset, run.id) from None
        self.keep_log(run, with_made(self.edits(run), made.edit))

    def keep_log(self, run: Run, log: list[RunEdit]) -> None:
        """Keep which edits are in force; raises as `keep_edit` does."""
        self._keep(run, log, LOG_FILE)

    def _missing(self, dataset: str, run: str | None, known: list[str]) -> NotFound:
        """That there is no such run, or none at all; and what became of those not to be read."""
        lost = self.unreadable(dataset)
        because = "".join(f" {id_} {why}." for id_, why in lost.items() if run in (None, id_))
        if not known:
            return NotFound(
                f"Dataset '{dataset}' has no run yet.{because} Make one with `cluster`."
            )
        return NotFound(f"No run '{run}' of '{dataset}'.{because} Runs: {', '.join(known)}.")

    def earlier(self, dataset: str, run: str) -> Run | None:
        """A run that another was made of, also while it is being deleted; None where it is gone."""
        if run in self.ids(dataset):
            return self.load(dataset, run)
        return read_stored(self._deleted(dataset, run) / run_files.RUN_FILE, Run)

    def origin(self, run: Run) -> Origin | None:
        """The parameters of the run that this one was made of, where that was deleted."""
        deleted = self._deleted(run.dataset, run.id)
        folder = deleted if deleted.exists() else self._in(run)
        return read_stored(folder / run_files.ORIGIN_FILE, Origin)

    def _deleted(self, dataset: str, run: str) -> Path:
        return self.folder(dataset, f"{run_folders.DELETED}{run}")

    def default(self, dataset: str, *, by_rule: bool = False) -> DefaultRun:
        """The dataset's default run as it was saved, and why it is that one.

        `by_rule`: as if none had been chosen.

        Raises:
            NotFound: The dataset has no run.
        """
        known = self.ids(dataset)
        if not known:
            raise self._missing(dataset, None, known)
        runs = [self._read(dataset, run) for run in reversed(known)]
        chosen = read_stored(self.root / dataset / run_files.CHOSEN_RUN_FILE, ChosenRun)
        return default_run(runs, None if by_rule else chosen)

    def choose_run(self, dataset: str, chosen: ChosenRun | None) -> None:
        """Make a run the dataset's default; None: the rule decides again.

        Raises NotFound where the dataset was deleted meanwhile.
        """
        try:
            run_files.write_or_drop(self.root / dataset / run_files.CHOSEN_RUN_FILE, chosen)
        except FileNotFoundError:
            raise dataset_gone(dataset) from None

    def choose_layer(self, run: Run, chosen: ChosenLayer) -> None:
        """Make a layer the one that the run shows; raises as `save_map` does."""
        usual = chosen.layer == self._read(run.dataset, run.id).recommended
        try:
            run_files.write_or_drop(
                self._in(run, run_files.CHOSEN_LAYER_FILE), None if usual else chosen
            )
        except FileNotFoundError:
            raise self._gone(run.dataset, run.id) from None

    def _shown(self, run: Run, layer: int | None) -> Run:
        """A run that was saved with its edits, at the layer asked for or chosen."""
        for edit in reversed(active_edits(self.edits(run))):
            if edited := self._edited(replace(run, edit=edit.number)):
                run = edited.run
                break
        chosen = read_stored(self._in(run, run_files.CHOSEN_LAYER_FILE), ChosenLayer)
        if chosen is not None and layer in (None, chosen.layer):
            return showing_layer(run, chosen.layer, reason_of_choice(run, chosen))
        if layer is None:
            return run
        if not 0 <= layer < len(run.layers):
            raise BadInput(f"No layer {layer}: run {run.id} has 0 to {len(run.layers) - 1}.")
        return showing_layer(run, layer)

    def members(self, run: Run) -> Members:
        """Which record is in which cluster of the run; why it is noise where the layer is shown for
        which that is known.

        Raises:
            NotFound: The run was deleted meanwhile.
            NotReady: The file is damaged; the run is moved aside.
        """
        folder = self.folder(run.dataset, run.id)
        try:
            members = self._memo.read(folder / run_files.MEMBERS_FILE, read_members)
        except FileNotFoundError:
            raise self._gone(run.dataset, run.id) from None
        except UnreadableMembers as error:
            raise self._lost(run, f"{run_files.MEMBERS_FILE}: {error}") from error
        if run.edit:
            moved = self._moved(run)
            members = with_moved(members, moved)
        # The reasons are of the noise of the layer that was found.
        return members if run.found is None else replace(members, noise_reasons=None)

    def _moved(self, run: Run) -> Any:
        file = edit_folder(self._in(run), run.edit) / MOVED_FILE
        try:
            moved = self._memo.read(file, read_moved)
        except FileNotFoundError:
            moved = None
        if moved is None:
            raise self._edit_lost(run, run.edit, MOVED_FILE)
        return moved

    def _edit_lost(self, run: Run, edit: int, file: str) -> NotReady:
        return NotReady(
            f"Edit {edit} of run {run.id} of '{run.dataset}' is damaged ({file}). The run as it "
            "was found is unharmed: undo edits until it can be read, edit-clusters(op='undo')."
        )

    def _lost(self, run: Run, why: str) -> NotReady:
        """That a run is damaged; it is moved aside."""
        folder = self.folder(run.dataset, run.id)
        aside = run_folders.move_aside(folder, Fault(why, damaged=True))
        return NotReady(
            f"Run {run.id} of '{run.dataset}' is damaged ({why}) and was moved to {aside}. "
            "The records are unharmed: use another run (`list-datasets`), or `cluster` again."
        )

    def remove_run(self, dataset: str, run: str) -> None:
        """Forget one run, readable or not, and what belongs to it; those made of it stay whole.

        It is gone at once, in one step that needs no room on the disk, and its number is not given
        again.

        Raises:
            NotFound: It was deleted meanwhile.
        """
        folder = self.folder(dataset, run)
        if not folder.exists():
            folder = folder.with_name(f"{run_folders.DAMAGED}{run}")
        try:
            run_folders.delete_run(folder)
        except FileNotFoundError:
            raise self._missing(dataset, run, self.ids(dataset)) from None
        self.sweep(dataset)

    def sweep(self, dataset: str) -> None:
        """Finish what killed processes began: drafts of runs, and the deletion of runs."""
        parent = self.root / dataset
        run_folders.remove_drafts(parent)
        for deleted in run_folders.deleted_in(parent):
            # Last go the parameters; those made of the run get them, once there is room again.
            run_folders.empty_deleted(deleted, keep=(run_files.RUN_FILE, run_files.ORIGIN_FILE))
            if (deleted / run_files.RUN_FILE).exists():
                hand_down(self, dataset, run_folders.run_of(deleted))
            run_folders.empty_deleted(deleted)

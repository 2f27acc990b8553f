"""Runs on disk: `runs/<dataset>/<run>/`, each file written under another name and renamed.

Beside the runs of a dataset lie `deleted-r3`, empty and kept so that a number is never given twice,
and `damaged-r3`, a run that can no longer be read.
"""

import os
import shutil
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np

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
from corpuscope.tools.archive.file_memo import FileMemo
from corpuscope.tools.archive.members import UnreadableMembers, read_members, write_members
from corpuscope.tools.archive.origins import original_run
from corpuscope.tools.archive.run_files import Fault, Stored, read_run, read_stored, write_stored
from corpuscope.tools.core.errors import BadInput, NotFound, NotReady
from corpuscope.tools.core.files import written_aside
from corpuscope.tools.core.ids import check_run_id, dataset_name
from corpuscope.tools.core.schema import (
    Description,
    Floats,
    GroupOffsets,
    Members,
    Run,
    Stability,
    to_json,
)

MADE_AGAIN = (run_files.MAP_FILE, run_files.EVIDENCE, run_files.REFRESH_FILE)
"""What is drawn or gathered again where it is lost."""


def _nothing(folder: Path) -> None:
    """What most runs inherit."""


class Runs:
    """The runs of all datasets below one folder."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._memo = FileMemo()
        self._folders = run_folders.RunFolders()

    def ids(self, dataset: str) -> list[str]:
        """The ids of the dataset's runs that can be read, the oldest first."""
        return self._folders.ids_in(self.root / dataset_name(dataset))

    def unreadable(self, dataset: str) -> dict[str, str]:
        """The dataset's runs that cannot be read, by id: why, and where they are."""
        return self._folders.unreadable_in(self.root / dataset_name(dataset))

    def folder(self, dataset: str, run: str) -> Path:
        """Where a run is kept."""
        return self.root / dataset / run

    def _in(self, run: Run, *place: str) -> Path:
        return self.folder(run.dataset, run.id).joinpath(*place)

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
            raise _dataset_gone(dataset) from None

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
        """A run as it was saved, at the layer asked for or chosen."""
        chosen = read_stored(self._in(run, run_files.CHOSEN_LAYER_FILE), ChosenLayer)
        if chosen is not None and layer in (None, chosen.layer):
            return showing_layer(run, chosen.layer, reason_of_choice(run, chosen))
        if layer is None:
            return run
        if not 0 <= layer < len(run.layers):
            raise BadInput(f"No layer {layer}: run {run.id} has 0 to {len(run.layers) - 1}.")
        return showing_layer(run, layer)

    def _read(self, dataset: str, run: str) -> Run:
        try:
            return self._memo.read(self.folder(dataset, run) / run_files.RUN_FILE, read_run)
        except FileNotFoundError:
            raise self._gone(dataset, run) from None

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
        # The reasons are of the noise of the layer that was found.
        return members if run.found is None else replace(members, noise_reasons=None)

    def _lost(self, run: Run, why: str) -> NotReady:
        """That a run is damaged; it is moved aside."""
        folder = self.folder(run.dataset, run.id)
        aside = run_folders.move_aside(folder, Fault(why, damaged=True))
        return NotReady(
            f"Run {run.id} of '{run.dataset}' is damaged ({why}) and was moved to {aside}. "
            "The records are unharmed: use another run (`list-datasets`), or `cluster` again."
        )

    def _gone(self, dataset: str, run: str) -> NotFound:
        """That a run is no longer there, or all of its dataset."""
        folder = self.folder(dataset, run)
        # Where there is one of this id, it is that of a later dataset.
        if not folder.parent.is_dir() or (folder / run_files.RUN_FILE).exists():
            return _dataset_gone(dataset)
        known = ", ".join(self.ids(dataset)) or "none"
        return NotFound(f"Run {run} of '{dataset}' was deleted meanwhile. Runs: {known}.")

    def check_there(self, run: Run) -> None:
        """Make sure that the run is still there.

        Raises:
            NotFound: It was deleted, or its dataset was.
        """
        if self._read(run.dataset, run.id).collection != run.collection:
            raise _dataset_gone(run.dataset)

    @contextmanager
    def _kept(self, run: Run, *place: str) -> Iterator[Path]:
        """Where to write a file of a run, if that is still there at the end."""
        file = self._in(run, *place)
        try:
            if len(place) > 1:
                file.parent.mkdir(exist_ok=True)
            with written_aside(file, flushed=place[0] not in MADE_AGAIN) as draft:
                yield draft
                # The draft lies in the folder that is looked at: once that is another one's, the
                # draft has gone with the old one, and cannot be renamed.
                self.check_there(run)
        except FileNotFoundError:
            raise self._gone(run.dataset, run.id) from None

    def _keep(self, run: Run, stored: object, *place: str) -> None:
        with self._kept(run, *place) as draft:
            draft.write_text(to_json(stored, indent=1), encoding="utf-8")

    def save_map(self, run: Run, points: Floats) -> None:
        """Keep the run's map, (n, 2), row for row with its members.

        Raises:
            NotFound: The run, or its dataset, was deleted meanwhile.
        """
        with self._kept(run, run_files.MAP_FILE) as draft, draft.open("wb") as file:
            np.save(file, points)

    def map(self, run: Run) -> Floats | None:
        """The run's map, (n, 2) float32, or None while there is none."""
        return run_files.read_arrays(self._in(run, run_files.MAP_FILE), np.asarray)

    def centroids(self, run: Run) -> dict[str, Floats]:
        """The (dim,) float32 unit centroids of the run's clusters by id; none where it has none."""
        return run_files.read_centroids(self._in(run, run_files.CENTROIDS_FILE))

    def offsets(self, run: Run) -> GroupOffsets | None:
        """What was taken off the vectors of the run's records by their groups; None: nothing.

        Raises:
            NotReady: The run had some, and their file is gone or damaged.
        """
        offsets = run_files.read_offsets(self._in(run, run_files.OFFSETS_FILE))
        if offsets is None and run.regardless_of:
            raise NotReady(
                f"Run {run.id} of '{run.dataset}' has lost what it set aside "
                f"({', '.join(run.regardless_of)}): {run_files.OFFSETS_FILE} is gone or damaged. "
                "`cluster` again with regardless_of."
            )
        return offsets

    def save_stability(self, run: Run, stability: Stability) -> None:
        """Keep how surely the run's clusters come back; raises as `save_map` does."""
        self._keep(run, stability, run_files.STABILITY_FILE)

    def stability(self, run: Run) -> Stability | None:
        """How surely the run's clusters come back, or None while nobody looked."""
        return read_stored(self._in(run, run_files.STABILITY_FILE), Stability)

    def save_description(self, run: Run, description: Description) -> None:
        """Keep the words for one cluster; each has a file of its own, so none disturbs another.

        Raises as `save_map` does.
        """
        self._keep(run, description, run_files.DESCRIPTIONS, f"{description.cluster}.json")

    def description(self, run: Run, cluster: str) -> Description | None:
        """The words for one cluster as they are now; None where there are none."""
        folder = self._in(run, run_files.DESCRIPTIONS)
        return read_stored(folder / f"{cluster}.json", Description)

    def descriptions(self, run: Run) -> dict[str, Description]:
        """The run's descriptions by cluster id."""
        folder = self._in(run, run_files.DESCRIPTIONS)
        read = (read_stored(file, Description) for file in sorted(folder.glob("*.json")))
        return {description.cluster: description for description in read if description}

    def save_evidence(self, run: Run, cluster: str, evidence: object) -> None:
        """Keep what was shown of one cluster, a dataclass, so that its references hold; raises as
        `save_map` does."""
        self._keep(run, evidence, run_files.EVIDENCE, f"{cluster}.json")

    def evidence(self, run: Run, cluster: str, kind: type[Stored]) -> Stored | None:
        """What was shown of a cluster last, as the dataclass `kind`; None where it never was."""
        return read_stored(self._in(run, run_files.EVIDENCE, f"{cluster}.json"), kind)

    def save_focus(self, run: Run, focus: str) -> None:
        """Keep what the person said about the corpus and how to look at it; "" forgets it."""
        with self._kept(run, run_files.FOCUS_FILE) as draft:
            draft.write_text(focus, encoding="utf-8")

    def focus(self, run: Run) -> str:
        """What the person said about the corpus, "" where nothing."""
        return run_files.read_text(self._in(run, run_files.FOCUS_FILE)) or ""

    def begin_refresh(self, run: Run, key: str, now: str) -> None:
        """Keep when the writing anew of what `key` stands for began, unless an earlier call began
        it and did not come to its end."""
        if self.refresh_begun(run, key) is None:
            self._keep(run, {key: now}, run_files.REFRESH_FILE)

    def refresh_begun(self, run: Run, key: str) -> str | None:
        """When a writing anew began that has not come to its end, ISO 8601; None if there is none
        of this key."""
        known = read_stored(self._in(run, run_files.REFRESH_FILE), dict[str, str])
        return (known or {}).get(key)

    def end_refresh(self, run: Run) -> None:
        """All that was to be written anew is."""
        (self._in(run, run_files.REFRESH_FILE)).unlink(missing_ok=True)

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
                self._hand_down(dataset, run_folders.run_of(deleted))
            run_folders.empty_deleted(deleted)

    def _hand_down(self, dataset: str, deleted: str) -> None:
        """Keep the parameters of a deleted run with those made of it by a split or assignment."""
        for other in [self._read(dataset, id_) for id_ in self.ids(dataset)]:
            if deleted in (other.parent_run, other.assigned_from):
                origin = Origin(parameters=original_run(self, other).parameters)
                write_stored(self.folder(dataset, other.id) / run_files.ORIGIN_FILE, origin)


def _dataset_gone(dataset: str) -> NotFound:
    return NotFound(
        f"Dataset '{dataset}' was deleted meanwhile, and its runs with it. See `list-datasets`."
    )

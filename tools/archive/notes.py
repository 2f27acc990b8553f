"""What is kept beside a run: map, stability, words, evidence and more, each in a file of its own.

In comes a run as it was loaded; what belongs to clusters that edits changed lies with the edit.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from corpuscope.tools.archive import run_files, run_folders
from corpuscope.tools.archive.edits import (
    EDITS,
    EditedRun,
    edit_folder,
    edited_centroids,
    edited_stability,
    edited_words,
    read_edited,
    read_words,
)
from corpuscope.tools.archive.file_memo import FileMemo
from corpuscope.tools.archive.run_files import Stored, read_run, read_stored
from corpuscope.tools.core.errors import NotFound, NotReady
from corpuscope.tools.core.files import written_aside
from corpuscope.tools.core.ids import dataset_name
from corpuscope.tools.core.schema import (
    Description,
    Floats,
    GroupOffsets,
    Run,
    Stability,
    to_json,
)

MADE_AGAIN = {run_files.MAP_FILE, run_files.EVIDENCE, run_files.REFRESH_FILE}
"""What is drawn or gathered again where it is lost."""


class RunNotes:
    """The runs of all datasets below one folder, with what is kept beside each."""

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

    def _read(self, dataset: str, run: str) -> Run:
        try:
            return self._memo.read(self.folder(dataset, run) / run_files.RUN_FILE, read_run)
        except FileNotFoundError:
            raise self._gone(dataset, run) from None

    def edited(self, run: Run) -> EditedRun:
        """What the edits that are in a run have changed."""
        return self._edited(run) or EditedRun(run=run, line=[], since={}, worded={})

    def _edited(self, run: Run) -> EditedRun | None:
        try:
            file = edit_folder(self._in(run), run.edit) / run_files.RUN_FILE
            return self._memo.read(file, read_edited) if run.edit else None
        except FileNotFoundError:
            return None

    def check_there(self, run: Run) -> None:
        """Make sure that the run is still there.

        Raises:
            NotFound: It was deleted, or its dataset was.
        """
        if self._read(run.dataset, run.id).collection != run.collection:
            raise dataset_gone(run.dataset)

    def _gone(self, dataset: str, run: str) -> NotFound:
        """That a run is no longer there, or all of its dataset."""
        folder = self.folder(dataset, run)
        # Where there is one of this id, it is that of a later dataset.
        if not folder.parent.is_dir() or (folder / run_files.RUN_FILE).exists():
            return dataset_gone(dataset)
        known = ", ".join(self.ids(dataset)) or "none"
        return NotFound(f"Run {run} of '{dataset}' was deleted meanwhile. Runs: {known}.")

    @contextmanager
    def _kept(self, run: Run, *place: str) -> Iterator[Path]:
        """Where to write a file of a run, if that is still there at the end."""
        file = self._in(run, *place)
        try:
            if len(place) > 1:
                file.parent.mkdir(exist_ok=True)
            with written_aside(file, flushed=MADE_AGAIN.isdisjoint(place)) as draft:
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
        return edited_centroids(self._in(run), self.edited(run))

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
        self._keep(run, stability, *_beside(run.edit), run_files.STABILITY_FILE)

    def stability(self, run: Run) -> Stability | None:
        """How surely the run's clusters come back, or None while nobody looked."""
        return edited_stability(self._in(run), self.edited(run))

    def save_description(self, run: Run, description: Description) -> None:
        """Keep the words for one cluster; each has a file of its own, so none disturbs another.

        Raises as `save_map` does.
        """
        beside = _beside(self.edited(run).worded.get(description.cluster, 0))
        file = f"{description.cluster}.json"
        self._keep(run, description, *beside, run_files.DESCRIPTIONS, file)

    def description(self, run: Run, cluster: str) -> Description | None:
        """The words for one cluster as they are now; None where there are none."""
        beside = _beside(self.edited(run).worded.get(cluster, 0))
        folder = self._in(run, *beside, run_files.DESCRIPTIONS)
        return read_stored(folder / f"{cluster}.json", Description)

    def descriptions(self, run: Run) -> dict[str, Description]:
        """The run's descriptions by cluster id."""
        edited = self._edited(run)
        folder = self._in(run)
        return read_words(folder) if edited is None else edited_words(folder, edited)

    def save_evidence(self, run: Run, cluster: str, evidence: object) -> None:
        """Keep what was shown of one cluster, a dataclass, so that its references hold; raises as
        `save_map` does."""
        beside = _beside(self.edited(run).since.get(cluster, 0))
        self._keep(run, evidence, *beside, run_files.EVIDENCE, f"{cluster}.json")

    def evidence(self, run: Run, cluster: str, kind: type[Stored]) -> Stored | None:
        """What was shown of a cluster last, as the dataclass `kind`; None where it never was."""
        beside = _beside(self.edited(run).since.get(cluster, 0))
        return read_stored(self._in(run, *beside, run_files.EVIDENCE, f"{cluster}.json"), kind)

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


def dataset_gone(dataset: str) -> NotFound:
    """That a dataset was deleted while something was done to one of its runs."""
    return NotFound(
        f"Dataset '{dataset}' was deleted meanwhile, and its runs with it. See `list-datasets`."
    )


def _beside(edit: int) -> tuple[str, ...]:
    """Where in a run's folder lies what belongs to one of its edits; to none: in that itself."""
    return (EDITS, str(edit)) if edit else ()

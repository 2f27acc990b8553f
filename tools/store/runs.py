"""Runs on disk: `runs/<dataset>/<run>/`, each file written under another name and renamed."""

import json
import os
import shutil
import uuid
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from corpuscope.tools.core.errors import BadInput, NotFound
from corpuscope.tools.core.files import written_aside
from corpuscope.tools.core.ids import RUN, check_run_id, dataset_name
from corpuscope.tools.core.schema import (
    Description,
    Floats,
    GroupOffsets,
    Members,
    Run,
    Stability,
    from_json,
    to_json,
)
from corpuscope.tools.store.defaults import (
    ChosenLayer,
    ChosenRun,
    DefaultRun,
    Origin,
    default_run,
    reason_of_choice,
    showing_layer,
)
from corpuscope.tools.store.file_memo import FileMemo
from corpuscope.tools.store.members import read_members, write_members

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
"""The number of a deleted run, if it was the highest: a run's id never means another one."""
OFFSETS_FILE = "group_offsets.npz"


def _nothing(folder: Path) -> None:
    """What most runs inherit."""


class Runs:
    """The runs of all datasets below one folder."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._memo = FileMemo()

    def ids(self, dataset: str) -> list[str]:
        """The ids of the dataset's runs, the oldest first."""
        folder = self.root / dataset_name(dataset)
        if not folder.is_dir():
            return []
        names = (
            entry.name
            for entry in os.scandir(folder)
            if RUN.fullmatch(entry.name) and (folder / entry.name / RUN_FILE).is_file()
        )
        return sorted(names, key=lambda name: int(name[1:]))

    def folder(self, dataset: str, run: str) -> Path:
        """Where a run is kept."""
        return self.root / dataset / run

    def save(self, run: Run, members: Members, inherit: Callable[[Path], None] = _nothing) -> Run:
        """Keep a new run; it gets the next free id, and appears whole or not at all.

        `inherit` may put more into the run's folder before it appears.
        """
        parent = self.root / run.dataset
        parent.mkdir(parents=True, exist_ok=True)
        self._drop_strays(parent)
        draft = parent / f"draft-{os.getpid()}-{uuid.uuid4().hex[:8]}"
        draft.mkdir()
        write_members(draft / MEMBERS_FILE, members)
        inherit(draft)
        number = self._last_number(run.dataset) + 1
        while True:
            named = replace(run, id=f"r{number}")
            (draft / RUN_FILE).write_text(to_json(named, indent=1), encoding="utf-8")
            try:
                draft.rename(parent / named.id)
            except OSError:
                if not (parent / named.id).exists():
                    raise
                number += 1  # another process took it in the meantime
            else:
                return named

    def load(self, dataset: str, run: str | None = None, layer: int | None = None) -> Run:
        """A run by id, or the dataset's default, as it is shown: at the layer asked for, else the
        one chosen for it, else the recommended one.

        Raises:
            NotFound: No such run; the message lists those there are.
            BadInput: The run has no such layer.
        """
        known = self.ids(dataset)
        if not known:
            raise NotFound(f"Dataset '{dataset}' has no run yet. Make one with `cluster`.")
        if run is None:
            return self._shown(self.default(dataset).run, layer)
        if check_run_id(run) not in known:
            raise NotFound(f"No run '{run}' of '{dataset}'. Runs: {', '.join(known)}.")
        return self._shown(self._read(dataset, run), layer)

    def default(self, dataset: str, *, by_rule: bool = False) -> DefaultRun:
        """The dataset's default run as it was saved, and why it is that one.

        `by_rule`: as if none had been chosen.

        Raises:
            NotFound: The dataset has no run.
        """
        known = self.ids(dataset)
        if not known:
            raise NotFound(f"Dataset '{dataset}' has no run yet. Make one with `cluster`.")
        runs = [self._read(dataset, run) for run in reversed(known)]
        chosen = None if by_rule else _read(self.root / dataset / CHOSEN_RUN_FILE, ChosenRun)
        return default_run(runs, chosen)

    def choose_run(self, dataset: str, chosen: ChosenRun | None) -> None:
        """Make a run the dataset's default; None: the rule decides again."""
        _write_or_drop(self.root / dataset_name(dataset) / CHOSEN_RUN_FILE, chosen)

    def choose_layer(self, run: Run, chosen: ChosenLayer) -> None:
        """Make a layer the one that the run shows."""
        usual = chosen.layer == self._read(run.dataset, run.id).recommended
        file = self.folder(run.dataset, run.id) / CHOSEN_LAYER_FILE
        _write_or_drop(file, None if usual else chosen)

    def _shown(self, run: Run, layer: int | None) -> Run:
        """A run as it was saved, at the layer asked for or chosen."""
        chosen = _read(self.folder(run.dataset, run.id) / CHOSEN_LAYER_FILE, ChosenLayer)
        if chosen is not None and layer in (None, chosen.layer):
            return showing_layer(run, chosen.layer, reason_of_choice(run, chosen))
        if layer is None:
            return run
        if not 0 <= layer < len(run.layers):
            raise BadInput(f"No layer {layer}: run {run.id} has 0 to {len(run.layers) - 1}.")
        return showing_layer(run, layer)

    def _read(self, dataset: str, run: str) -> Run:
        file = self.folder(dataset, run) / RUN_FILE
        return self._memo.read(file, lambda file: from_json(Run, file.read_bytes()))

    def _last_number(self, dataset: str) -> int:
        file = self.root / dataset / LAST_NUMBER_FILE
        deleted = int(file.read_text(encoding="utf-8")) if file.exists() else 0
        return max(deleted, int((self.ids(dataset) or ["r0"])[-1][1:]))

    def members(self, run: Run) -> Members:
        """Which record is in which cluster of the run; why it is noise where the layer is shown for
        which that is known."""
        file = self.folder(run.dataset, run.id) / MEMBERS_FILE
        members = self._memo.read(file, read_members)
        # The reasons are of the noise of the layer that was found.
        return members if run.found is None else replace(members, noise_reasons=None)

    def save_map(self, run: Run, points: Floats) -> None:
        """Keep the run's map, (n, 2), row for row with its members."""
        write_map(self.folder(run.dataset, run.id), points)

    def map(self, run: Run) -> Floats | None:
        """The run's map, (n, 2) float32, or None while there is none."""
        file = self.folder(run.dataset, run.id) / MAP_FILE
        if not file.exists():
            return None
        points: Floats = np.load(file, allow_pickle=False)
        return points

    def centroids(self, run: Run) -> dict[str, Floats]:
        """The (dim,) float32 unit centroids of the run's clusters by id; none where it has none."""
        file = self.folder(run.dataset, run.id) / CENTROIDS_FILE
        if not file.exists():
            return {}
        with np.load(file, allow_pickle=False) as arrays:
            vectors: Floats = arrays["vectors"].astype(np.float32)
            return dict(zip(map(str, arrays["ids"]), vectors, strict=True))

    def offsets(self, run: Run) -> GroupOffsets | None:
        """What was taken off the vectors of the run's records by their groups; None: nothing."""
        file = self.folder(run.dataset, run.id) / OFFSETS_FILE
        if not file.exists():
            return None
        with np.load(file, allow_pickle=False) as arrays:
            known = json.loads(str(arrays["groups"]))
            offsets = [arrays[f"offsets_{at}"] for at in range(len(known["columns"]))]
            arrays_of = {name: arrays[name] for name in ("codes", "axes", "centre")}
            return GroupOffsets(**known, offsets=offsets, **arrays_of)

    def save_stability(self, run: Run, stability: Stability) -> None:
        """Keep how surely the run's clusters come back."""
        write_stability(self.folder(run.dataset, run.id), stability)

    def stability(self, run: Run) -> Stability | None:
        """How surely the run's clusters come back, or None while nobody looked."""
        return _read(self.folder(run.dataset, run.id) / STABILITY_FILE, Stability)

    def save_description(self, run: Run, description: Description) -> None:
        """Keep the words for one cluster; each has a file of its own, so none disturbs another."""
        folder = self.folder(run.dataset, run.id) / DESCRIPTIONS
        folder.mkdir(exist_ok=True)
        _write(folder / f"{description.cluster}.json", description)

    def description(self, run: Run, cluster: str) -> Description | None:
        """The words for one cluster as they are now; None where there are none."""
        folder = self.folder(run.dataset, run.id) / DESCRIPTIONS
        return _read(folder / f"{cluster}.json", Description)

    def descriptions(self, run: Run) -> dict[str, Description]:
        """The run's descriptions by cluster id."""
        folder = self.folder(run.dataset, run.id) / DESCRIPTIONS
        if not folder.is_dir():
            return {}
        descriptions = (
            from_json(Description, file.read_text(encoding="utf-8"))
            for file in sorted(folder.glob("*.json"))
        )
        return {description.cluster: description for description in descriptions}

    def save_evidence(self, run: Run, cluster: str, evidence: object) -> None:
        """Keep what was shown of one cluster, a dataclass, so that its references hold."""
        folder = self.folder(run.dataset, run.id) / EVIDENCE
        folder.mkdir(exist_ok=True)
        _write(folder / f"{cluster}.json", evidence)

    def evidence(self, run: Run, cluster: str, kind: type[Stored]) -> Stored | None:
        """What was shown of a cluster last, as the dataclass `kind`; None where it never was."""
        return _read(self.folder(run.dataset, run.id) / EVIDENCE / f"{cluster}.json", kind)

    def save_focus(self, run: Run, focus: str) -> None:
        """Keep what the person said about the corpus and how to look at it; "" forgets it."""
        write_focus(self.folder(run.dataset, run.id), focus)

    def focus(self, run: Run) -> str:
        """What the person said about the corpus, "" where nothing."""
        file = self.folder(run.dataset, run.id) / FOCUS_FILE
        return file.read_text(encoding="utf-8") if file.exists() else ""

    def begin_refresh(self, run: Run, key: str, now: str) -> None:
        """Keep when the writing anew of what `key` stands for began, unless an earlier call began
        it and did not come to its end."""
        if self.refresh_begun(run, key) is None:
            with written_aside(self.folder(run.dataset, run.id) / REFRESH_FILE) as draft:
                draft.write_text(json.dumps({key: now}), encoding="utf-8")

    def refresh_begun(self, run: Run, key: str) -> str | None:
        """When a writing anew began that has not come to its end, ISO 8601; None if there is none
        of this key."""
        file = self.folder(run.dataset, run.id) / REFRESH_FILE
        if not file.exists():
            return None
        known: dict[str, str] = json.loads(file.read_text(encoding="utf-8"))
        return known.get(key)

    def end_refresh(self, run: Run) -> None:
        """All that was to be written anew is."""
        (self.folder(run.dataset, run.id) / REFRESH_FILE).unlink(missing_ok=True)

    def remove_run(self, run: Run) -> None:
        """Forget one run and what belongs to it; the runs that came of it stay whole.

        It is gone at once, and its number is not given again.
        """
        parent = self.root / run.dataset
        for other in self._children(run):
            parameters = original_run(self, run).parameters
            _write(
                self.folder(other.dataset, other.id) / ORIGIN_FILE, Origin(parameters=parameters)
            )
        number = self._last_number(run.dataset)
        with written_aside(parent / LAST_NUMBER_FILE) as draft:
            draft.write_text(str(number), encoding="utf-8")
        gone = parent / f"draft-{os.getpid()}-{uuid.uuid4().hex[:8]}"
        self.folder(run.dataset, run.id).rename(gone)
        shutil.rmtree(gone, ignore_errors=True)

    def _children(self, run: Run) -> list[Run]:
        """The runs that were made of one by a split or an assignment."""
        others = (self._read(run.dataset, other) for other in self.ids(run.dataset))
        return [other for other in others if run.id in (other.parent_run, other.assigned_from)]

    def remove(self, dataset: str) -> None:
        """Forget all runs of a dataset."""
        shutil.rmtree(self.root / dataset, ignore_errors=True)

    def _drop_strays(self, parent: Path) -> None:
        for draft in parent.glob("draft-*"):
            owner = int(draft.name.split("-")[1])
            if owner != os.getpid() and not _alive(owner):
                shutil.rmtree(draft, ignore_errors=True)


def write_stability(folder: Path, stability: Stability) -> None:
    """Write how surely clusters come back into the folder of a run, or of one about to appear."""
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


def write_offsets(folder: Path, offsets: GroupOffsets) -> None:
    """Write what was taken off the vectors of a run that is about to appear."""
    groups = {"columns": offsets.columns, "values": offsets.values, "rest": offsets.rest}
    arrays: dict[str, Any] = {f"offsets_{at}": each for at, each in enumerate(offsets.offsets)}
    arrays |= {"groups": np.array(json.dumps(groups)), "codes": offsets.codes}
    arrays |= {"axes": offsets.axes, "centre": offsets.centre}
    np.savez(folder / OFFSETS_FILE, **arrays)


def write_map(folder: Path, points: Floats) -> None:
    """Write a map, (n, 2), into the folder of a run, or of one about to appear."""
    with written_aside(folder / MAP_FILE) as draft, draft.open("wb") as file:
        np.save(file, points)


def write_focus(folder: Path, focus: str) -> None:
    """Write what the person said into the folder of a run, or of one about to appear."""
    with written_aside(folder / FOCUS_FILE) as draft:
        draft.write_text(focus, encoding="utf-8")


def original_run(runs: Runs, run: Run) -> Run:
    """The run whose parameters found the layers of this one, which may be a later one of the same
    records: with one cluster split, or new records assigned."""
    while earlier := run.parent_run or run.assigned_from:
        origin = _read(runs.folder(run.dataset, run.id) / ORIGIN_FILE, Origin)
        if origin is not None:  # the earlier run was deleted
            if origin.parameters.get("where") == run.parameters.get("where"):
                run = replace(run, parameters=origin.parameters)
            break
        parent = runs.load(run.dataset, earlier)
        if parent.parameters.get("where") != run.parameters.get("where"):
            break  # the run of a part, clustered by itself
        run = parent
    return run


def _read(file: Path, kind: type[Stored]) -> Stored | None:
    """What is kept in a file; None where there is none."""
    if not file.exists():
        return None
    return from_json(kind, file.read_text(encoding="utf-8"))


def _write(file: Path, stored: object) -> None:
    """Keep something in a file, which is there whole or as it was before."""
    with written_aside(file) as draft:
        draft.write_text(to_json(stored, indent=1), encoding="utf-8")


def _write_or_drop(file: Path, stored: object | None) -> None:
    """Keep something in a file, or nothing."""
    if stored is None:
        file.unlink(missing_ok=True)
    else:
        _write(file, stored)


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True

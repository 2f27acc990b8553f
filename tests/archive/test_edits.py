"""Edits as they are kept beside a run: each whole or not at all, and nothing of the run changed."""

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.made_runs import made

from corpuscope.tools.archive.edits import EditedRun, MadeEdit, RunEdit, Step, with_step
from corpuscope.tools.archive.run_files import write_centroids
from corpuscope.tools.archive.runs import Runs
from corpuscope.tools.core.errors import NotReady
from corpuscope.tools.core.schema import Description, Members, Run, Stability

CHANGES = ("rename", "replace", "unlink", "rmdir", "mkdir")
"""The calls by which a disk is changed; what is written before a rename is not seen."""


class Killed(BaseException):
    """In place of the end of the process: nothing catches it, as nothing catches a kill."""


@contextmanager
def killed_before(step: int) -> Iterator[list[str]]:
    """Die before the change of a disk of this number, from 1 on; the changes."""
    steps: list[str] = []

    def counted(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def wrapper(*arguments: Any, **options: Any) -> Any:
            steps.append(name)
            # Nothing is tidied up any more either.
            if len(steps) >= step:
                raise Killed
            return function(*arguments, **options)

        return wrapper

    with pytest.MonkeyPatch.context() as patch:
        for name in CHANGES:
            patch.setattr(os, name, counted(name, getattr(os, name)))
        yield steps


def words(title: str, cluster: str = "1") -> Description:
    return Description(cluster=cluster, title=title, summary=[], keywords=[], author="person")


def saved(root: Path) -> Run:
    """A run of two themes and noise, with words, centroids and stability."""
    run = made("1:6 2:4 noise:2")
    axes = np.eye(3, dtype=np.float32)

    def beside(folder: Path) -> None:
        write_centroids(folder, {"1": axes[0], "2": axes[1]})

    runs = Runs(root)
    kept = runs.save(replace(run.run, id=""), run.members, beside)
    for cluster in "12":
        runs.save_description(kept, words(f"Found {cluster}", cluster))
    runs.save_stability(kept, Stability(rounds=2, scores={"1": 0.9, "2": 0.8}))
    return runs.load("shop", kept.id)


def moving(runs: Runs, run: Run, row: int, to: str) -> MadeEdit:
    """An edit that moves one record of theme 1 to theme 2, or to the noise."""
    members, known = runs.members(run), runs.edited(run)
    paths = members.paths.copy()
    paths[row] = to
    number = len(runs.edits(run)) + 1
    sizes = {"1": (paths == "1").sum(), "2": (paths == "2").sum()}
    nodes = [replace(node, size=int(sizes[node.id])) for node in run.nodes]
    step = Step(what="made", by="person", at="2026-01-01T00:00:00.000000+00:00")
    edit = RunEdit(number=number, op="move", said=f"moved {row}", arguments={}, steps=[step])
    changed = dict.fromkeys(["1", *([to] if to == "2" else [])], number)
    return MadeEdit(
        edit=edit,
        edited=EditedRun(
            run=replace(run, edit=number, nodes=nodes, noise=int((paths == "noise").sum())),
            line=[*known.line, number],
            since=known.since | changed,
            worded=known.worded | changed,
        ),
        members=replace(members, paths=paths),
        centroids={cluster: np.ones(3, np.float32) for cluster in changed},
        descriptions={cluster: words(f"Edit {number}", cluster) for cluster in changed},
    )


def state(runs: Runs, run_id: str = "r1") -> tuple[Any, ...]:
    """All that is told of a run."""
    run = runs.load("shop", run_id)
    members: Members = runs.members(run)
    stability = runs.stability(run)
    return (
        run,
        members.paths.tolist(),
        {cluster: one.title for cluster, one in runs.descriptions(run).items()},
        {cluster: vector.tolist() for cluster, vector in runs.centroids(run).items()},
        stability and stability.scores,
        runs.edits(run),
    )


def test_an_edit_that_is_killed_at_any_step_is_there_whole_or_not_at_all(tmp_path: Path) -> None:
    run = saved(tmp_path / "base")
    runs = Runs(tmp_path / "base")
    before = state(runs)
    runs.keep_edit(moving(runs, run, 0, "2"))
    whole = state(runs)
    shutil.rmtree(tmp_path / "base" / "shop" / "r1" / "edits")
    (tmp_path / "base" / "shop" / "r1" / "edits.json").unlink()
    outcomes: list[str] = []
    died = True
    while died:
        home = tmp_path / str(len(outcomes))
        shutil.copytree(tmp_path / "base", home)
        runs = Runs(home)
        made_now = moving(runs, run, 0, "2")
        with killed_before(len(outcomes) + 1):
            try:
                runs.keep_edit(made_now)
                died = False
            except Killed:
                pass
        fresh = Runs(home)
        found = state(fresh)
        assert found in (before, whole)
        outcomes.append("whole" if found == whole else "absent")
        # Whatever a kill has left, the next edit is made.
        latest = fresh.load("shop", "r1")
        fresh.keep_edit(moving(fresh, latest, 1, "noise"))
        assert state(fresh)[1][1] == "noise"
        assert len(fresh.edits(latest)) == 1 + (found == whole)
    assert {*outcomes} == {"absent", "whole"}
    assert outcomes.index("whole") >= 6, "folders, files, the edit's own name, the log"


def test_what_edits_did_not_change_stays_true_and_each_state_has_its_own_words(
    tmp_path: Path,
) -> None:
    run = saved(tmp_path)
    files = {file: file.read_bytes() for file in tmp_path.rglob("*") if file.is_file()}
    runs = Runs(tmp_path)
    runs.keep_edit(moving(runs, run, 0, "noise"))
    first = runs.load("shop", "r1")
    assert (first.as_of, first.noise, runs.members(first).paths[0]) == ("r1@1", 3, "noise")
    assert state(runs)[2:5] == (
        {"1": "Edit 1", "2": "Found 2"},
        {"1": [1, 1, 1], "2": [0, 1, 0]},
        {"2": 0.8},
    )
    runs.save_description(first, words("Said later"))
    runs.save_stability(first, Stability(rounds=3, scores={"1": 0.5, "2": 0.6}))
    runs.keep_edit(moving(runs, first, 1, "2"))
    second = runs.load("shop", "r1")
    assert state(runs)[2:5] == ({"1": "Edit 2", "2": "Edit 2"}, state(runs)[3], {})
    assert runs.members(first).paths[1] == "1", "who had read the run goes on with what it was"
    log = runs.edits(second)
    undo = Step(what="undo", by="person", at="2026-01-01T00:00:00.000001+00:00")
    runs.keep_log(second, with_step(log, 2, "undone", undo))
    assert runs.load("shop", "r1") == first
    assert state(runs)[2] == {"1": "Said later", "2": "Found 2"}
    assert state(runs)[4] == {"1": 0.5, "2": 0.6}
    runs.keep_log(first, with_step(runs.edits(first), 1, "undone", undo))
    assert runs.load("shop", "r1") == run
    assert runs.load("shop", "r1") == runs.as_of(first)
    assert {file: file.read_bytes() for file in files} == files


def test_an_edit_whose_files_are_lost_is_said_and_can_be_undone(tmp_path: Path) -> None:
    run = saved(tmp_path)
    runs = Runs(tmp_path)
    runs.keep_edit(moving(runs, run, 0, "2"))
    folder = runs.folder("shop", "r1") / "edits" / "1"
    (folder / "moved.npz").write_bytes(b"damaged")
    with pytest.raises(NotReady, match=r"Edit 1 of run r1 .*op='undo'"):
        runs.members(runs.load("shop", "r1"))
    (folder / "run.json").write_bytes(b"{")
    assert Runs(tmp_path).load("shop", "r1") == run, "as it was before the edit"


def test_a_deleted_run_takes_its_edits_along(tmp_path: Path) -> None:
    run = saved(tmp_path)
    runs = Runs(tmp_path)
    runs.keep_edit(moving(runs, run, 0, "2"))
    runs.remove_run("shop", "r1")
    assert [file.name for file in tmp_path.rglob("*") if file.is_file()] == []

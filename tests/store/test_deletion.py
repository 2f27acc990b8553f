"""Deletions that are stopped at any of their steps: the dataset is whole, or the rest follows."""

import errno
import json
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from support.made_runs import made

from corpuscope.server.settings import Settings, open_workspace
from corpuscope.tools.archive.defaults import ChosenLayer, ChosenRun
from corpuscope.tools.core.errors import NotFound, NotReady
from corpuscope.tools.core.schema import Run, Stability, Watch
from corpuscope.tools.delete import delete
from corpuscope.tools.ingest import ingest
from corpuscope.tools.list_datasets import list_datasets
from corpuscope.tools.store.collections import CATALOGUE, COLLECTION_PREFIX
from corpuscope.tools.store.connection import Connection
from corpuscope.tools.store.locks import dataset_lock
from corpuscope.tools.store.patience import Patience
from corpuscope.tools.workspace.reading import folder_of, load_dataset
from corpuscope.tools.workspace.workspace import Workspace

OLD = [{"text": text} for text in ("the parcel is late", "the refund is missing", "no login")]
NEW = [{"text": text} for text in ("roses wither", "the lawn is yellow", "the apple tree", "moss")]
WRITES = {"drop_collection", "delete"}
"""The calls of Milvus' client by which a deletion changes anything."""


class Killed(BaseException):
    """In place of the end of the process: nothing catches it, as nothing catches a kill."""


@contextmanager
def killed_before(step: int) -> Iterator[list[str]]:
    """Die before the step of this number that changes a disk or Milvus; the steps, from 1 on."""
    steps: list[str] = []

    def counted(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def wrapper(*arguments: Any, **options: Any) -> Any:
            if name in ("rename", "unlink", "rmdir", "mkdir") or arguments[1] in WRITES:
                steps.append(name)
                if len(steps) == step:
                    raise Killed
            return function(*arguments, **options)

        return wrapper

    with pytest.MonkeyPatch.context() as patch:
        for name in ("rename", "unlink", "rmdir", "mkdir"):
            patch.setattr(os, name, counted(name, getattr(os, name)))
        patch.setattr(Connection, "call", counted("call", Connection.call))
        yield steps


def made_dataset(workspace: Workspace, name: str) -> Run:
    """A dataset of three records with a run that has a title."""
    ingest(workspace, Watch(), dataset=name, rows=OLD)
    card = workspace.store.card(name)
    one = made("1:2 noise:1", titles={"1": "Parcels"})
    run = replace(one.run, id="", dataset=name, collection=card.collection)
    saved = workspace.runs.save(run, one.members)
    for words in one.selection.descriptions.values():
        workspace.runs.save_description(saved, words)
    return saved


def traces(workspace: Workspace, name: str) -> list[str]:
    """What Milvus and the home still have of a dataset; a lock that a kill left is none."""
    folders = [workspace.home / "runs", workspace.home / "datasets"]
    files = [path for folder in folders for path in folder.rglob("*") if name in path.name]
    collections = workspace.store.connection.call("list_collections")
    return [*map(str, files), *(collection for collection in collections if name in collection)]


def test_a_delete_that_is_killed_at_any_step_left_all_or_is_finished_by_the_next_call(
    workspace: Workspace, settings: Settings
) -> None:
    outcomes: list[str] = []
    died = True
    while died:
        made_dataset(workspace, "stopped")
        with killed_before(len(outcomes) + 1) as steps:
            try:
                delete(workspace, "stopped", confirm=True)
                died = False
            except Killed:
                pass
        fresh = open_workspace(settings)
        if "stopped" in [dataset.name for dataset in list_datasets(fresh).datasets]:
            outcomes.append("whole")
            assert fresh.store.count(fresh.store.card("stopped")) == len(OLD)
            (run,) = (fresh.runs.load("stopped", id_) for id_ in fresh.runs.ids("stopped"))
            assert fresh.runs.descriptions(run)["1"].title == "Parcels"
        else:
            outcomes.append("gone")
            assert traces(fresh, "stopped") == [], f"after {steps}"
            ingest(fresh, Watch(), dataset="stopped", rows=NEW)
            assert fresh.runs.ids("stopped") == []
        delete(fresh, "stopped", confirm=True)
        fresh.store.close()
    begun = outcomes.index("gone")
    assert {*outcomes[:begun]} == {"whole"}
    assert {*outcomes[begun:]} == {"gone"}
    assert len(outcomes) - begun > 8, "files of the run, the fit, the collection, the row"


def test_a_second_delete_of_the_same_name_finishes_the_first(workspace: Workspace) -> None:
    made_dataset(workspace, "twice")
    with killed_before(8), pytest.raises(Killed):
        delete(workspace, "twice", confirm=True)
    again = delete(workspace, "twice", confirm=True)
    assert again.as_text() == "Deleted dataset 'twice', as an earlier call had begun to."
    assert traces(workspace, "twice") == []
    with pytest.raises(NotFound):
        delete(workspace, "twice", confirm=True)


def test_an_ingest_of_the_same_name_finishes_a_delete_and_begins_without_runs(
    workspace: Workspace,
) -> None:
    made_dataset(workspace, "stopped")
    with killed_before(8), pytest.raises(Killed):
        delete(workspace, "stopped", confirm=True)
    ingest(workspace, Watch(), dataset="stopped", rows=NEW)
    (listed,) = list_datasets(workspace).datasets
    assert (listed.records, listed.newest_run) == (len(NEW), None)
    assert len(traces(workspace, "stopped")) == 2, "the new one's folder and collection"
    delete(workspace, "stopped", confirm=True)


@pytest.mark.parametrize("later", [True, False], ids=["a later dataset's", "its own"])
def test_a_card_of_another_version_is_told_from_that_of_a_later_dataset(
    workspace: Workspace, later: bool
) -> None:
    made_dataset(workspace, "odd")
    card = workspace.store.card("odd")
    with killed_before(8), pytest.raises(Killed):
        delete(workspace, "odd", confirm=True)
    stone = workspace.home / "runs" / f"{card.collection}.deleted"
    assert stone.is_dir()
    present = f"{COLLECTION_PREFIX}odd__9" if later else card.collection
    for content in (json.dumps({"collection": present, "from": "the future"}), "no JSON"):
        stone.mkdir(exist_ok=True)
        row = {"id": "odd", "card": content, "vector": [1.0, 0.0]}
        workspace.store.connection.call("upsert", CATALOGUE, [row])
        kept = later or content == "no JSON"
        assert ("odd" in list_datasets(workspace).unreadable) == kept
        rows = workspace.store.connection.call("get", CATALOGUE, ids=["odd"])
        assert [row["card"] for row in rows] == [content] * kept
    with pytest.raises(NotReady, match="An earlier deletion of 'odd' cannot be finished"):
        delete(workspace, "odd", confirm=True)
    workspace.store.connection.call("delete", CATALOGUE, ids=["odd"])
    delete(workspace, "odd", confirm=True)
    assert traces(workspace, "odd") == []


def test_a_deletion_that_somebody_is_at_is_left_to_them_and_seen_by_nobody(
    workspace: Workspace,
) -> None:
    made_dataset(workspace, "busy")
    with killed_before(8), pytest.raises(Killed):
        delete(workspace, "busy", confirm=True)
    with dataset_lock(workspace.home, "busy"):
        left = traces(workspace, "busy")
        assert list_datasets(workspace).datasets == []
        assert traces(workspace, "busy") == left
    workspace.store.connect()
    assert traces(workspace, "busy") == []


def test_a_read_in_limited_time_finishes_a_deletion(workspace: Workspace) -> None:
    made_dataset(workspace, "left")
    with killed_before(8), pytest.raises(Killed):
        delete(workspace, "left", confirm=True)
    assert list_datasets(workspace.within(Patience(60))).datasets == []
    assert traces(workspace, "left") == []


def test_runs_without_a_dataset_are_not_taken_for_those_of_a_new_one(workspace: Workspace) -> None:
    run = made_dataset(workspace, "orphan")
    # As older versions left it where a deletion was killed: no card, no records, the runs.
    card = workspace.store.card("orphan")
    workspace.store.connection.call("delete", CATALOGUE, ids=["orphan"])
    workspace.store.connection.call("drop_collection", card.collection)
    ingest(workspace, Watch(), dataset="orphan", rows=NEW)
    assert list_datasets(workspace).datasets[0].newest_run is None
    assert (workspace.home / "runs" / "without-dataset-orphan-1" / run.id / "run.json").is_file()


def test_a_full_disk_does_not_keep_a_dataset_from_being_deleted(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, has_runs in (("full", True), ("bare", False)):
        made_dataset(workspace, name)
        if not has_runs:
            shutil.rmtree(workspace.home / "runs" / name)
            shutil.rmtree(workspace.dataset_folder(workspace.store.card(name)))

    def no_room(*arguments: Any, **options: Any) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        for name in ("mkdir", "write", "fsync"):
            patch.setattr(os, name, no_room)
        for name in ("full", "bare"):
            delete(workspace, name, confirm=True)
    assert traces(workspace, "full") == traces(workspace, "bare") == []


def test_what_still_works_on_a_deleted_dataset_says_so_and_leaves_nothing(
    workspace: Workspace,
) -> None:
    run = made_dataset(workspace, "doomed")
    card = workspace.store.card("doomed")
    loaded = load_dataset(workspace, card)
    delete(workspace, "doomed", confirm=True)
    loaded.memory.points("map", lambda: np.zeros((3, 2), np.float32))
    for write in (
        lambda: folder_of(workspace, card),
        lambda: workspace.runs.check_there(run),
        lambda: workspace.runs.save_map(run, np.zeros((3, 2), np.float32)),
        lambda: workspace.runs.save_focus(run, "shoes"),
        lambda: workspace.runs.save_stability(run, Stability(rounds=1, scores={})),
        lambda: workspace.runs.choose_layer(run, ChosenLayer(layer=1, by="person")),
        lambda: workspace.runs.choose_run("doomed", ChosenRun(run="r1", by="person")),
        lambda: workspace.runs.members(run),
    ):
        with pytest.raises(NotFound, match="Dataset 'doomed' was deleted"):
            write()
    assert traces(workspace, "doomed") == []


def test_a_map_is_not_written_into_the_run_of_a_later_dataset(workspace: Workspace) -> None:
    old = made_dataset(workspace, "anew")
    delete(workspace, "anew", confirm=True)
    later = made_dataset(workspace, "anew")
    assert later.id == old.id
    with pytest.raises(NotFound, match="Dataset 'anew' was deleted meanwhile"):
        workspace.runs.save_map(old, np.zeros((3, 2), np.float32))
    assert workspace.runs.map(later) is None
    files = [file.name for file in workspace.runs.folder("anew", later.id).iterdir()]
    assert sorted(files) == ["descriptions", "members.parquet", "run.json"]

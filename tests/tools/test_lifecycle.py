"""What happens to data and jobs when datasets go and come, and when processes end."""

import json
import os
import re
import signal
import threading
from dataclasses import replace
from pathlib import Path

import pytest
from mcp.client import Client
from support.calls import call, finish
from support.texts import odd_texts, tickets
from support.worker_processes import wait_until_gone, workers_of

from corpuscope.server.settings import Settings
from corpuscope.tools.archive.runs import Runs
from corpuscope.tools.core.schema import DatasetCard, Description
from corpuscope.tools.list_datasets import dataset_summary
from corpuscope.tools.store.collections import CATALOGUE
from corpuscope.tools.store.connection import MilvusLocation
from corpuscope.tools.store.locks import map_lock
from corpuscope.tools.store.store import Store
from corpuscope.tools.workspace.workspace import Workspace

pytestmark = pytest.mark.anyio


async def test_a_dataset_that_is_made_anew_has_nothing_of_the_old_one(client: Client) -> None:
    await finish(client, "ingest", dataset="again", rows=tickets(), id_column="id")
    await finish(client, "cluster", dataset="again")
    await call(client, "search", dataset="again", query="my refund")
    await call(client, "delete", dataset="again", confirm=True)
    await finish(client, "ingest", dataset="again", rows=odd_texts(40))
    word = odd_texts(1)[0]["text"].split()[0]
    found = await call(client, "search", dataset="again", query=word, limit=1)
    assert word in found.data["hits"][0]["text"]
    assert found.data["run"] is None
    listed = await call(client, "list-datasets")
    assert listed.data["datasets"][0]["newest_run"] is None


async def test_a_list_tells_the_count_that_the_last_ingest_left(
    client: Client, workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def listed() -> int:
        datasets = (await call(client, "list-datasets")).data["datasets"]
        return next(int(one["records"]) for one in datasets if one["name"] == "counted")

    rows = tickets(each=8)
    await finish(client, "ingest", dataset="counted", rows=rows[:20], id_column="id")
    assert await listed() == 20
    await finish(client, "ingest", dataset="counted", rows=rows[10:30], id_column="id")
    assert await listed() == 30
    card = workspace.store.card("counted")
    assert card.records == 30

    def nobody_counts(_card: DatasetCard) -> int:
        raise AssertionError("the card knows the count")

    with monkeypatch.context() as patched:
        patched.setattr(workspace.store, "count", nobody_counts)
        assert dataset_summary(workspace, card).records == 30
    # While it changes, and in cards of before, nobody knows it without counting.
    assert dataset_summary(workspace, replace(card, records=None)).records == 30


async def test_replacing_leaves_no_fit_of_the_old_one(client: Client, settings: Settings) -> None:
    for each in (3, 4, 5):
        rows = tickets(each=each)
        await finish(client, "ingest", dataset="fits", rows=rows, mode="replace")
    fits = list((settings.home / "datasets").glob("corpuscope_fits__*"))
    assert len(fits) == 1
    old_run = await finish(client, "cluster", dataset="fits")
    await finish(client, "ingest", dataset="fits", rows=tickets(each=2), mode="replace")
    listed = await call(client, "list-datasets")
    fit = next(one for one in listed.data["datasets"] if one["name"] == "fits")
    assert fit["default_run"] == old_run.data["run"]
    assert fit["stale"]


async def test_a_cluster_job_of_a_deleted_dataset_leaves_no_run(
    client: Client, settings: Settings
) -> None:
    await finish(client, "ingest", dataset="doomed", rows=tickets(), id_column="id")
    ticket = await call(client, "cluster", dataset="doomed", wait_seconds=0)
    await call(client, "delete", dataset="doomed", confirm=True)
    ended = await call(client, "get-job", job_id=ticket.data["job_id"], wait_seconds=45)
    assert ended.data["state"] == "failed"
    assert "doomed" in ended.text or "deleted or replaced" in ended.text
    assert Runs(settings.home / "runs").ids("doomed") == []


async def test_a_map_that_is_drawn_of_a_deleted_dataset_ends_with_that_and_leaves_nothing(
    client: Client, settings: Settings
) -> None:
    await finish(client, "ingest", dataset="drawn_last", rows=tickets(each=8), id_column="id")
    # The job waits before the map until the dataset is deleted.
    with map_lock(settings.home, "drawn_last", "r1", seconds=5):
        answer = await call(client, "cluster", dataset="drawn_last", wait_seconds=45)
        assert answer.data["run"] == "r1", answer.text
        gone = await call(client, "delete", dataset="drawn_last", confirm=True)
        assert not gone.is_error, gone.text
    job = re.search(r"Job (j\d+) goes on", answer.text)
    assert job, answer.text
    ended = await call(client, "get-job", job_id=job[1], wait_seconds=45)
    assert ended.data["state"] == "failed"
    assert "Dataset 'drawn_last' was deleted meanwhile" in ended.text
    left = [path for path in settings.home.rglob("*drawn_last*") if "milvus.db" not in path.parts]
    assert left == []


async def test_one_damaged_run_is_told_and_takes_nothing_else_down(
    client: Client, settings: Settings
) -> None:
    await finish(client, "ingest", dataset="hurt", rows=tickets(each=8), id_column="id")
    for _ in range(3):
        await finish(client, "cluster", dataset="hurt")
    folder = settings.home / "runs" / "hurt"
    (folder / "r2" / "run.json").write_text("")
    (folder / "draft-foo").mkdir()
    (folder / "notes.txt").write_text("mine")
    (folder / "r007").mkdir()
    (settings.home / "runs" / "README").write_text("mine")
    (settings.home / "datasets" / "README").write_text("mine")
    listed = await call(client, "list-datasets")
    aside = folder / "damaged-r2"
    told = f"is damaged (run.json is empty) and was moved to {aside}"
    assert listed.data["unreadable"] == {"hurt/r2": told}
    assert f"hurt/r2 {told}." in listed.text
    one = next(dataset for dataset in listed.data["datasets"] if dataset["name"] == "hurt")
    assert (one["default_run"], [*one["other_runs"]]) == ("r3", ["r1"])
    asked = await call(client, "list-clusters", dataset="hurt", run="r2")
    assert f"No run 'r2' of 'hurt'. r2 {told}. Runs: r1, r3." in asked.text
    newest = await finish(client, "cluster", dataset="hurt")
    assert newest.data["run"] == "r4", newest.text
    done = await call(client, "delete", dataset="hurt", run="r2", confirm=True)
    assert not done.is_error, done.text
    assert not aside.exists()
    assert (await call(client, "list-datasets")).data["unreadable"] == {}
    assert (folder / "notes.txt").read_text() == "mine"


async def test_a_card_that_cannot_be_read_is_named_and_the_other_datasets_work(
    client: Client, settings: Settings
) -> None:
    await finish(client, "ingest", dataset="old", rows=tickets(each=2), id_column="id")
    store = Store(MilvusLocation(settings.home))
    newer = {"name": "newer", "collection": "corpuscope_newer__1", "dim": {"text": 2}}
    rows = {"torn": '{"name": "torn", ', "newer": json.dumps(newer)}
    for name, card in rows.items():
        row = {"id": name, "card": card, "vector": [1.0, 0.0]}
        store.connection.call("upsert", CATALOGUE, [row])
    listed = await call(client, "list-datasets")
    assert "old" in [dataset["name"] for dataset in listed.data["datasets"]]
    assert "torn cannot be read: its card is no JSON object." in listed.text
    assert "newer cannot be read: its card is of another version (embedding:" in listed.text
    for tool, arguments in (("search", {"query": "refund"}), ("delete", {"confirm": True})):
        answer = await call(client, tool, dataset="newer", **arguments)
        assert "Dataset 'newer' cannot be read" in answer.text
    refused = await finish(client, "ingest", dataset="newer", rows=tickets(each=1))
    assert refused.is_error
    assert "left as it is" in refused.text
    store.connection.call("delete", CATALOGUE, ids=[*rows])
    store.close()


async def test_a_worker_that_died_while_it_waited_costs_nobody_a_job(client: Client) -> None:
    await finish(client, "ingest", dataset="alive", rows=tickets(each=2))
    workers = workers_of(os.getpid())
    assert workers
    for worker in workers:
        os.kill(worker, signal.SIGKILL)
        wait_until_gone(worker)
    answer = await finish(client, "ingest", dataset="alive", rows=tickets(each=3))
    assert answer.data["records"] == 15


def test_first_ingests_at_the_same_time_make_one_catalogue(tmp_path: Path) -> None:
    stores = [Store(MilvusLocation(tmp_path)) for _ in range(4)]
    stores[0].connect()
    cards = [
        DatasetCard(
            name=f"n{n}",
            collection=f"corpuscope_n{n}__1",
            embedding="lexical",
            dim=2,
            text_columns=["text"],
            created="",
        )
        for n in range(4)
    ]
    threads = [
        threading.Thread(target=store.save_card, args=(card,))
        for store, card in zip(stores, cards, strict=True)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [card.name for card in stores[0].cards()] == ["n0", "n1", "n2", "n3"]
    for store in reversed(stores):
        store.close()


def test_descriptions_saved_at_the_same_time_do_not_disturb_one_another(tmp_path: Path) -> None:
    from archive.test_runs import members, run

    runs = Runs(tmp_path)
    saved = runs.save(run(), members())

    def save(title: str) -> None:
        for _ in range(50):
            words = Description(cluster="1", title=title, summary=[], keywords=[], author="person")
            runs.save_description(saved, words)

    threads = [threading.Thread(target=save, args=(f"title {n}",)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert runs.descriptions(saved)["1"].title.startswith("title")
    left = [file.name for file in runs.folder("shop", saved.id).glob("descriptions/*")]
    assert left == ["1.json"]


async def test_a_picture_is_never_written_through_a_link_that_leads_outside(
    client: Client, folder: Path, tmp_path: Path
) -> None:
    await finish(client, "ingest", dataset="drawn", rows=tickets(each=8))
    await finish(client, "cluster", dataset="drawn")
    (folder / "m.png").symlink_to(tmp_path / "outside.png")
    answer = await finish(client, "plot", dataset="drawn", save_as="m.html")
    assert answer.is_error
    assert "outside the allowed folders" in answer.text
    assert not (tmp_path / "outside.png").exists()


@pytest.mark.parametrize(
    "path", ["~nosuchuser/x.csv", "x" * 300 + ".csv", "a.csv/b.csv", "\ud800.csv"]
)
async def test_odd_paths_are_refused_and_crash_nothing(
    client: Client, folder: Path, path: str
) -> None:
    (folder / "a.csv").write_text("text\nhello\n", encoding="utf-8")
    answer = await finish(client, "ingest", dataset="odd", path=path)
    assert answer.is_error
    assert "worker" not in answer.text


async def test_answers_stay_small_whatever_the_metadata_hold(client: Client) -> None:
    wide = {f"column {n}": "x" * 900 for n in range(30)}
    rows = [{"id": row["id"], "text": row["text"]} | wide for row in tickets(each=8)]
    await finish(client, "ingest", dataset="wide", rows=rows, id_column="id", text_columns=["text"])
    await finish(client, "cluster", dataset="wide")
    page = await call(client, "get-members", dataset="wide", cluster="1", limit=10)
    assert len(page.text) < 25_000
    found = await call(client, "search", dataset="wide", query="refund", limit=10)
    assert len(str(found.data)) < 25_000

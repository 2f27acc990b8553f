"""`delete` of runs through the client."""

import pytest
from mcp.client import Client
from support.calls import call, finish
from support.texts import tickets

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module", autouse=True)
async def dataset(client: Client) -> None:
    await finish(client, "ingest", dataset="shop", rows=tickets(each=60), id_column="id")


async def test_a_run_is_deleted_once_confirmed_and_the_answer_names_the_default(
    client: Client,
) -> None:
    await finish(client, "cluster")
    await finish(client, "cluster")
    asked = await call(client, "delete", dataset="shop", run="r2")
    assert asked.is_error
    assert "would delete run r2 of 'shop' for good" in asked.text
    assert "it is the default run. The records stay." in asked.text
    done = await call(client, "delete", dataset="shop", run="r2", confirm=True)
    assert "the default is r1 (the newest plain run of all records)" in done.text
    assert (done.data["run"], done.data["records"]) == ("r2", 0)
    gone = await call(client, "list-clusters", run="r2")
    assert "No run 'r2' of 'shop'. Runs: r1." in gone.text
    assert (await call(client, "list-datasets")).data["datasets"][0]["records"] == 300


async def test_runs_made_of_a_deleted_one_can_still_be_used(client: Client) -> None:
    whole = (await finish(client, "cluster")).data
    tops = await call(client, "list-clusters", run=whole["run"], layer=0)
    cluster = tops.data["clusters"][0]["id"]
    split = await finish(client, "cluster", run=whole["run"], within=cluster)
    assert split.data["clusters"] > 1
    assert split.data["run"] != whole["run"]
    listed = (await call(client, "list-clusters", run=split.data["run"], parent=cluster)).data
    for run in ("r1", whole["run"]):
        done = await call(client, "delete", dataset="shop", run=run, confirm=True)
        assert not done.is_error, done.text
    run = split.data["run"]
    again = await call(client, "list-clusters", run=run, parent=cluster)
    assert again.data == listed
    for tool in ("plot", "check-stability"):
        answer = await finish(client, tool, run=run)
        assert not answer.is_error, answer.text
    newer = await finish(client, "cluster")
    assert not newer.is_error, newer.text


async def test_the_last_run_leaves_a_dataset_that_is_not_clustered(client: Client) -> None:
    ids = (await call(client, "list-datasets")).data["datasets"][0]
    for run in [ids["default_run"], *ids["other_runs"]]:
        last = await call(client, "delete", dataset="shop", run=run, confirm=True)
    assert "it has no run any more: call `cluster`" in last.text
    assert "not clustered yet" in (await call(client, "list-datasets")).text
    missing = await call(client, "delete", dataset="shop", run="r1", confirm=True)
    assert "has no run yet" in missing.text

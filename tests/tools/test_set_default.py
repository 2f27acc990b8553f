"""`set-default` through the client, and the rule without it."""

import pytest
from mcp.client import Client
from support.calls import call, finish
from support.made_runs import made, many_themes, save_over
from support.texts import tickets

from corpuscope.server.settings import Settings
from corpuscope.tools.archive.runs import Runs

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module", autouse=True)
async def runs(client: Client, settings: Settings) -> Runs:
    """A plain run r1, a made plain run r2 of two layers."""
    await finish(client, "ingest", dataset="shop", rows=tickets(each=60), id_column="id")
    await finish(client, "cluster", dataset="shop")
    kept = Runs(settings.home / "runs")
    save_over(kept, kept.load("shop"), made(many_themes()))
    return kept


async def test_a_filtered_run_and_a_trial_never_become_the_default(client: Client) -> None:
    part = await finish(client, "cluster", where={"theme": ["refund", "garden"]})
    trial = await finish(client, "cluster", min_cluster_size=8, seed=3)
    assert "Not the default run (where {" in part.text
    assert "Not the default run (trial: min_cluster_size, seed); r2 stays it." in trial.text
    listed = await call(client, "list-datasets")
    shop = listed.data["datasets"][0]
    assert (shop["default_run"], shop["newest_run"]) == ("r2", trial.data["run"])
    assert "default run r2 (the newest plain run of all records): 51 clusters" in listed.text
    assert f"other runs: {trial.data['run']} (trial: min_cluster_size, seed), " in listed.text
    assert "have to be named" in listed.text
    assert (await call(client, "list-clusters")).data["run"] == "r2"
    trial = await finish(client, "cluster", seed=3)
    tops = await call(client, "list-clusters", run=trial.data["run"], layer=0)
    largest = tops.data["clusters"][0]["id"]
    split = await finish(client, "cluster", run=trial.data["run"], within=largest)
    assert split.data["clusters"] > 1
    assert "r2 stays it" in split.text, "what comes of a trial is one"


async def test_a_chosen_run_is_what_all_tools_use_until_it_is_undone(client: Client) -> None:
    chosen = await call(client, "set-default", run="r1", by="person")
    assert "the default run is r1 (chosen by the person)" in chosen.text
    assert (await call(client, "list-clusters")).data["run"] == "r1"
    assert (await call(client, "search", query="refund")).data["run"] == "r1"
    newer = await finish(client, "cluster")
    assert "Not the default run (r1 was chosen by the person); r1 stays it." in newer.text
    undone = await call(client, "set-default", run="auto")
    assert undone.data["default_run"] == newer.data["run"]
    await call(client, "delete", dataset="shop", run=newer.data["run"], confirm=True)


async def test_a_chosen_layer_is_what_all_tools_show_until_it_is_undone(client: Client) -> None:
    whole = (await call(client, "list-clusters", run="r2")).data
    chosen = await call(client, "set-default", run="r2", layer=0)
    assert "Run r2 shows layer 0: 9 clusters, 7 records in none." in chosen.text
    assert "51) is recommended" in chosen.text
    listed = await call(client, "list-clusters")
    assert (listed.data["total"], listed.data["noise"], listed.data["headings"]) == (9, 7, [])
    members = await call(client, "get-members", cluster="noise")
    assert members.data["total"] == 7
    drawn = await finish(client, "plot")
    assert (drawn.data["groups"], drawn.data["noise"]) == (9, 7)
    assert (await call(client, "list-datasets")).data["datasets"][0]["clusters"] == 9
    once = await call(client, "list-clusters", layer=1)
    assert once.data["total"] == 51
    undone = await call(client, "set-default", layer="auto", run="auto")
    assert undone.data["layer"] == 1
    assert (await call(client, "list-clusters", run="r2")).data == whole


async def test_nothing_is_changed_by_a_choice_that_cannot_be(client: Client) -> None:
    before = (await call(client, "list-datasets")).data
    for wrong, said in (
        ({}, "Give run (r1, r2, … or auto)"),
        ({"run": "r99"}, "No run 'r99' of 'shop'. Runs: r1, r2"),
        ({"run": "r1", "layer": 50}, "No layer 50: run r1 has 0 to"),
    ):
        answer = await call(client, "set-default", **wrong)
        assert answer.is_error
        assert said in answer.text
    assert (await call(client, "list-datasets")).data == before


async def test_auto_with_a_layer_means_a_layer_of_the_run_that_the_rule_takes(
    client: Client,
) -> None:
    await call(client, "set-default", run="r1")
    assert len((await call(client, "list-clusters", run="r2")).data["layers"]) == 2
    done = await call(client, "set-default", run="auto", layer=1)
    assert not done.is_error, done.text
    assert (done.data["default_run"], done.data["run"], done.data["layer"]) == ("r2", "r2", 1)
    await call(client, "set-default", run="r1")
    refused = await call(client, "set-default", run="auto", layer=2)
    assert refused.is_error and "run r2 has 0 to 1" in refused.text
    assert (await call(client, "list-clusters")).data["run"] == "r1", "nothing is changed half"
    await call(client, "set-default", run="auto")

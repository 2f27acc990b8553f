"""What a run keeps of the one before, and what `contrast` says of two runs, through the client."""

from typing import Any

import pytest
from mcp.client import Client
from support.calls import Answer, call, finish
from support.texts import tickets

from corpuscope.server.settings import Settings
from corpuscope.tools.archive.runs import Runs

pytestmark = pytest.mark.anyio


def some(each: int, themes: set[str] | None = None) -> list[dict[str, Any]]:
    return [
        {"text": row["text"], "theme": row["theme"]}
        for row in tickets(each=each)
        if themes is None or row["theme"] in themes
    ]


FOUR = {"delivery", "refund", "login", "coffee"}


@pytest.fixture(scope="module", autouse=True)
async def dataset(client: Client) -> None:
    await finish(client, "ingest", dataset="shop", rows=some(30, FOUR))


async def label(client: Client, run: dict[str, Any], title: str, theme: str) -> str:
    """Give the cluster that holds most of a theme a title."""
    best = ("", 0)
    for top in run["top"]:
        page = await call(
            client, "get-members", run=run["run"], cluster=top["id"], where={"theme": theme}
        )
        best = max(best, (top["id"], page.data["total"]), key=lambda one: one[1])
    records = await call(client, "get-members", run=run["run"], cluster=best[0], limit=2)
    await call(
        client,
        "label-cluster",
        cluster=best[0],
        run=run["run"],
        title=title,
        summary="Customers write about it. They are not happy.",
        records=[member["id"] for member in records.data["members"]],
    )
    return best[0]


async def test_the_first_run_is_compared_with_none(client: Client) -> None:
    alone = await call(client, "contrast", a="r1")
    assert alone.is_error
    assert "has no run yet" in alone.text
    first = await finish(client, "cluster", min_cluster_size=12)
    assert first.data["comparison"] is None
    assert not any(top["new"] for top in first.data["top"])
    alone = await call(client, "contrast", a={"run": "r1"})
    assert "No run before r1 has the same records" in alone.text
    assert "there are r1 (120 records)" in alone.text


async def test_a_refit_on_more_data_keeps_ids_and_words_and_says_what_is_new(
    client: Client, settings: Settings
) -> None:
    first = (await finish(client, "cluster", min_cluster_size=12)).data
    coffee = await label(client, first, "Coffee machines", "coffee")
    await finish(client, "ingest", dataset="shop", rows=some(36))
    answer = await finish(client, "cluster", min_cluster_size=12, seed=3)
    found = answer.data["comparison"]
    assert found["earlier"] == first["run"]
    old = {top["id"] for top in first["top"]}
    assert found["kept"] >= 3
    assert found["kept"] + found["died"] + found["split"] + found["merged"] >= len(old)
    tops = {top["id"]: top for top in answer.data["top"]}
    assert tops[coffee]["title"] == "Coffee machines"
    assert not tops[coffee]["new"]
    new = [top for top in answer.data["top"] if top["new"]]
    assert new, "the garden is new"
    assert not old & {top["id"] for top in new}
    assert f"{new[0]['id']} (new): " in answer.text
    assert f"Against {first['run']}: {found['kept']} clusters kept" in answer.text
    runs = Runs(settings.home / "runs")
    word = runs.descriptions(runs.load("shop"))[coffee]
    assert word.carried_from == f"{first['run']}:{coffee}"
    assert runs.load("shop").follows == first["run"]


async def test_two_runs_are_compared_the_newest_with_the_one_before(client: Client) -> None:
    before = await finish(client, "cluster", min_cluster_size=12, seed=3)
    again = await finish(client, "cluster", min_cluster_size=12, seed=3)
    answer = await call(client, "contrast", a=again.data["run"])
    assert answer.data["differences"] is None
    same = answer.data["changes"]
    assert (same["earlier"], same["later"]) == (before.data["run"], again.data["run"])
    assert (same["agreement"], same["staying"]) == (1.0, 1.0)
    assert same["clusters"]["kept"] == again.data["clusters"]
    assert all(change["kind"] == "kept" for change in same["clusters"]["changes"])
    first = await call(client, "contrast", a={"run": again.data["run"]}, b={"run": "r1"})
    assert (first.data["changes"]["earlier"], first.data["changes"]["shared"]) == ("r1", 120)
    assert first.data["changes"]["records_after"] == 180
    assert "From r1 to " in first.text
    assert "  kept: " in first.text, "those that grew most"
    assert "120 → 180 records (120 in both)" in first.text


async def test_what_was_away_for_a_run_comes_back_under_its_id(client: Client) -> None:
    usual = (await finish(client, "cluster", min_cluster_size=12, seed=3)).data
    tried = await finish(client, "cluster", min_cluster_size=60, seed=3)
    assert tried.data["comparison"]["kept"] < usual["clusters"]
    back = (await finish(client, "cluster", min_cluster_size=12, seed=3)).data
    assert [top["id"] for top in back["top"]] == [top["id"] for top in usual["top"]]
    titles = [(top["id"], top["title"]) for top in usual["top"]]
    assert [(top["id"], top["title"]) for top in back["top"]] == titles


async def test_runs_that_cannot_be_compared_are_refused_with_those_there_are(
    client: Client,
) -> None:
    itself = await call(client, "contrast", a="r1", b="r1")
    assert "are the same 120 records: nothing differs" in itself.text
    unknown = await call(client, "contrast", a="r1", b="r99")
    assert "No run 'r99' of 'shop'. Runs: r1, " in unknown.text


async def test_runs_of_a_replaced_dataset_are_compared_by_what_their_themes_mean(
    client: Client,
) -> None:
    rows = [{"text": row["text"]} for row in some(8, {"garden"})]
    part = await finish(client, "ingest", dataset="small", rows=rows)
    assert not part.is_error
    await finish(client, "cluster", dataset="small")
    other = [{"text": row["text"]} for row in some(8, {"login"})]
    await finish(client, "ingest", dataset="small", rows=other, mode="replace")
    later = await finish(client, "cluster", dataset="small")
    assert later.data["comparison"] is None, "a replaced dataset begins anew"
    apart = await call(client, "contrast", dataset="small", a="r2", b="r1")
    assert not apart.is_error, apart.text
    found = apart.data["differences"]
    assert found["matches"]["pairs"] == []
    assert found["words"] is None
    assert "The records of r1 are gone ('small' was replaced)" in apart.text
    gone = await call(client, "contrast", dataset="small", a={"run": "r1", "cluster": "1"}, b="r2")
    assert "'small' was replaced after run r1" in gone.text


async def test_a_part_is_compared_with_the_same_part_only(client: Client) -> None:
    async def part(theme: str) -> Answer:
        return await finish(client, "cluster", dataset="shop", where={"theme": theme})

    first, other, again = await part("login"), await part("coffee"), await part("login")
    assert first.data["comparison"] is other.data["comparison"] is None
    assert again.data["comparison"]["earlier"] == first.data["run"]

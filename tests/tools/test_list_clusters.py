"""`list-clusters`, and what else tells of many themes, through the client."""

import re
from pathlib import Path

import pytest
from mcp.client import Client
from support.calls import call, finish
from support.made_runs import made, many_themes, save_over
from support.texts import tickets

from corpuscope.server.settings import Settings
from corpuscope.tools.archive.runs import Runs

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module", autouse=True)
async def many(client: Client, settings: Settings) -> str:
    """A run of 51 themes, 48 of them below six headings."""
    await finish(client, "ingest", dataset="shop", rows=tickets(each=60), id_column="id")
    await finish(client, "cluster", dataset="shop")
    runs = Runs(settings.home / "runs")
    titles = {"1": "All about parcels", "1.1": "Parcels left outside"}
    run = made(many_themes(), titles=titles)
    saved = save_over(runs, runs.load("shop"), run)
    for description in run.selection.descriptions.values():
        runs.save_description(saved, description)
    return saved.id


async def test_many_themes_are_listed_under_headings_all_on_one_page(client: Client) -> None:
    page = await call(client, "list-clusters")
    assert [heading["id"] for heading in page.data["headings"]] == [*"123456", None]
    assert len(page.data["clusters"]) == page.data["total"] == 51
    assert page.data["next_offset"] is None
    lines = page.text.splitlines()
    assert lines[0].startswith("Run r2 of 'shop': 51 themes in layer 1 under 6 headings")
    assert lines[1].startswith("1: All about parcels (word1): 8 themes, 41 records")
    assert lines[2].startswith("  1.1: Parcels left outside (word1.1): 6 records")
    assert lines.index("Under no heading: 3 themes, 15 records (6.5%)") == 6 * 9 + 1


async def test_a_short_page_has_the_largest_of_each_heading_and_where_the_rest_is(
    client: Client,
) -> None:
    page = await call(client, "list-clusters", limit=20)
    assert len(page.data["clusters"]) <= 20
    assert "  … 6 more: parent='1'." in page.text
    assert "  … 1 more: headings=false." in page.text
    rest = await call(client, "list-clusters", parent="1")
    assert (rest.data["total"], rest.data["layer"]) == (8, 1)
    assert "8 of 8 in layer 1 below 1." in rest.text


async def test_the_flat_list_is_there_for_who_asks_and_pages(client: Client) -> None:
    flat = await call(client, "list-clusters", headings=False)
    assert flat.data["headings"] == []
    assert (len(flat.data["clusters"]), flat.data["next_offset"]) == (25, 25)
    second = await call(client, "list-clusters", offset=25)
    assert "clusters 26 to 50 of 51 in layer 1" in second.text
    wrong = await call(client, "list-clusters", headings=True, offset=25)
    assert "headings=false" in wrong.text


async def test_a_layer_is_listed_alone_and_its_parts_only_where_they_are_asked_for(
    client: Client,
) -> None:
    coarse = await call(client, "list-clusters", layer=0)
    assert {line["id"] for line in coarse.data["clusters"]} == {*"123456789"}
    assert coarse.data["noise"] == 7
    assert "1 is recommended, 0 shown" in coarse.text
    below = await call(client, "list-clusters", layer=1, parent="2")
    assert below.data["total"] == 8
    missing = await call(client, "list-clusters", layer=7)
    assert "No layer 7: run r2 has 0 to 1" in missing.text


async def test_noise_members_and_hits_are_of_the_layer_that_was_asked_for(client: Client) -> None:
    fine = await call(client, "list-clusters")
    there = await call(client, "get-members", cluster="noise")
    assert there.data["total"] == fine.data["noise"] == 10
    at_top = await call(client, "get-members", cluster="noise", layer=0)
    assert at_top.data["total"] == 7
    reasons = await call(client, "get-members", cluster="noise", layer=0, noise_reason="edge")
    assert "known for layer 1 of r2 alone" in reasons.text
    for layer, pattern in ((0, r"noise|\d"), (1, r"noise|\d\.\d|[789]")):
        hits = await call(client, "search", query="my refund", layer=layer)
        places = {hit["cluster"] for hit in hits.data["hits"]}
        assert all(re.fullmatch(pattern, place) for place in places if place), places


async def test_the_map_is_coloured_by_heading_and_names_the_theme_on_hover(client: Client) -> None:
    drawn = await finish(client, "plot")
    assert (drawn.data["groups"], drawn.data["themes"]) == (9, 51)
    page = Path(drawn.data["html"]).read_text(encoding="utf-8")
    assert "Parcels left outside" in page
    every = await finish(client, "plot", headings=False)
    assert (every.data["groups"], every.data["themes"]) == (51, 0)
    one = await finish(client, "plot", cluster="1")
    assert (one.data["groups"], one.data["points"], one.data["noise"]) == (8, 44, 3)
    assert one.data["largest"][0] == "Parcels left outside (6)"


async def test_the_noise_that_is_split_is_that_of_the_layer_asked_for(client: Client) -> None:
    for layer, noise in ((0, 7), (1, 10)):
        split = await finish(client, "cluster", run="r2", within="noise", layer=layer)
        assert split.data["records"] == noise, split.text
    wrong = await finish(client, "cluster", layer=0)
    assert "layer goes with within" in wrong.text


async def test_all_means_the_layer_that_was_asked_for(client: Client) -> None:
    asked = await finish(client, "describe-cluster", cluster="all", layer=0, run="r2")
    named = {*asked.data["to_write"], *asked.data["remaining"]}
    named |= {words["cluster"] for words in asked.data["descriptions"]}
    assert named == {*"123456789"}

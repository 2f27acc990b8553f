"""`get-members` through the client: all records of a run, and which columns are shown."""

import pytest
from mcp.client import Client
from support.calls import Answer, call
from support.made_shop import FLAT, PATHS, SIZE, fill, made_run
from support.texts import tickets

from corpuscope.tools.workspace.workspace import Workspace

pytestmark = pytest.mark.anyio

ROWS = [{**row, "reach": 1.25e16, "views": 2.5} for row in tickets(each=SIZE)]
"""With a number that Python writes with an exponent."""


@pytest.fixture(scope="module", autouse=True)
def shop(workspace: Workspace) -> None:
    """Run `r1` has headings and noise, `r2` neither."""
    fill(workspace, rows=ROWS)
    made_run(workspace)
    made_run(workspace, FLAT)


async def members(client: Client, cluster: str, **more: object) -> Answer:
    answer = await call(client, "get-members", cluster=cluster, dataset="shop", **more)
    assert not answer.is_error, answer.text
    return answer


async def test_all_records_of_a_run_come_page_by_page_each_with_its_theme(client: Client) -> None:
    place_of = {row["text"]: PATHS[row["theme"]] for row in ROWS}
    seen: list[str] = []
    offset: int | None = 0
    while offset is not None:
        page = await members(client, "all", run="r1", limit=100, offset=offset)
        assert page.data["total"] == len(ROWS)
        for line in page.data["members"]:
            assert line["theme"] == line["cluster"] == place_of[line["text"]]
            assert f"[{line['id']}] ({line['theme']}) {line['text']}" in page.text
        seen += [line["id"] for line in page.data["members"]]
        offset = page.data["next_offset"]
    assert len(set(seen)) == len(seen) == len(ROWS)


async def test_the_theme_of_a_record_is_that_of_the_layer_asked_for(client: Client) -> None:
    page = await members(client, "all", run="r1", layer=0, where={"theme": "refund"}, limit=1)
    assert page.data["total"] == SIZE
    line = page.data["members"][0]
    assert (line["theme"], line["cluster"]) == ("1", "1.2")


async def test_all_can_be_filtered_sorted_and_drawn_at_random_like_a_cluster(
    client: Client,
) -> None:
    where = {"theme": ["coffee", "garden"]}
    first, again, other = [
        await members(client, "all", run="r2", where=where, sort="random", seed=seed)
        for seed in (1, 1, 2)
    ]
    assert first.data == again.data != other.data
    assert first.data["total"] == 2 * SIZE
    assert {line["theme"] for line in first.data["members"]} == {FLAT["coffee"], FLAT["garden"]}
    none = await members(client, "all", where={"theme": "nothing"})
    assert none.data["total"] == 0
    assert "No record of all" in none.text


async def test_the_columns_that_were_asked_for_are_shown_and_no_others(client: Client) -> None:
    page = await members(client, "1", run="r2", fields=["date", "theme"], limit=2)
    for line in page.data["members"]:
        assert list(line["metadata"]) == ["date", "theme"]
        assert f"(date={line['metadata']['date']}, theme=delivery)" in page.text
    bare = await members(client, "1", run="r2", fields=[], limit=2)
    assert [line["metadata"] for line in bare.data["members"]] == [{}, {}]
    assert "theme=" not in bare.text
    usual = await members(client, "1", run="r2", limit=2)
    assert len(usual.text) > len(page.text) > len(bare.text)


async def test_a_column_that_is_not_there_is_named_with_those_that_are(client: Client) -> None:
    answer = await call(client, "get-members", cluster="1", dataset="shop", fields=["airline"])
    assert answer.is_error
    assert "'shop' has no column 'airline'. Columns: " in answer.text
    assert "theme" in answer.text


async def test_large_numbers_are_whole(client: Client) -> None:
    page = await members(client, "all", fields=["reach", "views"], limit=3)
    assert page.text.count("(reach=12500000000000000, views=2.5)") == 3

"""`plot` through the client."""

import base64
import errno
import os
from dataclasses import replace
from datetime import datetime, tzinfo
from pathlib import Path
from typing import Self

import pytest
from mcp.client import Client
from mcp.types import ResourceLink
from support.calls import call, finish
from support.texts import tickets

from corpuscope.tools.core.schema import Watch
from corpuscope.tools.plot import plot
from corpuscope.tools.workspace.workspace import Workspace

pytestmark = pytest.mark.anyio

HOSTILE = "<img src=x onerror=alert(1)> espresso </script><script>alert(2)</script>"


@pytest.fixture(scope="module", autouse=True)
async def dataset(client: Client) -> None:
    rows = [*tickets(each=36), {"id": "X", "text": HOSTILE, "theme": "<b>evil</b>", "stars": 1}]
    await finish(client, "ingest", dataset="shop", rows=rows, id_column="id")
    await finish(client, "cluster", dataset="shop")


async def test_the_map_comes_as_a_page_a_picture_and_a_link(client: Client) -> None:
    result = await client.call_tool("plot", {"wait_seconds": 45})
    data = dict(result.structured_content or {})
    html = Path(data["html"])
    assert html.stat().st_size > 100_000, "the page carries all it needs"
    links = [block for block in result.content if isinstance(block, ResourceLink)]
    assert [str(link.uri) for link in links] == [html.as_uri()]
    answer = await finish(client, "plot")
    picture = base64.b64decode(answer.images[0].data)
    assert picture.startswith(b"\x89PNG")
    assert len(picture) < 700_000
    assert answer.data["points"] == 181
    assert answer.data["largest"][0] in answer.text


async def test_texts_cannot_become_markup_in_the_page(client: Client) -> None:
    answer = await finish(client, "plot", color_by="theme")
    page = Path(answer.data["html"]).read_text(encoding="utf-8")
    assert "onerror=alert(1)>" not in page.replace("\\u003c", "<")
    assert "<script>alert(2)" not in page
    assert "<b>evil" not in page


async def test_a_filter_leaves_its_records_on_the_map_and_their_number_in_the_legend(
    client: Client,
) -> None:
    where = {"theme": ["coffee", "garden"]}
    drawn = await finish(client, "plot", where=where)
    page = await call(client, "list-clusters", where=where)
    assert drawn.data["points"] == page.data["fitting"] == 72
    assert drawn.data["noise"] == page.data["fitting_noise"]
    sizes = [line["fitting"] for line in page.data["clusters"] if line["fitting"]]
    assert drawn.data["groups"] == len(sizes)
    assert sum(sizes) + drawn.data["noise"] == 72
    none = await finish(client, "plot", where={"theme": "tea"})
    assert "None of the 181 records fits the filter" in none.text


async def test_colours_by_a_column_and_a_part_of_the_map(client: Client) -> None:
    themes = await finish(client, "plot", color_by="theme")
    assert themes.data["groups"] == 6
    part = await finish(client, "plot", cluster="1")
    assert part.data["points"] < 301
    wrong = await finish(client, "plot", color_by="city")
    assert wrong.is_error
    assert "Valid: cluster, theme (string), stars (number), date (date)" in wrong.text


async def test_colours_by_period(client: Client) -> None:
    months = await finish(client, "plot", color_by="date:month")
    assert "coloured by date:month: 13 groups" in months.text
    page = Path(months.data["html"]).read_text(encoding="utf-8")
    assert page.index("2024-01") < page.index("2024-02") < page.index("no value")
    wrong = await finish(client, "plot", color_by="stars:month")
    assert "'stars' holds numbers, not dates" in wrong.text


async def test_the_page_is_written_only_where_it_is_allowed(client: Client, folder: Path) -> None:
    answer = await finish(client, "plot", save_as="maps/mine.html")
    assert Path(answer.data["html"]) == folder / "maps" / "mine.html"
    assert (folder / "maps" / "mine.png").exists()
    outside = await finish(client, "plot", save_as="/tmp/../etc/mine.html")
    assert outside.is_error
    assert "outside the allowed folders" in outside.text
    other = await finish(client, "plot", save_as="mine.exe")
    assert "must end in .html" in other.text


async def test_titles_take_the_place_of_keywords(client: Client) -> None:
    page = await call(client, "get-members", cluster="1", limit=1)
    await call(
        client,
        "label-cluster",
        cluster="1",
        title="A title of its own",
        summary="It has been named by the test. It is the largest.",
        records=[page.data["members"][0]["id"]],
    )
    answer = await finish(client, "plot")
    assert answer.data["largest"][0].startswith("A title of its own (")
    assert "A title of its own" in Path(answer.data["html"]).read_text(encoding="utf-8")


async def test_two_maps_of_one_second_are_two_and_the_oldest_go(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    class OneSecond(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> Self:
            return cls(2030, 1, 1, tzinfo=tz)

    monkeypatch.setattr("corpuscope.tools.plot.datetime", OneSecond)
    kept = workspace.home / "plots"
    mine = {"notes.html", "shop-r1-20290101-000000.txt", "Shop-r1-20290101-000000.html"}
    for name in mine:
        (kept / name).write_text("mine")
    few = replace(workspace, plots_kept=3)
    drawn = [plot(few, Watch(), dataset="shop").html for _ in range(4)]
    names = [Path(page).name for page in drawn]
    assert names == [f"shop-r1-20300101-000000{end}.html" for end in ("", "-2", "-3", "-4")]
    left = {file.name for file in kept.iterdir()}
    assert left == mine | {Path(name).stem + end for name in names[1:] for end in (".html", ".png")}


async def test_a_drawn_map_is_told_also_when_its_picture_is_gone(client: Client) -> None:
    ticket = await call(client, "plot", color_by="theme", wait_seconds=0)
    job = ticket.data["job_id"]
    drawn = await call(client, "get-job", job_id=job, wait_seconds=45)
    assert len(drawn.images) == 1
    Path(drawn.data["result"]["png"]).unlink()
    again = await call(client, "get-job", job_id=job)
    assert again.images == []
    assert again.data["result"] == drawn.data["result"]


async def test_a_map_that_cannot_be_written_leaves_nothing(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = {*(workspace.home / "plots").iterdir()}

    def no_room(handle: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", no_room)
    with pytest.raises(OSError, match="No space left"):
        plot(workspace, Watch(), dataset="shop")
    assert {*(workspace.home / "plots").iterdir()} == before

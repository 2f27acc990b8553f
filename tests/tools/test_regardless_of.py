"""Themes across a column through the client: asked for, said, kept; and warnings of the column."""

from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from mcp.client import Client
from support.calls import call, finish
from support.texts import tickets

pytestmark = pytest.mark.anyio

THEMES = {str(row["theme"]) for row in tickets(each=1)}

SHOPS = {
    "north": "@northwind northwind northwind dear northwind team,",
    "south": "@southgate southgate southgate hello southgate people,",
    "west": "@westfield westfield westfield good day westfield,",
}


def rows_of_shops(each: int = 60) -> list[dict[str, Any]]:
    """Tickets of five themes, each of which names its shop over and over."""
    rows = []
    for number, row in enumerate(tickets(each=each)):
        shop = [*SHOPS][number % 3]
        more = {"shop": shop, "author": f"writer {number}", "country": "NL"}
        rows.append(row | more | {"text": f"{SHOPS[shop]} {row['text']}"})
    return rows


@pytest.fixture(scope="module", autouse=True)
async def dataset(client: Client) -> None:
    answer = await finish(client, "ingest", dataset="shops", rows=rows_of_shops(), id_column="id")
    assert not answer.is_error, answer.text


async def purity(client: Client, column: str, run: str) -> float:
    """The share of the records in themes that have the most frequent value of their theme."""
    themes = (await call(client, "list-clusters", dataset="shops", run=run, limit=100)).data
    most = total = 0
    for line in themes["clusters"]:
        page = await call(
            client, "get-members", dataset="shops", run=run, cluster=line["id"], limit=100
        )
        values = Counter(member["metadata"][column] for member in page.data["members"])
        most, total = most + values.most_common(1)[0][1], total + values.total()
    return most / total


async def test_themes_that_repeat_a_column_name_it_and_the_call_that_looks_past_it(
    client: Client,
) -> None:
    plain = await finish(client, "cluster", dataset="shops")
    assert not plain.is_error, plain.text
    assert await purity(client, "shop", plain.data["run"]) > 0.9
    repeats = [
        warning for warning in plain.data["warnings"] if "The theme of a text says" in warning
    ]
    assert len(repeats) == 1
    assert "of 'shop'" in repeats[0]
    assert "cluster(dataset='shops', regardless_of=['shop'])" in repeats[0]
    assert "stars" not in repeats[0]
    assert repeats[0] in plain.text


async def test_handles_that_lead_the_keywords_are_told_with_the_mask_that_helps(
    client: Client,
) -> None:
    plain = await finish(client, "cluster", dataset="shops")
    handles = [warning for warning in plain.data["warnings"] if "Handles lead" in warning]
    assert len(handles) <= 1
    keywords = [word for top in plain.data["top"] for word in top["keywords"][:2]]
    if any(word in ("northwind", "southgate", "westfield") for word in keywords):
        assert "mask=['handles', 'urls']" in handles[0]


async def test_names_of_a_column_that_lead_the_keywords_are_told_with_the_way_to_leave_them_out(
    client: Client,
) -> None:
    people = ["Marisol", "Bertram", "Yolanda", "Quentin", "Leopold"]
    rows = [
        {
            "text": f"{person} {person} {person} dear {person} of {person}, {row['text']}",
            "author": f"{person} Smith",
        }
        for row in tickets(each=40)
        for person in [people[sorted(THEMES).index(row["theme"])]]
    ]
    await finish(client, "ingest", dataset="letters", rows=rows)
    answer = await finish(client, "cluster", dataset="letters")
    led = [warning for warning in answer.data["warnings"] if "Values of 'author' lead" in warning]
    assert len(led) == 1, answer.text
    assert "mode='replace', stop_words=['" in led[0]
    asked = [name.lower() for name in (*people, "smith")]
    again = {"dataset": "letters", "rows": rows, "mode": "replace", "stop_words": asked}
    assert not (await finish(client, "ingest", **again)).is_error
    without = await finish(client, "cluster", dataset="letters")
    assert not any("'author' lead" in warning for warning in without.data["warnings"])


async def test_regardless_of_finds_the_themes_across_the_column_and_says_so(client: Client) -> None:
    across = await finish(client, "cluster", dataset="shops", regardless_of=["shop"])
    assert not across.is_error, across.text
    run = across.data["run"]
    assert across.data["regardless_of"] == ["shop"]
    assert "Found across shop" in across.text
    assert await purity(client, "theme", run) > 0.85
    assert await purity(client, "shop", run) < 0.6
    assert not any("of 'shop'" in warning for warning in across.data["warnings"])


async def test_what_is_asked_of_such_a_run_later_holds_its_themes(client: Client) -> None:
    across = await finish(client, "cluster", dataset="shops", regardless_of=["shop"])
    run, first = across.data["run"], across.data["top"][0]["id"]
    checked = await finish(client, "check-stability", dataset="shops", run=run)
    assert not checked.is_error, checked.text
    assert checked.data["counts"]["stable"] >= 3, "clustered again on the same corrected vectors"
    parts = await finish(client, "cluster", dataset="shops", run=run, within=first)
    assert not parts.is_error, parts.text
    assert parts.data["regardless_of"] in (["shop"], []) and not parts.data["warnings"]
    plain = await finish(
        client, "cluster", dataset="shops", run=run, within=first, regardless_of=[]
    )
    assert plain.data["regardless_of"] == []
    pair = [top["id"] for top in across.data["top"][:2]]
    joined = await finish(client, "cluster", dataset="shops", run=run, within=pair)
    assert not joined.is_error, joined.text
    assert joined.data["regardless_of"] == ["shop"]
    tasks = await finish(client, "describe-cluster", dataset="shops", run=run, cluster=first)
    assert not tasks.is_error, tasks.text
    drawn = await finish(client, "plot", dataset="shops", run=run)
    assert not drawn.is_error, drawn.text


async def test_plain_and_corrected_graphs_are_never_mixed(client: Client) -> None:
    first = await finish(client, "cluster", dataset="shops", seed=3)
    await finish(client, "cluster", dataset="shops", seed=3, regardless_of=["shop"])
    again = await finish(client, "cluster", dataset="shops", seed=3)
    sizes = [[top["size"] for top in answer.data["top"]] for answer in (first, again)]
    assert sizes[0] == sizes[1]
    assert await purity(client, "shop", again.data["run"]) > 0.9


async def test_new_records_lose_what_their_group_shares_before_they_vote(client: Client) -> None:
    rows = rows_of_shops(each=80)
    old, new = rows[:300], rows[300:]
    await finish(client, "ingest", dataset="grown", rows=old, id_column="id")
    run = (await finish(client, "cluster", dataset="grown", regardless_of=["shop"])).data["run"]
    await finish(client, "ingest", dataset="grown", rows=new, id_column="id")
    put = await finish(client, "cluster", dataset="grown", run=run, assign=True)
    assert not put.is_error, put.text
    assert put.data["assigned"] == len(new)
    assert put.data["regardless_of"] == ["shop"]
    of_theme: dict[str, Counter[str]] = {}
    fresh = {row["text"] for row in new}
    for top in put.data["top"]:
        page = await call(
            client, "get-members", dataset="grown", cluster=top["id"], sort="edge", limit=100
        )
        values = [m["metadata"]["theme"] for m in page.data["members"] if m["text"] in fresh]
        of_theme[top["id"]] = Counter(values)
    most = sum(values.most_common(1)[0][1] for values in of_theme.values() if values)
    assert most / sum(values.total() for values in of_theme.values()) > 0.85
    useless = await finish(client, "cluster", dataset="grown", assign=True, regardless_of=["shop"])
    assert "regardless_of cannot be given" in useless.text


@pytest.mark.parametrize(
    ("column", "why"),
    [
        ("shops", "No column 'shops' in 'shops'. Columns: "),
        ("text", "which is the text itself"),
        ("author", "'author' has 300 values, and only 0% of the records have one that at least 10"),
        ("country", "All records have the same 'country'"),
    ],
)
async def test_a_column_that_cannot_be_looked_past_gets_a_sentence_and_a_next_step(
    client: Client, column: str, why: str
) -> None:
    answer = await finish(client, "cluster", dataset="shops", regardless_of=[column])
    assert answer.is_error
    assert why in answer.text


async def test_nothing_is_left_of_a_run_that_was_refused(client: Client, settings: Any) -> None:
    runs = Path(settings.home) / "runs" / "shops"
    before = sorted(entry.name for entry in runs.iterdir())
    await finish(client, "cluster", dataset="shops", regardless_of=["author"])
    assert sorted(entry.name for entry in runs.iterdir()) == before

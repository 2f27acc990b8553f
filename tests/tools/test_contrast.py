"""`contrast` through the client; its numbers held against pandas and scipy."""

import itertools
from typing import Any

import numpy as np
import pandas as pd
import pytest
from mcp.client import Client
from scipy import stats
from support.calls import call, finish
from support.made_shop import PATHS, made_run
from support.texts import tickets

from corpuscope.server.settings import Settings
from corpuscope.tools.workspace.workspace import Workspace

pytestmark = pytest.mark.anyio

THEMES = ("1.1", "1.2", "2.1", "3")


def rows() -> list[dict[str, Any]]:
    """Tickets from two shops: most of one are on delivery, of the other on coffee."""
    turn = itertools.cycle(range(4))
    made = []
    for row in tickets(each=36):
        at = next(turn)
        east = (
            at == 0
            if row["theme"] == "coffee"
            else at > 0
            if row["theme"] == "delivery"
            else at > 1
        )
        made.append(row | {"shop": "east" if east else "west", "vip": None if east else at == 1})
    return made


@pytest.fixture(scope="module", autouse=True)
async def shop(client: Client, workspace: Workspace) -> pd.DataFrame:
    await finish(client, "ingest", dataset="shop", rows=rows(), id_column="id")
    made_run(workspace, telling=True)
    frame = pd.DataFrame(rows())
    return frame.assign(cluster=frame["theme"].map(PATHS))


def q_of(tables: list[tuple[Any, ...]]) -> Any:
    """The q of each table, count and total of a and b: by Fisher's tails, Benjamini-Hochberg."""
    p = []
    for a, total_a, b, total_b in tables:
        cells = [[a, total_a - a], [b, total_b - b]]
        tails = [stats.fisher_exact(np.array(cells), side).pvalue for side in ("less", "greater")]
        p.append(min(1.0, 2 * min(tails)))
    return stats.false_discovery_control(p).tolist()


async def test_themes_over_and_under_are_those_of_pandas_and_scipy(
    client: Client, shop: pd.DataFrame
) -> None:
    answer = await call(client, "contrast", a={"shop": "east"}, b={"shop": "west"})
    assert not answer.is_error, answer.text
    counts = pd.crosstab(shop["cluster"], shop["shop"])
    sizes = counts.sum()
    tables = [
        (counts.loc[id_, "east"], sizes["east"], counts.loc[id_, "west"], sizes["west"])
        for id_ in ("noise", *THEMES)
    ]
    q = dict(zip(("noise", *THEMES), q_of(tables), strict=True))
    found = answer.data["differences"]
    assert (found["a"]["records"], found["b"]["records"]) == (sizes["east"], sizes["west"])
    assert found["themes"]["tried"] == 5
    told = {one["id"]: one for one in found["themes"]["more_in_a"] + found["themes"]["more_in_b"]}
    assert told.keys() == {id_ for id_ in q if q[id_] < 0.05} == {"1.1", "3"}
    for id_, one in told.items():
        known = stats.contingency.relative_risk(
            *(int(n) for n in (counts.loc[id_, "east"], sizes["east"])),
            *(int(n) for n in (counts.loc[id_, "west"], sizes["west"])),
        )
        assert one["q"] == pytest.approx(q[id_], rel=0.01)
        assert one["ratio"] == pytest.approx(known.relative_risk, rel=1e-4)
        interval = known.confidence_interval()
        assert (one["low"], one["high"]) == pytest.approx(tuple(interval), rel=1e-4)
    assert "Themes more in east:\n  1.1 parcel, package, courier: " in answer.text
    assert "Themes more in west:\n  3 espresso, coffee, water: " in answer.text


async def test_metadata_and_quotes_tell_the_sides_apart(client: Client, shop: pd.DataFrame) -> None:
    answer = await call(client, "contrast", a={"shop": "east"}, b={"shop": "west"})
    found = answer.data["differences"]
    metadata = found["metadata"]
    assert metadata["left_out"] == ["shop"]
    first = metadata["values"]["more_in_a"][0]
    assert (first["id"], first["name"], first["count_b"]) == ("vip", "no vip", 0)
    assert "stars" in metadata["same"]
    by_id = shop.set_index("id")
    for side, name in (("quotes_a", "east"), ("quotes_b", "west")):
        assert len(found[side]) == 2
        texts = [quote["text"] for quote in found[side]]
        assert set(by_id.loc[by_id["shop"] == name, "text"]) >= {*texts}


async def test_words_are_told_with_the_share_of_texts_that_have_them(
    client: Client, shop: pd.DataFrame
) -> None:
    sides = ["delivery", "refund"], ["coffee", "garden"]
    answer = await call(client, "contrast", a={"theme": sides[0]}, b={"theme": sides[1]})
    found = answer.data["differences"]["words"]
    texts = [shop[shop["theme"].isin(side)]["text"].str.lower() for side in sides]
    for words, place in ((found["a"], 0), (found["b"], 1)):
        assert words
        for word in words:
            shares = [text.str.contains(rf"\b{word['word']}\b").mean() for text in texts]
            told = word["share_a"], word["share_b"]
            assert told == pytest.approx(tuple(shares), abs=1e-5)
            assert told[place] > told[1 - place]
    assert (found["read_a"], found["sampled_a"]) == (72, False)
    assert "refund" in found["left_out"]


async def test_a_column_of_numbers_is_compared_by_rank(client: Client, shop: pd.DataFrame) -> None:
    low = {"stars": {"lte": 2}}
    answer = await call(client, "contrast", a=low, b={"where": {"not": low}})
    assert answer.data["differences"]["metadata"]["left_out"] == ["stars"]
    answer = await call(client, "contrast", a={"date": {"lt": "2024-04-01"}})
    numbers = answer.data["differences"]["metadata"]["numbers"]
    a = shop[shop["date"] < "2024-04-01"]["stars"]
    b = shop[shop["date"] >= "2024-04-01"]["stars"]
    known = stats.mannwhitneyu(a, b)
    delta = 2 * known.statistic / (len(a) * len(b)) - 1
    assert bool(numbers) == (abs(delta) >= 0.147 and known.pvalue < 0.05)


async def test_sides_that_are_themes_are_told_by_words_alone(client: Client) -> None:
    answer = await call(client, "contrast", a="1.1")
    found = answer.data["differences"]
    assert found["themes"] is None
    assert "Themes are left out" in answer.text
    assert (found["a"]["records"], found["b"]["records"], found["shared"]) == (36, 144, 0)
    assert found["words"]["a"]
    both = await call(client, "contrast", a=["1.1", "3"], b={"theme": ["coffee", "garden"]})
    assert both.data["differences"]["shared"] == 36
    assert "36 are in both" in both.text


async def test_what_one_side_has_not_at_all_is_told(client: Client) -> None:
    answer = await call(client, "contrast", a={"theme": ["coffee", "garden"]}, b="1.1")
    assert not answer.is_error, answer.text
    none = await call(client, "contrast", a={"cluster": "1.1", "shop": "east"}, b={"shop": "west"})
    assert "no vip: 100.0% of" in none.text
    assert " (0): at least " in none.text


async def test_what_cannot_be_contrasted_is_said_with_what_can(client: Client) -> None:
    for arguments, said in (
        ({"a": "rest"}, "a and b are both 'rest'. Name one of them. A side is a cluster id"),
        ({"a": {"shop": "north"}}, "fits. Values of 'shop': "),
        ({"a": {"shop": "east"}, "b": {"shop": ["east"]}}, "nothing differs"),
        ({"a": "1", "run": "r9"}, "No run 'r9'"),
        ({"a": {"dataset": "other"}}, "other"),
    ):
        answer = await call(client, "contrast", **arguments)
        assert answer.is_error
        assert said in answer.text


async def test_two_datasets_are_matched_by_what_their_themes_mean(
    client: Client, workspace: Workspace, settings: Settings
) -> None:
    themes = ("coffee", "refund", "login")
    other = [row | {"id": f"x{row['id']}"} for row in tickets(each=40) if row["theme"] in themes]
    await finish(client, "ingest", dataset="later", rows=other, id_column="id")
    paths = dict.fromkeys(PATHS, "noise") | {"coffee": "1", "refund": "2", "login": "3"}
    made_run(workspace, paths, dataset="later", telling=True)
    answer = await call(client, "contrast", a={"dataset": "shop"}, b={"dataset": "later"})
    assert not answer.is_error, answer.text
    matches = answer.data["differences"]["matches"]
    assert matches["by"] == "words"
    pairs = {(pair["a"]["id"], pair["b"]["id"]) for pair in matches["pairs"]}
    assert pairs == {("3", "1"), ("1.2", "2"), ("2.1", "3")}
    assert [one["theme"]["id"] for one in matches["only_a"]] == ["1.1"]
    assert matches["only_b"] == []
    assert "Only in shop:\n  1.1 parcel, package, courier (36, 20.0%)" in answer.text


async def test_a_list_counts_what_a_filter_fits(client: Client, shop: pd.DataFrame) -> None:
    where = {"shop": "east", "stars": {"gte": 2}}
    fits = shop[(shop["shop"] == "east") & (shop["stars"] >= 2)]
    counts = fits["cluster"].value_counts()
    page = await call(client, "list-clusters", dataset="shop", where=where)
    told = {line["id"]: line["fitting"] for line in page.data["clusters"]}
    assert told == {id_: int(counts.get(id_, 0)) for id_ in THEMES}
    assert [*told.values()] == sorted(told.values(), reverse=True)
    assert (page.data["fitting"], page.data["fitting_noise"]) == (len(fits), counts["noise"])
    assert f"{len(fits):,} of its 180 records fit the filter" in page.text
    below = await call(client, "list-clusters", dataset="shop", where=where, parent="1")
    shares = {line["id"]: line["fitting_share"] for line in below.data["clusters"]}
    assert shares["1.1"] == pytest.approx(counts["1.1"] / len(fits), abs=1e-6)
    none = await call(client, "list-clusters", dataset="shop", where={"shop": "north"})
    assert {line["fitting"] for line in none.data["clusters"]} == {0}


async def test_a_search_counts_the_texts_that_have_the_words_and_shows_the_fields_asked_for(
    client: Client, shop: pd.DataFrame
) -> None:
    has = shop[shop["text"].str.contains("refund", case=False)]
    found = await call(client, "search", dataset="shop", query="refund", fields=["stars"], limit=3)
    total = found.data["total"]
    counts = has["cluster"].value_counts()
    assert total["records"] == len(has)
    assert {one["cluster"]: one["records"] for one in total["themes"]} == counts.to_dict()
    assert f"'refund' is in the text of {len(has)} records: " in found.text
    assert [[*hit["metadata"]] for hit in found.data["hits"]] == [["stars"]] * 3
    part = await call(
        client, "search", dataset="shop", query='"my bank account and I want"', cluster="1.2",
        where={"shop": "west"}, fields=[],
    )  # fmt: skip
    inside = shop[(shop["cluster"] == "1.2") & (shop["shop"] == "west")]["text"]
    assert part.data["total"]["records"] == inside.str.contains("my bank account and I want").sum()
    assert {str(hit["metadata"]) for hit in part.data["hits"]} == {"{}"}
    asked = await call(client, "search", dataset="shop", query="my refund has not come yet")
    assert asked.data["total"] is None
    wrong = await call(client, "search", dataset="shop", query="refund", fields=["colour"])
    assert "No metadata column 'colour' to show. Columns: theme" in wrong.text

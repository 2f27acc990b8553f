"""`count`: exact tables, against pandas, and what it says where nothing can be counted."""

from typing import Any

import pandas as pd
import pytest
from mcp.client import Client
from scipy import stats
from support.calls import call, finish
from support.made_shop import PATHS, SIZE, made_run
from support.texts import tickets

from corpuscope.tools.count import count
from corpuscope.tools.counting.answer import CountResult
from corpuscope.tools.workspace.workspace import Workspace

pytestmark = pytest.mark.anyio


def rows() -> list[dict[str, Any]]:
    """Tickets: delivery comes from the north, garden has no region, coffee has few stars."""
    made = tickets(each=SIZE)
    for at, row in enumerate(made):
        theme = row["theme"]
        row["region"] = "north" if theme == "delivery" or at % 4 == 0 else f"south {at % 3}"
        row["stars"] = 1 if theme == "coffee" else row["stars"]
        if theme == "garden":
            del row["region"]
    return made


FRAME = pd.DataFrame(rows())
NODE = FRAME.theme.map(PATHS)
FULL = len(FRAME)


@pytest.fixture(scope="module", autouse=True)
async def shop(client: Client, workspace: Workspace) -> None:
    await finish(client, "ingest", dataset="shop", rows=rows(), id_column="id")
    made_run(workspace, telling=True)


def lines(result: CountResult) -> dict[str | None, int]:
    return {line.id or line.label: line.records for line in result.rows}


async def test_a_table_has_the_counts_of_pandas_and_says_first_what_stands_out(
    client: Client,
) -> None:
    answer = await call(client, "count", by=["theme", "region"])
    table = answer.data["table"]
    expected = pd.crosstab(NODE, FRAME.region.fillna("(no value)"))
    assert {line["label"] for line in table["columns"]} == set(expected.columns)
    for line, counts in zip(answer.data["rows"], table["counts"], strict=True):
        for column, records in zip(table["columns"], counts, strict=True):
            assert records == expected.loc[line["id"], column["label"]]
    first = answer.data["findings"][0]
    north = (FRAME.region == "north").mean()
    assert (first["row_id"], first["column"], first["value"]) == ("1.1", "north", 1.0)
    assert first["lift"] == pytest.approx(1 / north, abs=1e-3)
    interval = stats.binomtest(SIZE, SIZE).proportion_ci(method="wilson")
    assert (first["low"], first["high"]) == pytest.approx((interval.low, interval.high), abs=1e-4)
    told = f"1.1 parcel, package, courier: 100% north against {north:.0%} of all, "
    assert told in answer.text.splitlines()[2]
    assert answer.text.splitlines()[-1].startswith("all | 180 | ")
    noise = next(line for line in answer.text.splitlines() if line.startswith("noise | "))
    assert noise.startswith(f"noise | {SIZE} | 0")


def test_periods_stand_in_order_and_those_without_a_record_too(workspace: Workspace) -> None:
    months = count(workspace, ["date:month"], where={"date": {"ne": "2024-03-15"}, "stars": 2})
    kept = FRAME[(FRAME.stars == 2) & (FRAME.date != "2024-03-15")]
    expected = kept.date.str[:7].value_counts()
    names = [line.label for line in months.rows]
    assert names == sorted(names)
    assert {name: size for name, size in lines(months).items() if size} == expected.to_dict()
    quarters = count(workspace, ["date:quarter"])
    assert list(lines(quarters)) == [f"2024-Q{at}" for at in (1, 2, 3, 4)]
    assert count(workspace, ["date"]).by == ["date:month"]


def test_a_mean_and_what_a_theme_does_to_it(workspace: Workspace) -> None:
    means = count(workspace, ["theme"], measure="mean:stars", sort="lowest")
    coffee = means.rows[0]
    assert coffee.number is not None
    assert (coffee.id, coffee.number.mean, coffee.number.records) == ("3", 1, SIZE)
    assert means.mean == pytest.approx(FRAME.stars.mean())
    assert means.findings[0].text.startswith("3 espresso, coffee, water: mean stars 1.00 against")
    moved = count(workspace, ["theme"], measure="impact:stars").rows[0].number
    without = FRAME.stars[FRAME.theme != "coffee"].mean() - FRAME.stars.mean()
    assert moved is not None
    assert moved.impact == pytest.approx(without, abs=1e-4)


def test_a_change_between_two_periods_is_split(workspace: Workspace) -> None:
    two = count(
        workspace,
        ["theme", "date:month"],
        where={"date": {"gte": "2024-01-01", "lt": "2024-03-01"}},
        measure="impact:stars",
    )
    months = FRAME.groupby(FRAME.date.str[:7]).stars.mean()
    assert two.change is not None
    assert two.change.size == pytest.approx(months["2024-02"] - months["2024-01"], abs=1e-3)
    assert two.change.size == pytest.approx(two.change.mix + two.change.within, abs=1e-3)
    assert "by the mix" in two.as_text()


def test_a_filter_says_which_themes_fit_it_more_often(workspace: Workspace) -> None:
    north = count(workspace, ["theme"], where={"region": "north"})
    share = (FRAME.region == "north").mean()
    assert north.findings[0].text.startswith(
        f"1.1 parcel, package, courier: 100% fit the filter against {share:.0%} of all"
    )
    assert lines(north) == (FRAME.region == "north").groupby(NODE).sum().drop("noise").to_dict()
    inside = count(workspace, ["region"], cluster="1")
    assert inside.records == 2 * SIZE
    # What is filtered by stands out of nothing.
    assert count(workspace, ["region"], where={"region": "north"}).findings == []


def test_no_record_is_an_answer(workspace: Workspace) -> None:
    for by in (["theme"], ["theme", "region"], ["date:week"]):
        for measure in ("records", "mean:stars"):
            none = count(workspace, by, where={"region": "west"}, measure=measure)
            assert none.as_text() == f"0 of {FULL} records of 'shop' fit the filter."


def test_a_column_that_is_called_theme_is_counted_by_its_sign(workspace: Workspace) -> None:
    column = count(workspace, ["column:theme"])
    assert lines(column) == FRAME.theme.value_counts().to_dict()
    assert column.run is None


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"by": ["colour"]}, "Nothing called 'colour'. Valid: theme, heading, theme"),
        ({"by": ["theme", "region", "stars"]}, "one or two names, not 3"),
        ({"by": ["region:week"]}, "'region' holds strings, not dates"),
        ({"by": ["date:hour"]}, "binned by day, week, month, quarter, year, not by 'hour'"),
        ({"by": ["date", "date:month"]}, "`by` names date:month twice"),
        ({"by": ["heading"]}, "no headings above its themes"),
        ({"by": ["theme"], "measure": "mean:region"}, "Columns of numbers: stars"),
        ({"by": ["theme"], "measure": "median:stars"}, "No measure 'median:stars'"),
        ({"by": ["theme", "region"], "measure": "impact:stars"}, "between two values"),
    ],
)
async def test_what_cannot_be_counted_is_a_sentence_with_what_can(
    client: Client, asked: dict[str, Any], said: str
) -> None:
    answer = await call(client, "count", **asked)
    assert answer.is_error
    assert said in answer.text


async def test_what_the_run_does_not_know_is_a_row_of_its_own(client: Client) -> None:
    await finish(client, "ingest", dataset="shop", rows=[{"text": "Late", "id": "new"}])
    answer = await call(client, "count", by="theme")
    assert [line["label"] for line in answer.data["rows"]][-2:] == ["noise", "(not in run r1)"]
    assert "(not in run r1): 1 (0.6%)" in answer.text

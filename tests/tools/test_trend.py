"""`trend`: what rises, bursts, is new or gone, against the totals, and what to beware of."""

import random
from datetime import date, timedelta
from typing import Any

import pandas as pd
import pytest
from mcp.client import Client
from support.calls import call, finish

from corpuscope.tools.core.schema import Watch
from corpuscope.tools.ingest import ingest
from corpuscope.tools.trend import trend
from corpuscope.tools.workspace.workspace import Workspace

pytestmark = pytest.mark.anyio

WEEKS = 12
KINDS = {
    "steady": [20] * WEEKS,
    "rising": [4 + 2 * week for week in range(WEEKS)],
    "burst": [3, 3, 3, 3, 3, 40, 38, 3, 3, 3, 3, 3],
    "new": [0] * 8 + [15] * 4,
    "gone": [15] * 5 + [0] * 7,
}
START = date(2024, 1, 1)


def rows() -> list[dict[str, Any]]:
    """Records of five kinds by week; twice as many in all, of another source, in the last half."""
    made = []
    for kind, counts in KINDS.items():
        for week, count in enumerate(counts):
            for number in range(count * (1 + (week >= 6))):
                day = START + timedelta(days=7 * week + number % 7)
                source = "late" if week >= 6 and number % 2 else "early"
                made.append({"kind": kind, "day": str(day), "source": source})
    random.Random(0).shuffle(made)
    for at, row in enumerate(made):
        row |= {"text": f"record number {at}", "id": str(at)}
    del made[0]["day"]
    return made


FRAME = pd.DataFrame(rows())


@pytest.fixture(scope="module", autouse=True)
async def dated(client: Client) -> None:
    await finish(client, "ingest", dataset="dated", rows=rows(), id_column="id")


async def test_what_moves_is_said_with_when_and_how_much(client: Client) -> None:
    answer = await call(client, "trend", dataset="dated", by="kind", date="day:week")
    dated = FRAME.dropna(subset="day")
    weeks = pd.to_datetime(dated.day).dt.to_period("W-SUN").astype(str).str[:10]
    expected = pd.crosstab(dated.kind, weeks)
    assert answer.data["periods"] == list(expected.columns)
    assert answer.data["totals"] == expected.sum().tolist()
    verdicts = {each["label"]: each["verdict"] for each in answer.data["lines"]}
    assert {kind: verdicts[kind] for kind in ("burst", "new", "gone", "rising")} == {
        "burst": "burst",
        "new": "new",
        "gone": "gone",
        "rising": "rising",
    }
    for each in answer.data["lines"]:
        assert each["counts"] == expected.loc[each["label"]].tolist()
    burst = next(each for each in answer.data["lines"] if each["label"] == "burst")
    assert (burst["first"], burst["last"]) == ("2024-02-05", "2024-02-12")
    inside = expected[["2024-02-05", "2024-02-12"]]
    rest = expected.drop(columns=inside.columns)
    assert burst["share"] == pytest.approx(inside.loc["burst"].sum() / inside.sum().sum(), abs=1e-5)
    assert burst["usual"] == pytest.approx(rest.loc["burst"].sum() / rest.sum().sum(), abs=1e-5)
    assert burst["text"].startswith(f"burst: {burst['sparkline']} burst 2024-02-05 to 2024-02-12: ")
    assert burst["text"] in answer.text
    assert "1 more have no date." in answer.text


def test_a_jump_of_the_total_and_a_late_source_are_told_and_are_no_trend(
    workspace: Workspace,
) -> None:
    found = trend(workspace, dataset="dated", by="kind", date="day:week")
    assert any("from 2024-02-12 on there are more records" in each for each in found.warnings)
    assert any(
        "next to nothing of 'late' (source) 2024-01-01 to 2024-02-05" in each
        and 'where={"source": {"ne": "late"}}' in each
        for each in found.warnings
    )
    one = trend(workspace, dataset="dated", by="kind", date="day:week", where={"source": "early"})
    assert one.warnings == []
    assert next(line for line in one.lines if line.label == "steady").verdict == "steady"


def test_a_window_is_held_against_all_other_periods(workspace: Workspace) -> None:
    found = trend(
        workspace, dataset="dated", by="kind", date="day:week", window=["2024-02-06", "2024-02-12"]
    )
    assert found.window == ["2024-02-05", "2024-02-12"]
    assert (found.lines[0].label, found.lines[0].verdict) == ("burst", "more")
    assert "move in 2024-02-05 to 2024-02-12 against the other periods" in found.as_text()


def test_few_records_of_other_years_do_not_stretch_the_course(workspace: Workspace) -> None:
    stray = [{"text": "from long ago", "id": "old", "day": "2009-05-01", "kind": "steady"}]
    ingest(workspace, Watch(), dataset="stray", rows=[*rows(), *stray], id_column="id")
    found = trend(workspace, dataset="stray", by="kind", date="day:week")
    assert found.warnings[0].startswith("1 records far off, before 2024-01-01")
    assert (found.periods[0], found.records) == ("2024-01-01", 1_021)


def test_nothing_that_fits_is_an_answer(workspace: Workspace) -> None:
    none = trend(workspace, dataset="dated", by="kind", where={"kind": "absent"})
    assert none.as_text() == "0 of 1,022 records of 'dated' fit the filter and have a date."


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"by": "kind", "date": "source"}, "'source' holds no dates. Say which dates: date='day'"),
        ({"by": "kind", "date": "day:hour"}, "binned by day, week"),
        ({"by": "kind", "date": "day:year"}, "All dates of these records lie in one year (2024)"),
        ({"by": "day", "date": "day"}, "`by` and `date` are both"),
        ({"by": "kind", "window": ["2023-02-01"]}, "they are of 2024-01-01 to"),
        ({"by": "kind", "window": ["2024-01-01", "2024-12-31"]}, "is no"),
        ({"by": "theme"}, "has no run yet"),
    ],
)
async def test_what_has_no_course_is_a_sentence_with_what_has(
    client: Client, asked: dict[str, Any], said: str
) -> None:
    answer = await call(client, "trend", dataset="dated", **asked)
    assert answer.is_error
    assert said in answer.text

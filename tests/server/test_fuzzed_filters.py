"""Any filter, through the client: the records that Python finds by it, or an error in words."""

import operator
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from mcp.client import Client
from support.calls import call, finish

from corpuscope.tools.core.schema import ColumnType
from corpuscope.tools.core.values import PARSERS

pytestmark = pytest.mark.anyio

KINDS: dict[str, ColumnType] = {
    "n": "number",
    "flag": "boolean",
    "day": "date",
    "word": "string",
    'odd "name\\': "string",
}
NUMBERS = [0, 1, -1, 2.5, 1e300, -0.1, 2**53, -(2**53), 7, 10]
DAYS = ["2024-01-01", "1999-12-31", "2024-02-29T12:00:00+00:00", "0001-01-01", "9999-12-31"]
WORDS = [
    *("BBC", "bbc", "a b", 'say "no"', "back\\slash", "' or 1 == 1", "tab\there", "two\nlines"),
    *("naïve", "文字", "😀", "true", "3", "%", "_", "x" * 200, "metadata", "in [1]"),
]


def rows() -> list[dict[str, Any]]:
    """Rows of all types, in each of which something is missing."""
    made = []
    for number in range(36):
        row = {
            "n": NUMBERS[number % len(NUMBERS)],
            "flag": number % 3 == 0,
            "day": DAYS[number % len(DAYS)],
            "word": WORDS[number % len(WORDS)],
            'odd "name\\': WORDS[-1 - number % len(WORDS)],
        }
        row.pop(list(KINDS)[number % len(KINDS)])
        made.append({"text": f"The text number {number} of all", **row})
    return made


ROWS = rows()

COMPARISONS: dict[str, Callable[[Any, Any], bool]] = {
    "eq": operator.eq,
    "ne": operator.ne,
    "gt": operator.gt,
    "gte": operator.ge,
    "lt": operator.lt,
    "lte": operator.le,
}
ORDERED = ("number", "date", "string")
VALUES: dict[ColumnType, st.SearchStrategy[Any]] = {
    "number": st.sampled_from([*NUMBERS, "7", "2.5", 3, 2**63 - 1, -(2**63)])
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.integers(-5, 12),
    "boolean": st.sampled_from([True, False, "true", "False"]),
    "date": st.sampled_from([*DAYS, "2024-02-29 14:00+02:00", "2024-02", "0001-01-01T00:00+14:00"]),
    "string": st.sampled_from(WORDS)
    | st.text(st.characters(exclude_categories=("Cs", "Cc")), max_size=8),
}


@st.composite
def filters(draw: st.DrawFn) -> dict[str, Any]:
    """Filters of one or two columns, of every form of condition."""
    where: dict[str, Any] = {}
    for column in draw(st.sets(st.sampled_from(sorted(KINDS)), min_size=1, max_size=2)):
        kind = KINDS[column]
        names = [*COMPARISONS] if kind in ORDERED else ["eq", "ne"]
        comparisons = st.dictionaries(st.sampled_from(names), VALUES[kind], min_size=1, max_size=2)
        lists = st.lists(VALUES[kind], min_size=1, max_size=5)
        where[column] = draw(VALUES[kind] | lists | comparisons | st.builds(dict, **{"in": lists}))
    return where


def fits(row: dict[str, Any], where: dict[str, Any]) -> bool:
    """Whether a row is one of those that a filter means. What is missing fits nothing."""
    for column, condition in where.items():
        if column not in row:
            return False
        parse = PARSERS[KINDS[column]]
        value = parse(row[column])
        if not isinstance(condition, dict):
            condition = {"in" if isinstance(condition, list) else "eq": condition}
        for name, wanted in condition.items():
            if name == "in":
                holds = value in [parse(one) for one in wanted]
            else:
                holds = COMPARISONS[name](value, parse(wanted))
            if not holds:
                return False
    return True


def can_be_read(where: dict[str, Any]) -> bool:
    """Whether each value of a filter is one of its column's type."""
    for column, condition in where.items():
        parts = list(condition.values()) if isinstance(condition, dict) else [condition]
        for part in parts:
            for value in part if isinstance(part, list) else [part]:
                try:
                    PARSERS[KINDS[column]](value)
                except (ValueError, OverflowError):
                    return False
    return True


@pytest.fixture(scope="module", autouse=True)
async def typed(client: Client) -> None:
    answer = await finish(client, "ingest", dataset="typed", rows=ROWS, text_columns=["text"])
    assert not answer.is_error, answer.text
    (dataset,) = (await call(client, "list-datasets")).data["datasets"]
    assert dataset["metadata_columns"] == KINDS


@hypothesis_settings(max_examples=40, suppress_health_check=[HealthCheck.too_slow])
@given(where=filters())
async def test_a_filter_finds_the_records_that_it_means(
    client: Client, where: dict[str, Any]
) -> None:
    answer = await call(client, "search", query="text number", where=where, limit=100)
    if answer.is_error:
        assert not can_be_read(where), answer.text
        assert "holds" in answer.text or "outside of the years" in answer.text
    else:
        found = {hit["text"] for hit in answer.data["hits"]}
        assert found == {row["text"] for row in ROWS if fits(row, where)}

"""Filters as a client writes them, and which records of a table fit them."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpuscope.tools.core.errors import BadInput
from corpuscope.tools.core.schema import ColumnType, Scalar
from corpuscope.tools.tables.mask import fitting_rows
from corpuscope.tools.tables.table import RecordTable, build_table
from corpuscope.tools.tables.where import parse_where

COLUMNS: dict[str, ColumnType] = {
    "venue": "string",
    "stars": "number",
    "seen": "date",
    "new": "boolean",
    "or": "string",
}
ROWS: list[tuple[str, dict[str, Scalar]]] = [
    ("Tea, please", {"venue": "BBC", "stars": 3, "seen": "2024-02-28", "new": True}),
    ("a REFUND now", {"venue": "bbc news", "stars": 4.5, "seen": "2024-02-29T23:59:59", "or": "x"}),
    ("nothing", {"venue": None, "stars": -1, "seen": "2024-03-01", "new": False}),
    ("Ünïcode refünd", {"stars": 2**62 + 1, "seen": None, "new": True}),
    ("", {"venue": "CNN", "stars": None, "seen": "2023-12-31T00:00:01"}),
]


def table_of(rows: list[tuple[str, dict[str, Scalar]]]) -> RecordTable:
    pages = [[{"id": f"{at:016x}", "text": text, "metadata": metadata}
              for at, (text, metadata) in enumerate(rows)]]  # fmt: skip
    return build_table(pages, COLUMNS)


TABLE = table_of(ROWS)


def fits(where: dict[str, Any] | None) -> list[int]:
    return np.flatnonzero(fitting_rows(TABLE, parse_where(where, COLUMNS))).tolist()


@pytest.mark.parametrize(
    ("where", "expected"),
    [
        (None, [0, 1, 2, 3, 4]),
        ({"venue": "BBC"}, [0]),
        ({"venue": ["BBC", "CNN"]}, [0, 4]),
        ({"venue": {"ne": "BBC"}}, [1, 4]),
        ({"not": {"venue": "BBC"}}, [1, 2, 3, 4]),
        ({"venue": {"not": {"eq": "BBC"}}}, [1, 2, 3, 4]),
        ({"venue": {"not in": ["BBC"]}}, [1, 4]),
        ({"venue": {"contains": "bBc"}}, [0, 1]),
        ({"venue": None}, [2, 3]),
        ({"venue": {"is_null": False}}, [0, 1, 4]),
        ({"venue": {"ne": None}}, [0, 1, 4]),
        ({"stars": {">=": 3, "<": 4.5}}, [0]),
        ({"stars": {"$gt": 4}}, [1, 3]),
        ({"stars": {"lt": "0"}}, [2]),
        ({"new": True}, [0, 3]),
        ({"new": {"ne": True}}, [2]),
        ({"or": "x"}, [1]),
        ({"seen": "2024-02-29"}, [1]),
        ({"seen": {"lte": "2024-02-29"}}, [0, 1, 4]),
        ({"seen": {"gt": "2024-02-29"}}, [2]),
        ({"seen": {"gte": "2024-02-29"}}, [1, 2]),
        ({"seen": {"ne": "2024-02-29"}}, [0, 2, 4]),
        ({"seen": ["2024-02-29", "2024-03-01"]}, [1, 2]),
        ({"seen": {"contains": "2024-02"}}, [0, 1]),
        ({"text": {"contains": "refund"}}, [1]),
        ({"text": {"contains": "REFÜND"}}, [3]),
        ({"text": "nothing"}, [2]),
        ({"and": [{"stars": {"gt": 0}}, {"not": {"new": True}}]}, [1]),
        ({"not": {"or": "x"}}, [0, 2, 3, 4]),
    ],
)  # fmt: skip
def test_a_filter_finds_what_it_says(where: Any, expected: list[int]) -> None:
    assert fits(where) == expected


def test_or_takes_filters_where_no_column_is_called_so() -> None:
    columns: dict[str, ColumnType] = {"venue": "string", "stars": "number"}
    where = {"or": [{"venue": "CNN"}, {"stars": {"gt": 4}, "venue": {"contains": "news"}}]}
    found = fitting_rows(TABLE, parse_where(where, columns))
    assert np.flatnonzero(found).tolist() == [1, 4]


@pytest.mark.parametrize(
    ("where", "message"),
    [
        ({"city": "Rome"}, r"No metadata column 'city'.* Columns: venue \(string\), stars"),
        ({"stars": {"above": 3}}, "Unknown comparison 'above'.* Valid: eq, ne, gt"),
        ({"stars": []}, "has 0 values"),
        ({"stars": {"in": 3}}, "'in' for column 'stars' takes a list of values"),
        ({"stars": {"gt": [3]}}, "'gt' for column 'stars' takes one value; 'in' takes a list"),
        ({"stars": {}}, "The condition for 'stars' is empty. Valid: eq, ne"),
        ({"stars": "many"}, "'stars' holds numbers; 'many' is none"),
        ({"stars": float("nan")}, "'stars' holds numbers; nan is none"),
        ({"stars": {"gt": None}}, "'stars' cannot be compared with null. Give a number, or"),
        ({"stars": {"is_null": 1}}, "'is_null' for column 'stars' takes true or false"),
        ({"stars": {"contains": "3"}}, "'stars' holds numbers; 'contains' is for texts"),
        ({"new": {"gt": False}}, "'new' holds true or false, which have no order"),
        ({"text": {"contains": " "}}, "'contains' for column 'text' takes a text"),
        ({"and": {"venue": "a"}}, "'and' takes a list of filters, not an object"),
        ({"not": ["a"]}, "A filter is an object from column to condition, not a list"),
        ({"seen": "0001-01-01T00:00:00+14:00"}, "'seen': .* lies outside of the years 1 to 9999"),
        ({"seen": "tomorrow"}, "'seen' holds dates; 'tomorrow' is none"),
        ({"venue": "a\0b"}, "'venue': the value 'a.x00b' has a NUL"),
        ({"venue": ["a", "\ud83d"]}, "'venue': the value '.ud83d' has a NUL or half a character"),
        ({"stars": 10**5_000}, "'stars' holds numbers; an integer of 16610 bits is none"),
        ({"venue": 10**5_000}, "'venue' holds strings; an integer of 16610 bits is none"),
        ({"stars": 2**63}, "'stars' holds numbers; 9223372036854775808 is none"),
        ({"stars": "9" * 9_000}, "'stars' holds numbers; '9{58}… is none"),
        ({"\ud83d": 1}, "No metadata column '.ud83d'"),
        ({"stars": [1] * 10_001}, "has 10001 values; give 1 to 10,000"),
        ({"and": [{"stars": 1}] * 501}, "more than 500 conditions"),
    ],
)
def test_what_cannot_be_filtered_by_is_refused_with_the_choices(where: Any, message: str) -> None:
    with pytest.raises(BadInput, match=message):
        parse_where(where, COLUMNS)


def test_a_filter_of_a_thousand_levels_is_refused_in_words() -> None:
    where: dict[str, Any] = {"stars": 1}
    for _ in range(1_000):
        where = {"not": where}
    with pytest.raises(BadInput, match="nested more than 12 deep"):
        parse_where(where, COLUMNS)


VALUES = st.integers(-3, 3) | st.floats(-3, 3) | st.none()


@given(
    stars=st.lists(VALUES, max_size=20),
    bound=st.integers(-3, 3) | st.floats(-3, 3),
    other=st.integers(-3, 3),
)
def test_numbers_compare_as_python_compares_them(
    stars: list[float | None], bound: float, other: int
) -> None:
    table = table_of([("", {"stars": value}) for value in stars])
    for where, holds in (
        ({"stars": {"gte": bound}}, lambda value: value >= bound),
        ({"stars": {"ne": bound}}, lambda value: value != bound),
        ({"stars": [bound, other]}, lambda value: value in (bound, other)),
        ({"stars": {"gt": other, "lte": bound}}, lambda value: other < value <= bound),
    ):
        expected = [value is not None and holds(value) for value in stars]
        assert fitting_rows(table, parse_where(where, COLUMNS)).tolist() == expected


def test_a_column_whose_values_are_of_several_types_is_read_as_its_own() -> None:
    table = table_of([("", {"venue": 3, "stars": "4"}), ("", {"venue": True, "stars": "x"})])
    assert table.column("venue").values.tolist() == ["3", "True"]
    assert table.column("stars").numbers().tolist()[0] == 4
    assert table.column("stars").codes.tolist() == [0, -1]

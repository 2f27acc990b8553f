"""Conditions as Milvus expressions."""

from typing import Any

import pytest

from corpuscope.tools.core.schema import ColumnType
from corpuscope.tools.store.filters import filter_expression, ids_expression, longest_list
from corpuscope.tools.tables.where import parse_where

COLUMNS: dict[str, ColumnType] = {
    "venue": "string",
    "stars": "number",
    'od"d': "string",
    "seen": "date",
}


def expression(where: dict[str, Any] | None) -> str | None:
    return filter_expression(parse_where(where, COLUMNS))


@pytest.mark.parametrize(
    ("where", "expected"),
    [
        (None, ""),
        ({}, ""),
        (
            {"venue": "BBC", "stars": {"gte": 3, "lt": 5}},
            'metadata["venue"] == "BBC" and metadata["stars"] >= 3 and metadata["stars"] < 5',
        ),
        ({"and": [{"venue": "BBC"}, {"stars": 3}]},
         'metadata["venue"] == "BBC" and metadata["stars"] == 3'),
        ({"stars": [1, 2.5, "3"]}, 'metadata["stars"] in [1.0, 2.5, 3.0]'),
        ({"stars": [1, "3"]}, 'metadata["stars"] in [1, 3]'),
        ({"stars": {"in": [1], "ne": 5}}, 'metadata["stars"] in [1] and metadata["stars"] != 5'),
        (
            {'od"d': '" or id != "', "venue": "a\\\n"},
            'metadata["od\\"d"] == "\\" or id != \\"" and metadata["venue"] == "a\\\\\\n"',
        ),
        (
            {"seen": "2024-02-29"},
            'metadata["seen"] >= "2024-02-29" and metadata["seen"] < "2024-03-01"',
        ),
        ({"seen": {"lte": "2024-02-29"}}, 'metadata["seen"] < "2024-03-01"'),
        ({"seen": {"gt": "2024-02-29"}}, 'metadata["seen"] >= "2024-03-01"'),
        ({"seen": {"gte": "2024-02-29"}}, 'metadata["seen"] >= "2024-02-29"'),
        ({"seen": {"lt": "2024-02-29T12:00"}}, 'metadata["seen"] < "2024-02-29T12:00:00"'),
    ],
)  # fmt: skip
def test_comparisons_that_hold_together_are_an_expression(where: Any, expected: str) -> None:
    assert expression(where) == expected


@pytest.mark.parametrize(
    "where",
    [
        {"or": [{"venue": "BBC"}, {"stars": 3}]},
        {"not": {"venue": "BBC"}},
        {"text": {"contains": "tea"}},
        {"venue": {"contains": "B"}, "stars": 3},
        {"venue": None},
        {"venue": {"not_in": ["BBC"]}},
        {"seen": {"ne": "2024-01-01"}},
        {"seen": ["2024-01-01"]},
        {"seen": {"lte": "9999-12-31"}},
    ],
)
def test_what_a_table_has_to_tell_is_none(where: Any) -> None:
    assert expression(where) is None


def test_the_longest_list_counts_where_lists_are_chains() -> None:
    assert longest_list(parse_where({"stars": [1, 2, 3], "venue": ["a"]}, COLUMNS)) == 3
    assert longest_list(parse_where({"or": [{"stars": [1, 2]}, {"stars": 3}]}, COLUMNS)) == 0


def test_ids_are_listed_as_literals() -> None:
    assert ids_expression(["a", "b"]) == 'id in ["a", "b"]'

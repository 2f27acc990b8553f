"""Filters as they are written, read back."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpuscope.tools.core.schema import ColumnType
from corpuscope.tools.lite.conditions import FieldCondition, parse_conditions, without_lists
from corpuscope.tools.store.filters import filter_expression, ids_expression
from corpuscope.tools.tables.where import parse_where

COLUMNS: dict[str, ColumnType] = {'a"] == 1 or id != "': "string", "n": "number", "ü\\": "boolean"}
LETTERS = st.characters(exclude_characters="\0", exclude_categories=["Cs", "Cc"])
NUMBERS = st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False, allow_infinity=False)


def test_conditions_are_read_from_their_expression() -> None:
    assert parse_conditions('metadata["n"] >= 3 and (metadata["k"] in ["a", "b\\"c"])') == [
        FieldCondition("n", ">=", 3),
        FieldCondition("k", "in", ["a", 'b"c']),
    ]
    assert parse_conditions('id > "0f" and (metadata["on"] == true)') == [
        FieldCondition(None, ">", "0f"),
        FieldCondition("on", "==", True),
    ]
    assert parse_conditions(ids_expression(["a", "b"])) == [FieldCondition(None, "in", ["a", "b"])]


@given(
    st.fixed_dictionaries(
        {},
        optional={
            'a"] == 1 or id != "': st.lists(st.text(LETTERS), min_size=1),
            "n": NUMBERS | st.fixed_dictionaries({"gte": NUMBERS, "lt": NUMBERS}),
            "ü\\": st.booleans(),
        },
    ).filter(bool)
)
def test_every_filter_that_is_written_is_read_back_with_its_values(where: Any) -> None:
    expression = filter_expression(parse_where(where, COLUMNS))
    assert expression is not None
    conditions = parse_conditions(expression)
    assert conditions is not None
    expected = [
        value
        for condition in where.values()
        for value in (condition.values() if isinstance(condition, dict) else [condition])
    ]
    assert [condition.value for condition in conditions] == expected
    assert {condition.column for condition in conditions} == set(where)


@pytest.mark.parametrize(
    "expression",
    [
        "",
        'metadata["n"] == 1 or metadata["n"] == 2',
        'not (metadata["n"] == 1)',
        'metadata["n"] in 3',
        'metadata["n"] == [3]',
        'metadata["n"] == {"a": 1}',
        'metadata["n"] == null',
        'metadata["n"] in [[1], [2]]',
        'metadata["n"] ==',
        '(metadata["n"] == 1',
        'metadata["n"] == 1)',
        'text == "a"',
        'metadata["n"] == 1 and',
        'metadata["n"] == 1 android["n"] == 2',
    ],
)
def test_an_expression_of_another_kind_is_left_as_it_is(expression: str) -> None:
    assert parse_conditions(expression) is None
    assert without_lists(expression) == expression


@pytest.mark.parametrize(
    ("comparison", "expected"),
    [
        (FieldCondition("n", "==", 2), [False, True, True, False, False]),
        (FieldCondition("n", "!=", 2), [False, False, False, True, True]),
        (FieldCondition("n", "<", 3), [False, True, True, False, True]),
        (FieldCondition("n", ">=", "a"), [False, False, False, True, False]),
        (FieldCondition("n", "in", [2, "b"]), [False, True, True, True, False]),
    ],
)
def test_a_condition_compares_what_can_be_compared(
    comparison: FieldCondition, expected: list[bool]
) -> None:
    assert comparison.fitting([None, 2, 2.0, "b", True]) == expected


def test_a_list_becomes_a_chain_for_those_who_know_no_lists() -> None:
    assert (
        without_lists('metadata["k"] in ["a", "b\\"c"] and metadata["n"] > 1.5')
        == '(metadata["k"] == "a" or metadata["k"] == "b\\"c") and metadata["n"] > 1.5'
    )
    assert without_lists('id in ["a", "b"]') == 'id in ["a", "b"]'

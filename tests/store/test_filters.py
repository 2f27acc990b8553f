"""Metadata filters as Milvus expressions."""

import pytest

from corpuscope.tools.core.errors import BadInput
from corpuscope.tools.core.schema import ColumnType
from corpuscope.tools.store.filters import filter_expression, ids_expression

COLUMNS: dict[str, ColumnType] = {
    "venue": "string",
    "stars": "number",
    'od"d': "string",
    "seen": "date",
}


def test_no_filter_is_the_empty_expression() -> None:
    assert filter_expression(None, COLUMNS) == ""
    assert filter_expression({}, COLUMNS) == ""


def test_conditions_hold_together() -> None:
    assert (
        filter_expression({"venue": "BBC", "stars": {"gte": 3, "lt": 5}}, COLUMNS)
        == 'metadata["venue"] == "BBC" and metadata["stars"] >= 3 and metadata["stars"] < 5'
    )


def test_a_list_means_one_of() -> None:
    assert (
        filter_expression({"stars": [1, 2.5, "3"]}, COLUMNS)
        == 'metadata["stars"] in [1.0, 2.5, 3.0]'
    )


def test_whole_numbers_alone_stay_whole_in_a_list() -> None:
    assert filter_expression({"stars": [1, "3"]}, COLUMNS) == 'metadata["stars"] in [1, 3]'


def test_in_is_another_word_for_a_list() -> None:
    plain = filter_expression({"stars": [1, 2]}, COLUMNS)
    assert filter_expression({"stars": {"in": [1, 2]}}, COLUMNS) == plain
    assert filter_expression({"stars": {"in": [1, 2], "ne": 5}}, COLUMNS).startswith(
        f"{plain} and "
    )


def test_quotes_in_names_and_values_cannot_end_the_literal() -> None:
    hostile = '" or id != "'
    assert (
        filter_expression({'od"d': hostile, "venue": "a\\\n"}, COLUMNS)
        == 'metadata["od\\"d"] == "\\" or id != \\"" and metadata["venue"] == "a\\\\\\n"'
    )


@pytest.mark.parametrize(
    ("where", "message"),
    [
        ({"city": "Rome"}, "No metadata column 'city'.* Columns: venue, stars"),
        ({"stars": {"above": 3}}, "Unknown comparison 'above'.* Valid: eq, ne, gt"),
        ({"stars": []}, "has 0 values"),
        ({"stars": {"in": 3}}, "'in' for column 'stars' takes a list of values"),
        ({"stars": {"gt": [3]}}, "'gt' for column 'stars' takes one value; 'in' takes a list"),
        ({"stars": {}}, "The condition for 'stars' is empty. Valid: eq, ne"),
        ({"stars": "many"}, "'stars' holds numbers; 'many' is none"),
        ({"stars": float("nan")}, "'stars' holds numbers; nan is none"),
        ({"stars": None}, "Cannot filter 'stars' by null"),
        ({"seen": "0001-01-01T00:00:00+14:00"}, "'seen': .* lies outside of the years 1 to 9999"),
        ({"seen": ["2024-01-01", "9999-12-31T23:00:00-14:00"]}, "outside of the years 1 to 9999"),
        ({"seen": "tomorrow"}, "'seen' holds dates; 'tomorrow' is none"),
        ({"venue": "a\0b"}, "'venue': the value 'a.x00b' has a NUL"),
        ({"venue": ["a", "\ud83d"]}, "'venue': the value '.ud83d' has a NUL or half a character"),
        ({"stars": 10**5_000}, "'stars' holds numbers; an integer of 16610 bits is none"),
        ({"venue": 10**5_000}, "'venue' holds strings; an integer of 16610 bits is none"),
        ({"stars": 2**63}, "'stars' holds numbers; 9223372036854775808 is none"),
        ({"stars": "9" * 9_000}, "'stars' holds numbers; '9{58}… is none"),
        ({"\ud83d": 1}, "No metadata column '.ud83d'"),
        ({"stars": [1] * 10_001}, "has 10001 values; give 1 to 10,000"),
    ],
)
def test_what_cannot_be_filtered_by_is_refused_with_the_choices(where: dict, message: str) -> None:  # type: ignore[type-arg]
    with pytest.raises(BadInput, match=message):
        filter_expression(where, COLUMNS)


def test_ids_are_listed_as_literals() -> None:
    assert ids_expression(["a", "b"]) == 'id in ["a", "b"]'

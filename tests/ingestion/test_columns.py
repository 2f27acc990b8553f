"""Which column is taken for what, and of which type."""

import datetime
from decimal import Decimal

import pytest

from corpuscope.tools.core.errors import BadInput
from corpuscope.tools.core.schema import ColumnType
from corpuscope.tools.ingestion.columns import ColumnPlan, ColumnRequest, plan_columns
from corpuscope.tools.readers.rows import BadRow, Row, inline_rows


def plan(rows: list[dict[str, object]], request: ColumnRequest | None = None) -> ColumnPlan:
    return plan_columns(list(inline_rows(rows)), request or ColumnRequest())


def type_of(*values: object, name: str = "column") -> ColumnType | None:
    """The type of a metadata column with these values; None where it is left out."""
    rows: list[dict[str, object]] = [{"text": "x", name: value} for value in values]
    return plan(rows).metadata.get(name)


@pytest.mark.parametrize(
    ("name", "values", "kind"),
    [
        ("tweet_created", ["42059.4832407407", "42051.1"], "date"),
        ("Date", [42059, 42060.5, None], "date"),
        ("created_at", ["2024-04-25", "42059"], "date"),
        ("createdAt", [42059], "date"),
        ("publish_date", [20030219, 20030220], "date"),
        ("date", ["42059.48", "199.99"], "number"),
        ("date", [2015, 2016], "number"),
        ("updated", ["1424777752"], "number"),
        ("price", ["42059.48", "30000"], "number"),
        ("candidates", ["42059"], "number"),
        ("response_time", [42059.48], "number"),
    ],
)
def test_numbers_are_dates_where_the_name_and_every_value_say_so(
    name: str, values: list[object], kind: ColumnType
) -> None:
    assert type_of(*values, name=name) == kind


def test_columns_of_numbered_days_are_named_with_an_example() -> None:
    rows: list[dict[str, object]] = [
        {"text": "x", "date": "2024-04-25", "updated": "2024-04-25"},
        {"text": "y", "date": "42059.48", "updated": None},
    ]
    assert plan(rows).numbered_days == (("date", "42059.48"),)


@pytest.mark.parametrize(
    ("names", "text"),
    [
        (["id", "title", "description", "venue"], ("title", "description")),
        (["Body", "Subject"], ("Subject", "Body")),
        (["title", "abstract", "text"], ("text",)),
        (["headline", "author"], ("headline",)),
        (["comment", "review"], ("comment",)),
    ],
)
def test_text_columns_are_guessed_by_name(names: list[str], text: tuple[str, ...]) -> None:
    columns = plan([dict.fromkeys(names, "some words")])
    assert columns.text == text
    assert columns.guessed is not None and "by name" in columns.guessed


def test_without_a_known_name_the_longest_strings_are_the_text() -> None:
    row: dict[str, object] = {
        "ref": "a-very-long-reference-number-000000000001",
        "link": "https://example.org/a/very/long/address/of/a/page?with=query",
        "source": "https://example.org/another/very/long/address/of/a/page",
        "when": "2024-04-25 18:24:04.123456+00",
        "notes": "what was said",
        "venue": "BBC",
    }
    columns = plan([row])
    assert columns.text == ("notes",)
    assert columns.guessed is not None and "mean 13 characters" in columns.guessed


def test_a_text_name_without_any_string_in_it_is_passed_over() -> None:
    assert plan([{"text": "", "body": 3, "notes": "what was said"}]).text == ("notes",)


def test_no_text_column_is_an_error_that_names_the_columns() -> None:
    with pytest.raises(BadInput, match=r"no column looks like text.*'id', 'n'"):
        plan([{"id": "a1", "n": 2}])


def test_given_columns_are_taken_and_nothing_is_guessed() -> None:
    request = ColumnRequest(text_columns=["b", "a"], id_column="id", metadata_columns=["n"])
    assert plan([{"a": "x", "b": "y", "id": 1, "n": 2, "m": 3}], request) == ColumnPlan(
        text=("b", "a"), id="id", vector=None, metadata={"n": "number"}, guessed=None
    )


def test_metadata_is_every_other_column_of_single_values() -> None:
    row = {"id": 7, "text": "x", "v": [1.0], "tags": ["a"], "more": {"a": 1}, "n": 1, "raw": b"x"}
    columns = plan([row], ColumnRequest(id_column="id", vector_column="v"))
    assert columns.metadata == {"n": "number"}
    assert (columns.id, columns.vector) == ("id", "v")


def test_columns_that_only_some_rows_have_are_found() -> None:
    assert plan([{"text": "x"}, {"text": "y", "n": 1}]).metadata == {"n": "number"}


def test_a_missing_column_is_an_error_with_the_columns_and_the_nearest_name() -> None:
    with pytest.raises(
        BadInput, match=r"no column 'titel' \(did you mean 'Title'\?\). Columns: 'Title', 'n'"
    ):
        plan([{"Title": "x", "n": 1}], ColumnRequest(text_columns=["titel"]))
    with pytest.raises(BadInput, match=r"no column 'qqq'. Columns: 'Title'. Name one of them"):
        plan([{"Title": "x"}], ColumnRequest(vector_column="qqq"))


def test_lists_cannot_be_text_id_or_metadata() -> None:
    for request in (
        ColumnRequest(text_columns=["tags"]),
        ColumnRequest(id_column="tags"),
        ColumnRequest(metadata_columns=["tags"]),
    ):
        with pytest.raises(BadInput, match="'tags' holds lists or objects"):
            plan([{"text": "x", "tags": ["a"]}], request)


def test_no_readable_rows_is_an_error_that_names_the_first_bad_one() -> None:
    with pytest.raises(BadInput, match="no readable rows; the file holds none"):
        plan_columns([], ColumnRequest())
    with pytest.raises(BadInput, match="all 1 read are bad, row 3: 1 fields, the header has 2"):
        plan_columns([BadRow(3, "1 fields, the header has 2")], ColumnRequest())


def test_bad_rows_in_the_sample_are_passed_over() -> None:
    assert plan_columns([BadRow(1, "x"), Row(2, {"text": "y"})], ColumnRequest()).text == ("text",)


@pytest.mark.parametrize("name", ["", "x" * 201, "a\x00b", "half \ud800"])
def test_a_column_name_that_cannot_be_kept_is_refused_unless_left_out(name: str) -> None:
    rows: list[dict[str, object]] = [{"text": "x", name: 1}]
    with pytest.raises(BadInput, match="column name"):
        plan(rows)
    assert plan(rows, ColumnRequest(metadata_columns=[])).metadata == {}


def test_a_strange_column_name_is_kept_as_it_is() -> None:
    assert plan([{"text": "x", "größe in m² (\"net\") -- 'x'": 1}]).metadata == {
        "größe in m² (\"net\") -- 'x'": "number"
    }


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        ([1, 2.5, None], "number"),
        (["1", "-2.50", "3e5", ""], "number"),
        (["20030219"], "number"),
        ([Decimal("1.5"), float("nan"), float("inf")], "number"),
        (["007"], "string"),
        (["+1"], "string"),
        ([" 1"], "string"),
        (["1e400"], "string"),
        (["١٢"], "string"),
        (["99999999999999999999"], "string"),
        ([2**63], "string"),
        (["570306133677760001"], "string"),
        ([1, 2**53 + 1], "string"),
        ([2**53], "number"),
        ([42059.48], "number"),
        (["2024-04-25", "42059.48"], "string"),
        (["1", "n/a"], "string"),
        ([True, "false", "TRUE"], "boolean"),
        (["yes"], "string"),
        ([True, 1], "string"),
        ([datetime.date(2024, 4, 25), datetime.datetime(2024, 4, 25, 1)], "date"),
        (["2024-04-25", "2024-04-25T18:24Z", "2024-04-25 18:24:04+00", " "], "date"),
        (["2024-02-30"], "string"),
        (["9999-12-31 23:59:59-05"], "string"),
        (["25.04.2024"], "string"),
        ([datetime.time(3)], "string"),
        ([None, ""], "string"),
        (["x", ["y"]], None),
    ],
)
def test_the_type_of_a_column_is_that_of_every_value(
    values: list[object], kind: ColumnType | None
) -> None:
    assert type_of(*values) == kind


def test_a_long_code_is_no_text_and_told_in_time() -> None:
    # Each digit of it was once a place from which the rest was tried again.
    rows = list(inline_rows([{"code": "1" * 200_000 + "é", "words": "the card was lost"}] * 3))
    assert plan_columns(rows, ColumnRequest()).text == ("code",)

"""What a cell means as a value of a type."""

import datetime
import json
from contextlib import suppress
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpuscope.tools.core.schema import ColumnType, Scalar
from corpuscope.tools.core.values import PARSERS, without_controls


@pytest.mark.parametrize(
    ("kind", "value", "read"),
    [
        ("number", "12", 12),
        ("number", "-0.5", -0.5),
        ("number", Decimal("1.5"), 1.5),
        ("boolean", " True", True),
        ("string", 12, "12"),
        ("date", "2024-04-25", "2024-04-25"),
        ("date", "2024-04-25 18:24:04+00", "2024-04-25T18:24:04+00:00"),
        ("date", "2024-04-25 20:24:04.5 +0200", "2024-04-25T18:24:04.500000+00:00"),
        ("date", "2024-04-25 18:24 UTC", "2024-04-25T18:24:00+00:00"),
        ("date", "2024-04-25T18:24:04.123456789Z", "2024-04-25T18:24:04.123456+00:00"),
        ("date", "2015-02-24 11:35:52 -0800", "2015-02-24T19:35:52+00:00"),
        ("date", "42059.4832407407", "2015-02-24T11:35:52"),
        ("date", 42059.4832407407, "2015-02-24T11:35:52"),
        ("date", 42059, "2015-02-24"),
        ("date", "20150224", "2015-02-24"),
        ("date", 20150224, "2015-02-24"),
        ("date", datetime.datetime(2024, 4, 25), "2024-04-25"),
        ("date", datetime.datetime(2024, 4, 25, 1, 2), "2024-04-25T01:02:00"),
        ("date", datetime.date(2024, 4, 25), "2024-04-25"),
    ],
)
def test_values_are_read_by_the_type_of_their_column(
    kind: ColumnType, value: object, read: Scalar
) -> None:
    parsed = PARSERS[kind](value)
    assert parsed == read and type(parsed) is type(read)


@pytest.mark.parametrize("value", [2015, "199.99", 25_568, 54_789, "20151324", 1424777752, True])
def test_numbers_that_can_be_no_day_are_no_dates(value: object) -> None:
    with pytest.raises(ValueError):
        PARSERS["date"](value)


@pytest.mark.parametrize(
    "value",
    ["0001-01-01T00:30+14:00", "9999-12-31 23:59 -01:00", "0000-01-01", "2024-04-25T24:00+25:00"],
)
def test_moments_beyond_the_calendar_are_no_dates(value: str) -> None:
    with pytest.raises((ValueError, OverflowError)):
        PARSERS["date"](value)


@given(
    st.one_of(
        st.text(),
        st.integers(),
        st.floats(),
        st.decimals(),
        st.booleans(),
        st.none(),
        st.datetimes(timezones=st.timezones() | st.none()),
        st.dates(),
        st.timedeltas(),
        st.binary(),
        st.lists(st.integers()),
        st.from_regex(r"[0-9]{4}-[01][0-9]-[0-3][0-9]([T ][0-9]{2}:[0-9]{2}([+-][0-9]{2})?)?"),
        st.from_regex(r"-?[0-9]{1,400}(\.[0-9]+)?([eE][-+]?[0-9]{1,5})?", fullmatch=True),
    )
)
def test_any_value_is_of_a_type_or_one_of_the_two_errors(value: object) -> None:
    for kind, parse in PARSERS.items():
        with suppress(ValueError, OverflowError):
            parsed = parse(value)
            # What was read once is read the same again: it is stored and compared.
            assert kind == "date" or parse(parsed) == parsed
            assert json.dumps(parsed, allow_nan=False, ensure_ascii=False).encode()


def test_moments_in_one_zone_sort_as_strings() -> None:
    moments = ["2024-04-25", "2024-04-25 00:00:01Z", "2024-04-25 00:00:01.5Z", "2024-04-25 02:00Z"]
    parsed = [str(PARSERS["date"](moment)) for moment in moments]
    assert parsed == sorted(parsed)


def test_control_characters_and_half_characters_are_cleaned() -> None:
    assert without_controls("a\x00b\r\nc\rd\te\x85\x9f\x1b") == "ab\nc\nd\te"
    assert without_controls("\ud83d\ude00 \ud800x") == "😀 \ufffdx"
    assert without_controls("naïve\u00a0文字 😀") == "naïve\u00a0文字 😀"

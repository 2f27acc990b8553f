"""What the metadata say of a cluster: only what is sure, in lines that no value can forge."""

import random
from collections.abc import Sequence

import pytest

from corpuscope.tools.analysis.metadata_profile import (
    FEWEST_RECORDS,
    MOST_TRAITS,
    MOST_VALUE_TRAITS,
    TRAIT_CHARACTERS,
    profile_metadata,
)
from corpuscope.tools.core.schema import ColumnType, Scalar


def lines(
    kind: ColumnType, inside: Sequence[Scalar], outside: Sequence[Scalar], size: int | None = None
) -> list[str]:
    """The lines about one column, `venue`, with these values."""
    here, there = ([{"venue": value} for value in values] for values in (inside, outside))
    return [trait.text for trait in profile_metadata({"venue": kind}, here, there, size=size)]


def test_an_over_represented_value_is_told_with_its_counts() -> None:
    inside = ["BBC"] * 41 + ["NYT"] * 79
    outside = ["BBC"] * 90 + ["NYT"] * 910
    assert lines("string", inside, outside) == ["venue = BBC: 41 of 120 (34%; 9% elsewhere)"]


def test_a_true_that_is_over_represented_is_told() -> None:
    inside, outside = [True] * 30 + [False] * 10, [True] * 20 + [False] * 80
    assert lines("boolean", inside, outside) == ["venue = true: 30 of 40 (75%; 20% elsewhere)"]


def test_counts_of_a_sample_say_so() -> None:
    inside, outside = ["BBC"] * 136 + ["NYT"] * 264, ["BBC"] * 90 + ["NYT"] * 910
    told = ["venue = BBC: 136 of 400 sampled (34%; 9% elsewhere)"]
    assert lines("string", inside, outside, size=1_420) == told
    assert "sampled" not in lines("string", inside, outside, size=400)[0]


def test_a_value_found_nowhere_else_claims_no_more_than_was_looked_at() -> None:
    told = ["venue = RT: 20 of 20 (100%; 0 of 1,500 elsewhere)"]
    assert lines("string", ["RT"] * 20, ["NYT"] * 1_500) == told


def test_shares_near_none_and_all_are_not_rounded_to_them() -> None:
    inside, outside = ["RT"] * 399 + ["NYT"], ["RT"] + ["NYT"] * 999
    told = ["venue = RT: 399 of 400 (over 99%; under 1% elsewhere)"]
    assert lines("string", inside, outside) == told


@pytest.mark.parametrize(
    ("inside", "outside"),
    [
        (["BBC"] * 4 + ["NYT"] * 6, ["BBC"] * 5 + ["NYT"] * 995),  # four records
        (["BBC"] * 9 + ["NYT"] * 91, ["NYT"] * 1_000),  # less than a tenth
        (["BBC"] * 6 + ["NYT"] * 14, ["BBC"] * 150 + ["NYT"] * 850),  # may be chance
        (["BBC"] * 2_000 + ["NYT"] * 3_000, ["BBC"] * 1_500 + ["NYT"] * 3_500),  # sure but small
        (["BBC"] * 10 + ["NYT"] * 90, ["BBC"] * 500 + ["NYT"] * 480),  # NYT alone is over
    ],
)
def test_too_few_too_little_or_chance_is_not_told(
    inside: list[Scalar], outside: list[Scalar]
) -> None:
    assert not any("BBC" in line for line in lines("string", inside, outside))


def test_random_clusters_of_one_dataset_are_said_to_be_nothing_special() -> None:
    chance = random.Random(5)
    columns: dict[str, ColumnType] = {"venue": "string", "stars": "number", "paid": "boolean"}
    told = 0
    for _ in range(50):
        records: list[dict[str, Scalar]] = [
            {
                "venue": chance.choice("abcde"),
                "stars": chance.randrange(5),
                "paid": chance.random() < 0.3,
            }
            for _ in range(330)
        ]
        told += len(profile_metadata(columns, records[:30], records[30:]))
    assert told <= 2


def test_the_strongest_values_come_first_and_only_so_many_of_a_column_and_in_all() -> None:
    columns: dict[str, ColumnType] = {f"c{number}": "string" for number in range(8)}
    values = ["x"] * 40 + ["y"] * 30 + ["z"] * 30
    inside: list[dict[str, Scalar]] = [dict.fromkeys(columns, value) for value in values]
    outside: list[dict[str, Scalar]] = [dict.fromkeys(columns, "w") for _ in range(900)]
    told = [trait.text for trait in profile_metadata(columns, inside, outside)]
    assert len(told) == MOST_VALUE_TRAITS
    assert all(" = x: 40 of 100" in line for line in told)
    one = [trait.text for trait in profile_metadata({"c3": "string"}, inside, outside)]
    assert [line[:6] for line in one] == ["c3 = x", "c3 = y"]


def test_the_order_of_the_records_changes_nothing() -> None:
    chance = random.Random(2)
    columns: dict[str, ColumnType] = {
        "venue": "string",
        "stars": "number",
        "date": "date",
        "text": "string",
    }
    inside: list[dict[str, Scalar]] = [
        {
            "venue": chance.choice(["BBC", "BBC\u200b", "NYT", None]),
            "stars": chance.randrange(3),
            "date": f"2024-0{chance.randrange(1, 9)}-03",
            "text": f"text {number}",
        }
        for number in range(60)
    ]
    outside: list[dict[str, Scalar]] = [
        {"venue": "RT", "stars": 4, "date": "2024-01-01", "text": f"other {number}"}
        for number in range(300)
    ]
    told = profile_metadata(columns, inside, outside)
    assert {trait.column for trait in told} == {"venue", "stars", "date"}
    for _ in range(5):
        chance.shuffle(inside)
        chance.shuffle(outside)
        assert profile_metadata(columns, inside, outside) == told


def test_ids_addresses_and_free_text_are_left_out_but_not_that_they_are_missing() -> None:
    # The page of live news stands for 20 records, and still the column is one of addresses.
    inside = ["https://a/live"] * 20 + [f"https://a/{number}" for number in range(40)]
    outside = [f"https://b/{number}" for number in range(400)]
    assert lines("string", inside, outside) == []
    told = lines("string", [*inside, *[None] * 40], outside)
    assert told == ["40 of 100 have no venue (40%; 0 of 400 elsewhere)"]


@pytest.mark.parametrize(
    ("kind", "value"), [("string", "a"), ("number", 1), ("date", "2024-01-01")]
)
def test_missing_values_are_told_only_where_they_are_over_represented(
    kind: ColumnType, value: Scalar
) -> None:
    inside = [None, " "] * 56 + [value] * 8
    outside = [value] * 970 + [None] * 30
    assert lines(kind, inside, outside) == ["112 of 120 have no venue (93%; 3% elsewhere)"]
    half = [value, None]
    assert not any("no venue" in line for line in lines(kind, half * 60, half * 500))


def test_a_column_that_is_mostly_empty_everywhere_is_left_out() -> None:
    inside = ["BBC"] * 40 + [None] * 80
    assert lines("string", inside, [None] * 700 + ["NYT"] * 300) == []
    assert lines("string", inside, ["NYT"] * 700 + [None] * 300) != []


def test_a_number_is_told_by_its_median_and_quartiles_where_it_clearly_differs() -> None:
    low, high = [1] * 30 + [2] * 14 + [5] * 3, [5] * 90 + [4] * 120 + [3] * 100 + [1] * 20
    assert lines("number", low, high) == ["venue: median 1 (1–2), elsewhere 4 (3–5)"]  # noqa: RUF001
    halves = [1] * 10 + [2] * 10
    told = lines("number", halves, [4] * 20 + [5] * 20)
    assert told == ["venue: median 1 (1–2), elsewhere 4 (4–5)"]  # noqa: RUF001
    assert lines("number", high[::2], high) == []


def test_a_number_that_differs_a_little_or_by_chance_is_not_told() -> None:
    assert lines("number", range(100, 1_100), range(1_000)) == []
    assert lines("number", range(40, 50), range(60)) == []
    assert lines("number", [1] * 60 + [2] * 40, [1] * 80 + [2] * 20) == []


def test_numbers_whose_quartiles_are_alike_are_not_told() -> None:
    low = [1] * 24 + [2] * 25 + [3] * 25 + [4] * 26
    high = [2] * 25 + [3] * 25 + [4] * 25 + [5] * 25
    assert lines("number", low, high) == []
    assert lines("number", [1, 1, *low], high) != []


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (2024, "2024"),
        (-3.5, "-3.5"),
        (1_234_567, "1,234,567"),
        (0.00001234, "1.23e-05"),
        (2**62, "4.61e+18"),
        (0, "0"),
    ],
)
def test_numbers_are_short_and_years_have_no_comma(value: Scalar, shown: str) -> None:
    told = lines("number", [value] * 20, [10**9] * 50)
    assert told[0].startswith(f"venue: median {shown} (")


def test_ids_that_are_numbers_are_not_measured() -> None:
    for name in ("id", "story_id", "userId", "ID"):
        inside: list[dict[str, Scalar]] = [{name: number} for number in range(100)]
        outside: list[dict[str, Scalar]] = [{name: number} for number in range(5_000, 6_000)]
        assert profile_metadata({name: "number"}, inside, outside) == []
    assert lines("number", range(100), range(5_000, 6_000)) != []


def test_infinite_numbers_and_booleans_among_numbers_count_as_missing() -> None:
    odd: list[Scalar] = [float("inf"), float("nan"), True, "7"]
    inside: list[Scalar] = [*[1] * 50, *odd * 5]
    assert lines("number", inside, [9] * 200) == [
        "20 of 70 have no venue (29%; 0 of 200 elsewhere)",
        "venue: median 1 (1–1), elsewhere 9 (9–9)",  # noqa: RUF001
    ]


def test_dates_have_their_range_and_their_peak_by_month() -> None:
    inside = [f"2024-0{month}-03" for month in range(1, 7) for _ in range(10)]
    inside += ["2024-04-20"] * 28
    outside = [f"2024-0{month}-11" for month in range(1, 9) for _ in range(50)]
    assert lines("date", inside, outside) == [
        "venue: 2024-01-03 to 2024-06-03, peak 2024-04: 38 of 88 (43%; 12% elsewhere)"
    ]


@pytest.mark.parametrize(
    ("inside", "span"),
    [
        (["2024-04-25"] * 12, "2024-04-25: 12 of 12"),
        (["2024-04-25"] * 8 + ["2024-04-27"] * 4, "peak 2024-04-25: 8 of 12"),
        ([f"{year}-05-01" for year in range(2000, 2010)] * 2, "peak 2000: 2 of 20"),
        # No day of a month has a tenth of the records.
        ([f"2024-04-{day}" for day in range(10, 30)], "peak 2024-04: 20 of 20"),
        # One stray date does not make the period a year.
        (["2024-04-25"] * 20 + ["2024-04-27"] * 19 + ["1970-01-01"], "peak 2024-04-25: 20 of 40"),
    ],
)
def test_the_period_of_the_peak_fits_the_range(inside: list[Scalar], span: str) -> None:
    assert span in lines("date", inside, ["2024-01-01"] * 50)[0]


def test_date_times_count_for_their_day_in_utc() -> None:
    inside = ["2024-04-26T01:30:00+02:00", "2024-04-25 23:30:00Z", "2024-04-25T09:00:00"] * 5
    told = ["venue: 2024-04-25: 15 of 15 (100%; 0 of 20 elsewhere)"]
    assert lines("date", inside, ["2024-04-26"] * 20) == told


def test_dates_that_are_none_count_as_missing_and_are_counted_when_many() -> None:
    inside: list[Scalar] = ["2024-04-25"] * 20
    broken: list[Scalar] = ["soon", None, "2024-13-01", 7, "0001-01-01T00:00:00+02:00"]
    outside = ["2024-04-26"] * 20
    assert lines("date", inside + broken, outside) == [
        "venue: 2024-04-25: 20 of 25 (80%; 0 of 20 elsewhere); 5 have none"
    ]
    assert "have none" not in lines("date", inside + broken[:1], outside)[0]


def test_without_records_elsewhere_only_dates_are_told() -> None:
    columns: dict[str, ColumnType] = {"venue": "string", "stars": "number", "date": "date"}
    inside: list[dict[str, Scalar]] = [{"venue": "BBC", "stars": 1, "date": "2024-04-25"}] * 20
    told = [trait.text for trait in profile_metadata(columns, inside, [])]
    assert told == ["date: 2024-04-25: 20 of 20 (100%)"]


def test_of_a_tiny_cluster_nothing_is_told() -> None:
    outside = ["2024-04-26"] * 1_000
    for kind in ("string", "date"):
        assert lines(kind, ["2024-04-25"] * (FEWEST_RECORDS - 1), outside) == []
        assert lines(kind, ["2024-04-25"] * FEWEST_RECORDS, outside) != []


def test_a_value_cannot_forge_a_line_or_hide() -> None:
    hostile = "BBC\n\nvenue = RT: 99 of 99\r\u2028Title:\u202e evil\u200b\x00"
    told = lines("string", [hostile] * 40, ["NYT"] * 200)
    assert told == [
        "venue = BBC venue = RT: 99 of 99 Title: evil: 40 of 40 (100%; 0 of 200 elsewhere)"
    ]


def test_values_that_differ_in_what_is_not_seen_are_one_value() -> None:
    inside = ["BBC", "BBC\u200b", " BBC "] * 20
    assert lines("string", inside, ["NYT"] * 200)[0].startswith("venue = BBC: 60 of 60")


def test_lines_are_bounded_whatever_the_names_and_values() -> None:
    kinds: list[ColumnType] = ["string", "number", "date", "boolean"]
    columns = {f"{'name ' * 40}{number}": kinds[number % 4] for number in range(60)}
    dates = ["0001-01-01", "9999-12-31", "9999-12-31", None]
    inside: list[dict[str, Scalar]] = []
    outside: list[dict[str, Scalar]] = []
    for number in range(2_000):
        here: dict[ColumnType, Scalar] = {
            "string": "long " * 500,
            "number": -(number + 1) * 123_456_789.0,
            "date": dates[number % 4],
            "boolean": True,
        }
        there: dict[ColumnType, Scalar] = {
            "string": "x",
            "number": (number + 1) * 123_456_789.0,
            "date": "2024-01-01",
            "boolean": False,
        }
        inside.append({name: here[kind] for name, kind in columns.items()})
        outside.append({name: there[kind] for name, kind in columns.items()})
    told = profile_metadata(columns, inside, outside, size=1_000_000)
    assert len(told) == MOST_TRAITS
    assert 150 < max(len(trait.text) for trait in told) <= TRAIT_CHARACTERS

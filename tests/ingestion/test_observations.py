"""What is seen of a source while its rows go by."""

from collections.abc import Iterable
from datetime import date, datetime, timedelta

import pytest

from corpuscope.tools.core.schema import Mask
from corpuscope.tools.ingestion.columns import ColumnRequest, plan_columns
from corpuscope.tools.ingestion.observations import Gap, Observations, Observer
from corpuscope.tools.readers.rows import BadRow, Row, inline_rows


def observed(
    rows: Iterable[dict[str, object]], *, id_column: str | None = None, mask: Mask | None = None
) -> Observations:
    every: list[Row | BadRow] = list(inline_rows(list(rows)))
    head = every[:200]
    observer = Observer(
        plan_columns(head, ColumnRequest(id_column=id_column)), head, mask or Mask()
    )
    assert list(observer.watch(iter(every))) == every
    return observer.observations()


def day(number: int) -> str:
    return (date(2024, 1, 1) + timedelta(days=number)).isoformat()


def dated(days: Iterable[int], each: int = 10, **more: object) -> list[dict[str, object]]:
    return [
        {"text": f"text {number} {place}", "date": day(number), **more}
        for number in days
        for place in range(each)
    ]


def test_a_unique_column_named_like_an_id_is_seen_and_a_repeated_one_is_not() -> None:
    rows: list[dict[str, object]] = [
        {"text": f"t{n}", "ticket_ref": n, "ticketId": f"a{n}", "order_no": n % 299, "name": n}
        for n in range(300)
    ]
    assert observed(rows).unique_id == "ticketId"
    assert observed([{**row, "ticketId": "same"} for row in rows]).unique_id == "ticket_ref"
    missing = [{**row, "ticketId": None, "ticket_ref": n or None} for n, row in enumerate(rows)]
    assert observed(missing).unique_id is None


@pytest.mark.parametrize(
    "make",
    [
        lambda n: f"5.70{n:03}E+17",
        lambda n: (570_306_133_677_760 + n) * 1_000,
        lambda n: str((570_306_133_677_760 + n) * 1_000),
        lambda n: float(2**53) * (2 + n),
    ],
)
def test_ids_whose_digits_a_spreadsheet_cut_off_are_told(make: object) -> None:
    assert callable(make)
    rows: list[dict[str, object]] = [{"text": f"t{n}", "tweet_id": make(n)} for n in range(20)]
    assert observed(rows).rounded_id == "tweet_id"
    assert observed(rows, id_column="tweet_id").rounded_id == "tweet_id"


def test_whole_ids_and_rounded_amounts_are_not_told() -> None:
    rows: list[dict[str, object]] = [
        {"text": f"t{n}", "tweet_id": 570_306_133_677_760_001 + 37 * n, "amount": n * 10.0**17}
        for n in range(20)
    ]
    seen = observed(rows)
    assert (seen.rounded_id, seen.unique_id) == (None, "tweet_id")


def test_a_source_that_is_silent_while_the_others_go_on_is_named_with_its_days() -> None:
    rows: list[dict[str, object]] = [
        *dated(range(30), venue="BBC"),
        *dated(range(30), venue="Reuters"),
        *dated([0, 1, 2, *range(20, 30)], venue="CNN"),
        {"text": "one in the gap", "date": day(10), "venue": "CNN"},
    ]
    # One record breaks the silence in two; the longer part is told.
    assert observed(rows).gaps == [Gap("venue", "CNN", day(11), day(19))]


def test_a_column_of_many_values_is_no_column_of_sources() -> None:
    rows = dated(range(30), each=30)
    for at, row in enumerate(rows):
        row["author"] = f"author {at * 60 // len(rows)}"
    assert observed(rows).gaps == []


def test_days_without_any_record_are_a_gap_of_all() -> None:
    assert observed(dated([*range(10), *range(20, 30)])).gaps == [Gap(None, None, day(10), day(19))]
    moments: list[dict[str, object]] = [
        {"text": f"text {n}", "when": datetime(2024, 1, 1 + n // 30, n % 24)}
        for n in range(900)
        if not 300 <= n < 600
    ]
    assert observed(moments).gaps == [Gap(None, None, "2024-01-11", "2024-01-20")]


@pytest.mark.parametrize(
    "rows",
    [
        dated(range(30), venue="BBC") + dated(range(30), venue="CNN"),
        dated([n for n in range(60) if n % 7 < 5]),
        dated(range(0, 700, 30)),
        dated([0, 1, 2, 9], each=2),
        [*dated(range(30)), *dated([-4000, 4000], each=1)],
        [
            row
            for month in range(6)
            for row in dated(range(30 * month, 30 * month + 30), month=str(month))
        ],
        dated([0]),
        [{"text": "x"}, {"text": "y"}],
    ],
    ids=["even", "weekends", "monthly", "few", "stray", "months", "one day", "no dates"],
)
def test_dates_that_only_have_their_rhythm_are_not_uneven(rows: list[dict[str, object]]) -> None:
    assert observed(rows).gaps == []


def test_shares_of_handles_and_links_and_texts_that_are_all_masked_are_counted() -> None:
    rows: list[dict[str, object]] = [
        {"text": "@united where is my bag"},
        {"text": "see https://t.co/x"},
        {"text": "@united @delta"},
        {"text": "nothing of that \ufffd"},
    ]
    seen = observed(rows, mask=Mask(("handles",)))
    assert seen.shares == {"handles": 0.5, "urls": 0.25, "emails": 0}
    assert (seen.all_masked, seen.lost_characters) == (1, 0.25)
    assert observed(rows).all_masked == 0

"""Whatever rows hold, an ingest of them ends with a dataset or with bad input: nothing else."""

import datetime
from decimal import Decimal
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from corpuscope.tools.core.errors import BadInput
from corpuscope.tools.core.schema import Watch
from corpuscope.tools.ingest import ingest
from corpuscope.tools.ingestion.columns import ColumnRequest, plan_columns
from corpuscope.tools.ingestion.observations import Observer
from corpuscope.tools.ingestion.records import RecordBuilder
from corpuscope.tools.readers.rows import inline_rows
from corpuscope.tools.workspace.workspace import Workspace


def nested(depth: int) -> list[Any]:
    value: list[Any] = []
    for _ in range(depth):
        value = [value]
    return value


EAST = datetime.timezone(datetime.timedelta(hours=9))
NAMES = st.sampled_from(
    (
        *("text", "text", "id", "date", "n", "v", "a.b", "Text", " ", "", "te xt", "x" * 300),
        *("\ud800", "a\0b", "pk", "vector", "$meta", "metadata", "date\n", "имя"),
    )
)
HOSTILE = st.sampled_from(
    (
        *(None, True, 0, -1, 2**63, -(2**63), 10**4_200, 10**5_000, 1e308, 5e-324, float("nan")),
        *(
            float("inf"),
            "",
            " ",
            "\0",
            "a\0b",
            "\ud800",
            "x\udfff😀",
            "\u202e",
            "9" * 5_000,
            "0" * 70,
        ),
        *("0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-12:00", "2024-02-30", "1e999", "-0"),
        *(
            "NaN",
            "null",
            "true",
            "é" * 40_000,
            "a b c",
            "the card was lost",
            "2024-01-01",
            "42059.5",
        ),
        *([], {}, [1.0, 2.0], [1, "x"], [10**400, 1], [float("nan"), 1], nested(60), nested(250)),
        *({"a": {"b": [1]}}, {"": None}, [0.0, 0.0], "[1, 2]", nested(900)),
    )
)
TYPED = st.sampled_from(
    (
        datetime.datetime(1, 1, 1, tzinfo=EAST),
        datetime.datetime(9999, 12, 31, 23, 59),
        datetime.date(1, 1, 1),
        datetime.time(1),
        datetime.timedelta(days=10**8),
        Decimal("1e400"),
        Decimal("0.1"),
    )
)
"""What a sheet or a parquet file holds beside what JSON has."""


def rows_of_values(values: st.SearchStrategy[Any], most: int) -> st.SearchStrategy[Any]:
    words = st.sampled_from(["the card was lost", "a late flight", "no"]) | st.text(max_size=20)
    row = st.dictionaries(NAMES, values | st.text(max_size=5), max_size=5)
    return st.lists(st.builds(lambda text, rest: {"text": text, **rest}, words, row), max_size=most)


ASKED = st.sampled_from(
    (
        ColumnRequest(),
        ColumnRequest(["text"]),
        ColumnRequest(["text"], "id"),
        ColumnRequest(["text", "n"], None, "v"),
        ColumnRequest(["text"], "n", None, ["date", "a.b", ""]),
    )
)


@settings(max_examples=80)
@given(rows_of_values(HOSTILE | TYPED, 12), ASKED)
def test_hostile_rows_become_records_or_are_counted(
    rows: list[dict[str, Any]], asked: ColumnRequest
) -> None:
    every = list(inline_rows(rows))
    try:
        columns = plan_columns(every[:6], asked)
    except BadInput as error:
        assert str(error).encode("utf-8", "backslashreplace")
        return
    builder = RecordBuilder(columns)
    observer = Observer(columns, every[:6])
    made = sum(len(batch.records) for batch in builder.build(observer.watch(iter(every))))
    tally = builder.tally
    assert (tally.read, tally.made) == (len(rows), made)
    assert tally.read == tally.made + tally.empty + tally.bad
    assert sum(tally.misfits.values()) <= made * len(columns.metadata)
    assert observer.observations()


@settings(max_examples=8, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows_of_values(HOSTILE, 8), st.sampled_from([None, "id"]), st.booleans())
def test_an_ingest_of_hostile_rows_ends_with_a_dataset_or_bad_input(
    workspace: Workspace, rows: list[dict[str, Any]], id_column: str | None, mend: bool
) -> None:
    whole = [{"text": "two words", "id": 1}, {"text": "and three more", "id": 2}, *rows]
    try:
        result = ingest(
            workspace,
            Watch(),
            dataset="fuzzed",
            rows=whole,
            id_column=id_column,
            mend=mend,
            mode="replace",
        )
    except BadInput as error:
        assert "column" in str(error) or "row" in str(error)
        return
    assert result.rows_read == len(whole) == result.records + result.empty + result.bad
    assert result.as_text()
    card = workspace.store.card("fuzzed")
    ids = list(workspace.store.digests(card))
    assert len(ids) == result.records == len(workspace.store.fetch(card, ids))

"""How rows become records, and what is counted on the way."""

import dataclasses
import json
import random
import tracemalloc
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pytest
from support.file_rows import rows_of
from support.record_columns import records_of
from support.row_by_row import RowByRow

from corpuscope.tools.core.errors import BadInput
from corpuscope.tools.core.schema import ColumnType, Record
from corpuscope.tools.ingestion.cells import MAX_VALUE_CHARS
from corpuscope.tools.ingestion.columns import ColumnPlan, ColumnRequest, plan_columns
from corpuscope.tools.ingestion.records import RecordBuilder, RowTally
from corpuscope.tools.ingestion.row_vectors import check_vector_count, open_vectors
from corpuscope.tools.readers.rows import BadRow, Row, inline_rows
from corpuscope.tools.store.collections import MAX_TEXT_BYTES

TEXT = ColumnPlan(text=("text",), id=None, vector=None, metadata={}, guessed=None)


def with_metadata(**types: ColumnType) -> ColumnPlan:
    return dataclasses.replace(TEXT, metadata=types)


def make(rows: Iterable[Row | BadRow], columns: ColumnPlan = TEXT) -> tuple[list[Record], RowTally]:
    builder = RecordBuilder(columns)
    return records_of(builder.build(rows)), builder.tally


def texts(*values: object) -> list[Row | BadRow]:
    return list(inline_rows([{"text": value} for value in values]))


def test_the_text_joins_its_columns_without_the_empty_ones() -> None:
    columns = dataclasses.replace(TEXT, text=("title", "body", "more"))
    rows: list[dict[str, object]] = [
        {"title": " Head ", "body": "Body\x00\r\nline", "more": None},
        {"title": "", "body": " ", "more": 3},
    ]
    records, _ = make(inline_rows(rows), columns)
    assert [record.text for record in records] == ["Head\nBody\nline", "3"]


def test_empty_texts_and_bad_rows_are_counted_and_add_up() -> None:
    rows: list[Row | BadRow] = [*texts("a", " \x00 ", None, ["list"]), BadRow(9, "broken")]
    records, tally = make(rows)
    assert [record.text for record in records] == ["a"]
    assert (tally.read, tally.made, tally.empty, tally.bad) == (5, 1, 2, 2)
    assert tally.bad_rows == [(4, "column 'text' holds a list, not a text"), (9, "broken")]


def test_only_the_first_twenty_bad_rows_are_named() -> None:
    _, tally = make(BadRow(number, "broken") for number in range(1, 101))
    assert tally.bad == 100
    assert [number for number, _ in tally.bad_rows] == list(range(1, 21))


def test_equal_texts_are_records_of_their_own_with_stable_ids() -> None:
    first, tally = make(texts("a", "b", "a", "a"))
    again, _ = make(texts("a", "b", "a", "a"))
    assert [record.id for record in first] == [record.id for record in again]
    assert len({record.id for record in first}) == 4
    assert tally.repeated_texts == 2
    shuffled, _ = make(texts("b", "a", "a", "a"))
    assert {record.id for record in shuffled} == {record.id for record in first}
    assert all(len(record.id) == 16 and int(record.id, 16) >= 0 for record in first)


def test_ids_come_from_the_id_column_where_there_is_one() -> None:
    columns = dataclasses.replace(TEXT, id="key")
    rows: list[dict[str, object]] = [{"text": "a", "key": 1}, {"text": "a", "key": "2"}]
    changed: list[dict[str, object]] = [{"text": "new", "key": "1"}]
    records, tally = make(inline_rows(rows), columns)
    (update,), _ = make(inline_rows(changed), columns)
    assert records[0].id == update.id != records[1].id
    assert records[0].digest != update.digest
    assert tally.repeated_texts == 1


def test_a_repeated_or_empty_id_is_a_bad_row_and_the_first_is_kept() -> None:
    columns = dataclasses.replace(TEXT, id="key")
    rows: list[dict[str, object]] = [
        {"text": "a", "key": "x"},
        {"text": "b", "key": " x "},
        {"text": "c", "key": ""},
        {"text": "d"},
        {"text": "e", "key": 10**5000},
    ]
    records, tally = make(inline_rows(rows), columns)
    assert [record.text for record in records] == ["a"]
    assert tally.bad_rows == [
        (2, "id 'x' stands in an earlier row, which was kept"),
        (3, "id column 'key' is empty"),
        (4, "id column 'key' is empty"),
        (5, "'key' has more than 4,300 digits; write it as text"),
    ]


def test_the_digest_follows_text_metadata_and_vector() -> None:
    columns = dataclasses.replace(with_metadata(n="number"), id="key", vector="v")

    def digest(**changed: object) -> str:
        row = {"text": "a", "key": "x", "n": 1, "v": [1, 0], **changed}
        (record,), _ = make([Row(1, row)], columns)
        return record.digest

    digests = [digest(), digest(text="b"), digest(n=2), digest(n=None), digest(v=[0, 1])]
    assert len(set(digests)) == 5
    assert digest() == digest(n="1", v="[2.0, 0]")


def test_texts_beyond_the_limit_are_cut_between_characters_and_named() -> None:
    long = "x" + "é" * 40_000
    records, tally = make(texts("short", long, "y" * MAX_TEXT_BYTES))
    assert len(records[1].text.encode()) == MAX_TEXT_BYTES
    assert long.startswith(records[1].text)
    assert (tally.cut, tally.cut_rows) == (1, [2])
    (odd,), _ = make(texts("é" * 40_000))
    assert len(odd.text.encode()) == MAX_TEXT_BYTES - 1


def test_metadata_has_the_type_of_its_column_and_misfits_are_left_empty() -> None:
    columns = with_metadata(n="number", d="date", b="boolean", s="string")
    rows: list[dict[str, object]] = [
        {"text": "a", "n": "1.5", "d": "2024-04-25 18:24:04+00", "b": "true", "s": ""},
        {"text": "b", "n": "", "d": None, "s": 7},
        {"text": "c", "n": "many", "d": "soon", "b": "maybe", "s": ["x"]},
    ]
    records, tally = make(inline_rows(rows), columns)
    assert [record.metadata for record in records] == [
        {"n": 1.5, "d": "2024-04-25T18:24:04+00:00", "b": True, "s": ""},
        {"n": None, "d": None, "b": None, "s": "7"},
        {"n": None, "d": None, "b": None, "s": None},
    ]
    assert tally.misfits == {"n": 1, "d": 1, "b": 1, "s": 1}
    assert tally.bad == 0


def test_long_metadata_strings_are_cut_and_counted() -> None:
    rows = [Row(1, {"text": "a", "s": "x" * 5000, "n": 10**400})]
    (record,), tally = make(rows, with_metadata(s="string", n="number"))
    assert record.metadata == {"s": "x" * MAX_VALUE_CHARS, "n": None}
    assert tally.cut_values == 1
    assert tally.misfits == {"n": 1}


def test_metadata_that_milvus_could_not_keep_makes_the_row_bad() -> None:
    names = [f"column {place}" for place in range(30)]
    columns = dataclasses.replace(TEXT, metadata=dict.fromkeys(names, "string"))
    _, tally = make([Row(7, {"text": "a", **dict.fromkeys(names, "文" * 1000)})], columns)
    assert tally.bad_rows[0][0] == 7
    assert "name fewer metadata_columns" in tally.bad_rows[0][1]


def test_the_tally_is_json() -> None:
    _, tally = make([*texts("a", "a", "é" * 40_000), BadRow(4, "broken")])
    restored = json.loads(json.dumps(dataclasses.asdict(tally)))
    assert restored["bad_rows"] == [[4, "broken"]]
    assert (restored["made"], restored["repeated_texts"], restored["cut_rows"]) == (3, 1, [3])


VECTORS = dataclasses.replace(TEXT, vector="v")


@pytest.mark.parametrize(
    "value", [[3, 4], "[3.0, 4]", np.array([3, 4], np.float16), [3e300, 4e300], [3e-300, 4e-300]]
)
def test_vectors_of_a_column_become_unit_length(value: object) -> None:
    (record,), _ = make([Row(1, {"text": "a", "v": value})], VECTORS)
    assert record.vector is not None and record.vector.dtype == np.float32
    np.testing.assert_allclose(record.vector, [0.6, 0.8], rtol=1e-6)


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ([1, 2, 3], "its vector has 3 numbers, those before have 2"),
        ([0, 0], "its vector is all zeros"),
        ([1, float("nan")], "not finite"),
        ("[1, Infinity]", "not finite"),
        ([1, None], "not finite"),
        (None, "its vector is None"),
        (7, "its vector is 7"),
        ([], "of shape"),
        ([[1, 2]], "of shape"),
        ([1, [2]], "not a list of numbers"),
        ("not json", "not a list of numbers"),
        ("[" * 100_000, "not a list of numbers"),
        ({"a": 1}, "not a list of numbers"),
        ([10**400, 1], "not a list of numbers"),
        ([1] * 40_000, "not a list of 2 to 32,768 numbers"),
    ],
    ids=lambda value: str(value)[:20],
)
def test_a_wrong_vector_is_a_bad_row_with_the_reason(value: object, reason: str) -> None:
    rows = [Row(1, {"text": "a", "v": [1, 2]}), Row(2, {"text": "b", "v": value})]
    records, tally = make(rows, VECTORS)
    assert [record.text for record in records] == ["a"]
    ((number, actual),) = tally.bad_rows
    assert number == 2
    assert reason in actual


def test_a_row_that_was_bad_leaves_no_trace_in_the_ids() -> None:
    rows = [Row(1, {"text": "a", "v": [0, 0]}), Row(2, {"text": "a", "v": [1, 2]})]
    records, tally = make(rows, VECTORS)
    clean_records, _ = make(rows[1:], VECTORS)
    assert [record.id for record in records] == [record.id for record in clean_records]
    assert tally.repeated_texts == 0


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64, np.int8])
def test_vectors_of_a_npy_belong_to_the_rows_by_place(
    tmp_path: Path, dtype: type[np.generic]
) -> None:
    path = tmp_path / "a.npy"
    np.save(path, np.array([[1, 0], [2, 2], [3, 3], [0, 4]], dtype))
    vectors = open_vectors(path, max_bytes=10_000)
    builder = RecordBuilder(TEXT, vectors)
    first, empty, last = texts("a", "", "b")
    records = records_of(builder.build([first, BadRow(2, "broken"), empty, last]))
    made = [record.vector.tolist() for record in records if record.vector is not None]
    assert made == [[1, 0], [0, 1]]
    check_vector_count(builder.tally.read, vectors)


def test_a_count_of_vectors_that_differs_is_refused_with_both_numbers() -> None:
    vectors = np.ones((3, 2))
    with pytest.raises(BadInput, match=r"2 rows .* and 3 vectors"):
        check_vector_count(2, vectors)
    with pytest.raises(BadInput, match="more rows than the 3 vectors"):
        list(RecordBuilder(TEXT, vectors).build(texts("a", "b", "c", "d")))


def test_a_file_goes_from_rows_to_records_and_twice_the_same(tmp_path: Path) -> None:
    path = tmp_path / "news.csv"
    path.write_text(
        "guid,title,description,published_at\n"
        "1,Storm hits coast,Thousands leave,2024-04-25 18:24:04+00\n"
        "2,Broken row\n"
        "3,,,2024-04-26\n"
        "4,Storm hits coast,Thousands leave,\n",
        encoding="utf-8",
    )

    def ingest() -> tuple[list[Record], RowTally]:
        rows = list(rows_of(path))
        return make(rows, plan_columns(rows, ColumnRequest(id_column="guid")))

    records, tally = ingest()
    assert [record.text for record in records] == ["Storm hits coast\nThousands leave"] * 2
    assert [record.metadata["published_at"] for record in records] == [
        "2024-04-25T18:24:04+00:00",
        None,
    ]
    assert (tally.read, tally.made, tally.empty, tally.repeated_texts) == (4, 2, 1, 1)
    assert tally.bad_rows == [(3, "2 fields, the header has 4")]
    assert ingest() == (records, tally)


SHOP = ColumnPlan(
    text=("title", "body"),
    id=None,
    vector=None,
    metadata={"tag": "string", "n": "number", "day": "date", "ok": "boolean"},
    guessed=None,
)
SHOP_ROWS: list[dict[str, object]] = [
    {
        **{"key": "T-1", "title": " Übergang ", "body": "a\r\nb\x00c", "n": "12"},
        **{"day": "2024-04-25 18:24:04+02", "ok": "TRUE", "tag": "x", "v": [0.1, 0.2, -0.3]},
    },
    {
        **{"key": 2, "title": "Same", "body": "", "n": "", "day": "", "ok": None, "tag": ""},
        "v": [1, 1, 1],
    },
    {
        **{"key": 3.5, "title": "Same", "body": None, "n": 7.25, "day": "2024-04-25"},
        **{"ok": False, "tag": None, "v": [3, 0, 4]},
    },
]


@pytest.mark.parametrize(
    ("id_column", "vector", "expected"),
    [
        (
            None,
            None,
            "ef1295db552071e2 8c0e6b180c0577f84c8a304c0d4c1044 "
            "3b707d36aa73aa83 e6a077ef1d92afe2790132507ed38380 "
            "5f909548b930c3c9 e6a077ef1d92afe270dda31db9e3898d",
        ),
        (
            "key",
            "v",
            "91209dd70bd0765f a755e14f6ceafc404c8a304c0d4c1044 "
            "1db85d6fe1b42153 9083c5ef986f64f4790132507ed38380 "
            "e1ebef29587ea548 5bc1765ffd042f1170dda31db9e3898d",
        ),
    ],
    ids=["by text", "by id, with vectors"],
)
def test_ids_and_digests_are_those_that_version_0_1_wrote(
    id_column: str | None, vector: str | None, expected: str
) -> None:
    """Written down from that version: datasets made by it must find their records again."""
    records, _ = make(
        inline_rows(SHOP_ROWS), dataclasses.replace(SHOP, id=id_column, vector=vector)
    )
    assert " ".join(f"{record.id} {record.digest}" for record in records) == expected


def odd_rows(count: int) -> list[Row | BadRow]:
    """Rows of all kinds of trouble in any order, the same each time."""
    chooser = random.Random(3)
    texts = ["alpha", "beta", " gamma\x00 ", "", None, ["list"], "δ" * 40_000, 5, float("nan")]
    vectors = [[1, 2], np.array([2, 3], np.float16), "[3, 4]", [1, 2, 3], [0, 0], None, [5, 1]]
    numbers = ["1", "2.5", "x", "", None, 7, 10**400, float("inf"), "1e400"]
    days = ["2024-04-25", "2024-04-25 18:24:04+02", "soon", "", None]
    rows: list[Row | BadRow] = []
    for number in range(1, count + 1):
        if chooser.random() < 0.05:
            rows.append(BadRow(number, "broken"))
            continue
        values: dict[str, object] = {
            "title": chooser.choices(texts, [9, 9, 9, 2, 2, 1, 1, 3, 2])[0],
            "body": chooser.choice(["", "more", None]),
            "key": chooser.choices(
                [f"K{chooser.randrange(count)}", "", None, ["k"]], [40, 1, 1, 1]
            )[0],
            "v": chooser.choices(vectors, [9, 9, 9, 1, 1, 1, 9])[0],
            "n": chooser.choice(numbers),
            "day": chooser.choice(days),
            "ok": chooser.choice(["true", "no", True, None]),
            "tag": chooser.choice(["x", "", "y" * 5_000, 3, ["t"]]),
        }
        if chooser.random() < 0.1:
            del values[chooser.choice(list(values))]
        if chooser.random() < 0.02:
            values |= {f"wide {place}": "文" * 1_000 for place in range(30)}
        rows.append(Row(number, values))
    return rows


@pytest.mark.parametrize("id_column", [None, "key"])
@pytest.mark.parametrize("vectors", ["none", "column", "file"])
def test_records_by_the_column_are_those_made_row_by_row(
    id_column: str | None, vectors: str
) -> None:
    rows = odd_rows(2_500)
    wide: dict[str, ColumnType] = {f"wide {place}": "string" for place in range(30)}
    columns = dataclasses.replace(
        SHOP,
        id=id_column,
        vector="v" if vectors == "column" else None,
        metadata={**SHOP.metadata, **wide},
    )
    array = None
    if vectors == "file":
        array = np.random.default_rng(0).normal(size=(2_500, 6)).astype(np.float16)
        array[::50] = 0
        array[7::100, 3] = np.nan
    earlier = RowByRow(columns, array)
    expected = earlier.build(rows)
    builder = RecordBuilder(columns, array)
    records = records_of(builder.build(rows))
    assert builder.tally == earlier.tally
    assert list(builder.tally.misfits) == list(earlier.tally.misfits)
    assert len(records) == len(expected) > 200
    for record, other in zip(records, expected, strict=True):
        assert (record.id, record.digest, record.text) == (other.id, other.digest, other.text)
        assert list(record.metadata.items()) == list(other.metadata.items())
        assert (record.vector is None) == (other.vector is None)
        if record.vector is not None and other.vector is not None:
            assert record.vector.tobytes() == other.vector.tobytes()


def test_a_vector_of_another_length_in_the_middle_costs_its_row_alone() -> None:
    rows = [
        Row(number, {"text": f"text {number}", "v": np.ones(3 if number == 5 else 2, np.float32)})
        for number in range(1, 10)
    ]
    records, tally = make(rows, VECTORS)
    assert [record.text for record in records] == [f"text {n}" for n in range(1, 10) if n != 5]
    assert tally.bad_rows == [(5, "its vector has 3 numbers, those before have 2")]


def test_what_is_kept_of_a_record_is_as_small_as_it_looks() -> None:
    """What orjson returns holds on to 4 kB each: kept by the thousand, three times the rest."""
    tracemalloc.start()
    rows = inline_rows([{"text": f"text {number}", "n": number} for number in range(3_000)])
    batches = list(RecordBuilder(with_metadata(n="number")).build(rows))
    used, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert sum(len(batch.records) for batch in batches) == 3_000
    assert used / 3_000 < 1_500


def test_batches_say_how_far_the_source_was_read() -> None:
    rows: list[Row | BadRow] = [
        *texts(*range(1_500)),
        *(BadRow(number, "broken") for number in range(1_000)),
    ]
    batches = list(RecordBuilder(TEXT).build(rows))
    assert [batch.rows_read for batch in batches] == [1_000, 2_000, 2_500]
    assert [len(batch.records) for batch in batches] == [1_000, 500, 0]


def test_a_row_that_is_rejected_counts_nothing() -> None:
    columns = dataclasses.replace(
        TEXT, metadata={"n": "number", **{f"c{place}": "string" for place in range(80)}}, vector="v"
    )
    full = {f"c{place}": "x" * 1_000 for place in range(80)}
    rows: list[dict[str, object]] = [
        {"text": "a", "n": "no number", "v": [1, 2, 3], **full},
        {"text": "a", "n": 1, "v": [1, 2]},
    ]
    records, tally = make(inline_rows(rows), columns)
    assert "its metadata takes" in tally.bad_rows[0][1]
    assert (tally.bad, tally.misfits, tally.repeated_texts, len(records)) == (1, {}, 0, 1)

"""Batches that Milvus Lite writes by the column: what is there then is what its own way leaves."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from milvus_lite.adapter.grpc.servicer import MilvusServicer
from milvus_lite.db import MilvusLite
from milvus_lite.engine import collection as lite_collection
from milvus_lite.engine import recovery as lite_recovery
from milvus_lite.schema.types import (
    CollectionSchema,
    DataType,
    FieldSchema,
    Function,
    FunctionType,
)
from milvus_lite.storage.memtable import MemTable
from pymilvus.grpc_gen import milvus_pb2, schema_pb2

from corpuscope.tools.lite.insert import ColumnTable, upsert_columns, use_column_tables
from corpuscope.tools.lite.service import LiteServicer
from corpuscope.tools.store.rows import RecordColumns, upsert_requests

NAME = "texts"
DIM = 4


def made(folder: Path, *, nullable: bool = False) -> Any:
    database = MilvusLite(str(folder))
    schema = CollectionSchema(
        fields=[
            FieldSchema("id", DataType.VARCHAR, is_primary=True, max_length=64),
            FieldSchema("digest", DataType.VARCHAR, max_length=64, nullable=nullable),
            FieldSchema("text", DataType.VARCHAR, max_length=200, enable_analyzer=True),
            FieldSchema("metadata", DataType.JSON),
            FieldSchema("vector", DataType.FLOAT_VECTOR, dim=DIM),
            FieldSchema("words", DataType.SPARSE_FLOAT_VECTOR, is_function_output=True),
        ],
        functions=[Function("bm25", FunctionType.BM25, ["text"], ["words"])],
    )
    collection = database.create_collection(NAME, schema)
    collection.create_index("vector", {"index_type": "FLAT", "metric_type": "COSINE"})
    collection.load()
    return database


@pytest.fixture
def theirs(tmp_path: Path) -> Iterator[Any]:
    """A database as Milvus Lite has it; `ours` changes what it makes from then on."""
    opened = made(tmp_path / "theirs")
    assert not isinstance(opened.get_collection(NAME)._memtable, ColumnTable)
    yield opened
    opened.close()


@pytest.fixture
def open_ours(tmp_path: Path) -> Iterator[Callable[[], Any]]:
    """Opens a database with tables by the column."""
    opened: list[Any] = []

    def open_it() -> Any:
        use_column_tables()
        opened.append(made(tmp_path / "ours"))
        assert isinstance(opened[0].get_collection(NAME)._memtable, ColumnTable)
        return opened[0]

    yield open_it
    for database in opened:
        database.close()
    lite_collection.MemTable = MemTable
    lite_recovery.MemTable = MemTable


@pytest.fixture
def ours(open_ours: Callable[[], Any]) -> Any:
    return open_ours()


def records(numbers: list[int], text: str) -> RecordColumns:
    vectors = np.random.default_rng(len(text)).normal(size=(len(numbers), DIM))
    return RecordColumns(
        [f"{number * 7919 % 1000:03x}" for number in numbers],
        [f"{text} {number} tea, Tea and a tee? ü € {'x' * (number % 5)}" for number in numbers],
        [f"d{number}" for number in numbers],
        [b'{"n":%d,"kind":"a\\"b \xc3\xbc"}' % number for number in numbers],
        vectors.astype(np.float32),
    )


def upsert(servicer: Any, columns: RecordColumns) -> Any:
    (request,) = upsert_requests(NAME, columns)
    return servicer.Upsert(request, None)


def delete(servicer: Any, ids: list[str]) -> None:
    listed = ", ".join(f'"{one}"' for one in ids)
    request = milvus_pb2.DeleteRequest(collection_name=NAME, expr=f"id in [{listed}]")
    assert servicer.Delete(request, None).status.code == 0


def fill(servicer: Any, flush: Callable[[], None]) -> list[Any]:
    """Rows written once and twice, in one batch and in several, deleted, and written again."""
    answers = [upsert(servicer, records(list(range(60)), "old"))]
    answers.append(upsert(servicer, records([*range(10, 20), 10, 11], "newer")))
    flush()
    answers.append(upsert(servicer, records([*range(15, 25), 70, 70, 71], "newest")))
    delete(servicer, records(list(range(50, 55)), "gone").ids)
    answers.append(upsert(servicer, records([51, 52], "back")))
    return answers


FIELDS = ["id", "digest", "text", "metadata", "vector"]


def everything(servicer: Any, expression: str = 'id != ""') -> list[tuple[Any, ...]]:
    request = milvus_pb2.QueryRequest(collection_name=NAME, expr=expression, output_fields=FIELDS)
    answer = servicer.Query(request, None)
    assert answer.status.code == 0, answer.status
    columns = {column.field_name: column for column in answer.fields_data}
    vectors = np.array(columns["vector"].vectors.float_vector.data).reshape(-1, DIM)
    rows = zip(
        columns["id"].scalars.string_data.data,
        columns["digest"].scalars.string_data.data,
        columns["text"].scalars.string_data.data,
        # Milvus Lite writes JSON with spaces.
        (one.replace(b" ", b"") for one in columns["metadata"].scalars.json_data.data),
        map(tuple, vectors.tolist()),
        strict=True,
    )
    return sorted(rows)


def count(servicer: Any) -> int:
    request = milvus_pb2.QueryRequest(collection_name=NAME, expr="", output_fields=["count(*)"])
    return int(servicer.Query(request, None).fields_data[0].scalars.long_data.data[0])


def outcome(database: Any, servicer: Any, *, flushed: bool) -> list[Any]:
    """What the same writes leave, by every way of asking for it."""
    collection = database.get_collection(NAME)
    answers = fill(servicer, collection.flush)
    if flushed:
        collection.flush()
    near = np.ones(DIM, np.float32).tolist()
    filters = ('id != ""', 'metadata["n"] < 18', 'metadata["kind"] == "a\\"b ü"', 'id > "200"')
    return [
        answers,
        *(everything(servicer, expression) for expression in filters),
        count(servicer),
        hits(collection, near, "vector"),
        *(hits(collection, words, "words") for words in ("tea xx newest", "Ü", "nothing")),
    ]


@pytest.mark.parametrize("flushed", [False, True], ids=["in memory", "in files"])
def test_what_is_there_is_what_milvus_lite_itself_would_have_written(
    theirs: Any, open_ours: Callable[[], Any], flushed: bool
) -> None:
    expected = outcome(theirs, MilvusServicer(theirs), flushed=flushed)
    ours = open_ours()
    actual = outcome(ours, LiteServicer(ours), flushed=flushed)
    assert actual == expected
    assert count(LiteServicer(ours)) == 59


def hits(collection: Any, query: Any, field: str) -> list[tuple[str, float]]:
    metric = "COSINE" if field == "vector" else "BM25"
    found = collection.search([query], top_k=70, metric_type=metric, anns_field=field)
    return sorted((hit["id"], round(hit["distance"], 5)) for hit in found[0])


def test_the_words_of_a_text_are_packed_as_milvus_lite_packs_them(theirs: Any, ours: Any) -> None:
    columns = records(list(range(30)), "odd ß İ \uff12 _x_ 東京都")
    upsert(LiteServicer(ours), columns)
    upsert(MilvusServicer(theirs), columns)
    for name in ("id", "digest", "text", "vector", "words", "_seq"):
        mine, own = (
            opened.get_collection(NAME)._memtable.to_search_snapshot(None, None, True)[4]
            for opened in (ours, theirs)
        )
        assert mine.column(name).to_pylist() == own.column(name).to_pylist(), name
        assert mine.schema == own.schema


def test_a_batch_that_was_written_is_there_after_a_kill(tmp_path: Path, ours: Any) -> None:
    fill(LiteServicer(ours), ours.get_collection(NAME).flush)
    expected = everything(LiteServicer(ours))
    copied = tmp_path / "copied"
    # As the files are right now: what a killed process leaves.
    shutil.copytree(tmp_path / "ours", copied, ignore=shutil.ignore_patterns("*lock*", "LOCK*"))
    again = MilvusLite(str(copied))
    again.get_collection(NAME).load()
    assert everything(LiteServicer(again)) == expected
    again.close()


def changed(**fields: Any) -> Any:
    """A request that is not as it should be; a field None is left out."""
    (request,) = upsert_requests(NAME, records([1, 2, 3], "odd"))
    for name, data in fields.items():
        if name in FIELDS:
            at = FIELDS.index(name)
            if data is None:
                del request.fields_data[at]
            else:
                request.fields_data[at].CopyFrom(data)
        else:
            setattr(request, name, data)
    return request


def texts(name: str, *values: str) -> Any:
    strings = schema_pb2.ScalarField(string_data=schema_pb2.StringArray(data=values))
    return schema_pb2.FieldData(field_name=name, type=21, scalars=strings)


def objects(*values: bytes) -> Any:
    json_data = schema_pb2.ScalarField(json_data=schema_pb2.JSONArray(data=values))
    return schema_pb2.FieldData(field_name="metadata", type=23, scalars=json_data)


def numbers(count: int, dim: int = DIM) -> Any:
    vectors = schema_pb2.VectorField(
        dim=dim, float_vector=schema_pb2.FloatArray(data=[0.5] * count)
    )
    return schema_pb2.FieldData(field_name="vector", type=101, vectors=vectors)


@pytest.mark.parametrize(
    "fields",
    [
        {"text": texts("text", "a", "b", "x" * 201)},
        {"text": texts("text", "a", "b")},
        {"text": None},
        {"text": texts("other", "a", "b", "c")},
        {"metadata": objects(b"{}", b"[1]", b'"x"')},
        {"metadata": objects(b"{}", b"{}")},
        {"vector": numbers(11)},
        {"vector": numbers(13)},
        {"vector": numbers(15, 5)},
        {"vector": None},
        {"partial_update": True, "text": None},
        {"partition_name": "none such"},
        {"num_rows": 4},
    ],
    ids=[
        *("long text", "short column", "no text", "other name", "no objects", "two objects"),
        *("few numbers", "many numbers", "other dim", "no vector", "partial", "partition", "rows"),
    ],
)
def test_a_batch_of_another_kind_is_answered_as_milvus_lite_answers_it(
    theirs: Any, ours: Any, fields: dict[str, Any]
) -> None:
    request = changed(**fields)
    assert upsert_columns(ours.get_collection(NAME), request) is None
    answer = LiteServicer(ours).Upsert(request, None)
    expected = MilvusServicer(theirs).Upsert(request, None)
    assert answer == expected
    assert everything(LiteServicer(ours)) == everything(MilvusServicer(theirs))


def test_a_fault_of_the_disk_is_answered_by_milvus_lite_and_not_left_hanging(
    theirs: Any, ours: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_arguments: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("corpuscope.tools.lite.service.upsert_columns", full)
    request = changed()
    assert LiteServicer(ours).Upsert(request, None) == MilvusServicer(theirs).Upsert(request, None)


def test_a_schema_of_another_kind_is_left_to_milvus_lite(tmp_path: Path) -> None:
    database = made(tmp_path / "other", nullable=True)
    (request,) = upsert_requests(NAME, records([1, 2], "odd"))
    assert upsert_columns(database.get_collection(NAME), request) is None
    assert LiteServicer(database).Upsert(request, None).status.code == 0
    assert count(LiteServicer(database)) == 2
    database.close()


def test_a_collection_that_is_not_there_is_refused_as_ever(ours: Any) -> None:
    (request,) = upsert_requests("nothing", records([1], "odd"))
    answer = LiteServicer(ours).Upsert(request, None)
    assert answer.status == MilvusServicer(ours).Upsert(request, None).status
    assert answer.status.code != 0


def test_what_lies_in_memory_becomes_files_when_it_is_much(
    ours: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lite_collection, "MEMTABLE_MEMORY_LIMIT", 5_000)
    servicer = LiteServicer(ours)
    for start in range(0, 300, 50):
        upsert(servicer, records(list(range(start, start + 50)), "much"))
    mine = ours.get_collection(NAME)
    mine._wait_for_bg()
    assert len(mine._segments_snapshot()) >= 1
    assert mine._memtable.num_physical_rows() < 300
    assert count(servicer) == 300
    assert len(everything(servicer)) == 300

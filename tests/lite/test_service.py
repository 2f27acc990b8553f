"""Queries and searches answered by the column: the same as Milvus Lite's own by the row."""

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import grpc
import numpy as np
import pytest
from milvus_lite import __version__
from milvus_lite.adapter.grpc.servicer import MilvusServicer
from milvus_lite.db import MilvusLite
from milvus_lite.schema.types import (
    CollectionSchema,
    DataType,
    FieldSchema,
    Function,
    FunctionType,
)
from pymilvus.client.prepare import Prepare
from pymilvus.grpc_gen import common_pb2, milvus_pb2

from corpuscope.tools.lite import service
from corpuscope.tools.lite.live import Part
from corpuscope.tools.lite.service import KNOWN_VERSIONS, DropsForgotten, LiteServicer

NAME = "texts"
DIM = 4
RECORDS = 60
ODD = [1, 2, 2.0, 2.5, True, False, "2", "ü", 'b"q', "c\\d", "e\nf", "", None, [1], {"a": 1}, 30]
"""Values of a metadata column, of all kinds that JSON has."""


def rows(numbers: range, text: str) -> list[dict[str, Any]]:
    vectors = np.random.default_rng(len(text)).normal(size=(len(numbers), DIM)).astype(np.float32)
    return [
        {
            "id": f"{number * 7919 % 1000:03x}",
            "text": f"{text} {number} ü €" + " tea" * (number % 5) + " milk and the" * (number % 3),
            "metadata": {"n": number, **({"odd": ODD[number]} if number < len(ODD) else {})},
            "vector": vector.tolist(),
        }
        for number, vector in zip(numbers, vectors, strict=True)
    ]


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A collection in two files and in memory, with rows written twice and rows deleted."""
    opened = MilvusLite(str(tmp_path_factory.mktemp("lite")))
    schema = CollectionSchema(
        fields=[
            FieldSchema("id", DataType.VARCHAR, is_primary=True, max_length=64),
            FieldSchema("text", DataType.VARCHAR, max_length=500, enable_analyzer=True),
            FieldSchema("metadata", DataType.JSON),
            FieldSchema("vector", DataType.FLOAT_VECTOR, dim=DIM),
            FieldSchema("words", DataType.SPARSE_FLOAT_VECTOR),
        ],
        functions=[Function("bm25", FunctionType.BM25, ["text"], ["words"])],
    )
    collection = opened.create_collection(NAME, schema)
    collection.create_index("vector", {"index_type": "FLAT", "metric_type": "COSINE"})
    collection.create_index("words", {"index_type": "SPARSE_INVERTED_INDEX", "metric_type": "BM25"})
    collection.load()
    collection.insert(rows(range(RECORDS), "old"))
    collection.flush()
    collection.upsert(rows(range(10, 20), "newer"))
    collection.flush()
    collection.upsert(rows(range(15, 25), "newest"))
    collection.delete([row["id"] for row in rows(range(50, 55), "gone")])
    yield opened
    opened.close()


def page_request(filter_: str, limit: int, fields: list[str], **parameters: str) -> Any:
    query = {"iterator": "True", "limit": str(limit)} | parameters
    return milvus_pb2.QueryRequest(
        collection_name=NAME,
        expr=filter_,
        output_fields=fields,
        query_params=[common_pb2.KeyValuePair(key=k, value=v) for k, v in query.items()],
    )


def test_the_installed_milvus_lite_is_one_whose_insides_are_known() -> None:
    assert __version__.startswith(KNOWN_VERSIONS)


@pytest.mark.parametrize("fields", [["id", "text", "vector"], ["id"], ["metadata"]])
@pytest.mark.parametrize(
    "filter_",
    [
        "",
        'id > "100"',
        'metadata["n"] < 18',
        'id > "100" and (metadata["n"] < 18)',
        'id > "200" and (id > "100" and (metadata["n"] < 18 or metadata["n"] > 40))',
        'id > "fff"',
    ],
)
def test_a_page_is_what_milvus_lite_itself_answers(
    database: Any, filter_: str, fields: list[str]
) -> None:
    ours, theirs = LiteServicer(database), MilvusServicer(database)
    request = page_request(filter_, 12, fields)
    page, expected = ours.Query(request, None), theirs.Query(request, None)
    assert list(page.fields_data) == list(expected.fields_data)
    assert page.status == expected.status


def test_pages_end_with_all_live_rows_given_once(database: Any) -> None:
    servicer = LiteServicer(database)
    texts: dict[str, str] = {}
    filter_ = ""
    while True:
        page = servicer.Query(page_request(filter_, 7, ["id", "text"]), None)
        columns = {
            column.field_name: column.scalars.string_data.data for column in page.fields_data
        }
        if not columns["id"]:
            break
        texts |= dict(zip(columns["id"], columns["text"], strict=True))
        filter_ = f'id > "{columns["id"][-1]}"'
    assert len(texts) == RECORDS - 5
    assert sum(text.startswith("newest") for text in texts.values()) == 10
    assert sum(text.startswith("newer") for text in texts.values()) == 5


def test_a_write_between_two_pages_is_seen(database: Any) -> None:
    servicer = LiteServicer(database)
    servicer.Query(page_request("", 7, ["id"]), None)
    collection = database.get_collection(NAME)
    collection.upsert([{**rows(range(1), "late")[0], "id": "fff"}])
    page = servicer.Query(page_request('id > "ffe"', 7, ["id"]), None)
    assert list(page.fields_data[0].scalars.string_data.data) == ["fff"]
    collection.delete(["fff"])
    page = servicer.Query(page_request('id > "ffe"', 7, ["id"]), None)
    assert list(page.fields_data[0].scalars.string_data.data) == []


def test_a_collection_that_is_not_loaded_is_refused_as_ever(database: Any) -> None:
    collection = database.get_collection(NAME)
    collection.release()
    try:
        request = page_request("", 7, ["id"])
        answer = LiteServicer(database).Query(request, None)
        assert answer.status == MilvusServicer(database).Query(request, None).status
        assert answer.status.code != 0
    finally:
        collection.load()


FILTERS = [
    "",
    'metadata["odd"] == 2',
    'metadata["odd"] != 2',
    'metadata["odd"] == true',
    'metadata["odd"] == "2"',
    'metadata["odd"] < 2.5',
    'metadata["odd"] >= "b"',
    'metadata["odd"] == "b\\"q"',
    'metadata["odd"] == "e\\nf"',
    'metadata["n"] >= 3 and metadata["n"] < 30 and metadata["odd"] != "ü"',
    'id in ["000", "3e8", "ef7", "zz", "000"]',
    'id > "200" and (metadata["n"] > 20)',
    # Of another kind than ours:
    'metadata["n"] == 3 or metadata["n"] == 4',
    'not (metadata["n"] < 50)',
    'metadata["odd"] >',
]


@pytest.mark.parametrize("filter_", FILTERS)
@pytest.mark.parametrize("fields", [["count(*)"], ["id", "text", "metadata", "vector"], ["text"]])
def test_a_query_is_answered_as_milvus_lite_itself_answers_it(
    database: Any, filter_: str, fields: list[str]
) -> None:
    for bounds in ({}, {"limit": "5"}, {"limit": "5", "offset": "3"}):
        pairs = [common_pb2.KeyValuePair(key=key, value=value) for key, value in bounds.items()]
        request = milvus_pb2.QueryRequest(
            collection_name=NAME, expr=filter_, output_fields=fields, query_params=pairs
        )
        answer = LiteServicer(database).Query(request, None)
        assert answer == MilvusServicer(database).Query(request, None)


def searched(servicer: Any, field: str, query: Any, limit: int, filter_: str) -> Any:
    request = Prepare.search_requests_with_expr(
        NAME,
        anns_field=field,
        param={},
        limit=limit,
        data=[query],
        expr=filter_,
        output_fields=["text", "metadata"],
    )
    answer = servicer.Search(request, None)
    scores = np.round(answer.results.scores, 5).tolist()
    columns = answer.results.fields_data
    texts = list(columns[0].scalars.string_data.data) if columns else []
    hits = zip(answer.results.ids.str_id.data, scores, texts, strict=True)
    return answer.status, list(answer.results.topks), list(hits)


@pytest.mark.parametrize("filter_", FILTERS)
@pytest.mark.parametrize(
    ("field", "query"),
    [
        ("words", "tea milk"),
        ("words", "and Tea, tea 17 newest"),
        ("words", "nothing"),
        ("vector", [1.0, 0.5, -1.0, 0.25]),
        ("vector", [1.0, 0.5]),
    ],
)
def test_a_search_finds_what_milvus_lite_itself_finds(
    database: Any, field: str, query: Any, filter_: str
) -> None:
    for limit in (3, 20, 100):
        found = searched(LiteServicer(database), field, query, limit, filter_)
        assert found == searched(MilvusServicer(database), field, query, limit, filter_)


@pytest.mark.parametrize("known", [True, False], ids=["known version", "other version"])
def test_a_list_of_values_finds_what_each_of_them_finds(
    database: Any, monkeypatch: pytest.MonkeyPatch, known: bool
) -> None:
    if not known:
        monkeypatch.setattr(service, "KNOWN_VERSIONS", "none")
    request = milvus_pb2.QueryRequest(
        collection_name=NAME,
        expr='metadata["odd"] in [2.0, 2.5, "b\\"q", 30.0] and metadata["n"] < 12',
        output_fields=["metadata"],
    )
    answer = LiteServicer(database).Query(request, None)
    (metadata,) = [list(c.scalars.json_data.data) for c in answer.fields_data if c.type == 23]
    assert sorted(metadata) == [
        b'{"n": 1, "odd": 2}',
        b'{"n": 2, "odd": 2.0}',
        b'{"n": 3, "odd": 2.5}',
        b'{"n": 8, "odd": "b\\"q"}',
    ]
    search = searched(LiteServicer(database), "words", "tea", 9, 'metadata["n"] in [7, 9, 10]')
    assert len(search[2]) == 2


def test_a_vector_that_is_no_number_lets_no_row_in_that_does_not_fit(database: Any) -> None:
    collection = database.get_collection(NAME)
    nothing = {**rows(range(1), "nothing")[0], "id": "fff", "vector": [float("nan")] * DIM}
    collection.upsert([nothing])
    try:
        query = [1.0, 0.5, -1.0, 0.25]
        _, _, hits = searched(LiteServicer(database), "vector", query, 20, 'metadata["n"] <= 3')
        assert len(hits) == 4
    finally:
        collection.delete(["fff"])


def test_the_metadata_are_read_once_for_all_filters_of_a_column(
    database: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    readings: list[str] = []
    read = Part._values

    def noted(part: Part, name: str) -> Any:
        readings.append(name)
        return read(part, name)

    monkeypatch.setattr(Part, "_values", noted)
    servicer = LiteServicer(database)
    for count in (1, 50, 5_000):
        listed = ", ".join(map(str, range(count)))
        request = milvus_pb2.QueryRequest(
            collection_name=NAME, expr=f'metadata["n"] in [{listed}]', output_fields=["count(*)"]
        )
        servicer.Query(request, None)
    parts = len(servicer._live(database.get_collection(NAME)).parts)
    assert readings == ["n"] * parts


def test_a_write_is_seen_by_the_next_count_query_and_search(database: Any) -> None:
    servicer = LiteServicer(database)
    collection = database.get_collection(NAME)

    def seen() -> tuple[int, list[str]]:
        request = milvus_pb2.QueryRequest(
            collection_name=NAME, expr='metadata["n"] == 0', output_fields=["count(*)"]
        )
        count = servicer.Query(request, None).fields_data[0].scalars.long_data.data[0]
        hits = searched(servicer, "words", "unheard", 5, "")[2]
        return count, [text for _, _, text in hits]

    before = seen()
    collection.upsert([{**rows(range(1), "unheard")[0], "id": "fff"}])
    assert seen() == (before[0] + 1, ["unheard 0 ü €"])
    collection.delete(["fff"])
    assert seen() == before == (1, [])


def test_a_scan_begins_with_a_query_that_milvus_lite_need_not_answer(
    database: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(MilvusServicer, "Query")
    first = page_request('metadata["n"] < 18', 1, [])
    assert len(LiteServicer(database).Query(first, None).fields_data) == 1


def test_a_count_does_not_need_the_collection_in_memory(database: Any) -> None:
    collection = database.get_collection(NAME)
    request = milvus_pb2.QueryRequest(collection_name=NAME, output_fields=["count(*)"])
    loaded = LiteServicer(database).Query(request, None)
    collection.release()
    try:
        assert LiteServicer(database).Query(request, None) == loaded
    finally:
        collection.load()


def test_nothing_is_kept_of_a_collection_that_was_dropped(tmp_path: Any) -> None:
    opened = MilvusLite(str(tmp_path / "lite"))
    schema = CollectionSchema(
        fields=[
            FieldSchema("id", DataType.VARCHAR, is_primary=True, max_length=64),
            FieldSchema("vector", DataType.FLOAT_VECTOR, dim=DIM),
        ]
    )
    opened.create_collection(NAME, schema)
    servicer = LiteServicer(opened)
    servicer.Query(milvus_pb2.QueryRequest(collection_name=NAME, output_fields=["count(*)"]), None)
    assert len(servicer._rows) == 1
    servicer.DropCollection(milvus_pb2.DropCollectionRequest(collection_name=NAME), None)
    assert not servicer._rows
    opened.close()


class Waiting:
    """What a handler knows of its client: one that waits, or one that is gone."""

    def __init__(self, *, active: bool) -> None:
        self.active = active

    def is_active(self) -> bool:
        return self.active

    def invocation_metadata(self) -> tuple[()]:
        return ()

    def abort(self, _code: Any, details: str) -> None:
        raise ConnectionAbortedError(details)


def test_a_request_whose_client_is_gone_is_dropped_before_it_begins() -> None:
    begun: list[str] = []
    handler = grpc.unary_unary_rpc_method_handler(lambda request, _context: begun.append(request))

    def dropping(method: str) -> Any:
        details = SimpleNamespace(method=f"/milvus.proto.milvus.MilvusService/{method}")
        return DropsForgotten().intercept_service(lambda _details: handler, details)

    dropping("Query").unary_unary("wanted", Waiting(active=True))
    with pytest.raises(ConnectionAbortedError, match="nobody waits"):
        dropping("Search").unary_unary("forgotten", Waiting(active=False))
    dropping("Upsert").unary_unary("written", Waiting(active=False))
    assert begun == ["wanted", "written"]


def test_a_long_search_ends_when_its_client_is_gone(
    database: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("corpuscope.tools.lite.nearest.NUMBERS_AT_ONCE", RECORDS)
    request = Prepare.search_requests_with_expr(
        NAME, anns_field="vector", param={}, limit=3, data=[[1.0] * DIM] * 9, output_fields=["id"]
    )
    with pytest.raises(ConnectionAbortedError):
        LiteServicer(database).Search(request, Waiting(active=False))

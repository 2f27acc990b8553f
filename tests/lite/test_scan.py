"""Pages of a scan that Milvus Lite answers by the column: the same as its own, row by row."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from milvus_lite import __version__
from milvus_lite.adapter.grpc.servicer import MilvusServicer
from milvus_lite.db import MilvusLite
from milvus_lite.schema.types import CollectionSchema, DataType, FieldSchema
from pymilvus.grpc_gen import common_pb2, milvus_pb2

from corpuscope.tools.lite.scan import KNOWN_VERSIONS, ScanServicer

NAME = "texts"
DIM = 4
RECORDS = 60


def rows(numbers: range, text: str) -> list[dict[str, Any]]:
    vectors = np.random.default_rng(len(text)).normal(size=(len(numbers), DIM)).astype(np.float32)
    return [
        {
            "id": f"{number * 7919 % 1000:03x}",
            "text": f"{text} {number} ü €",
            "metadata": {"n": number},
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
            FieldSchema("text", DataType.VARCHAR, max_length=500),
            FieldSchema("metadata", DataType.JSON),
            FieldSchema("vector", DataType.FLOAT_VECTOR, dim=DIM),
        ]
    )
    collection = opened.create_collection(NAME, schema)
    collection.create_index("vector", {"index_type": "FLAT", "metric_type": "COSINE"})
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
    ours, theirs = ScanServicer(database), MilvusServicer(database)
    request = page_request(filter_, 12, fields)
    page, expected = ours.Query(request, None), theirs.Query(request, None)
    assert list(page.fields_data) == list(expected.fields_data)
    assert page.status == expected.status


def test_pages_end_with_all_live_rows_given_once(database: Any) -> None:
    servicer = ScanServicer(database)
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
    servicer = ScanServicer(database)
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
        answer = ScanServicer(database).Query(request, None)
        assert answer.status == MilvusServicer(database).Query(request, None).status
        assert answer.status.code != 0
    finally:
        collection.load()

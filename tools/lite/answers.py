"""Rows as answers of Milvus' protocol, packed by the column.

In: live rows and places among them; out: messages as Milvus Lite answers them.
"""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from milvus_lite.adapter.grpc.errors import success_status_kwargs
from milvus_lite.schema.types import DataType
from numpy.typing import NDArray
from pymilvus.grpc_gen import common_pb2, milvus_pb2, schema_pb2

from corpuscope.tools.lite.insert import WIRE_TYPES
from corpuscope.tools.lite.live import LiveRows
from corpuscope.tools.lite.wire import packed_head

LONG = 5
"""The number that Milvus has for the type of a count."""

COUNT = "count(*)"


def can_answer(collection: Any, names: Iterable[str]) -> bool:
    """Whether the columns are of the kinds that a dataset has, and none is ever empty."""
    kinds = {column.name: column for column in collection.schema.fields}
    return (
        collection.pk_field == "id"
        and collection._vector_name is not None
        and not collection.schema.enable_dynamic_field
        and all(
            name in kinds and kinds[name].dtype in WIRE_TYPES and not kinds[name].nullable
            for name in ("id", *names)
        )
    )


def query_answer(
    collection: Any, rows: LiveRows, places: NDArray[np.int64], names: Sequence[str]
) -> Any:
    """The answer to a query: the rows at some places, with their ids."""
    return milvus_pb2.QueryResults(
        status=_success(),
        fields_data=_columns(collection, rows, places, {"id", *names}),
        collection_name=collection.name,
        output_fields=[one.name for one in collection.schema.fields if one.name in names],
        primary_field_name="id",
    )


def count_answer(collection: Any, count: int) -> Any:
    """The answer to a query for the number of rows."""
    data = schema_pb2.FieldData(field_name=COUNT, type=LONG)
    data.scalars.long_data.data.append(count)
    return milvus_pb2.QueryResults(
        status=_success(),
        fields_data=[data],
        collection_name=collection.name,
        output_fields=[COUNT],
    )


def search_answer(
    collection: Any,
    rows: LiveRows,
    found: Sequence[tuple[NDArray[np.int64], NDArray[np.float64]]],
    names: Sequence[str],
    limit: int,
) -> Any:
    """The answer to a search: for each query the places and scores of its hits, best first."""
    places = np.concatenate([here for here, _ in found])
    scores = np.concatenate([score for _, score in found])
    results = schema_pb2.SearchResultData(
        num_queries=len(found),
        top_k=limit,
        fields_data=_columns(collection, rows, places, set(names)),
        scores=scores.tolist(),
        topks=[len(here) for here, _ in found],
        output_fields=[one.name for one in collection.schema.fields if one.name in names],
        primary_field_name="id",
    )
    results.ids.str_id.data.extend(rows.take("id", places))
    return milvus_pb2.SearchResults(
        status=_success(), results=results, collection_name=collection.name
    )


def _success() -> Any:
    return common_pb2.Status(**success_status_kwargs())


def _columns(
    collection: Any, rows: LiveRows, places: NDArray[np.int64], wanted: set[str]
) -> list[Any]:
    return [
        _column(rows, column, places)
        for column in collection.schema.fields
        if column.name in wanted
    ]


def _column(rows: LiveRows, column: Any, places: NDArray[np.int64]) -> Any:
    """A column of an answer as a message of Milvus' protocol."""
    data = schema_pb2.FieldData(field_name=column.name, type=WIRE_TYPES[column.dtype])
    if column.dtype == DataType.FLOAT_VECTOR:
        data.vectors.dim = int(column.dim)
        raw = rows.take_vectors(places).tobytes()
        # The numbers as they are on the wire: one by one they would take ten times as long.
        data.vectors.float_vector.MergeFromString(packed_head(len(raw)) + raw)
    elif column.dtype == DataType.JSON:
        texts = rows.take(column.name, places)
        data.scalars.json_data.data.extend(text.encode() for text in texts)
    else:
        data.scalars.string_data.data.extend(rows.take(column.name, places))
    return data

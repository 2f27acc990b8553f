"""Milvus Lite's service, answering the pages of a scan by the column instead of by the row.

Milvus Lite (3.2) goes through the whole collection for each page, and turns each row, with its
vector, into Python objects, whatever was asked for: some 8,000 rows a second. Here the order of
the rows is found once for all pages, and a page is copied out of the tables. Everything else is
left to Milvus Lite, writes to `insert`; and so is everything in versions whose insides may
differ. Only the process that serves Milvus Lite imports this module.
"""

import re
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from milvus_lite import __version__
from milvus_lite.adapter.grpc.errors import success_status_kwargs
from milvus_lite.adapter.grpc.servicer import MilvusServicer
from milvus_lite.exceptions import MilvusLiteError
from milvus_lite.schema.types import DataType
from milvus_lite.search.bitmap import build_valid_mask
from milvus_lite.search.filter import evaluate_mask
from milvus_lite.search.indexed_filter import evaluate_segment_filter
from numpy.typing import NDArray
from pymilvus.grpc_gen import common_pb2, milvus_pb2, milvus_pb2_grpc, schema_pb2

from corpuscope.tools.lite.insert import WIRE_TYPES, upsert_columns, use_column_tables
from corpuscope.tools.lite.wire import packed_head

KNOWN_VERSIONS = "3.2."
"""The versions of Milvus Lite whose insides this module was written for."""

# The cursor that pymilvus puts before the filter of a scan, and our own scan before that.
CURSOR = re.compile(r'id > "([^"\\]*)"(?: and \((.*)\))?', re.DOTALL)


@dataclass(frozen=True, slots=True, eq=False)
class OrderedRows:
    """The live rows of a collection that fit a filter, in the order of their ids.

    Of n rows: `ids`; `table` (n,), which of the Arrow `tables` each is in; `row` (n,), where in it.
    """

    state: tuple[Any, ...]
    """That of the collection when they were ordered, with the filter: while it is the same, so are
    they."""
    ids: list[str]
    table: NDArray[np.int64]
    row: NDArray[np.int64]
    tables: list[Any]

    def texts(self, name: str, part: slice) -> list[str]:
        """A column of texts or JSON, of some of the rows."""
        values = np.empty(len(self.table[part]), object)
        for place, table, row in self._by_table(part):
            values[place] = table.column(name).take(row).to_pylist()
        texts: list[str] = values.tolist()
        return texts

    def vectors(self, name: str, part: slice) -> bytes:
        """A column of vectors, of some of the rows: float32, one after the other."""
        values: NDArray[np.float32] | None = None
        for place, table, row in self._by_table(part):
            (chunk,) = table.column(name).chunks
            flat = chunk.flatten().to_numpy().reshape(len(chunk), -1)
            if values is None:
                values = np.empty((len(self.table[part]), flat.shape[1]), "<f4")
            values[place] = flat[row]
        return b"" if values is None else values.tobytes()

    def _by_table(self, part: slice) -> list[tuple[NDArray[np.int64], Any, NDArray[np.int64]]]:
        """For each table that the part is in: the places in the part, the table, the rows in it."""
        table, row = self.table[part], self.row[part]
        places = [(np.flatnonzero(table == number), number) for number in np.unique(table)]
        return [(place, self.tables[number], row[place]) for place, number in places]


class ScanServicer(MilvusServicer):  # type: ignore[misc]  # milvus_lite has no types
    """Milvus Lite's service, with pages and writes of its own."""

    def __init__(self, database: Any) -> None:
        super().__init__(database)
        self._latest: OrderedRows | None = None

    def Query(self, request: Any, context: Any) -> Any:
        """Answer a page of a scan from the ordered rows, any other query as Milvus Lite does."""
        parameters = {pair.key: pair.value for pair in request.query_params}
        if (
            __version__.startswith(KNOWN_VERSIONS)
            and "iterator" in parameters
            and not request.partition_names
        ):
            try:
                collection = self._get_collection(request, context)
                if _can_page(collection, request.output_fields):
                    return self._page(collection, request, int(parameters["limit"]))
            except MilvusLiteError:
                pass  # The call below answers it, as an error of Milvus Lite's own.
        return super().Query(request, context)

    def Upsert(self, request: Any, context: Any) -> Any:
        """Write a batch by the column, or as Milvus Lite does where it is of another kind."""
        if __version__.startswith(KNOWN_VERSIONS):
            try:
                collection = self._get_collection(request, context)
                ids = upsert_columns(collection, request)
                if ids is not None:
                    return milvus_pb2.MutationResult(
                        status=common_pb2.Status(**success_status_kwargs()),
                        IDs=self._build_ids_proto(ids, collection),
                        upsert_cnt=len(ids),
                        succ_index=range(len(ids)),
                    )
            except (MilvusLiteError, OSError, MemoryError, ValueError):
                pass  # The call below does the same again, and answers as Milvus Lite does.
        return super().Upsert(request, context)

    def _page(self, collection: Any, request: Any, limit: int) -> Any:
        after, expression = _split_cursor(request.expr)
        ordered = self._latest
        if ordered is None or ordered.state != _collection_state(collection, expression):
            ordered = self._latest = _order_rows(collection, expression)
        start = bisect_right(ordered.ids, after)
        part = slice(start, start + limit)
        if start == len(ordered.ids):
            self._latest = None  # The scan is over: let the tables go.
        wanted = {collection.pk_field, *request.output_fields}
        return milvus_pb2.QueryResults(
            status=common_pb2.Status(**success_status_kwargs()),
            fields_data=[
                _field_data(ordered, column, part)
                for column in collection.schema.fields
                if column.name in wanted
            ],
            collection_name=collection.name,
            output_fields=list(request.output_fields),
            primary_field_name=collection.pk_field,
        )


def add_servicer(server: Any, database: Any) -> None:
    """Let a gRPC server serve a Milvus Lite database."""
    if __version__.startswith(KNOWN_VERSIONS):
        use_column_tables()
    milvus_pb2_grpc.add_MilvusServiceServicer_to_server(ScanServicer(database), server)


def _can_page(collection: Any, names: Sequence[str]) -> bool:
    """Whether the columns are of the kinds that a dataset has, and none is ever empty."""
    kinds = {column.name: column for column in collection.schema.fields}
    return collection.pk_field == "id" and all(
        name in kinds and kinds[name].dtype in WIRE_TYPES and not kinds[name].nullable
        for name in ("id", *names)
    )


def _split_cursor(expression: str) -> tuple[str, str]:
    """The id after which the page begins, and the rest of the filter."""
    after = ""
    while cursor := CURSOR.fullmatch(expression):
        after, expression = max(after, cursor[1]), cursor[2] or ""
    return after, expression


def _collection_state(collection: Any, expression: str) -> tuple[Any, ...]:
    """What is another with every write that a reader can see, and with another filter."""
    memory = collection._memtable
    return (
        expression,
        collection._segments_snapshot(),
        memory,
        memory.num_physical_rows(),
        memory.estimated_memory_bytes,  # a deletion adds a tombstone
    )


def _order_rows(collection: Any, expression: str) -> OrderedRows:
    """Find the live rows as Milvus Lite's own query does: the newest of each id, not deleted."""
    collection._require_loaded()
    compiled = collection._compile_filter(expression) if expression else None
    plan = collection._indexed_filter_plan(compiled)
    # Before the snapshot: a write in between makes the state old, never the rows.
    state = _collection_state(collection, expression)
    segments, deleted = collection._read_snapshot()
    segments = [segment for segment in segments if segment.num_rows]
    memory = collection._memtable
    ids, seqs, _, _, table = memory.to_search_snapshot(vector_field=None, include_table=True)
    tables = [*(segment.table for segment in segments), table]
    all_ids = [record for segment in segments for record in segment.pks] + ids
    mask = None
    if compiled is not None:
        masks = [evaluate_segment_filter(segment, compiled, plan) for segment in segments]
        mask = np.concatenate([*masks, evaluate_mask(compiled, table)])
    live = build_valid_mask(
        all_ids,
        np.concatenate([*(segment.seqs for segment in segments), seqs]),
        deleted,
        filter_mask=mask,
        memtable=memory,
    )
    places = sorted(np.flatnonzero(live).tolist(), key=all_ids.__getitem__)
    sizes = [rows.num_rows for rows in tables]
    return OrderedRows(
        state=state,
        ids=[all_ids[place] for place in places],
        table=np.repeat(np.arange(len(tables)), sizes)[places],
        row=np.concatenate([np.arange(size) for size in sizes])[places],
        tables=[rows.combine_chunks() for rows in tables],
    )


def _field_data(ordered: OrderedRows, column: Any, part: slice) -> Any:
    """A column of a page as a message of Milvus' protocol."""
    data = schema_pb2.FieldData(field_name=column.name, type=WIRE_TYPES[column.dtype])
    if column.dtype == DataType.FLOAT_VECTOR:
        data.vectors.dim = int(column.dim)
        raw = ordered.vectors(column.name, part)
        # The numbers as they are on the wire: one by one they would take ten times as long.
        data.vectors.float_vector.MergeFromString(packed_head(len(raw)) + raw)
    elif column.dtype == DataType.JSON:
        data.scalars.json_data.data.extend(
            text.encode() for text in ordered.texts(column.name, part)
        )
    else:
        data.scalars.string_data.data.extend(ordered.texts(column.name, part))
    return data

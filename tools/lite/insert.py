"""Milvus Lite, writing by the column instead of by the row.

Milvus Lite (3.2) turns a batch, which arrives by the column, into a dict per row, checks it value
by value, numbers of vectors included, and turns the rows into columns again; what was written
lately it reads by the row, too. Here a batch stays columns from the wire to the file. Only batches
of the kind that a dataset has are taken; everything else, and every other version, is left to
Milvus Lite. Only the process that serves Milvus Lite imports this module.
"""

import struct
from functools import lru_cache
from itertools import chain
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from milvus_lite.analyzer.hash import term_to_id
from milvus_lite.constants import DEFAULT_PARTITION
from milvus_lite.engine import collection as lite_collection
from milvus_lite.engine import recovery as lite_recovery
from milvus_lite.engine.operation import InsertOp
from milvus_lite.schema.types import DataType, FunctionType
from milvus_lite.storage.memtable import MemTable

from corpuscope.tools.lite.wire import FLOAT_VECTOR, JSON, VARCHAR, packed_head

TERMS_REMEMBERED = 2**17
"""Hashes of words, which Milvus Lite works out byte by byte: a corpus has tens of thousands."""

WIRE_TYPES = {
    DataType.VARCHAR: VARCHAR,
    DataType.JSON: JSON,
    DataType.FLOAT_VECTOR: FLOAT_VECTOR,
}
"""What the columns of a dataset are, and the numbers that Milvus has for it."""


class ColumnTable(MemTable):  # type: ignore[misc]  # milvus_lite has no types
    """What was written lately and is in no file yet: Milvus Lite's own, read by the column."""

    def apply_insert(self, batch: Any) -> None:
        """Take in the rows of a batch, each unless a newer row or deletion of its id is there."""
        if not batch.num_rows:
            return
        self._validate_insert_schema(batch)
        ids = batch.column(self._pk_name).to_pylist()
        numbers = batch.column("_seq").to_pylist()
        with self._lock:
            place = len(self._insert_batches)
            kept = False
            for row, (record, number) in enumerate(zip(ids, numbers, strict=True)):
                deleted = self._delete_index.get(record)
                present = self._pk_index.get(record)
                if (deleted is not None and deleted[0] >= number) or (
                    present is not None and present[2] >= number
                ):
                    continue
                self._pk_index[record] = (place, row, number)
                if deleted is not None:
                    del self._delete_index[record]
                    self._delete_bytes -= self._delete_entry_bytes(record, deleted)
                kept = True
            if kept:
                self._insert_batches.append(batch)
                self._insert_bytes += batch.get_total_buffer_size()

    def to_search_snapshot(
        self,
        vector_field: str | None,
        partition_names: list[str] | None = None,
        include_table: bool = False,
    ) -> Any:
        """Ids, numbers, vectors, places and table of the live rows, as Milvus Lite's own gives."""
        with self._lock:
            snapshot = super().to_search_snapshot(None, partition_names, include_table)
            ids, numbers, vectors, places, table = snapshot
            if vector_field is None or not places:
                return snapshot
            columns = [batch.column(vector_field) for batch in self._insert_batches]
        if not pa.types.is_fixed_size_list(columns[0].type) or any(
            column.null_count for column in columns
        ):
            return super().to_search_snapshot(vector_field, partition_names, include_table)
        starts = np.cumsum([0, *(len(column) for column in columns[:-1])])
        at = np.array(places, np.int64).reshape(-1, 2)
        dim = columns[0].type.list_size
        flat = np.concatenate([column.flatten().to_numpy().reshape(-1, dim) for column in columns])
        vectors = flat[starts[at[:, 0]] + at[:, 1]]
        return ids, numbers, vectors, places, table

    def _build_data_table(self, rows: list[tuple[int, int]]) -> Any:
        """The rows, each (batch, row in it), as a table without the partition."""
        starts = np.cumsum([0, *(batch.num_rows for batch in self._insert_batches)])
        at = np.array(rows, np.int64).reshape(-1, 2)
        written = pa.Table.from_batches(self._insert_batches).select(self._data_schema.names)
        return written.take(pa.array(starts[at[:, 0]] + at[:, 1])).cast(self._data_schema)


def use_column_tables() -> None:
    """Let every collection that is opened from now on keep its latest writes by the column."""
    lite_collection.MemTable = ColumnTable
    lite_recovery.MemTable = ColumnTable


def upsert_columns(collection: Any, request: Any) -> list[str] | None:
    """Write a batch as Milvus Lite's own upsert does; the ids, or None where it is not taken.

    Taken are rows with all the fields of a collection that has but strings, JSON objects, a vector
    and BM25 of its texts: nothing of an earlier row of the same id is left over then. Writes to
    one collection must come one after the other, as ever.
    """
    columns = _known_columns(collection, request)
    if columns is None:
        return None
    first = collection._next_seq
    collection._next_seq += request.num_rows
    columns["_seq"] = pa.array(range(first, first + request.num_rows), pa.uint64())
    columns["_partition"] = pa.array([DEFAULT_PARTITION] * request.num_rows, pa.string())
    schema = collection._wal_data_schema
    batch = pa.RecordBatch.from_arrays([columns[name] for name in schema.names], schema=schema)
    collection._apply(InsertOp(partition=DEFAULT_PARTITION, batch=batch))
    if collection._should_flush():
        collection._trigger_flush()
    ids: list[str] = columns[collection.pk_field].to_pylist()
    return ids


def _known_columns(collection: Any, request: Any) -> dict[str, Any] | None:
    """The columns of the schema as Arrow arrays; None where one is not of the known kind."""
    schema = collection.schema
    made_of = {
        function.output_field_names[0]: function.input_field_names[0]
        for function in schema.functions
        if function.function_type == FunctionType.BM25
    }
    given = {column.field_name: column for column in request.fields_data}
    wanted = {field.name for field in schema.fields} - set(made_of)
    if (
        not request.num_rows
        or request.partial_update
        or request.partition_name not in ("", DEFAULT_PARTITION)
        or schema.enable_dynamic_field
        or collection._partition_key_field is not None
        or len(made_of) != len(schema.functions)
        or len(given) != len(request.fields_data)
        or set(given) != wanted
    ):
        return None
    columns: dict[str, Any] = {}
    for field in schema.fields:
        if field.name not in made_of:
            column = _known_column(field, given[field.name], request.num_rows)
            if column is None:
                return None
            columns[field.name] = column
    for output, source in made_of.items():
        tokenize = collection._bm25_analyzers[output].tokenize
        texts = columns[source].to_pylist()
        columns[output] = pa.array([_word_counts(tokenize(text)) for text in texts], pa.binary())
    return columns


def _known_column(field: Any, data: Any, rows: int) -> Any | None:
    """A column of a request as an Arrow array; None where it needs a look at each value."""
    if (
        field.nullable
        or field.auto_id
        or field.default_value is not None
        or data.type != WIRE_TYPES.get(field.dtype)
        or data.is_dynamic
        or len(data.valid_data)
    ):
        return None
    if field.dtype == DataType.FLOAT_VECTOR:
        return _vector_column(data.vectors, rows, int(field.dim))
    if field.dtype == DataType.JSON:
        objects = list(data.scalars.json_data.data)
        if len(objects) != rows or not all(one[:1] == b"{" for one in objects):
            return None
        return pa.array(objects, pa.binary()).cast(pa.string())
    texts = pa.array(list(data.scalars.string_data.data), pa.string())
    if len(texts) != rows:
        return None
    longest = pc.max(pc.utf8_length(texts)).as_py()
    return None if field.max_length is not None and longest > field.max_length else texts


def _vector_column(data: Any, rows: int, dim: int) -> Any | None:
    """Vectors as an Arrow array, their numbers taken from the wire as they are."""
    raw = data.float_vector.SerializeToString()
    head = packed_head(4 * rows * dim)
    if data.dim != dim or len(raw) != len(head) + 4 * rows * dim or not raw.startswith(head):
        return None
    numbers = pa.array(np.frombuffer(raw, "<f4", offset=len(head)))
    return pa.FixedSizeListArray.from_arrays(numbers, dim)


_term_id = lru_cache(TERMS_REMEMBERED)(term_to_id)


def _word_counts(words: list[str]) -> bytes:
    """How often each word is there, by its hash, as Milvus Lite packs it for BM25."""
    counts: dict[int, int] = {}
    for term in map(_term_id, words):
        counts[term] = counts.get(term, 0) + 1
    return struct.pack("<" + "If" * len(counts), *chain.from_iterable(sorted(counts.items())))

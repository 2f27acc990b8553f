"""Records as columns on their way into Milvus, and Milvus' rows as records.

In: the columns of records; out: requests of Milvus' protocol, each far below what a server takes
in one message. pymilvus' own packing looks at each value several times, and at each number of a
vector.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from corpuscope.tools.core.schema import Floats, Record
from corpuscope.tools.lite.wire import FLOAT_VECTOR, JSON, VARCHAR, packed_head

BATCH_ROWS = 1_000
BATCH_BYTES = 8 * 1024 * 1024
"""A batch stays far below the 64 MiB that a Milvus server takes in one message."""


@dataclass(frozen=True, slots=True)
class Hit:
    """A record found by a search. `score`: cosine (-1 to 1), or BM25 (larger is nearer)."""

    record: Record
    score: float


@dataclass(frozen=True, slots=True, eq=False)
class RecordColumns:
    """Some records by the column, row for row.

    n `ids`, `texts` and `digests`; `metadata` (n), JSON objects in UTF-8, the columns in their
    order; `vectors` (n, dim) float32 of unit length, None until they are embedded.
    """

    ids: list[str]
    texts: list[str]
    digests: list[str]
    metadata: list[bytes]
    vectors: Floats | None

    def __len__(self) -> int:
        return len(self.ids)

    def rows(self, places: Sequence[int]) -> "RecordColumns":
        """The rows at some places, in their order."""
        return RecordColumns(
            [self.ids[at] for at in places],
            [self.texts[at] for at in places],
            [self.digests[at] for at in places],
            [self.metadata[at] for at in places],
            None if self.vectors is None else self.vectors[np.asarray(places, np.int64)],
        )

    def with_vectors(self, vectors: Floats) -> "RecordColumns":
        """The same records with these vectors, (n, dim) float32."""
        return replace(self, vectors=vectors)


def upsert_requests(collection: str, columns: RecordColumns) -> Iterator[Any]:
    """Requests of pymilvus that write the records, `BATCH_BYTES` and `BATCH_ROWS` at most in each.

    The records need their vectors.
    """
    if columns.vectors is None:
        raise ValueError("records without vectors cannot be written")
    vector_bytes = columns.vectors.shape[1] * columns.vectors.itemsize
    sizes = [len(text) for text in map(str.encode, columns.texts)]
    begin = batch_bytes = 0
    for at, size in enumerate(sizes):
        row_bytes = size + vector_bytes + len(columns.metadata[at])
        if at > begin and (at - begin >= BATCH_ROWS or batch_bytes + row_bytes > BATCH_BYTES):
            yield _upsert_request(collection, columns, slice(begin, at))
            begin, batch_bytes = at, 0
        batch_bytes += row_bytes
    if begin < len(sizes):
        yield _upsert_request(collection, columns, slice(begin, len(sizes)))


def _upsert_request(collection: str, columns: RecordColumns, part: slice) -> Any:
    from pymilvus.grpc_gen import milvus_pb2, schema_pb2

    assert columns.vectors is not None
    vectors = np.ascontiguousarray(columns.vectors[part], "<f4")
    request = milvus_pb2.UpsertRequest(collection_name=collection, num_rows=len(vectors))
    strings = {"id": columns.ids, "digest": columns.digests, "text": columns.texts}
    for name, values in strings.items():
        scalars = schema_pb2.ScalarField(string_data=schema_pb2.StringArray(data=values[part]))
        request.fields_data.add(field_name=name, type=VARCHAR, scalars=scalars)
    scalars = schema_pb2.ScalarField(json_data=schema_pb2.JSONArray(data=columns.metadata[part]))
    request.fields_data.add(field_name="metadata", type=JSON, scalars=scalars)
    field = request.fields_data.add(field_name="vector", type=FLOAT_VECTOR)
    field.vectors.dim = vectors.shape[1]
    # The numbers as they are on the wire: one by one they would take ten times as long.
    field.vectors.float_vector.MergeFromString(packed_head(vectors.nbytes) + vectors.tobytes())
    return request


def record_from_row(row: dict[str, Any]) -> Record:
    """A row, without its vector, as a record."""
    return Record(row["id"], row["text"], row["digest"], dict(row["metadata"] or {}))

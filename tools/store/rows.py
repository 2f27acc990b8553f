"""Records as rows of Milvus, and back."""

from collections.abc import Iterator, Sequence
from typing import Any

from corpuscope.tools.core.schema import Record

BATCH_ROWS = 1_000
BATCH_BYTES = 8 * 1024 * 1024
"""A batch stays far below the 64 MiB that a Milvus server takes in one message."""


def row_batches(records: Sequence[Record]) -> Iterator[list[dict[str, Any]]]:
    """The rows of the records, at most `BATCH_ROWS` and about `BATCH_BYTES` at a time."""
    batch: list[dict[str, Any]] = []
    batch_bytes = 0
    for record in records:
        vector_bytes = 0 if record.vector is None else record.vector.nbytes
        row_bytes = len(record.text.encode()) + vector_bytes
        if batch and (len(batch) >= BATCH_ROWS or batch_bytes + row_bytes > BATCH_BYTES):
            yield batch
            batch, batch_bytes = [], 0
        batch.append(
            {
                "id": record.id,
                "digest": record.digest,
                "text": record.text,
                "metadata": record.metadata,
                "vector": record.vector,
            }
        )
        batch_bytes += row_bytes
    if batch:
        yield batch


def record_from_row(row: dict[str, Any]) -> Record:
    """A row, without its vector, as a record."""
    return Record(row["id"], row["text"], row["digest"], dict(row["metadata"] or {}))

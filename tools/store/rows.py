"""Records as rows of Milvus, and back."""

from collections.abc import Iterator, Sequence
from typing import Any

from corpuscope.tools.core.schema import Record

# A batch stays far below the 64 MiB that a Milvus server takes in one message.
BATCH_ROWS = 1_000
BATCH_BYTES = 8 * 1024 * 1024


def row_batches(records: Sequence[Record]) -> Iterator[list[dict[str, Any]]]:
    """The rows of the records, so many at a time as Milvus takes."""
    batch: list[dict[str, Any]] = []
    size = 0
    for record in records:
        weight = len(record.text.encode()) + (0 if record.vector is None else record.vector.nbytes)
        if batch and (len(batch) >= BATCH_ROWS or size + weight > BATCH_BYTES):
            yield batch
            batch, size = [], 0
        batch.append(
            {
                "id": record.id,
                "digest": record.digest,
                "text": record.text,
                "metadata": record.metadata,
                "vector": record.vector,
            }
        )
        size += weight
    if batch:
        yield batch


def record_from_row(row: dict[str, Any]) -> Record:
    """A row, without its vector, as a record."""
    return Record(row["id"], row["text"], row["digest"], dict(row["metadata"] or {}))

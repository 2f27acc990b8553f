"""Records by the column from records one by one, and back: tests are easier to read by the row."""

from collections.abc import Iterable, Sequence

import numpy as np
import orjson

from corpuscope.tools.core.schema import Record
from corpuscope.tools.ingestion.records import BuiltBatch
from corpuscope.tools.store.rows import RecordColumns


def columns_of(records: Sequence[Record]) -> RecordColumns:
    """The records, each with its vector, by the column."""
    vectors = [record.vector for record in records if record.vector is not None]
    return RecordColumns(
        [record.id for record in records],
        [record.text for record in records],
        [record.digest for record in records],
        [orjson.dumps(record.metadata) for record in records],
        np.stack(vectors) if vectors else None,
    )


def records_of(batches: Iterable[BuiltBatch]) -> list[Record]:
    """The records of batches, one by one."""
    return [
        Record(
            columns.ids[at],
            columns.texts[at],
            columns.digests[at],
            orjson.loads(columns.metadata[at]),
            None if columns.vectors is None else columns.vectors[at],
        )
        for columns in (batch.records for batch in batches)
        for at in range(len(columns))
    ]

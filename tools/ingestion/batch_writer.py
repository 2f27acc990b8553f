"""The second pass of an ingest: records go into the store in batches, embedded where they need it.

In: records made of rows; out: rows of the dataset's collection, and the dataset's card raised to a
new version where texts or vectors change. What is there already, by its digest, is not written
again.
"""

import time
from collections.abc import Iterable
from dataclasses import replace
from itertools import islice

import numpy as np

from corpuscope.tools.core.schema import DatasetCard, Floats, Record, Report
from corpuscope.tools.embedding.spec import Embedder
from corpuscope.tools.ingestion.records import RecordBuilder, content_digest
from corpuscope.tools.ingestion.rows import BadRow, Row
from corpuscope.tools.store.rows import BATCH_ROWS
from corpuscope.tools.store.store import Store

VECTORS_REMEMBERED = 20_000
"""Vectors of texts embedded lately, so that equal texts near each other are embedded once."""


class BatchWriter:
    """Writes the records of one ingest, and counts those added, updated and unchanged in `counts`.

    `card` is the dataset's as it was written last. `embedder` makes the vectors; None: the records
    bring them. `grows`: the records join those of a dataset that is there, so that each is compared
    with the digest that is stored, and the first change marks the card.
    """

    def __init__(
        self, store: Store, card: DatasetCard, embedder: Embedder | None, *, grows: bool
    ) -> None:
        self.card = card
        self.counts = (0, 0, 0)
        self._store = store
        self._embedder = embedder
        self._grows = grows
        self._card_written = False
        self._content_changed = False
        self._stored_digests = self._store.digests(card) if grows else {}
        self._vector_of: dict[str, Floats] = {}

    def write(
        self, builder: RecordBuilder, rows: Iterable[Row | BadRow], total: int, report: Report
    ) -> None:
        """Write the records that `builder` makes of the rows; progress is a share of `total`."""
        begun = time.monotonic()
        records = builder.build(rows)
        while batch := list(islice(records, BATCH_ROWS)):
            self._write_batch(batch)
            rows_read = builder.tally.read
            rate = rows_read / max(time.monotonic() - begun, 1e-3)
            report(
                min(1.0, rows_read / total),
                f"{rows_read:,} of {total:,} rows, {rate:,.0f} rows/s",
            )

    def finish(self) -> None:
        """After the last write: what was computed meanwhile, from a part of it, is stale too.

        So is what was computed after an earlier ingest was stopped in the middle, even where this
        one changed nothing.
        """
        if self._content_changed or (self._grows and self.card.changing):
            self.card = replace(self._next_version(), changing=False)
            self._store.save_card(self.card)

    def _write_batch(self, batch: list[Record]) -> None:
        stored = self._stored_digests
        new = [record for record in batch if record.id not in stored]
        changed = [
            record for record in batch if stored.get(record.id, record.digest) != record.digest
        ]
        if new or changed:
            self._mark_change(content=bool(new) or any(map(self._changes_content, changed)))
            self._store.upsert(self.card, self._with_vectors(new + changed))
        added, updated, unchanged = self.counts
        same = len(batch) - len(new) - len(changed)
        self.counts = (added + len(new), updated + len(changed), unchanged + same)

    def _changes_content(self, record: Record) -> bool:
        """Whether a record that is there gets another text or vector, not only other metadata."""
        return content_digest(self._stored_digests[record.id]) != content_digest(record.digest)

    def _mark_change(self, *, content: bool) -> None:
        """Write the card before the first change, and, as stale, before the first of `content`."""
        if self._grows and not (self._content_changed if content else self._card_written):
            if content:
                self.card = replace(self._next_version(), changing=True)
            self._store.save_card(self.card)
            self._card_written = True
            self._content_changed = self._content_changed or content

    def _next_version(self) -> DatasetCard:
        return replace(self.card, version=self.card.version + 1)

    def _with_vectors(self, records: list[Record]) -> list[Record]:
        """The records with vectors by the embedder, equal texts embedded once, if there is one."""
        if self._embedder is None:
            return records
        if len(self._vector_of) > VECTORS_REMEMBERED:
            self._vector_of.clear()
        new = list(dict.fromkeys(r.text for r in records if r.text not in self._vector_of))
        if new:
            vectors = np.asarray(self._embedder.embed(new), dtype=np.float32)
            self._vector_of.update(zip(new, vectors, strict=True))
        return [replace(record, vector=self._vector_of[record.text]) for record in records]

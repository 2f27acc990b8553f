"""The second pass of an ingest: records go into the store in batches, embedded where they need it.

In: records by the column; out: rows of the dataset's collection, and the dataset's card raised to a
new version where texts or vectors change. What is there already, by its digest, is not written
again. One batch is written while the next one is made and embedded.
"""

import time
from collections.abc import Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from sys import getsizeof

import numpy as np

from corpuscope.tools.core.disk import check_space
from corpuscope.tools.core.schema import DatasetCard, Floats, Report
from corpuscope.tools.embedding.spec import Embedder
from corpuscope.tools.ingestion.records import BuiltBatch, content_digest
from corpuscope.tools.store.rows import RecordColumns
from corpuscope.tools.store.store import Store

VECTORS_REMEMBERED = 20_000
"""Vectors of texts embedded lately, so that equal texts near each other are embedded once."""

RECORD_BYTES = 300
"""What a record takes beside its text, metadata and vector: in memory Python's objects, on disk id,
digest, and words counted."""

WRITE_FACTOR = 1.25
"""What Milvus Lite keeps on disk for a byte of records as they are held: 1.05 was measured (100,000
records of 384 numbers and 80 characters), and a little more is left for short vectors."""

LOG_BYTES = 128 * 2**20
"""The most that Milvus Lite has twice on disk, in its log and in the file that replaces it."""


def held_bytes(records: RecordColumns) -> int:
    """About the bytes that records take."""
    vectors = 0 if records.vectors is None else records.vectors.nbytes
    strings = sum(map(getsizeof, records.texts)) + sum(map(getsizeof, records.metadata))
    return vectors + strings + len(records) * RECORD_BYTES


def check_room(store: Store, size: int, what: str) -> None:
    """Refuse to write records of `size` bytes, as `held_bytes` counts, where the disk is too full.

    A Milvus server has a disk of its own.

    Raises:
        SystemFailure: Not enough space; says how much is needed and how much is free.
    """
    if store.location.is_lite:
        check_space(store.location.home, WRITE_FACTOR * size + min(size, LOG_BYTES), what)


class BatchWriter:
    """Writes the records of one ingest, and counts those added, updated and unchanged in `counts`.

    `card` is the dataset's as it was written last. `embedder` makes the vectors; None: the records
    bring them. `grows`: the records join those of a dataset that is there, so that each is compared
    with the digest that is stored, and the first change marks the card. `written`: the records with
    their vectors, as long as they were to be kept.
    """

    def __init__(
        self, store: Store, card: DatasetCard, embedder: Embedder | None, *, grows: bool
    ) -> None:
        self.card = card
        self.counts = (0, 0, 0)
        self.written: list[RecordColumns] = []
        self._store = store
        self._embedder = embedder
        self.grows = grows
        self._card_written = False
        self._content_changed = False
        self._stored_digests = self._store.digests(card) if grows else {}
        self._vector_of: dict[str, Floats] = {}
        """By the digest of the text: texts are long."""

    def write(
        self, batches: Iterable[BuiltBatch], total: int, report: Report, *, keep: bool = False
    ) -> None:
        """Write batches made of `total` rows; progress is a share of these. `keep`: in `written`.

        Raises whatever making, embedding or writing a batch raises, once the batch that is under
        way is written.
        """
        begun = time.monotonic()
        with ThreadPoolExecutor(1, "corpuscope-writes") as thread:
            under_way: Future[None] | None = None
            for batch in batches:
                records = self._prepare(batch.records)
                if len(records):
                    if under_way is not None:
                        under_way.result()
                    check_room(self._store, held_bytes(records), "the next rows")
                    under_way = thread.submit(self._store.upsert, self.card, records)
                    if keep:
                        self.written.append(records)
                rate = batch.rows_read / max(time.monotonic() - begun, 1e-3)
                report(
                    min(1.0, batch.rows_read / total),
                    f"{batch.rows_read:,} of {total:,} rows, {rate:,.0f} rows/s",
                )
            if under_way is not None:
                under_way.result()

    def finish(self) -> None:
        """After the last write: what was computed meanwhile, from a part of it, is stale too.

        So is what was computed after an earlier ingest was stopped in the middle, even where this
        one changed nothing.
        """
        if self._content_changed or (self.grows and self.card.changing):
            self.card = replace(self._next_version(), changing=False)
        elif self._card_written:
            self.card = self._next_revision()
        else:
            return
        self._store.save_card(self.card)

    def _prepare(self, batch: RecordColumns) -> RecordColumns:
        """Count what is new and changed and mark the card; these records, with vectors."""
        stored = self._stored_digests
        pairs = list(zip(batch.ids, batch.digests, strict=True))
        new = [at for at, (record, _) in enumerate(pairs) if record not in stored]
        changed = [
            at for at, (record, digest) in enumerate(pairs) if stored.get(record, digest) != digest
        ]
        if new or changed:
            self._mark_change(
                content=bool(new) or any(self._changes_content(*pairs[at]) for at in changed)
            )
        added, updated, unchanged = self.counts
        same = len(batch) - len(new) - len(changed)
        self.counts = (added + len(new), updated + len(changed), unchanged + same)
        if len(new) == len(batch):
            return self._with_vectors(batch)
        return self._with_vectors(batch.rows(new + changed))

    def _changes_content(self, record: str, digest: str) -> bool:
        """Whether a record that is there gets another text or vector, not only other metadata."""
        return content_digest(self._stored_digests[record]) != content_digest(digest)

    def _mark_change(self, *, content: bool) -> None:
        """Write the card before the first change, and, as stale, before the first of `content`."""
        if self.grows and not (self._content_changed if content else self._card_written):
            self.card = (
                replace(self._next_version(), changing=True) if content else self._next_revision()
            )
            self._store.save_card(self.card)
            self._card_written = True
            self._content_changed = self._content_changed or content

    def _next_revision(self) -> DatasetCard:
        return replace(self.card, revision=self.card.revision + 1)

    def _next_version(self) -> DatasetCard:
        return replace(self._next_revision(), version=self.card.version + 1, records=None)

    def _with_vectors(self, records: RecordColumns) -> RecordColumns:
        """The records with vectors: their own, or by the embedder."""
        if self._embedder is None or not len(records):
            return records
        return records.with_vectors(self._embed(self._embedder, records))

    def _embed(self, embedder: Embedder, records: RecordColumns) -> Floats:
        """(n, dim) vectors of the records' texts, equal texts embedded once."""
        if len(self._vector_of) > VECTORS_REMEMBERED:
            self._vector_of.clear()
        keys = [content_digest(digest) for digest in records.digests]
        pairs = zip(keys, records.texts, strict=True)
        new = {key: text for key, text in pairs if key not in self._vector_of}
        if new:
            vectors = np.asarray(embedder.embed(list(new.values())), dtype=np.float32)
            self._vector_of.update(zip(new, vectors, strict=True))
        return np.stack([self._vector_of[key] for key in keys])

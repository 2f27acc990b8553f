"""The first pass over a source: its columns, counts, a sample of its texts, and what to warn of.

In: a request; out: what the second pass goes by. Nothing is written. Whatever the source holds, the
memory of it is bounded: rows by the block, texts by a sample, ids by hashes.
"""

import random
import time
from dataclasses import dataclass, replace
from itertools import chain
from sys import getsizeof

from corpuscope.tools.core.errors import BadInput
from corpuscope.tools.core.schema import DatasetCard, Report
from corpuscope.tools.ingestion.batch_writer import held_bytes
from corpuscope.tools.ingestion.columns import SAMPLE_ROWS, ColumnPlan, ColumnRequest, plan_columns
from corpuscope.tools.ingestion.observations import Observations, Observer
from corpuscope.tools.ingestion.records import BuiltBatch, RecordBuilder, RowTally
from corpuscope.tools.ingestion.request import IngestRequest, open_rows, with_open_file
from corpuscope.tools.ingestion.row_vectors import check_vector_count
from corpuscope.tools.readers.rows import blocks
from corpuscope.tools.readers.source import tell_nobody
from corpuscope.tools.workspace.workspace import Workspace

SURVEY_TEXTS, SURVEY_BYTES = 50_000, 128 * 2**20
"""Enough texts to fit a vocabulary on, and the memory for them; more change little."""

KEPT_BYTES = 192 * 2**20
"""Records made in the first pass and their vectors are kept for the second, up to this size: enough
for 74,000 headlines with 384 numbers each. Larger sources are read twice, in a stream."""

OPENING_SHARE, SURVEY_SHARE = 0.01, 0.05
"""The shares of the progress at which the file is opened and the survey is over."""

SECONDS_BETWEEN = 0.5
"""Between two reports of the progress."""


@dataclass(frozen=True)
class Survey:
    """What the first pass tells the second."""

    request: IngestRequest
    """With its file opened."""
    columns: ColumnPlan
    tally: RowTally
    texts: list[str]
    """A random sample of at most `SURVEY_TEXTS`; empty where the vectors come with the rows."""
    dim: int
    """Numbers in each vector that comes with the rows; 0 where none do."""
    observed: Observations
    batches: list[BuiltBatch] | None
    """All records, where they take no more than `KEPT_BYTES`."""
    size: int
    """About the bytes of all records, with the vectors that come with the rows."""

    def bytes_with(self, dim: int) -> int:
        """About the bytes of all records with vectors of `dim` numbers."""
        return self.size + (0 if self.dim else self.tally.made * dim * 4)

    def fits(self, dim: int) -> bool:
        """Whether the records may be kept in memory with vectors of `dim` numbers, too."""
        return self.batches is not None and self.tally.made * dim * 4 <= KEPT_BYTES


def survey_source(
    workspace: Workspace, request: IngestRequest, old: DatasetCard | None, report: Report
) -> Survey:
    """Go through the whole source once. `old`: the card of the dataset that it is to join.

    Raises:
        BadInput: The source, or how it fits the dataset.
    """
    progress = _Progress(report, request.limit)
    request = with_open_file(request, workspace, progress.opening)
    if request.file is not None:
        request = replace(request, file=replace(request.file, tell=progress.reading))
    rows = open_rows(request)
    head = next(blocks(rows, SAMPLE_ROWS), [])
    column_request = ColumnRequest(
        request.text_columns or (old.text_columns if old else None),
        request.id_column or (old.id_column if old else None),
        request.vector_column,
        request.metadata_columns,
    )
    columns = plan_columns(head, column_request)
    if old is not None:
        # A column keeps the type it has in the dataset; what does not fit is left empty.
        kinds = {
            name: old.metadata_columns.get(name, kind) for name, kind in columns.metadata.items()
        }
        columns = replace(columns, metadata=kinds)
    builder = RecordBuilder(columns, request.vectors, workspace.redact)
    observer = Observer(columns, head, old.mask if old else request.mask)
    sample = _TextSample()
    kept: list[BuiltBatch] | None = []
    kept_bytes = 0
    dim = 0 if request.vectors is None else request.vectors.shape[1]
    for batch in builder.build(observer.watch(chain(head, rows))):
        if batch.records.vectors is not None:
            dim = batch.records.vectors.shape[1]
        else:
            sample.add(batch.records.texts)
        progress.rows_read(batch.rows_read)
        kept_bytes += held_bytes(batch.records)
        if kept_bytes > KEPT_BYTES:
            kept = None
        if kept is not None:
            kept.append(batch)
    tally = builder.tally
    if request.vectors is not None and request.limit is None:
        check_vector_count(tally.read, request.vectors)
    if not tally.made:
        reasons = "; ".join(f"row {number}: {reason}" for number, reason in tally.bad_rows[:3])
        raise BadInput(
            f"No usable row: of {tally.read:,} rows {tally.empty:,} have no text in "
            f"{', '.join(columns.text)} and {tally.bad:,} are bad. {reasons}".rstrip()
        )
    report(SURVEY_SHARE, f"looked through {tally.read:,} rows")
    if request.file is not None:
        request = replace(request, file=replace(request.file, tell=tell_nobody))
    return Survey(
        *(request, columns, tally, sample.texts, dim, observer.observations(), kept, kept_bytes)
    )


class _TextSample:
    """At most `SURVEY_TEXTS` of the texts that come by, each equally likely to be among them.

    By reservoir sampling (Vitter's algorithm R). Where they take more than `SURVEY_BYTES`, half of
    them go by lot, and from then on it is a sample of half the size.
    """

    def __init__(self) -> None:
        self.texts: list[str] = []
        self._seen = self._bytes = 0
        self._most = SURVEY_TEXTS
        self._chooser = random.Random(0)

    def add(self, texts: list[str]) -> None:
        for text in texts:
            self._seen += 1
            if len(self.texts) < self._most:
                self.texts.append(text)
            elif (place := self._chooser.randrange(self._seen)) < self._most:
                self._bytes -= getsizeof(self.texts[place])
                self.texts[place] = text
            else:
                continue
            self._bytes += getsizeof(text)
            if self._bytes > SURVEY_BYTES:
                self._chooser.shuffle(self.texts)
                self._most = max(1, len(self.texts) // 2)
                del self.texts[self._most :]
                self._bytes = sum(map(getsizeof, self.texts))


class _Progress:
    """Tells of the survey as its file is read, not too often, and never less than before."""

    def __init__(self, report: Report, limit: int | None) -> None:
        self._report, self._limit = report, limit
        self._share, self._rows, self._told = 0.0, 0, 0.0

    def opening(self, share: float) -> None:
        """So much of the file was looked through for its encoding, the first or second time."""
        self._tell(OPENING_SHARE * share, "finding out the encoding")

    def reading(self, share: float) -> None:
        """So much of the file was read."""
        done = OPENING_SHARE + (SURVEY_SHARE - OPENING_SHARE) * share
        self._tell(done, f"looking through the rows: {self._rows:,} so far")

    def rows_read(self, rows: int) -> None:
        """So many rows were looked through."""
        self._rows = rows
        self.reading(rows / self._limit if self._limit else 0.0)

    def _tell(self, share: float, message: str) -> None:
        self._share = max(self._share, share)
        now = time.monotonic()
        if now - self._told >= SECONDS_BETWEEN:
            self._told = now
            self._report(self._share, message)

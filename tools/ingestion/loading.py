"""How an ingest goes about it: look through the whole source, then write in batches.

The first pass writes nothing: whatever is wrong with the source is said before the store changes,
and the second pass knows how much there is to do.
"""

import random
import re
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import chain, islice
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from corpuscope.tools.core.errors import BadInput
from corpuscope.tools.core.schema import COLUMN, DatasetCard, Floats, Record, Watch
from corpuscope.tools.embedding.factory import fit_embedder, open_embedder
from corpuscope.tools.embedding.spec import LEXICAL, Embedder
from corpuscope.tools.ingestion.columns import SAMPLE_ROWS, ColumnPlan, ColumnRequest, plan_columns
from corpuscope.tools.ingestion.readers import read_rows
from corpuscope.tools.ingestion.records import (
    RecordBuilder,
    RowTally,
    check_vector_count,
    content_digest,
    open_vectors,
)
from corpuscope.tools.ingestion.rows import BadRow, Row, inline_rows
from corpuscope.tools.store.collections import PREFIX
from corpuscope.tools.store.rows import BATCH_ROWS
from corpuscope.tools.workspace.workspace import Workspace

AUTO = "auto"

LEFTOVER_SUFFIX = re.compile(r"__\d+")
# Enough texts to fit a vocabulary on; more cost time and memory and change little.
SURVEY_TEXTS = 50_000
# Vectors of texts seen lately, so that equal texts near each other are embedded once.
VECTORS_REMEMBERED = 20_000
# The share of the progress that looking through takes.
SURVEY_SHARE = 0.05

RowSource: TypeAlias = Path | list[dict[str, Any]]


@dataclass(frozen=True)
class IngestRequest:
    """What the client asked for."""

    source: RowSource
    text_columns: list[str] | None
    id_column: str | None
    vector_column: str | None
    metadata_columns: list[str] | None
    embedding: str
    limit: int | None
    vectors: NDArray[Any] | None = None
    """(rows, dim), where the vectors come from a file of their own."""

    @property
    def brings_vectors(self) -> bool:
        """Whether nothing has to be embedded."""
        return self.vectors is not None or self.vector_column is not None


@dataclass(frozen=True)
class IngestOutcome:
    """What came of it."""

    card: DatasetCard
    columns: ColumnPlan
    tally: RowTally
    note: str
    count: int
    added: int
    updated: int
    unchanged: int


@dataclass(frozen=True)
class _Survey:
    """What the first pass found: how many rows, and texts to fit an embedder on."""

    columns: ColumnPlan
    tally: RowTally
    texts: list[str]
    dim: int


def with_vector_file(request: IngestRequest, workspace: Workspace) -> IngestRequest:
    """The request with its `.npy` file opened, where `vector_column` is one.

    Raises:
        BadInput: The file is not allowed, not there, or no array of vectors.
    """
    name = request.vector_column
    if name is None or not name.endswith(".npy"):
        return request
    path = workspace.files.readable(name)
    vectors = open_vectors(path, max_bytes=workspace.files.max_bytes)
    return replace(request, vector_column=None, vectors=vectors)


def load_records(
    workspace: Workspace, watch: Watch, name: str, request: IngestRequest, *, anew: bool
) -> IngestOutcome:
    """Read the source into the dataset `name`; the caller holds its lock.

    Raises:
        BadInput: The source, or how it fits the dataset that is there.
        Unavailable: The embedder's model or package is missing.
    """
    store = workspace.store
    present = store.find(name)
    old = None if anew or _starts_anew(present, request) else present
    survey = _survey_source(workspace, request, old)
    watch.report(SURVEY_SHARE, f"looked through {survey.tally.read:,} rows")
    drop_leftovers(workspace, name, present)
    if old is None:
        card, embedder, note = _start_dataset(workspace, request, survey, name)
    else:
        card, embedder, note = _extend_dataset(workspace, request, survey, old)
    if present is None:
        # So that an ingest that is killed can be taken up again; in no list until it ends.
        store.save_card(replace(card, pending=True))
    writer = _BatchWriter(workspace, card, embedder, grows=old is not None)
    builder = RecordBuilder(survey.columns, request.vectors, workspace.redact)
    tally = writer.write(builder, _open_rows(workspace, request), watch, survey)
    writer.finish()
    card = writer.card
    if old is None or old.pending:
        # Only now, when all is there, does the new collection take an old one's place.
        card = replace(card, pending=False)
        store.save_card(card)
        drop_leftovers(workspace, name, card)
    return IngestOutcome(card, survey.columns, tally, note, store.count(card), *writer.counts)


def _starts_anew(present: DatasetCard | None, request: IngestRequest) -> bool:
    """Whether a first ingest that did not end is dropped: it was to be by another embedder."""
    if present is None or not present.pending:
        return False
    return request.embedding not in (AUTO, present.embedding)


def drop_leftovers(workspace: Workspace, name: str, kept: DatasetCard | None) -> None:
    """Drop what killed or replaced ingests of the dataset left behind, but for the `kept` one."""
    keep = kept.collection if kept else ""
    workspace.store.drop_strays(name, keep)
    for folder in (workspace.home / "datasets").glob(f"{PREFIX}{name}__*"):
        if folder.name != keep and LEFTOVER_SUFFIX.fullmatch(
            folder.name.removeprefix(PREFIX + name)
        ):
            shutil.rmtree(folder, ignore_errors=True)


def _open_rows(workspace: Workspace, request: IngestRequest) -> Iterator[Row | BadRow]:
    source = request.source
    rows = (
        read_rows(source, max_bytes=workspace.files.max_bytes)
        if isinstance(source, Path)
        else inline_rows(source)
    )
    return islice(rows, request.limit)


def _survey_source(
    workspace: Workspace, request: IngestRequest, old: DatasetCard | None
) -> _Survey:
    rows = _open_rows(workspace, request)
    head = list(islice(rows, SAMPLE_ROWS))
    asked = ColumnRequest(
        request.text_columns or (old.text_columns if old else None),
        request.id_column or (old.id_column if old else None),
        request.vector_column,
        request.metadata_columns,
    )
    columns = plan_columns(head, asked)
    if old is not None:
        # A column keeps the type it has in the dataset; what does not fit is left empty.
        kinds = {
            name: old.metadata_columns.get(name, kind) for name, kind in columns.metadata.items()
        }
        columns = replace(columns, metadata=kinds)
    builder = RecordBuilder(columns, request.vectors, workspace.redact)
    chooser = random.Random(0)
    texts: list[str] = []
    dim = 0 if request.vectors is None else request.vectors.shape[1]
    for number, record in enumerate(builder.build(chain(head, rows))):
        if record.vector is not None:
            dim = len(record.vector)
        elif len(texts) < SURVEY_TEXTS:
            texts.append(record.text)
        elif (place := chooser.randrange(number + 1)) < SURVEY_TEXTS:
            texts[place] = record.text
    if request.vectors is not None and request.limit is None:
        check_vector_count(builder.tally.read, request.vectors)
    tally = builder.tally
    if not tally.made:
        reasons = "; ".join(f"row {number}: {reason}" for number, reason in tally.bad_rows[:3])
        raise BadInput(
            f"No usable row: of {tally.read:,} rows {tally.empty:,} have no text in "
            f"{', '.join(columns.text)} and {tally.bad:,} are bad. {reasons}".rstrip()
        )
    return _Survey(columns, tally, texts, dim)


def _start_dataset(
    workspace: Workspace,
    request: IngestRequest,
    survey: _Survey,
    name: str,
) -> tuple[DatasetCard, Embedder | None, str]:
    card = DatasetCard(
        name=name,
        # Never a name that was there before: fits and runs of the old one must not be taken for it.
        collection=f"{PREFIX}{name}__{time.time_ns()}",
        embedding=COLUMN,
        dim=survey.dim or 2,
        text_columns=list(survey.columns.text),
        id_column=survey.columns.id,
        metadata_columns=survey.columns.metadata,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
    )
    saved = workspace.dataset_folder(card)
    spec = request.embedding
    if spec == AUTO:
        spec = COLUMN if request.brings_vectors else workspace.default_embedding
    if not request.brings_vectors:
        if spec == COLUMN:
            raise BadInput("embedding 'column' needs vector_column: a column or a .npy file.")
        fitted = fit_embedder(spec, survey.texts, workspace.embedders.options, saved)
        card = replace(card, embedding=fitted.embedder.spec, dim=fitted.embedder.dim)
        workspace.store.create(card)
        return card, fitted.embedder, fitted.note
    note = "They came with the file."
    if spec == COLUMN:
        finds_words = workspace.store.finds_words()
        card = replace(card, full_text=finds_words)
        means = "matches words" if finds_words else "cannot be used on this old Milvus server"
        note += f" No model is named for them, so `search` {means}."
    else:
        embedder = open_embedder(spec, workspace.embedders.options, saved)
        _check_dimension(embedder.dim, survey.dim, f"the model {spec} makes")
        card = replace(card, embedding=embedder.spec)
        note += f" Queries are embedded by {embedder.spec}."
    workspace.store.create(card)
    return card, None, note


def _extend_dataset(
    workspace: Workspace, request: IngestRequest, survey: _Survey, old: DatasetCard
) -> tuple[DatasetCard, Embedder | None, str]:
    spec = request.embedding
    if spec not in (AUTO, old.embedding):
        raise BadInput(
            f"'{old.name}' has vectors by {old.embedding}, not {spec}; a dataset never mixes "
            "models. Leave `embedding` out, use mode='replace', or take another name."
        )
    columns = old.metadata_columns | survey.columns.metadata
    card = replace(old, metadata_columns=columns)
    if request.brings_vectors:
        if old.embedding == LEXICAL:
            raise BadInput(
                f"'{old.name}' has lexical vectors, made of its own texts; others cannot be mixed "
                "in. Leave `vector_column` out, or use mode='replace'."
            )
        _check_dimension(old.dim, survey.dim, f"those of '{old.name}' have")
        return card, None, "They came with the file."
    if old.embedding == COLUMN:
        raise BadInput(
            f"'{old.name}' has vectors that came with its file and no model is named for them: "
            "new rows need `vector_column` too."
        )
    embedder = workspace.embedders.of(old, workspace.dataset_folder(old))
    return card, embedder, "The same as for the records that were there."


def _check_dimension(expected: int, actual: int, whose: str) -> None:
    if actual != expected:
        raise BadInput(f"The vectors have {actual} numbers, {whose} {expected}.")


class _BatchWriter:
    """Writes records in batches and counts what changed."""

    def __init__(
        self, workspace: Workspace, card: DatasetCard, embedder: Embedder | None, *, grows: bool
    ) -> None:
        self.card = card
        self.counts = (0, 0, 0)
        self._store = workspace.store
        self._embedder = embedder
        self.moved = False
        self._grows = grows
        self._announced = False
        self._there = self._store.digests(card) if grows else {}
        self._known: dict[str, Floats] = {}

    def write(
        self, builder: RecordBuilder, rows: Iterator[Row | BadRow], watch: Watch, survey: _Survey
    ) -> RowTally:
        begun = time.monotonic()
        total = survey.tally.read
        records = builder.build(rows)
        while batch := list(islice(records, BATCH_ROWS)):
            self._write(batch)
            done = builder.tally.read
            rate = done / max(time.monotonic() - begun, 1e-3)
            watch.report(
                SURVEY_SHARE + (1 - SURVEY_SHARE) * min(1.0, done / total),
                f"{done:,} of {total:,} rows, {rate:,.0f} rows/s",
            )
        return builder.tally

    def _write(self, batch: list[Record]) -> None:
        fresh = [record for record in batch if record.id not in self._there]
        changed = [
            record for record in batch if self._there.get(record.id, record.digest) != record.digest
        ]
        if fresh or changed:
            self._announce(moves=bool(fresh) or any(map(self._moves, changed)))
            self._store.upsert(self.card, self._embedded(fresh + changed))
        added, updated, unchanged = self.counts
        same = len(batch) - len(fresh) - len(changed)
        self.counts = (added + len(fresh), updated + len(changed), unchanged + same)

    def _moves(self, record: Record) -> bool:
        """Whether a record that is there gets another text or vector, not only other metadata."""
        return content_digest(self._there[record.id]) != content_digest(record.digest)

    def _announce(self, *, moves: bool) -> None:
        """Before the first change: what was computed from the dataset is stale from here on."""
        if self._grows and not (self.moved if moves else self._announced):
            if moves:
                self.card = replace(self._raised(), changing=True)
            self._store.save_card(self.card)
            self._announced, self.moved = True, self.moved or moves

    def finish(self) -> None:
        """After the last change: what was computed meanwhile, from a part of it, is stale too.

        So is what was computed after an earlier ingest was stopped in the middle.
        """
        if self.moved or (self._grows and self.card.changing):
            self.card = replace(self._raised(), changing=False)
            self._store.save_card(self.card)

    def _raised(self) -> DatasetCard:
        return replace(self.card, version=self.card.version + 1)

    def _embedded(self, records: list[Record]) -> list[Record]:
        if self._embedder is None:
            return records
        if len(self._known) > VECTORS_REMEMBERED:
            self._known.clear()
        new = list(dict.fromkeys(r.text for r in records if r.text not in self._known))
        if new:
            vectors = np.asarray(self._embedder.embed(new), dtype=np.float32)
            self._known.update(zip(new, vectors, strict=True))
        return [replace(record, vector=self._known[record.text]) for record in records]

"""From a source of rows to the records of a dataset: read it all once, then write it in batches.

In: a request (which source, which columns, which embedder) and the dataset's name; out: the card of
the dataset and what became of the rows. The first pass, the survey, writes nothing: it plans the
columns, counts, and samples texts to fit an embedder on. So whatever is wrong with the source is
said before the store changes, and the second pass knows how much there is to do.

A kill at any point loses nothing, by the order of the writes. A dataset is what its card in the
catalogue names; a collection that no card names is a leftover, which the next ingest or deletion
drops.

A dataset that is new or replaced:

1. The fit of the embedder, then the collection, under a name of its own. Killed here: leftovers.
2. Where the name has no card yet, one marked `pending`, which is in no list. Killed from here on,
   the next ingest goes on in that collection, and skips the records that are there.
3. The records. Killed here, a dataset to be replaced is untouched: its card names the old ones.
4. The card without `pending`: in one write the new collection takes the old one's place.
5. What the card does not name is dropped. Killed here: leftovers.
6. The cache of what `cluster` would read back, where the records were few enough to be kept.

A dataset that gets more rows:

1. Before the first write that changes a text or vector: the card, its version raised, marked
   `changing`. What was computed before is stale, and nothing is kept of what is computed now.
2. The records, by id. Killed here, `changing` stays, and the same ingest skips what is there.
3. The version raised again, `changing` taken off: what was computed of a part is stale, too.

A change of metadata alone raises no version; the card, with any new columns, is written before it.
"""

import random
import shutil
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import chain, islice
from pathlib import Path
from typing import Any, TypeAlias

from numpy.typing import NDArray

from corpuscope.tools.analysis.language import foreign_language
from corpuscope.tools.core.errors import BadInput
from corpuscope.tools.core.masking import masked_text
from corpuscope.tools.core.schema import COLUMN, NO_MASK, DatasetCard, Mask, Watch
from corpuscope.tools.embedding.factory import fit_embedder, open_embedder
from corpuscope.tools.embedding.masked import with_mask
from corpuscope.tools.embedding.spec import AUTO, LEXICAL, Embedder, TextFacts
from corpuscope.tools.ingestion.batch_writer import BatchWriter
from corpuscope.tools.ingestion.columns import SAMPLE_ROWS, ColumnPlan, ColumnRequest, plan_columns
from corpuscope.tools.ingestion.mojibake import mended_rows
from corpuscope.tools.ingestion.observations import Observations, Observer
from corpuscope.tools.ingestion.readers import read_rows
from corpuscope.tools.ingestion.records import BuiltBatch, RecordBuilder, RowTally
from corpuscope.tools.ingestion.row_vectors import check_vector_count, open_vectors
from corpuscope.tools.ingestion.rows import BadRow, Row, inline_rows
from corpuscope.tools.store.collections import is_collection_of, new_collection_name
from corpuscope.tools.store.rows import RecordColumns
from corpuscope.tools.workspace.reading import keep_records
from corpuscope.tools.workspace.workspace import Workspace

SURVEY_TEXTS = 50_000
"""Enough texts to fit a vocabulary on; more cost time and memory and change little."""

KEPT_BYTES = 192 * 2**20
"""Records made in the first pass and their vectors are kept for the second, up to this size: enough
for 74,000 headlines with 384 numbers each. Larger sources are read twice, in a stream."""

RECORD_BYTES = 300
"""What a record takes in memory beside its text, metadata and vector: Python's objects."""

SURVEY_SHARE = 0.05
"""The share of the progress that the survey takes."""

RowSource: TypeAlias = Path | list[dict[str, Any]]


@dataclass(frozen=True)
class IngestRequest:
    """What the client asked for; None, or `auto` as the embedding, where it is left to us."""

    source: RowSource
    text_columns: list[str] | None
    id_column: str | None
    vector_column: str | None
    metadata_columns: list[str] | None
    embedding: str
    limit: int | None
    vectors: NDArray[Any] | None = None
    """(rows, dim), where the vectors come from a file of their own."""
    encoding: str | None = None
    """Of a text file; None: it is detected."""
    mend: bool = False
    """Whether strings that were decoded wrongly once are mended."""
    mask: Mask = NO_MASK
    """What vectors and keywords are made without; nothing: as in the dataset that is there."""

    @property
    def brings_vectors(self) -> bool:
        """Whether nothing has to be embedded."""
        return self.vectors is not None or self.vector_column is not None


@dataclass(frozen=True)
class IngestOutcome:
    """What an ingest did: the dataset's card afterwards, and what became of the rows."""

    card: DatasetCard
    columns: ColumnPlan
    tally: RowTally
    note: str
    """Where the vectors come from, in a sentence or two."""
    count: int
    """Records in the dataset now."""
    added: int
    updated: int
    unchanged: int
    observed: Observations
    """Of the source."""


@dataclass(frozen=True)
class _Survey:
    """What the first pass tells the second."""

    columns: ColumnPlan
    tally: RowTally
    texts: list[str]
    """A random sample of at most `SURVEY_TEXTS`; empty where the vectors come with the rows."""
    dim: int
    """Numbers in each vector that comes with the rows; 0 where none do."""
    observed: Observations
    batches: list[BuiltBatch] | None
    """All records, where they take no more than `KEPT_BYTES`."""

    def fits(self, dim: int) -> bool:
        """Whether the records may be kept in memory with vectors of `dim` numbers, too."""
        return self.batches is not None and self.tally.made * dim * 4 <= KEPT_BYTES


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


def ingest_records(
    workspace: Workspace, watch: Watch, name: str, request: IngestRequest, *, anew: bool
) -> IngestOutcome:
    """Read the source into the dataset `name`, in the order of writes that the module explains.

    The caller holds the dataset's lock. `anew`: what the dataset holds is replaced.

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
        # So that an ingest that is killed can go on in this collection; in no list until it ends.
        store.save_card(replace(card, pending=True))
    writer = BatchWriter(store, card, embedder, grows=old is not None)
    batches: Iterable[BuiltBatch] | None = survey.batches
    if batches is None:
        builder = RecordBuilder(survey.columns, request.vectors, workspace.redact)
        batches = builder.build(_open_rows(workspace, request))
    writer.write(
        batches,
        survey.tally.read,
        lambda done, message: watch.report(SURVEY_SHARE + (1 - SURVEY_SHARE) * done, message),
        keep=old is None and survey.fits(card.dim),
    )
    writer.finish()
    count = store.count(writer.card)
    card = replace(writer.card, pending=False, records=count)
    if card != writer.card:
        # Only now, when all is there, does the new collection take an old one's place.
        store.save_card(card)
    if old is None or old.pending:
        drop_leftovers(workspace, name, card)
    if writer.written and count == writer.counts[0]:
        keep_records(workspace, card, writer.written)
    return IngestOutcome(
        card, survey.columns, survey.tally, note, count, *writer.counts, survey.observed
    )


def _starts_anew(present: DatasetCard | None, request: IngestRequest) -> bool:
    """Whether a first ingest that did not end is dropped: it was to be by another embedder."""
    if present is None or not present.pending:
        return False
    other_mask = bool(request.mask) and request.mask != present.mask
    return other_mask or request.embedding not in (AUTO, present.embedding)


def drop_leftovers(workspace: Workspace, name: str, kept: DatasetCard | None) -> None:
    """Drop the collections and fits of the dataset that killed or replaced ingests left behind.

    The caller holds the dataset's lock. `kept`: the card whose own stay; None drops all.
    """
    keep = kept.collection if kept else ""
    workspace.store.drop_collections_of(name, keep)
    for folder in (workspace.home / "datasets").glob("*"):
        if folder.name != keep and is_collection_of(name, folder.name):
            shutil.rmtree(folder, ignore_errors=True)


def _open_rows(workspace: Workspace, request: IngestRequest) -> Iterator[Row | BadRow]:
    source = request.source
    rows = (
        read_rows(source, max_bytes=workspace.files.max_bytes, encoding=request.encoding)
        if isinstance(source, Path)
        else inline_rows(source)
    )
    return islice(mended_rows(rows) if request.mend else rows, request.limit)


def _survey_source(
    workspace: Workspace, request: IngestRequest, old: DatasetCard | None
) -> _Survey:
    rows = _open_rows(workspace, request)
    head = list(islice(rows, SAMPLE_ROWS))
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
        kept_bytes += _memory_of(batch.records)
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
    return _Survey(columns, tally, sample.texts, dim, observer.observations(), kept)


class _TextSample:
    """At most `SURVEY_TEXTS` of the texts that come by, each equally likely to be among them.

    By reservoir sampling (Vitter's algorithm R).
    """

    def __init__(self) -> None:
        self.texts: list[str] = []
        self._seen = 0
        self._chooser = random.Random(0)

    def add(self, texts: list[str]) -> None:
        for text in texts:
            self._seen += 1
            if len(self.texts) < SURVEY_TEXTS:
                self.texts.append(text)
            elif (place := self._chooser.randrange(self._seen)) < SURVEY_TEXTS:
                self.texts[place] = text


def _memory_of(records: RecordColumns) -> int:
    """About the bytes that records take."""
    vectors = 0 if records.vectors is None else records.vectors.nbytes
    strings = sum(map(len, records.texts)) + sum(map(len, records.metadata))
    return vectors + strings + len(records) * RECORD_BYTES


def _start_dataset(
    workspace: Workspace,
    request: IngestRequest,
    survey: _Survey,
    name: str,
) -> tuple[DatasetCard, Embedder | None, str]:
    card = DatasetCard(
        name=name,
        collection=new_collection_name(name),
        embedding=COLUMN,
        dim=survey.dim or 2,
        text_columns=list(survey.columns.text),
        id_column=survey.columns.id,
        metadata_columns=survey.columns.metadata,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        mask=request.mask,
    )
    folder = workspace.dataset_folder(card)
    spec = request.embedding
    if spec == AUTO:
        spec = COLUMN if request.brings_vectors else workspace.default_embedding
    if not request.brings_vectors:
        if spec == COLUMN:
            raise BadInput("embedding 'column' needs vector_column: a column or a .npy file.")
        foreign = foreign_language(survey.texts) if spec == AUTO else None
        facts = TextFacts(survey.tally.made, foreign)
        texts = [masked_text(text, card.mask) for text in survey.texts]
        fitted = fit_embedder(spec, texts, workspace.embedders.options, folder, facts)
        card = replace(card, embedding=fitted.embedder.spec, dim=fitted.embedder.dim)
        workspace.store.create(card)
        return card, with_mask(fitted.embedder, card.mask), fitted.note
    note = "They came with the file."
    if spec == COLUMN:
        has_full_text = workspace.store.has_full_text()
        card = replace(card, full_text=has_full_text)
        means = "matches words" if has_full_text else "cannot be used on this old Milvus server"
        note += f" No model is named for them, so `search` {means}."
    else:
        embedder = open_embedder(spec, workspace.embedders.options, folder)
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
    if request.mask and request.mask != old.mask:
        raise BadInput(
            f"'{old.name}' masks {old.mask}, this call {request.mask}; its texts all have the same "
            "mask. Leave `mask` and `stop_words` out to add rows, or use mode='replace'."
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

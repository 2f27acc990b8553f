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

Where the disk is full, what was written of a dataset that is new or replaced is given back.

A change of metadata alone raises no version; the card, with any new columns, is written before it.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from corpuscope.tools.analysis.language import foreign_language
from corpuscope.tools.core.errors import BadInput, SystemFailure
from corpuscope.tools.core.masking import masked_text
from corpuscope.tools.core.schema import COLUMN, DatasetCard, Watch
from corpuscope.tools.embedding.factory import fit_embedder, open_embedder
from corpuscope.tools.embedding.masked import with_mask
from corpuscope.tools.embedding.spec import AUTO, LEXICAL, Embedder, TextFacts
from corpuscope.tools.ingestion.batch_writer import BatchWriter, check_room
from corpuscope.tools.ingestion.columns import ColumnPlan
from corpuscope.tools.ingestion.observations import Observations
from corpuscope.tools.ingestion.records import BuiltBatch, RecordBuilder, RowTally
from corpuscope.tools.ingestion.request import IngestRequest, open_rows
from corpuscope.tools.ingestion.survey import SURVEY_SHARE, Survey, survey_source
from corpuscope.tools.readers.encodings import encoding_notes
from corpuscope.tools.store.collections import new_collection_name
from corpuscope.tools.store.deletion import drop_kept_folders, set_runs_aside
from corpuscope.tools.workspace.reading import keep_records
from corpuscope.tools.workspace.workspace import Workspace


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
    encoding: list[str]
    """What to tell of its encoding."""


def ingest_records(
    workspace: Workspace, watch: Watch, name: str, request: IngestRequest, *, anew: bool
) -> IngestOutcome:
    """Read the source into the dataset `name`, in the order of writes that the module explains.

    The caller holds the dataset's lock. `anew`: what the dataset holds is replaced.

    Raises:
        BadInput: The source, or how it fits the dataset that is there.
        Unavailable: The embedder's model or package is missing.
        SystemFailure: The disk is full: a new dataset is gone, of one that grows the rows stay
            that were added.
    """
    store = workspace.store
    store.finish_deletion(name)
    present = store.find(name)
    old = None if anew or _starts_anew(present, request) else present
    survey = survey_source(workspace, request, old, watch.report)
    request = survey.request
    drop_leftovers(workspace, name, present)
    if present is None or present.pending:
        set_runs_aside(workspace.home, name)
    if old is None:
        card, embedder, note = _start_dataset(workspace, request, survey, name)
    else:
        card, embedder, note = _extend_dataset(workspace, request, survey, old)
    if present is None:
        # So that an ingest that is killed can go on in this collection; in no list until it ends.
        store.save_card(replace(card, pending=True))
    writer = BatchWriter(store, card, embedder, grows=old is not None)
    try:
        _write_records(workspace, watch, survey, writer)
    except SystemFailure:
        # Half a new dataset is in no list: nobody could delete it from the full disk.
        if present is None:
            store.drop(card)
        if old is None:
            drop_leftovers(workspace, name, present)
        raise
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
        card,
        survey.columns,
        survey.tally,
        note,
        count,
        *writer.counts,
        survey.observed,
        [] if request.file is None else encoding_notes(request.file),
    )


def _write_records(workspace: Workspace, watch: Watch, survey: Survey, writer: BatchWriter) -> None:
    """The second pass: from the rows, or what was kept of them, to records in the store."""
    request, read, dim = survey.request, survey.tally.read, writer.card.dim
    if not writer.grows:
        room = survey.bytes_with(dim)
        check_room(workspace.store, room, f"{survey.tally.made:,} records")
    batches: Iterable[BuiltBatch] | None = survey.batches
    if batches is None:
        builder = RecordBuilder(survey.columns, request.vectors, workspace.redact)
        batches = builder.build(open_rows(request))
    writer.write(
        batches,
        read,
        lambda done, message: watch.report(SURVEY_SHARE + (1 - SURVEY_SHARE) * done, message),
        keep=not writer.grows and survey.fits(dim),
    )
    writer.finish()


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
    drop_kept_folders(workspace.home, name, keep)


def _start_dataset(
    workspace: Workspace,
    request: IngestRequest,
    survey: Survey,
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
    folder.mkdir(parents=True, exist_ok=True)  # nobody else makes it: it goes with the dataset
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
    workspace: Workspace, request: IngestRequest, survey: Survey, old: DatasetCard
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

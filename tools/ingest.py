"""The tool `ingest`: from a file or rows to records with vectors in the store."""

import time
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field

from corpuscope.tools.core.errors import BadInput
from corpuscope.tools.core.ids import dataset_name
from corpuscope.tools.core.masking import parse_mask
from corpuscope.tools.core.schema import DatasetCard, Result, Run, Verbatim, Watch
from corpuscope.tools.embedding.spec import AUTO
from corpuscope.tools.ingestion.advice import advise
from corpuscope.tools.ingestion.columns import ColumnPlan
from corpuscope.tools.ingestion.loading import IngestOutcome, ingest_records
from corpuscope.tools.ingestion.records import RowTally
from corpuscope.tools.ingestion.request import IngestRequest, with_vector_file
from corpuscope.tools.store.locks import dataset_lock
from corpuscope.tools.workspace.workspace import Workspace

MAX_INLINE_ROWS = 2_000
"""Inline rows travel through the chat; more of them belong into a file."""

EXAMPLES_SHOWN = 5
"""Rows that the answer names for each kind of trouble."""

ColumnNames = Annotated[
    list[str] | None, Field(description="Column names; left out: guessed, and the answer says so.")
]


class IngestResult(Result):
    """What an ingest did."""

    dataset: Verbatim
    asked_for: Verbatim | None
    """The name that the client said, where another was made of it."""
    records: int
    """In the dataset now."""
    rows_read: int
    added: int
    updated: int
    unchanged: int
    empty: int
    bad: int
    bad_examples: list[str]
    repeated_texts: int
    text_columns: list[Verbatim]
    id_column: Verbatim | None
    metadata_columns: dict[str, str]
    embedding: Verbatim
    embedding_note: Verbatim
    masked: str | None
    """What vectors and keywords are made without."""
    warnings: list[Verbatim]
    newest_run: Verbatim | None
    """Of the whole dataset, if it is still of these records and not of replaced ones."""
    in_no_run: int
    """Records that the newest run does not know; 0 where there is no run."""
    seconds: float

    def as_text(self) -> str:
        """What was read, what was not and why, and what comes next."""
        columns = ", ".join(f"{name} ({kind})" for name, kind in self.metadata_columns.items())
        spelt = f" (the name made of '{self.asked_for}')" if self.asked_for else ""
        rate = self.rows_read / max(self.seconds, 0.001)
        lines = [
            f"Dataset '{self.dataset}'{spelt} has {self.records:,} records: {self.added:,} added, "
            f"{self.updated:,} updated, {self.unchanged:,} unchanged, from {self.rows_read:,} rows "
            f"in {self.seconds:.1f} s ({rate:,.0f} rows/s).",
            f"Text: {', '.join(self.text_columns)}. Metadata: {columns or 'none'}. "
            f"Id: {self.id_column or 'the text itself'}.",
            f"Vectors: {self.embedding}. {self.embedding_note}".rstrip(),
        ]
        if self.masked:
            lines.append(f"Left out of keywords, and of vectors made here: {self.masked}.")
        if self.repeated_texts:
            lines.append(
                f"{self.repeated_texts:,} records repeat the text of another one; "
                "clustering counts them all and looks at each text once."
            )
        if self.empty:
            lines.append(f"{self.empty:,} rows without text skipped.")
        if self.bad:
            lines.append(f"{self.bad:,} bad rows skipped: {'; '.join(self.bad_examples)}")
        lines += self.warnings
        if self.newest_run and self.in_no_run:
            lines.append(
                f"{self.in_no_run:,} new records are in no run yet: "
                f"cluster(dataset='{self.dataset}', assign=True) puts them into the clusters of "
                f"{self.newest_run} in seconds, cluster(dataset='{self.dataset}') finds clusters "
                "anew and says what changed."
            )
        elif self.added or self.updated:
            lines.append(f"Next: cluster(dataset='{self.dataset}').")
        else:
            lines.append("Nothing changed: runs that there are still hold.")
        return "\n".join(lines)


def ingest(
    workspace: Workspace,
    watch: Watch,
    dataset: Annotated[
        str, Field(description="Name to give it; kept as lower-case letters, digits and _.")
    ],
    path: Annotated[
        str | None,
        Field(
            description="File: csv, tsv, json, jsonl, parquet, xlsx; text formats also as .gz. "
            "Must lie in an allowed folder."
        ),
    ] = None,
    rows: Annotated[
        list[dict[str, Any]] | None,
        Field(
            max_length=MAX_INLINE_ROWS, description="Rows instead of a file: objects of columns."
        ),
    ] = None,
    text_columns: ColumnNames = None,
    id_column: Annotated[
        str | None,
        Field(description="Column that identifies a row; left out: the text does."),
    ] = None,
    vector_column: Annotated[
        str | None,
        Field(
            description="Column that holds vectors, or the path of a .npy file with one vector per "
            "row; then nothing is embedded."
        ),
    ] = None,
    metadata_columns: Annotated[
        list[str] | None,
        Field(description="Columns to keep for filters and colours; left out: all others."),
    ] = None,
    embedding: Annotated[
        str,
        Field(
            description="auto, wordllama (English, in seconds), lexical (words, any language), "
            "onnx:…, openai:…, sentence-transformers:…, bge-m3, model2vec:…. With "
            "vector_column: the model that made the vectors, for search."
        ),
    ] = "auto",
    mask: Annotated[
        list[str] | None,
        Field(
            description="Kept out of vectors and keywords, still shown and searched: handles, "
            "urls, emails, numbers. Stays with the dataset."
        ),
    ] = None,
    stop_words: Annotated[
        list[str] | None, Field(description="Words of your own to keep out likewise.")
    ] = None,
    mend: Annotated[
        bool, Field(description="Mend texts that were decoded wrongly before (donâ€™t).")
    ] = False,
    mode: Annotated[
        Literal["append", "replace"],
        Field(description="append: add and update; replace: drop the dataset's old records."),
    ] = "append",
    encoding: Annotated[
        str | None, Field(description="Of a text file (cp1252, mac_roman, …); left out: detected.")
    ] = None,
    limit: Annotated[
        int | None, Field(ge=1, description="Read only this many rows, to try out.")
    ] = None,
) -> IngestResult:
    """Read texts from a file (or rows) into a dataset and embed them: the first step.

    Text columns are guessed when not given. Other columns become metadata to filter and colour
    by. Safe to repeat: the same file adds nothing, an interrupted ingest goes on. Rows without
    text and bad rows are skipped, counted and named. A long ingest becomes a job.
    """
    begun = time.monotonic()
    name = dataset_name(dataset)
    wanted = parse_mask(mask, stop_words)
    if (path is None) == (rows is None):
        raise BadInput("Give either `path` (a file) or `rows` (a list of objects), and not both.")
    request = IngestRequest(
        source=rows if rows is not None else workspace.files.readable(str(path)),
        text_columns=text_columns,
        id_column=id_column,
        vector_column=vector_column,
        metadata_columns=metadata_columns,
        embedding=embedding,
        limit=limit,
        encoding=encoding,
        mend=mend,
        mask=wanted,
    )
    request = with_vector_file(request, workspace)
    with dataset_lock(workspace.home, name):
        outcome = ingest_records(workspace, watch, name, request, anew=mode == "replace")
    asked = None if dataset == name else dataset
    return _result(workspace, request, outcome, asked, begun)


def _newest_run(workspace: Workspace, card: DatasetCard) -> Run | None:
    """The run into whose clusters new records can be put."""
    if not workspace.runs.ids(card.name):
        return None
    run = workspace.runs.load(card.name)
    whole = run.parameters.get("where") is None and run.collection == card.collection
    return run if whole else None


def _result(
    workspace: Workspace,
    request: IngestRequest,
    outcome: IngestOutcome,
    asked: str | None,
    begun: float,
) -> IngestResult:
    tally = outcome.tally
    newest = _newest_run(workspace, outcome.card)
    return IngestResult(
        dataset=outcome.card.name,
        asked_for=asked,
        records=outcome.count,
        rows_read=tally.read,
        added=outcome.added,
        updated=outcome.updated,
        unchanged=outcome.unchanged,
        empty=tally.empty,
        bad=tally.bad,
        bad_examples=[
            f"row {number}: {reason}" for number, reason in tally.bad_rows[:EXAMPLES_SHOWN]
        ],
        repeated_texts=tally.repeated_texts,
        text_columns=list(outcome.columns.text),
        id_column=outcome.columns.id,
        metadata_columns=dict(outcome.columns.metadata),
        embedding=outcome.card.embedding,
        embedding_note=outcome.note,
        masked=str(outcome.card.mask) if outcome.card.mask else None,
        warnings=[
            *outcome.encoding,
            *_warnings(outcome.columns, tally),
            *advise(outcome, request, _said_again(request, outcome.card)),
            *_vectors_beside(request),
        ],
        newest_run=newest.id if newest else None,
        # Nothing takes records out of a dataset: what the run does not count, it does not know.
        in_no_run=max(0, outcome.count - newest.records) if newest else 0,
        seconds=round(time.monotonic() - begun, 2),
    )


def _said_again(request: IngestRequest, card: DatasetCard) -> dict[str, object]:
    """The arguments of the call, without those that were left out."""
    source = request.source
    given: dict[str, object] = {
        "text_columns": request.text_columns,
        "id_column": request.id_column,
        "vector_column": request.vector_column,
        "metadata_columns": request.metadata_columns,
        "embedding": None if request.embedding == AUTO else request.embedding,
        "mask": list(request.mask.kinds),
        "stop_words": list(request.mask.words),
        "mend": request.mend,
        "encoding": request.encoding,
    }
    named = {"path": str(source)} if isinstance(source, Path) else {}
    return {"dataset": card.name, **named, **{name: v for name, v in given.items() if v}}


def _vectors_beside(request: IngestRequest) -> list[str]:
    """Whether vectors seem to lie beside the file and were not asked for."""
    if request.brings_vectors or not isinstance(request.source, Path):
        return []
    stem = request.source.name.partition(".")[0]
    return [
        f"{file.name} lies beside the file: if it holds its vectors, they are likely better. "
        f"Ingest again with vector_column='{file.name}' and mode='replace'."
        for file in sorted(request.source.parent.glob("*.npy"))
        if file.name.partition(".")[0] == stem
    ]


def _warnings(columns: ColumnPlan, tally: RowTally) -> list[str]:
    warnings = [columns.guessed] if columns.guessed else []
    if tally.cut:
        rows = ", ".join(map(str, tally.cut_rows[:EXAMPLES_SHOWN]))
        warnings.append(
            f"{tally.cut:,} texts were longer than Milvus' 65,535 bytes and were cut: rows {rows}"
            f"{', …' if tally.cut > EXAMPLES_SHOWN else '.'}"
        )
    if tally.cut_values:
        warnings.append(f"{tally.cut_values:,} long metadata values were cut to 1,000 characters.")
    for column, count in tally.misfits.items():
        warnings.append(
            f"{count:,} values of '{column}' are not {columns.metadata[column]}s: empty."
        )
    return warnings

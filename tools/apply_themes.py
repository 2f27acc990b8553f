"""The tool `apply-themes`: where texts go in the themes of a run, or of a codebook."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from corpuscope.tools.core.errors import BadInput
from corpuscope.tools.core.schema import DatasetCard, Floats, GroupOffsets, Scalar
from corpuscope.tools.core.text import shorten
from corpuscope.tools.ingestion.cells import MetadataReader, read_texts
from corpuscope.tools.runs.regardless import read_metadata
from corpuscope.tools.schemes.asked_texts import (
    check_texts,
    comparable_corpus,
    dataset_embedder,
    group_codes,
    without_groups,
)
from corpuscope.tools.schemes.codebook import read_codebook
from corpuscope.tools.schemes.placed import (
    ApplyThemesResult,
    applied_themes,
    basis_sentence,
    placed_text,
)
from corpuscope.tools.schemes.scheme import Scheme, codebook_scheme, fit_texts, run_scheme
from corpuscope.tools.workspace.arguments import DatasetName, RunId
from corpuscope.tools.workspace.selection import select, shown_text, shown_texts
from corpuscope.tools.workspace.workspace import Workspace

MOST_PAIRS = 500_000_000
"""Texts times members that are compared in one call: twelve seconds of one core, of 384 numbers."""

PAGE_TEXTS, TEXT_CHARACTERS = 40, 160
"""Texts on a page, and the most that is shown of one: the caller has them, and data and text stay
below 25 kB each."""


@dataclass(frozen=True, eq=False)
class Asked:
    """The texts of a call: `ids` (n,), `vectors` (m, dim) of the distinct ones, `copies_of` (n,)
    which each has. Where they came with the call, their `texts` (n,) and `rows` (n,); else the
    `dataset` whose records they are. `notes`: what to know of them."""

    ids: list[str]
    vectors: Floats
    copies_of: NDArray[np.integer]
    texts: list[str] | None = None
    rows: Sequence[dict[str, Any]] = ()
    dataset: DatasetCard | None = None
    notes: tuple[str, ...] = ()


def apply_themes(
    workspace: Workspace,
    texts: Annotated[
        list[str | dict[str, Any]] | None,
        Field(description="Texts, or rows with the dataset's columns."),
    ] = None,
    from_dataset: Annotated[
        str | None, Field(description="Or all of another dataset of the same embedding.")
    ] = None,
    dataset: DatasetName = None,
    run: RunId = None,
    codebook: Annotated[
        str | None,
        Field(description="File (csv, json, yaml) with title, definition, examples of each theme."),
    ] = None,
    offset: Annotated[int, Field(ge=0, description="Texts to skip.")] = 0,
) -> ApplyThemesResult:
    """Say which theme of a run, or of a codebook, new texts fit, or why none; with the runner-up.

    The answer says how often members held back came to their theme at these thresholds. Nothing
    is saved: to keep texts, `ingest` them and call cluster(assign=true).
    """
    _check_arguments(texts, from_dataset, codebook, run)
    selection = None if codebook is not None else select(workspace, dataset, run)
    card = selection.card if selection else workspace.store.card(dataset)
    # What is asked is read first: what is wrong with it is told before members are compared.
    if from_dataset is not None:
        asked = _asked_dataset(workspace, card, from_dataset)
    else:
        asked = _asked_inline(workspace, card, texts or [])
    if selection is not None:
        scheme = run_scheme(workspace, selection)
    else:
        path = workspace.files.readable(str(codebook))
        scheme = codebook_scheme(
            workspace, card, dataset_embedder(workspace, card), read_codebook(path)
        )
    _check_pairs(asked, scheme, card)
    if scheme.offsets is not None:
        asked = _across_groups(workspace, card, scheme.offsets, asked)
    distinct = fit_texts(scheme, asked.vectors)
    fits = [distinct[copy] for copy in asked.copies_of]
    told = applied_themes(scheme, fits)
    order = list(range(len(fits)))
    if from_dataset is not None:
        # Theme by theme, as they are counted, and what fits none at the end.
        place = {theme.id: at for at, theme in enumerate(told)}
        order.sort(
            key=lambda at: (not fits[at].fits, place.get(scheme.ids[fits[at].nearest], len(told)))
        )
    page = order[offset : offset + PAGE_TEXTS]
    shown = _shown(workspace, asked, page)
    after = offset + len(page)
    checks = scheme.checks
    return ApplyThemesResult(
        dataset=card.name,
        run=selection.run.id if selection else None,
        codebook=path.name if selection is None else None,
        asked=len(fits),
        fitting=sum(fit.fits for fit in fits),
        themes_there=len(scheme.ids),
        themes=told,
        held_back=sum(check.held_back for check in checks),
        came_back=sum(check.came_back for check in checks),
        to_others=sum(check.others for check in checks),
        noise_tried=scheme.noise_tried,
        noise_taken=sum(check.noise for check in checks),
        basis=basis_sentence(scheme, card.name),
        notes=list(asked.notes),
        offset=offset,
        next_offset=after if after < len(order) else None,
        texts=[
            placed_text(scheme, fits[at], asked.ids[at], shorten(text, TEXT_CHARACTERS))
            for at, text in zip(page, shown, strict=True)
        ],
    )


def _check_arguments(
    texts: list[str | dict[str, Any]] | None,
    from_dataset: str | None,
    codebook: str | None,
    run: str | None,
) -> None:
    if bool(texts) == (from_dataset is not None):
        raise BadInput(
            "Give either `texts` (a list of texts or rows, with one at least) or `from_dataset` "
            "(the name of a dataset), and not both."
        )
    if codebook is not None and run is not None:
        raise BadInput(
            "Give a codebook or a run, not both: with a codebook leave run out; `dataset` says "
            "whose model compares."
        )


def _asked_inline(
    workspace: Workspace, card: DatasetCard, given: Sequence[str | dict[str, Any]]
) -> Asked:
    """The texts of the call itself, embedded as the dataset's own were."""
    embedder = dataset_embedder(workspace, card)
    rows = [{"text": item} if isinstance(item, str) else item for item in given]
    texts = _read_texts(card, rows)
    check_texts(texts)
    vectors = embedder.embed(texts)
    # A blank text has a vector by some models, and says nothing all the same.
    vectors[[not text for text in texts]] = 0.0
    ids = [str(number) for number in range(1, len(texts) + 1)]
    return Asked(ids, vectors, np.arange(len(texts)), texts, rows)


def _asked_dataset(workspace: Workspace, card: DatasetCard, name: str) -> Asked:
    """The texts of another dataset, with the vectors that they have."""
    corpus = comparable_corpus(workspace, card, name)
    other = workspace.store.card(name)
    return Asked(corpus.ids, corpus.vectors, corpus.copies_of, dataset=other)


def _check_pairs(asked: Asked, scheme: Scheme, card: DatasetCard) -> None:
    """Raises BadInput where more is to be compared than a call has time for."""
    members = scheme.prototypes.count
    if asked.dataset is not None and len(asked.vectors) * members > MOST_PAIRS:
        raise BadInput(
            f"'{asked.dataset.name}' has {len(asked.vectors):,} texts to compare with {members:,}; "
            f"one call takes {MOST_PAIRS // members:,}. Ingest them into '{card.name}' and "
            "call cluster(assign=True), or ingest a part of them as a dataset."
        )


def _across_groups(
    workspace: Workspace, card: DatasetCard, offsets: GroupOffsets, asked: Asked
) -> Asked:
    """The same texts without what those of their groups share, where their columns are known."""
    if asked.dataset is not None:
        metadata = read_metadata(workspace, asked.dataset, asked.ids)
    else:
        metadata = _metadata(card, offsets.columns, asked.rows)
    vectors = asked.vectors[asked.copies_of]
    return replace(
        asked,
        vectors=without_groups(vectors, offsets, group_codes(offsets, metadata)),
        copies_of=np.arange(len(vectors)),
        notes=tuple(_missing_groups(offsets.columns, metadata)),
    )


def _read_texts(card: DatasetCard, cells: Sequence[dict[str, Any]]) -> list[str]:
    """The text of each row: of the dataset's text columns, or of `text` where it has none."""
    texts = []
    for number, row in enumerate(cells, 1):
        columns = [name for name in card.text_columns if name in row] or ["text"]
        if columns == ["text"] and "text" not in row:
            there = ", ".join(str(name)[:40] for name in [*row][:10]) or "no column"
            raise BadInput(
                f"Row {number} has no text: it has {there}; '{card.name}' takes its text from "
                f"{', '.join(card.text_columns)}. Name the column so, or `text`."
            )
        read, wrong = read_texts([row], columns)
        if wrong:
            raise BadInput(f"Row {number}: {wrong[0]}. Give a text there.")
        texts += read
    return texts


def _metadata(
    card: DatasetCard, columns: Sequence[str], cells: Sequence[dict[str, Any]]
) -> list[dict[str, Scalar]]:
    """Of each row those of these columns that it has, as values of the dataset's types."""
    read = MetadataReader({name: card.metadata_columns.get(name, "string") for name in columns})
    return [
        {name: value for name, value in values.items() if name in row}
        for values, row in zip(read.read(cells).values, cells, strict=True)
    ]


def _missing_groups(columns: Sequence[str], rows: Sequence[dict[str, Scalar]]) -> list[str]:
    """That columns which the run looks past were not given with the texts."""
    missing = [column for column in columns if not all(column in row for row in rows)]
    if not missing:
        return []
    named = " and ".join(missing)
    return [
        f"The run looks past {named}, which not all texts came with: what texts of one {named} "
        f"share is still in them. Rows such as {{'text': …, '{missing[0]}': …}} lose that too."
    ]


def _shown(workspace: Workspace, asked: Asked, page: list[int]) -> list[str]:
    """The texts of a page as they may be shown; of one that is gone meanwhile, nothing."""
    if asked.texts is not None:
        return [shown_text(workspace, asked.texts[at]) for at in page]
    assert asked.dataset is not None
    ids = [asked.ids[at] for at in page]
    found = shown_texts(workspace, asked.dataset, ids)
    return [found.get(record, "") for record in ids]

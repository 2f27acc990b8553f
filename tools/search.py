"""The tool `search`."""

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Annotated, Literal

import numpy as np
from pydantic import BeforeValidator, Field

from corpuscope.tools.core.errors import BadInput, NotFound
from corpuscope.tools.core.excerpts import (
    COLUMNS_SHOWN,
    PAGE_CHARACTERS,
    metadata_line,
    shortened_values,
)
from corpuscope.tools.core.schema import (
    COLUMN,
    NOISE,
    DatasetCard,
    Members,
    Record,
    Result,
    Scalar,
    Verbatim,
)
from corpuscope.tools.core.text import shorten
from corpuscope.tools.embedding.spec import LEXICAL
from corpuscope.tools.store.filters import ids_expression
from corpuscope.tools.store.neighbour_search import MAX_HITS
from corpuscope.tools.store.rows import Hit
from corpuscope.tools.tables.where import MAX_LIST, parse_where
from corpuscope.tools.workspace.arguments import (
    DatasetName,
    LayerIndex,
    RunId,
    WhereFilter,
    as_id,
)
from corpuscope.tools.workspace.selection import (
    Selection,
    cluster_records,
    labels,
    select,
    shown_record,
    shown_text,
    theme_places,
)
from corpuscope.tools.workspace.slices import IN_NOISE, cluster_mask, theme_column
from corpuscope.tools.workspace.tables import record_table, where_ids, where_rows
from corpuscope.tools.workspace.workspace import Workspace

FEW_WORDS = 3
"""A query of more is a sentence, which stands in no other text."""

QUOTED = re.compile(r"[\"\u201c\u201e](.+)[\"\u201c\u201d]", re.DOTALL)

THEMES_COUNTED = 5


class SearchHit(Result):
    """One record found."""

    id: Verbatim
    text: str
    score: float
    cluster: Verbatim | None
    """The theme that it is in, or the part of it found by drilling down; None where the dataset
    has no run."""
    theme: str | None
    """That cluster's title, or its first keywords."""
    metadata: dict[str, Scalar]

    def as_text(self) -> str:
        """The record in a line or more."""
        place = f", in {self.cluster}: {self.theme}" if self.cluster else ""
        if self.cluster == NOISE:
            place = f", {NOISE}"
        return f"[{self.id}] ({self.score:.3f}{place}) {self.text}{metadata_line(self.metadata)}"


class ThemeTotal(Result):
    """How many records of a theme have the words in their text."""

    cluster: Verbatim
    theme: str
    records: int

    def as_text(self) -> str:
        """The count, and the theme."""
        return f"{self.records:,} in {self.cluster}{f' {self.theme}' if self.theme else ''}"


class WordTotal(Result):
    """How many records have the words of a query in their text, exactly."""

    words: str
    records: int
    """Within the cluster and filter of the search, where it has such."""
    themes: list[ThemeTotal]
    """Those with most of them, `noise` included; none where the dataset has no run."""

    def as_text(self) -> str:
        """The total, and where most of them are."""
        where = f": {'; '.join(one.as_text() for one in self.themes)}" if self.themes else ""
        return f"'{self.words}' is in the text of {self.records:,} records{where}."


class SearchResult(Result):
    """The records nearest to a query."""

    dataset: Verbatim
    run: Verbatim | None
    query: str
    by: Literal["vectors", "words"]
    note: str | None
    total: WordTotal | None
    """Of a query of few words, or in quotation marks."""
    hits: list[SearchHit]

    def as_text(self) -> str:
        """The exact total, where there is one, and the hits, the nearest first."""
        lines = [self.total.as_text()] if self.total else []
        head = f"{len(self.hits)} records of '{self.dataset}' nearest to '{self.query}':"
        lines.append(
            head if self.hits else f"Nothing found in '{self.dataset}' for '{self.query}'."
        )
        return "\n".join(lines + [hit.as_text() for hit in self.hits] + [self.note or ""]).strip()


def search(
    workspace: Workspace,
    query: Annotated[str, Field(min_length=1, max_length=2000, description="What to look for.")],
    dataset: DatasetName = None,
    run: RunId = None,
    cluster: Annotated[
        str | None,
        BeforeValidator(as_id),
        Field(description="Only in this cluster (3, 3.1 or noise)."),
    ] = None,
    layer: LayerIndex = None,
    where: WhereFilter = None,
    fields: Annotated[
        list[str] | None,
        Field(
            max_length=COLUMNS_SHOWN,
            description="Metadata columns to show; left out: the first dozen with a value; "
            "[] none.",
        ),
    ] = None,
    limit: Annotated[int, Field(ge=1, le=100, description="Records to return.")] = 10,
) -> SearchResult:
    """Find the records nearest in meaning to a query, with the cluster each is in.

    Use it to find which theme something belongs to, or to check whether a theme exists. Of up to
    three words, or "words in quotation marks", it also says in how many texts they stand. The
    query is embedded by the dataset's own model; where the vectors came without one, records
    that share words with the query are found instead, and the result says so.
    """
    card = workspace.store.card(dataset)
    _check_fields(card, fields)
    has_run = bool(workspace.runs.ids(card.name))
    if cluster is not None and not has_run:
        raise NotFound(f"'{card.name}' is not clustered yet: call `cluster` first.")
    selection = select(workspace, card.name, run, layer) if has_run else None
    members = workspace.runs.members(selection.run) if selection else None
    expression, fitting_ids = _bounds(workspace, card, where)
    inside = _inside(selection, members, cluster)
    if fitting_ids is not None:
        inside = fitting_ids if inside is None else inside & fitting_ids
    # Milvus does not know the clusters: ask for more until enough of them are inside.
    wanted = limit
    while True:
        hits = [] if inside == set() else _hits(workspace, card, query, wanted, expression)
        fitting = [hit for hit in hits if inside is None or hit.record.id in inside]
        if len(fitting) >= limit or len(hits) < wanted or wanted >= MAX_HITS:
            break
        wanted = min(wanted * 8, MAX_HITS)
    places = _places(selection, members, [hit.record.id for hit in fitting[:limit]])
    themes = labels(selection.run, selection.descriptions) if selection else {}
    return SearchResult(
        dataset=card.name,
        run=selection.run.id if selection else None,
        query=query,
        by="words" if card.full_text else "vectors",
        note=_note(card),
        total=_total(workspace, card, selection, query, (cluster, where)),
        hits=[
            SearchHit(
                id=record.id,
                text=shorten(record.text, PAGE_CHARACTERS // limit),
                score=round(score, 4),
                cluster=places.get(record.id),
                theme=themes.get(str(places.get(record.id))),
                metadata=shortened_values(record.metadata),
            )
            for record, score in (
                (shown_record(workspace, _with_fields(hit.record, fields)), hit.score)
                for hit in fitting[:limit]
            )
        ],
    )


def _places(
    selection: Selection | None, members: Members | None, ids: Sequence[str]
) -> dict[str, str]:
    """The theme of each of these records that is in the run."""
    if selection is None or members is None:
        return {}
    wanted = set(ids)
    pairs = zip(members.ids, members.paths.tolist(), strict=True)
    known = {id_: path for id_, path in pairs if id_ in wanted}
    place = theme_places(selection.run, known.values())
    return {id_: place[path] for id_, path in known.items()}


def _check_fields(card: DatasetCard, fields: list[str] | None) -> None:
    if unknown := [name for name in fields or () if name not in card.metadata_columns]:
        raise BadInput(
            f"No metadata column '{shorten(unknown[0], 40)}' to show. "
            f"Columns: {', '.join(card.metadata_columns) or 'none'}."
        )


def _with_fields(record: Record, fields: list[str] | None) -> Record:
    """A record with these columns alone, in their order; with all of them for None."""
    if fields is None:
        return record
    return replace(record, metadata={name: record.metadata.get(name) for name in fields})


def _total(
    workspace: Workspace,
    card: DatasetCard,
    selection: Selection | None,
    query: str,
    bounds: tuple[str | None, WhereFilter],
) -> WordTotal | None:
    """In how many texts the words of a query stand; None for one that is a sentence."""
    quoted = QUOTED.fullmatch(query.strip())
    words = quoted[1].strip() if quoted else query.strip()
    if not words or (not quoted and len(words.split()) > FEW_WORDS):
        return None
    table = record_table(workspace, card)
    has = table.with_part(words) & where_rows(workspace, card, bounds[1])
    current = selection is not None and selection.run.collection == card.collection
    if selection is None or not current:
        return WordTotal(words=words, records=int(has.sum()), themes=[])
    if bounds[0] is not None:
        has &= cluster_mask(workspace, selection, bounds[0])
    column = theme_column(workspace, selection)
    # The first place is that of the noise.
    counts = np.bincount(column.codes[has & (column.codes >= IN_NOISE)] - IN_NOISE)
    names = [(NOISE, ""), *((theme.id, selection.label(theme)) for theme in column.themes)]
    most = [at for at in np.argsort(-counts, kind="stable")[:THEMES_COUNTED] if counts[at]]
    themes = [
        ThemeTotal(cluster=names[at][0], theme=names[at][1], records=int(counts[at])) for at in most
    ]
    return WordTotal(words=words, records=int(has.sum()), themes=themes)


def _bounds(
    workspace: Workspace, card: DatasetCard, where: WhereFilter
) -> tuple[str, set[str] | None]:
    """A filter as Milvus takes it; where it cannot, the ids that fit: as its filter, or, where
    they are too many for one, beside it."""
    expression = workspace.store.expression(parse_where(where, card.metadata_columns))
    if expression is not None:
        return expression, None
    fitting = where_ids(workspace, card, where or {})
    if len(fitting) <= MAX_LIST:
        return ids_expression(sorted(fitting)), None
    return "", fitting


def _hits(
    workspace: Workspace, card: DatasetCard, query: str, limit: int, expression: str
) -> list[Hit]:
    if card.full_text:
        hits = workspace.store.search_words(card, query, limit, expression)
        return [hit for hit in hits if hit.score > 0]
    if card.embedding == COLUMN:
        raise BadInput(
            f"'{card.name}' has vectors without a model, and its Milvus server no search by words "
            "(that came with 2.5). Ingest it again with `embedding` set to the vectors' model."
        )
    embedder = workspace.embedders.of(card, workspace.dataset_folder(card))
    vector = embedder.embed_query(query)
    if not vector.any():
        asked = shorten(shown_text(workspace, query), 60)
        raise BadInput(f"'{asked}' has no word that the dataset knows. Use other words.")
    if embedder.dim != card.dim:
        raise BadInput(
            f"The model {card.embedding} makes vectors of {embedder.dim} numbers, the dataset's "
            f"have {card.dim}: it is not the one that made them. Ingest again with the right one."
        )
    return workspace.store.search_vectors(card, vector, limit, expression)


def _inside(
    selection: Selection | None, members: Members | None, cluster: str | None
) -> set[str] | None:
    if cluster is None or selection is None or members is None:
        return None
    run = selection.run
    known = cluster in (NOISE, *run.grouped)
    if not known and all(node.id != cluster for node in run.nodes):
        raise NotFound(f"No cluster '{cluster[:20]}' in run {run.id}. See `list-clusters`.")
    return cluster_records(run, members, cluster)


def _note(card: DatasetCard) -> str | None:
    if card.embedding == LEXICAL:
        return (
            "The vectors are lexical: a hit shares words or parts of words with the query, not "
            "its meaning. Try several exact words, or read the titles with `list-clusters`."
        )
    if not card.full_text:
        return None
    return (
        "Found by matching words (BM25): the vectors came from a file and no embedding was named. "
        "To search by meaning, ingest again with mode=replace and embedding set to their model."
    )

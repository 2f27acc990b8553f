"""A dataset, or a part of it, in memory: its texts and vectors, and what is known of them already.

In comes a dataset's card, and ids where only a part is meant; out come its distinct texts and unit
vectors, from the cache where they were read before, else from the store.
"""

import shutil
from collections.abc import Collection, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from hashlib import blake2b
from pathlib import Path

import numpy as np

from corpuscope.tools.clustering.corpus import Corpus, DistinctTexts, sub_corpus
from corpuscope.tools.clustering.memory import Intermediates, NoIntermediates, PartIntermediates
from corpuscope.tools.clustering.nuisance import NO_GROUP, take_off
from corpuscope.tools.clustering.pipeline import NeighbourSearch, search_in_memory
from corpuscope.tools.core.errors import NotFound, NotReady
from corpuscope.tools.core.schema import DatasetCard, GroupOffsets, Ints, Members, Report, Run
from corpuscope.tools.geometry.graph import NeighbourGraph, graph_from_lists, usual_neighbours
from corpuscope.tools.store.rows import RecordColumns
from corpuscope.tools.store.store import Store
from corpuscope.tools.workspace.cache import Cache
from corpuscope.tools.workspace.workspace import Workspace

MOST_BY_LITE = 5_000
"""Texts whose neighbours Milvus Lite searches in half a minute."""


MOST_BY_SERVER = 100_000
"""The same for a server, in a minute or less."""


@dataclass(frozen=True)
class LoadedDataset:
    """The texts and vectors to work on, and what earlier runs found out about them; `as_stored`:
    whether the vectors are those that the store has."""

    corpus: Corpus
    memory: Intermediates
    as_stored: bool = True


def load_dataset(
    workspace: Workspace, card: DatasetCard, chosen: Collection[str] | None = None
) -> LoadedDataset:
    """All records of a dataset, or the chosen ones that it has; from the cache where that can be.

    Raises:
        NotReady: The dataset grew while it was read.
    """
    whole = _whole(workspace, card)
    return whole if chosen is None else part_of(whole, chosen)


def load_run(
    workspace: Workspace,
    card: DatasetCard,
    run: Run,
    members: Members,
    *,
    all_records: bool = False,
) -> LoadedDataset:
    """The records of a run as they were clustered: with what was taken off their vectors then.

    With `all_records` also those of the dataset that the run does not know, as they are.

    Raises:
        NotReady: The dataset grew while it was read.
    """
    whole = _whole(workspace, card)
    offsets = workspace.runs.offsets(run) if run.regardless_of else None
    if offsets is not None:
        row_of = {record: row for row, record in enumerate(members.ids)}
        # The last row is that of the records that the run does not know.
        known = np.concatenate((offsets.codes, np.full((1, len(offsets.columns)), NO_GROUP)))
        rows = [row_of.get(record, -1) for record in whole.corpus.ids]
        whole = without_offsets(whole, offsets, known[rows])
    return whole if all_records else part_of(whole, members.ids)


def without_offsets(loaded: LoadedDataset, offsets: GroupOffsets, codes: Ints) -> LoadedDataset:
    """Records with the offsets of their groups, `codes` (n, columns), taken off their vectors.

    What is known of them is known by these vectors: metadata change while a dataset stays as it is.
    """
    corpus = take_off(loaded.corpus, offsets, codes)
    key = blake2b(corpus.vectors.tobytes(), digest_size=8).hexdigest()
    return LoadedDataset(corpus, loaded.memory.of_other_vectors(key), as_stored=False)


def _whole(workspace: Workspace, card: DatasetCard) -> LoadedDataset:
    if card.changing:
        return LoadedDataset(read_corpus(workspace.store, card), NoIntermediates())
    cache = _cache_of(workspace, card)
    corpus = cache.corpus()
    if corpus is None:
        corpus = read_corpus(workspace.store, card)
        cache.keep_corpus(corpus)
    return LoadedDataset(corpus, cache)


def _cache_of(workspace: Workspace, card: DatasetCard) -> Cache:
    return Cache(folder_of(workspace, card) / "cache", card.version)


def folder_of(workspace: Workspace, card: DatasetCard) -> Path:
    """Where a dataset keeps what is no record; it is there as long as the dataset is.

    Raises:
        NotFound: The dataset was deleted meanwhile.
    """
    folder = workspace.dataset_folder(card)
    if not folder.is_dir():
        # Older versions did not make it for every dataset. Looked up afterwards, so that a deletion
        # either is seen here, or finds the folder.
        with suppress(OSError):  # without it nothing is kept, which costs time alone
            folder.mkdir(parents=True, exist_ok=True)
        present = workspace.store.find(card.name)
        if present is None or present.collection != card.collection:
            shutil.rmtree(folder, ignore_errors=True)
            raise NotFound(f"Dataset '{card.name}' was deleted or replaced meanwhile.")
    return folder


def keep_records(workspace: Workspace, card: DatasetCard, written: Sequence[RecordColumns]) -> None:
    """Keep what was just written as the whole dataset, so that nobody has to read it back.

    `written`: every record of the dataset, in any order, each once, with its vector. They are kept
    as `read_corpus` would give them: in the order of their ids.
    """
    places = [(batch, at) for batch in written for at in range(len(batch))]
    places.sort(key=lambda place: place[0].ids[place[1]])
    points = DistinctTexts(len(places), card.dim)
    for batch, at in places:
        assert batch.vectors is not None
        points.add(batch.texts[at], batch.vectors[at])
    _cache_of(workspace, card).keep_corpus(points.corpus([b.ids[at] for b, at in places]))


def part_of(whole: LoadedDataset, chosen: Collection[str]) -> LoadedDataset:
    """The chosen ones of loaded records; a part's graph is what is left of the whole's."""
    ids, chosen = whole.corpus.ids, set(chosen)
    if len(chosen) >= len(ids) and set(ids) <= chosen:
        return whole
    corpus, rows = sub_corpus(whole.corpus, chosen)
    graph = whole.memory.known_graph(usual_neighbours(len(whole.corpus.texts)))
    memory: Intermediates = NoIntermediates()
    if graph is not None:
        memory = PartIntermediates(graph, rows, corpus.vectors)
    return LoadedDataset(corpus, memory, whole.as_stored)


def read_corpus(store: Store, card: DatasetCard) -> Corpus:
    """Read a dataset's records in a stream into one array.

    Raises:
        NotReady: The dataset grew while it was read.
    """
    count = store.count(card)
    points = DistinctTexts(count, card.dim)
    ids: list[str] = []
    for page in store.pages(card):
        for record, text, vector in zip(page.ids, page.texts, page.vectors, strict=True):
            if len(ids) == count:
                raise NotReady(f"'{card.name}' grew while it was read. Call again.")
            points.add(text, vector)
            ids.append(record)
    return points.corpus(ids)


def search_by_milvus(store: Store, card: DatasetCard, corpus: Corpus) -> NeighbourSearch:
    """The search by Milvus, over the dataset that the corpus was read from."""

    def search(k: int, report: Report) -> NeighbourGraph:
        first = [corpus.ids[at] for at in corpus.first]
        rows, cosines = store.neighbours(card, first, corpus.vectors, min(k, len(first)), report)
        graph = graph_from_lists(rows, cosines, np.arange(len(first)), "Milvus search")
        from corpuscope.tools.geometry.knn import RECALL_AT, sampled_recall

        asked = min(RECALL_AT, graph.indices.shape[1] - 1)
        recall = sampled_recall(corpus.vectors, asked, np.random.default_rng(0))
        provider = f"Milvus search, recall@{asked} {recall(graph.indices[:, 1:]):.3f}"
        return replace(graph, provider=provider)

    return search


def choose_search(store: Store, card: DatasetCard, corpus: Corpus, *, raw: bool) -> NeighbourSearch:
    """Who searches best: Milvus itself, or this process over the vectors that were read.

    For clusters in the graph or on the map the vectors are needed here anyway, and searching them
    here is faster: StackOverflow's 20,000 titles take 0.9 s, 10 s by a Milvus server on the same
    machine (2,000 a second with AUTOINDEX, 4 requests at a time) and 90 s by Milvus Lite (220 a
    second). The tutorial's way, clusters in the space of the vectors (`raw`), asks Milvus while
    that is bearable.
    """
    most = MOST_BY_LITE if store.location.is_lite else MOST_BY_SERVER
    if raw and len(corpus.texts) <= most:
        return search_by_milvus(store, card, corpus)
    return search_in_memory(corpus)

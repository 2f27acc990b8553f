"""Who searches the neighbours: Milvus itself, or this process over vectors read from it.

For clusters in the graph or on the map the vectors are needed here anyway, and searching them here
is faster: StackOverflow's 20,000 titles take 0.9 s, 10 s by a Milvus server on the same machine
(2,000 a second with AUTOINDEX, 4 requests at a time) and 90 s by Milvus Lite (220 a second). The
tutorial's way, clusters in the space of the vectors, asks Milvus while that is bearable.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import TypeAlias

import numpy as np

from corpuscope.tools.clustering.corpus import Corpus
from corpuscope.tools.clustering.graph import NeighbourGraph, listed, neighbour_graph
from corpuscope.tools.core.schema import DatasetCard, Report
from corpuscope.tools.store.store import Store

Search: TypeAlias = Callable[[int, Report], NeighbourGraph]
"""The graph with k neighbours of each distinct text, itself included; tells its progress."""

MOST_BY_LITE = 5_000
"""Texts whose neighbours Milvus Lite searches in half a minute."""

MOST_BY_SERVER = 100_000
"""The same for a server, in a minute or less."""


def in_memory(corpus: Corpus) -> Search:
    """The search over the vectors that were read."""
    return lambda k, _report: neighbour_graph(corpus.vectors, k=k)


def by_milvus(store: Store, card: DatasetCard, corpus: Corpus) -> Search:
    """The search by Milvus, over the dataset that the corpus was read from."""

    def search(k: int, report: Report) -> NeighbourGraph:
        first = [corpus.ids[at] for at in corpus.first]
        rows, cosines = store.neighbours(card, first, corpus.vectors, min(k, len(first)), report)
        found = listed(rows, cosines, np.arange(len(first)), "Milvus search")
        from corpuscope.tools.clustering.knn import RECALL_AT, sampled_recall

        asked = min(RECALL_AT, found.indices.shape[1] - 1)
        recall = sampled_recall(corpus.vectors, asked, np.random.default_rng(0))
        said = f"Milvus search, recall@{asked} {recall(found.indices[:, 1:]):.3f}"
        return replace(found, provider=said)

    return search


def chosen_search(store: Store, card: DatasetCard, corpus: Corpus, *, raw: bool) -> Search:
    """Who searches best; `raw` says that the clusters are to be in the space of the vectors."""
    most = MOST_BY_LITE if store.location.is_lite else MOST_BY_SERVER
    if raw and len(corpus.texts) <= most:
        return by_milvus(store, card, corpus)
    return in_memory(corpus)

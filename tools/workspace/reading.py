"""A dataset, or a part of it, in memory with what is known of it already."""

from collections.abc import Collection
from dataclasses import dataclass

from corpuscope.tools.clustering.corpus import Corpus, part_of, read_corpus
from corpuscope.tools.clustering.graph import usual_neighbours
from corpuscope.tools.core.schema import DatasetCard
from corpuscope.tools.workspace.cache import Cache, Memory, NoMemory, PartMemory
from corpuscope.tools.workspace.workspace import Workspace


@dataclass(frozen=True)
class Reading:
    """The texts and vectors to work on, and what earlier runs found out about them."""

    corpus: Corpus
    memory: Memory


def read(workspace: Workspace, card: DatasetCard, chosen: Collection[str] | None = None) -> Reading:
    """All records of a dataset, or the chosen ones that it has; from the cache where that can be.

    Raises:
        NotReady: The dataset grew while it was read.
    """
    if card.changing:
        whole = read_corpus(workspace.store, card)
        some = whole if chosen is None else part_of(whole, chosen)[0]
        return Reading(some, NoMemory())
    cache = Cache(workspace.dataset_folder(card) / "cache", card.version)
    whole = cache.corpus(lambda: read_corpus(workspace.store, card))
    if chosen is None or (len(chosen) >= len(whole.ids) and set(whole.ids) <= set(chosen)):
        return Reading(whole, cache)
    corpus, rows = part_of(whole, chosen)
    graph = cache.known_graph(usual_neighbours(len(whole.texts)))
    memory = PartMemory(graph, rows, corpus.vectors) if graph else NoMemory()
    return Reading(corpus, memory)

"""What is known of a corpus already: its graph, its node embedding, its map.

Clustering asks here before it works anything out. The cache on disk answers for whole datasets,
`PartIntermediates` for parts of one, `NoIntermediates` for all else.
"""

from collections.abc import Callable
from typing import Protocol

from corpuscope.tools.core.schema import Floats, Ints
from corpuscope.tools.geometry.graph import EXACT_UP_TO, NeighbourGraph, subgraph


class Intermediates(Protocol):
    """What is known of a corpus already: each answer is looked up, or worked out by `make`."""

    def graph(self, k: int, make: Callable[[], NeighbourGraph]) -> NeighbourGraph:
        """The graph of the corpus with k neighbours of each distinct text, itself included."""

    def known_graph(self, k: int) -> NeighbourGraph | None:
        """That graph where it is known, None where it is not."""

    def points(self, name: str, make: Callable[[], Floats]) -> Floats:
        """(m, d) places of its distinct texts: the node embedding or the map, under a name."""

    def of_other_vectors(self, key: str) -> "Intermediates":
        """What is known of the same texts with other vectors, of which `key` is a hash."""


class NoIntermediates:
    """Nothing is known: everything is worked out."""

    def graph(self, k: int, make: Callable[[], NeighbourGraph]) -> NeighbourGraph:
        """A new graph."""
        return make()

    def known_graph(self, k: int) -> NeighbourGraph | None:
        """None."""
        return None

    def points(self, name: str, make: Callable[[], Floats]) -> Floats:
        """New places."""
        return make()

    def of_other_vectors(self, key: str) -> Intermediates:
        """Nothing either."""
        return self


class PartIntermediates:
    """For a part of a dataset: its graph is what is left of that of the whole.

    `rows` (p,) are the points of the part among those of the whole, rising; `vectors` theirs.
    """

    def __init__(self, whole: NeighbourGraph, rows: Ints, vectors: Floats) -> None:
        self._whole, self._rows, self._vectors = whole, rows, vectors

    def graph(self, k: int, make: Callable[[], NeighbourGraph]) -> NeighbourGraph:
        """The graph of the whole, restricted; lists that became too short are searched anew.

        A large part is made from nothing: nearly every list has lost a neighbour there, and
        searching for all is quicker.
        """
        if k > self._whole.indices.shape[1] or len(self._rows) > EXACT_UP_TO:
            return make()
        return subgraph(self._whole, self._rows, self._vectors, k)

    def known_graph(self, k: int) -> NeighbourGraph | None:
        """None: a part's graph is made when it is asked for."""
        return None

    def points(self, name: str, make: Callable[[], Floats]) -> Floats:
        """New places: a part has a shape of its own."""
        return make()

    def of_other_vectors(self, key: str) -> Intermediates:
        """Nothing: the graph of the whole is that of its own vectors."""
        return NoIntermediates()

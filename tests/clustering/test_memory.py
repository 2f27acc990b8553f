"""The graph of a part of a dataset, from that of the whole where it serves."""

import numpy as np

from corpuscope.tools.clustering.memory import PartIntermediates
from corpuscope.tools.core.vectors import unit_rows
from corpuscope.tools.geometry.graph import NeighbourGraph, neighbour_graph


def search_now() -> NeighbourGraph:
    raise AssertionError("the whole has these neighbours")


def test_a_part_takes_its_neighbours_from_the_whole_unless_it_asks_for_more() -> None:
    vectors = unit_rows(np.random.default_rng(0).normal(size=(50, 12)))
    rows = np.arange(0, 50, 2, dtype=np.int32)
    memory = PartIntermediates(neighbour_graph(vectors, k=10), rows, vectors[rows])
    graph = neighbour_graph(vectors[rows], k=5)
    np.testing.assert_array_equal(memory.graph(5, search_now).indices, graph.indices)
    assert memory.graph(12, lambda: graph) is graph

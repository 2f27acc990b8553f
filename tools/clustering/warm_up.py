"""Compile, or load from numba's cache, every compiled step of clustering before it is needed.

Called when a worker starts, and once after the installation.
"""

import numpy as np

from corpuscope.tools.clustering.layers import density_layers, embedding_layer, flat_layer
from corpuscope.tools.core.vectors import unit_rows
from corpuscope.tools.geometry.graph import embed_nodes, neighbour_graph
from corpuscope.tools.geometry.projection import map_points

POINTS = 400
"""Enough for every branch that larger data takes; the work itself takes a fraction of a second."""


def warm_up() -> None:
    """Run the whole way once on made vectors: 5 s with a filled cache, minutes without."""
    from corpuscope.tools.geometry.knn import LARGEST_CELL, nearest_neighbours

    vectors = np.random.default_rng(0).normal(size=(POINTS, 32)).astype(np.float32)
    vectors = unit_rows(vectors)
    graph = neighbour_graph(vectors)
    nearest_neighbours(np.tile(vectors, (LARGEST_CELL // POINTS + 1, 1)), 10)
    points = embed_nodes(graph, vectors)
    density_layers(points)
    flat_layer(points, 5, 5)
    embedding_layer(graph, 5, 5)
    map_points(graph, vectors, points)

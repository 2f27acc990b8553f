"""From vectors to layers: which node embedding is taken."""

import numpy as np
from sklearn.metrics import adjusted_mutual_info_score

from corpuscope.tools.clustering.layers import choose_layers, density_layers
from corpuscope.tools.clustering.pipeline import TRIES, typical_embedding
from corpuscope.tools.core.schema import Floats, Ints
from corpuscope.tools.core.vectors import unit_rows
from corpuscope.tools.geometry.graph import embed_nodes, neighbour_graph


def vague_groups() -> Floats:
    """Vectors whose groups overlap, so that what is found depends on the seed."""
    random = np.random.default_rng(1)
    centres = np.repeat(random.normal(size=(12, 24)), 40, axis=0)
    return unit_rows(centres + 1.1 * random.normal(size=centres.shape))


def themes(points: Floats) -> Ints:
    choice = choose_layers(density_layers(points), np.ones(len(points), np.int32))
    return choice.layers[choice.recommended].labels


def test_of_few_texts_the_embedding_is_taken_whose_themes_the_others_have_too() -> None:
    vectors = vague_groups()
    graph = neighbour_graph(vectors)
    for seed in (0, 4):
        tries = [embed_nodes(graph, vectors, seed=TRIES * seed + at) for at in range(TRIES)]
        found = [themes(points) for points in tries]
        agreement = np.array(
            [[adjusted_mutual_info_score(one, other) for other in found] for one in found]
        )
        assert agreement.min() < 0.99, "the tries differ"
        chosen = typical_embedding(graph, vectors, seed=seed)
        assert np.array_equal(chosen, tries[int(agreement.sum(axis=1).argmax())], equal_nan=True)

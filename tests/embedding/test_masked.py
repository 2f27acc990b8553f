"""An embedder behind a mask."""

from collections.abc import Sequence

import numpy as np

from corpuscope.tools.core.schema import Floats, Mask
from corpuscope.tools.embedding.masked import with_mask


class Counting:
    """An embedder that notes what it is given, and whose vectors say which call they are of."""

    spec, dim = "counting", 2

    def __init__(self) -> None:
        self.seen: list[list[str]] = []

    def embed(self, texts: Sequence[str]) -> Floats:
        self.seen.append(list(texts))
        return np.array([[len(text), len(self.seen)] for text in texts], np.float32).reshape(-1, 2)

    def embed_query(self, text: str) -> Floats:
        row: Floats = self.embed([text])[0]
        return row


def test_texts_and_queries_are_masked_and_equal_ones_have_the_same_vector_in_every_batch() -> None:
    inner = Counting()
    masked = with_mask(inner, Mask(("handles",)))
    first = masked.embed(["@a thanks", "late", "@b thanks"])
    second = masked.embed(["thanks @c", "@d"])
    masked.embed_query("@a bag")
    assert inner.seen == [["thanks", "late"], ["@d"], ["bag"]]
    assert (first[0] == first[2]).all() and (first[0] == second[0]).all()
    assert (masked.spec, masked.dim, masked.embed([]).shape) == ("counting", 2, (0, 2))


def test_without_a_mask_it_is_the_embedder_itself() -> None:
    inner = Counting()
    assert with_mask(inner, Mask()) is inner

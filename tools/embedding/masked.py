"""An embedder that does not see what a dataset masks.

In: an embedder and the mask that is kept with the dataset; out: an embedder of the same spec, whose
texts and queries are masked first. Texts that are equal then have one vector, bit by bit.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from corpuscope.tools.core.masking import masked_text
from corpuscope.tools.core.schema import Floats, Mask
from corpuscope.tools.embedding.spec import Embedder

TEXTS_REMEMBERED = 20_000
"""Vectors of masked texts kept: a model may give equal texts of two batches vectors that differ in
the last bits, and such near-twins are no one point."""


def with_mask(embedder: Embedder, mask: Mask) -> Embedder:
    """The embedder behind a mask; itself where nothing is masked."""
    return _MaskedEmbedder(embedder, mask) if mask else embedder


@dataclass(frozen=True, eq=False)
class _MaskedEmbedder:
    inner: Embedder
    mask: Mask
    known: dict[str, Floats] = field(default_factory=dict)

    @property
    def spec(self) -> str:
        return self.inner.spec

    @property
    def dim(self) -> int:
        return self.inner.dim

    def embed(self, texts: Sequence[str]) -> Floats:
        left = [masked_text(text, self.mask) for text in texts]
        known = self.known if len(self.known) <= TEXTS_REMEMBERED else {}
        new = [text for text in dict.fromkeys(left) if text not in known]
        fresh = dict(zip(new, self.inner.embed(new), strict=True))
        rows = [fresh[text] if text in fresh else known[text] for text in left]
        if known is not self.known:
            self.known.clear()
        self.known.update(fresh)
        return np.array(rows, np.float32).reshape(len(left), self.dim)

    def embed_query(self, text: str) -> Floats:
        return self.inner.embed_query(masked_text(text, self.mask))

"""The texts and vectors of a dataset in memory, equal ones collapsed into one point.

In: records with a text and a unit vector each. Out: the distinct texts with a vector and the
number of their records. Texts are equal by comparison, vectors by a hash of their bytes.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from itertools import compress

import numpy as np
from numpy.typing import NDArray

from corpuscope.tools.core.schema import Floats, Ints


@dataclass(frozen=True)
class Corpus:
    """Records (n) and their distinct texts (m), in the order of the record ids.

    Records of equal text, or of equal vectors, are one distinct text. `ids` (n);
    `copies_of` (n,) int32: which distinct text each record has; `texts` (m);
    `vectors` (m, dim) float32, unit length; `first` (m,): the record that shows each text;
    `weights` (m,) int32: the records behind each text.
    """

    ids: list[str]
    copies_of: Ints
    texts: list[str]
    vectors: Floats
    first: NDArray[np.int64]
    weights: Ints


def collapse(ids: list[str], texts: Sequence[str], vectors: Floats) -> Corpus:
    """The corpus of n records whose texts and unit `vectors` (n, dim) float32 are in memory."""
    points = DistinctTexts(len(ids), vectors.shape[1])
    for text, vector in zip(texts, vectors, strict=True):
        points.add(text, vector)
    return points.corpus(ids)


def sub_corpus(whole: Corpus, chosen: Collection[str]) -> tuple[Corpus, Ints]:
    """The corpus of some of the records, by their ids.

    Returns:
        The records of the whole that are `chosen`, in its order, and (p,) which of its distinct
        texts they have, rising.
    """
    inside = np.fromiter((record_id in chosen for record_id in whole.ids), np.bool_, len(whole.ids))
    rows, first, copies_of = np.unique(
        whole.copies_of[inside], return_index=True, return_inverse=True
    )
    corpus = Corpus(
        ids=list(compress(whole.ids, inside)),
        copies_of=copies_of.astype(np.int32),
        texts=[whole.texts[row] for row in rows],
        vectors=whole.vectors[rows],
        first=first,
        weights=np.bincount(copies_of, minlength=len(rows)).astype(np.int32),
    )
    return corpus, rows


class DistinctTexts:
    """Distinct texts while the records of a dataset come by, at most `most` of them."""

    def __init__(self, most: int, dim: int) -> None:
        # One array from the start: a list of rows would need the memory twice when it is stacked.
        self._vectors = np.empty((most, dim), dtype=np.float32)
        self._copies_of: list[int] = []
        self._first: list[int] = []
        self._texts: list[str] = []
        self._of_text: dict[str, int] = {}
        self._of_vector: dict[bytes, int] = {}

    def add(self, text: str, vector: Floats) -> None:
        """One more record; equal vectors are one point too, they fill up a neighbourhood."""
        point = self._of_text.get(text)
        if point is None:
            key = blake2b(vector.tobytes(), digest_size=16).digest()
            point = self._of_text[text] = self._of_vector.setdefault(key, len(self._first))
            if point == len(self._first):
                self._first.append(len(self._copies_of))
                self._texts.append(text)
                self._vectors[point] = vector
        self._copies_of.append(point)

    def corpus(self, ids: list[str]) -> Corpus:
        """The records that were added as a corpus; `ids` (n) in the order they were added in."""
        copies_of = np.array(self._copies_of, dtype=np.int32)
        return Corpus(
            ids=ids,
            copies_of=copies_of,
            texts=self._texts,
            vectors=self._vectors[: len(self._first)],
            first=np.array(self._first, dtype=np.int64),
            weights=np.bincount(copies_of, minlength=len(self._first)).astype(np.int32),
        )

"""The texts and vectors of a dataset in memory, equal ones collapsed into one point."""

from collections.abc import Collection
from dataclasses import dataclass
from hashlib import blake2b

import numpy as np
from numpy.typing import NDArray

from corpuscope.tools.errors import NotReady
from corpuscope.tools.schema import DatasetCard, Floats, Ints
from corpuscope.tools.store import Store


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


def read_corpus(store: Store, card: DatasetCard, chosen: Collection[str] | None = None) -> Corpus:
    """Read a dataset's records, or the chosen ones, in a stream into one array.

    Raises:
        NotReady: The dataset grew while it was read.
    """
    count = store.count(card)
    vectors = np.empty((count, card.dim), dtype=np.float32)
    ids: list[str] = []
    copies: list[int] = []
    first: list[int] = []
    texts: list[str] = []
    of_text: dict[str, int] = {}
    of_vector: dict[bytes, int] = {}
    for rows in store.scan(card, ["id", "text", "vector"]):
        for row in rows:
            if chosen is not None and row["id"] not in chosen:
                continue
            if len(ids) == count:
                raise NotReady(f"'{card.name}' grew while it was read. Call again.")
            point = of_text.get(row["text"])
            if point is None:
                vector = np.asarray(row["vector"], dtype=np.float32)
                # Equal vectors are one point too: copies of each other fill up a neighbourhood.
                key = blake2b(vector.tobytes(), digest_size=16).digest()
                point = of_vector.setdefault(key, len(first))
                of_text[row["text"]] = point
                if point == len(first):
                    first.append(len(ids))
                    texts.append(row["text"])
                    vectors[point] = vector
            copies.append(point)
            ids.append(row["id"])
    copies_of = np.array(copies, dtype=np.int32)
    return Corpus(
        ids=ids,
        copies_of=copies_of,
        texts=texts,
        vectors=vectors[: len(first)],
        first=np.array(first, dtype=np.int64),
        weights=np.bincount(copies_of, minlength=len(first)).astype(np.int32),
    )

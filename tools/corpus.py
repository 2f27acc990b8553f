"""The texts and vectors of a dataset in memory, equal texts collapsed into one point."""

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from corpuscope.tools.errors import NotReady
from corpuscope.tools.schema import DatasetCard, Floats, Ints
from corpuscope.tools.store import Store


@dataclass(frozen=True)
class Corpus:
    """Records (n) and their distinct texts (m), in the order of the record ids.

    `ids` (n); `copies_of` (n,) int32: which distinct text each record has; `texts` (m);
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
    places: dict[str, int] = {}
    first: list[int] = []
    for rows in store.scan(card, ["id", "text", "vector"]):
        for row in rows:
            if chosen is not None and row["id"] not in chosen:
                continue
            if len(ids) == count:
                raise NotReady(f"'{card.name}' grew while it was read. Call again.")
            place = places.setdefault(row["text"], len(places))
            if place == len(first):
                first.append(len(ids))
                vectors[place] = row["vector"]
            copies.append(place)
            ids.append(row["id"])
    copies_of = np.array(copies, dtype=np.int32)
    return Corpus(
        ids=ids,
        copies_of=copies_of,
        texts=list(places),
        vectors=vectors[: len(places)],
        first=np.array(first, dtype=np.int64),
        weights=np.bincount(copies_of, minlength=len(places)).astype(np.int32),
    )

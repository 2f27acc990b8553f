"""Search by words: BM25 over the words that Milvus Lite keeps of each text.

In: live rows and a query's words; out: the best places and their scores, the same that Milvus Lite
finds word by word in Python: it counts the words of each file for themselves, and of what lies in
memory only those rows that fit the filter. Each file's words are sorted once.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from corpuscope.tools.lite.live import LiveRows, Part

_PAIR = np.dtype([("term", "<u4"), ("count", "<f4")])
"""How Milvus Lite packs a word of a text: its hash, and how often it is there."""


@dataclass(frozen=True, slots=True)
class Saturation:
    """The two constants of BM25."""

    k1: float
    b: float


@dataclass(frozen=True, slots=True, eq=False)
class Postings:
    """In which of n rows each of t words is: of word i the `rows` and `counts` from `starts[i]` to
    `starts[i + 1]`; `terms` (t,), their hashes, rise; `lengths` (n,) in words."""

    terms: NDArray[np.uint32]
    starts: NDArray[np.int64]
    rows: NDArray[np.int32]
    counts: NDArray[np.float32]
    lengths: NDArray[np.float32]

    def of(self, term: int) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
        """The rows that have a word, and how often."""
        at = int(np.searchsorted(self.terms, term))
        if at == len(self.terms) or self.terms[at] != term:
            return self.rows[:0], self.counts[:0]
        part = slice(self.starts[at], self.starts[at + 1])
        return self.rows[part], self.counts[part]


def postings_of(packed: Any) -> Postings:
    """The words of an Arrow column of packed pairs, none of them null."""
    _, offsets, data = packed.buffers()
    bounds = np.frombuffer(offsets, np.int32)[packed.offset : packed.offset + len(packed) + 1]
    ends = bounds.astype(np.int64) // _PAIR.itemsize
    # The buffer may be longer than what is used of it, by no whole pair.
    pairs: Any = np.frombuffer(data or b"", _PAIR, count=int(ends[-1]))[ends[0] :]
    rows = np.repeat(np.arange(len(packed), dtype=np.int32), np.diff(ends))
    order = np.argsort(pairs["term"], kind="stable")
    terms, starts = np.unique(pairs["term"][order], return_index=True)
    counts = np.ascontiguousarray(pairs["count"])
    lengths = np.bincount(rows, weights=counts, minlength=len(packed)).astype(np.float32)
    return Postings(terms, np.append(starts, len(order)), rows[order], counts[order], lengths)


def best_by_words(
    rows: LiveRows,
    words: Mapping[int, float],
    fitting: NDArray[np.bool_],
    limit: int,
    saturation: Saturation,
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """The `limit` best of the fitting rows that share a word: their places and scores, best first.

    Equal scores come in the order of Milvus Lite: as their first word stands in the query.
    """
    places = [np.zeros(0, np.int64)]
    scores = [np.zeros(0, np.float32)]
    for part, start in zip(rows.parts, rows.starts.tolist(), strict=True):
        found, score = _best_of_part(part, words, fitting[start : start + len(part)], saturation)
        best = _first(found, score, limit)
        places.append(found[best] + start)
        scores.append(score[best])
    all_places, all_scores = np.concatenate(places), np.concatenate(scores)
    order = np.argsort(-all_scores, kind="stable")[:limit]
    return all_places[order], all_scores[order].astype(np.float64)


def _best_of_part(
    part: Part, words: Mapping[int, float], fitting: NDArray[np.bool_], saturation: Saturation
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """The fitting rows that have a word, as their first word stands in the query; their scores."""
    postings = part.once.get("words", lambda: postings_of(part.column("words")))
    counted = None if part.segment is not None else fitting
    among = len(part) if counted is None else int(counted.sum())
    lengths = postings.lengths if counted is None else postings.lengths[counted]
    mean = float(lengths.sum(dtype=np.float64)) / max(1, among) or 1.0
    k1, b = saturation.k1, saturation.b
    scores = np.zeros(len(part), np.float32)
    first = np.full(len(part), len(words), np.int32)
    for place, (term, weight) in enumerate(words.items()):
        found, counts = postings.of(term)
        if counted is not None:
            counts, found = counts[counted[found]], found[counted[found]]
        rarity = math.log((among - len(found) + 0.5) / (len(found) + 0.5) + 1.0)
        worn = counts + k1 * (1.0 - b + b * postings.lengths[found] / mean)
        scores[found] += rarity * (counts * (k1 + 1.0) / worn) * weight
        first[found] = np.minimum(first[found], place)
    (there,) = np.nonzero(fitting & (first < len(words)))
    there = there[np.argsort(first[there], kind="stable")]
    return there, scores[there]


def _first(found: NDArray[np.int64], scores: NDArray[np.float32], limit: int) -> NDArray[np.int64]:
    """Where the highest scores are, the highest first, equal ones as they come."""
    if len(found) > limit:
        (kept,) = np.nonzero(scores >= np.partition(scores, -limit)[-limit])
    else:
        kept = np.arange(len(found))
    best: NDArray[np.int64] = kept[np.argsort(-scores[kept], kind="stable")][:limit]
    return best

"""Search by vectors: the nearest by cosine, over the vectors as Milvus Lite holds them.

In: live rows and vectors; out: the nearest places and their cosines, the same that Milvus Lite
finds with its index FLAT. It copies and normalises all vectors for each query.
"""

from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

from corpuscope.tools.lite.live import LiveRows

NUMBERS_AT_ONCE = 2**24
"""Cosines that are held at a time: 64 MiB."""


def nearest_rows(
    rows: LiveRows,
    vectors: NDArray[np.float32],
    fitting: NDArray[np.bool_],
    limit: int,
    check: Callable[[], None],
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.float64]]]:
    """For each vector (m, dim) the places of the `limit` nearest of the fitting rows, and their
    cosines, nearest first; `check` is called now and then, and may end it by raising."""
    units = vectors / _lengths(vectors)[:, None]
    out = np.flatnonzero(~fitting)
    block = max(1, NUMBERS_AT_ONCE // max(1, len(fitting)))
    for start in range(0, len(units), block):
        check()
        distances = _distances(rows, units[start : start + block])
        distances[:, out] = np.inf
        for each in distances:
            near = _smallest(each, min(limit, len(fitting) - len(out)))
            # A vector that is no number has no place, nor has a row in its stead.
            near = near[np.isfinite(each[near])]
            yield near, 1.0 - each[near].astype(np.float64)


def _distances(rows: LiveRows, units: NDArray[np.float32]) -> NDArray[np.float32]:
    """1 - cosine of each vector and each row, never below 0: (m, n)."""
    distances = np.empty((len(units), len(rows.live)), np.float32)
    for part, start in zip(rows.parts, rows.starts.tolist(), strict=True):
        lengths = part.once.get("lengths", lambda part=part: _lengths(part.vectors))  # type: ignore[misc]
        here = distances[:, start : start + len(part)]
        np.matmul(units, part.vectors.T, out=here)
        here /= lengths
    np.subtract(1.0, distances, out=distances)
    return np.maximum(distances, 0.0, out=distances)


def _lengths(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    """The length of each vector, (n,); 1 of one that has none, to divide by."""
    lengths: NDArray[np.float32] = np.sqrt(np.einsum("ij,ij->i", vectors, vectors))
    lengths[lengths == 0] = 1
    return lengths


def _smallest(distances: NDArray[np.float32], limit: int) -> NDArray[np.int64]:
    """Where the smallest are, the smallest first, equal ones in the order of their places."""
    if limit <= 0:
        return np.zeros(0, np.int64)
    if limit < len(distances):
        (kept,) = np.nonzero(distances <= np.partition(distances, limit - 1)[limit - 1])
    else:
        kept = np.arange(len(distances))
    near: NDArray[np.int64] = kept[np.argsort(distances[kept], kind="stable")][:limit]
    return near

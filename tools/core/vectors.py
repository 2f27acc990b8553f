"""Vectors of unit length, whose products are cosines."""

import numpy as np
from numpy.typing import NDArray

from corpuscope.tools.core.schema import Floats

SMALLEST = 1e-9
"""A mean shorter than this has no direction that means anything; it is not blown up to length 1."""


def unit_rows(vectors: NDArray[np.floating]) -> Floats:
    """The (n, dim) vectors as float32 rows of unit length; zero rows stay zero."""
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.asarray(vectors / np.where(lengths > 0, lengths, 1), dtype=np.float32)


def unit_mean(vectors: Floats) -> Floats:
    """The (dim,) mean direction of (n, dim) float32 rows, n at least 1."""
    mean: Floats = vectors.mean(axis=0)
    return mean / max(float(np.linalg.norm(mean)), SMALLEST)

"""Vectors made for size: a mixture of Gaussians whose components are known."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from bench.sets import LabelledSet
from corpuscope.tools.core.schema import Floats

COMPONENTS = 100
NOISE_SHARE = 0.10
"""Of the rows: uniform on the sphere, in no component."""

COPY_SHARE = 0.05
"""Of the rows: exact copies of others, text and vector."""

LATENT = 16
"""Directions in which a component spreads: vectors of real texts have few, too."""

SPREAD = (0.7, 1.1)
"""Length of the spread beside a centre of length 1: members have cosines of 0.45 to 0.67."""

FLATTEST = 10
"""The sizes fall as 1 / (rank + this): the largest component has ten times the smallest's."""

CHUNK = 20_000
"""Rows that are made at a time, so that there is no second copy of all of them in memory."""


def mixture(rows: int, dim: int = 384, seed: int = 0) -> LabelledSet:
    """`rows` vectors (rows, dim) float32 of unit length in mixed order; the label -1 is noise."""
    random = np.random.default_rng(seed)
    labels = _components(rows, random)
    vectors = np.empty((rows, dim), np.float32)
    for component in range(-1, COMPONENTS):
        members = np.flatnonzero(labels == component)
        if component < 0:
            for part in _chunks(members):
                vectors[part] = random.standard_normal((len(part), dim), np.float32)
        else:
            _fill(vectors, members, random)
    for part in _chunks(np.arange(rows)):
        vectors[part] /= np.linalg.norm(vectors[part], axis=1, keepdims=True)
    source = _copied(rows, random)
    for part in _chunks(np.flatnonzero(source != np.arange(rows))):
        vectors[part] = vectors[source[part]]
    return LabelledSet("made", [f"text {row}" for row in source], vectors, labels[source])


def _components(rows: int, random: np.random.Generator) -> NDArray[np.int32]:
    shares = 1.0 / (np.arange(COMPONENTS) + FLATTEST)
    chances = np.concatenate(([NOISE_SHARE], (1 - NOISE_SHARE) * shares / shares.sum()))
    return random.choice(np.arange(-1, COMPONENTS, dtype=np.int32), size=rows, p=chances)


def _fill(vectors: Floats, members: NDArray[np.int64], random: np.random.Generator) -> None:
    """One component: a random centre, and a spread in a few random directions around it."""
    dim = vectors.shape[1]
    centre = random.standard_normal((1, dim), np.float32)
    centre /= np.float32(np.linalg.norm(centre))
    axes = random.standard_normal((LATENT, dim), np.float32)
    axes *= np.float32(random.uniform(*SPREAD) / np.sqrt(LATENT * dim))
    for part in _chunks(members):
        vectors[part] = centre + random.standard_normal((len(part), LATENT), np.float32) @ axes


def _copied(rows: int, random: np.random.Generator) -> NDArray[np.int64]:
    """(rows,): the row that each row shows; the copies show one that is not a copy itself."""
    source = np.arange(rows)
    order = random.permutation(rows)
    copies, others = np.split(order, [int(COPY_SHARE * rows)])
    source[copies] = random.choice(others, size=len(copies))
    return source


def _chunks(rows: NDArray[np.int64]) -> Iterator[NDArray[np.int64]]:
    return (rows[start : start + CHUNK] for start in range(0, len(rows), CHUNK))

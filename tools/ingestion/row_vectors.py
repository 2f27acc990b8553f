"""Vectors that come with the rows: from a column of the source, or from a .npy file beside it.

In: cells, or rows of an array; out: for each a vector of unit length, or why it is none. A vector
is the same to the bit whatever rows it is worked out with: it is in the digest of its record.
"""

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from corpuscope.tools.core.errors import BadInput
from corpuscope.tools.core.schema import Floats

MAX_DIMENSION = 32_768
"""Milvus' limit on the numbers in a vector; its lower limit is 2."""

VectorOrReason: TypeAlias = Floats | str
"""(dim,) float32 of unit length, or what is wrong with the cell, in words."""


def unit_vectors(cells: Sequence[object]) -> list[VectorOrReason]:
    """The vector of each cell: a list or array of numbers, or its JSON."""
    arrays = [cell for cell in cells if isinstance(cell, np.ndarray)]
    alike = {(array.shape, array.dtype) for array in arrays}
    if len(arrays) == len(cells) and len(alike) == 1:
        ((shape, dtype),) = alike
        if len(shape) == 1 and dtype.kind in "fiu" and 2 <= shape[0] <= MAX_DIMENSION:
            return unit_block(np.stack(arrays))
    return [_unit_vector(cell) for cell in cells]


def unit_block(rows: NDArray[Any]) -> list[VectorOrReason]:
    """The vector of each row of (n, dim) numbers, dim from 2 to `MAX_DIMENSION`."""
    wide = rows.astype(np.float64)
    largest = np.abs(wide).max(axis=1, initial=0)
    fine = np.isfinite(largest) & (largest > 0)
    if not fine.all():
        return [_unit_vector(row) for row in rows]
    # Scaled first, so that squares neither overflow nor vanish.
    wide /= largest[:, None]
    # As numpy's norm of one vector does it: its sum over an axis differs in the last bit.
    wide /= np.array([math.sqrt(row.dot(row)) for row in wide])[:, None]
    return list(wide.astype(np.float32))


def _unit_vector(value: object) -> VectorOrReason:
    try:
        if isinstance(value, str):
            value = json.loads(value)
        vector = np.asarray(value, dtype=np.float64)
    except (TypeError, ValueError, OverflowError, RecursionError):
        return "its vector is not a list of numbers"
    if vector.ndim != 1 or not 2 <= len(vector) <= MAX_DIMENSION:
        shape = f"of shape {vector.shape}" if vector.ndim else repr(value)[:40]
        return f"its vector is {shape}, not a list of 2 to {MAX_DIMENSION:,} numbers"
    largest = np.abs(vector).max()
    if not np.isfinite(largest):
        return "its vector holds numbers that are missing or not finite"
    if largest == 0:
        return "its vector is all zeros, which has no direction"
    vector = vector / largest
    unit: Floats = (vector / np.linalg.norm(vector)).astype(np.float32)
    return unit


def open_vectors(path: Path, *, max_bytes: int) -> NDArray[Any]:
    """The vectors of a .npy file, (rows, dim) of any float or integer type, mapped, not read.

    Raises BadInput: no such file, larger than max_bytes, not a .npy of plain numbers, truncated,
    not two-dimensional, no rows, a dimension outside 2 to `MAX_DIMENSION`.
    """
    if not path.is_file():
        raise BadInput(f"{path} is not a file; check the path")
    size = path.stat().st_size
    if size > max_bytes:
        raise BadInput(f"{path.name}: holds {size:,} bytes, the limit is {max_bytes:,}")
    try:
        vectors = np.lib.format.open_memmap(path, mode="r")
    except (ValueError, OSError, EOFError, OverflowError) as error:
        raise BadInput(
            f"{path.name}: cannot be read as .npy ({error}); write it with numpy.save"
        ) from error
    if vectors.ndim != 2 or vectors.dtype.kind not in "fiu":
        raise BadInput(
            f"{path.name}: an array of shape {vectors.shape} and type {vectors.dtype}; expected "
            "(rows, dim) of floats, one row per row of the file"
        )
    rows, dim = vectors.shape
    if not rows or not 2 <= dim <= MAX_DIMENSION:
        raise BadInput(
            f"{path.name}: {rows} vectors of {dim} numbers; expected 2 to {MAX_DIMENSION:,} numbers"
        )
    return vectors


def check_vector_count(rows_read: int, vectors: NDArray[Any]) -> None:
    """Raises BadInput where the file had not as many rows as there are vectors."""
    if rows_read != len(vectors):
        raise BadInput(
            f"the file has {rows_read:,} rows (empty and bad ones included) and "
            f"{len(vectors):,} vectors; there must be one vector for each row"
        )

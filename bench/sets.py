"""The sets that are compared on: texts, their vectors, and where there are any, their labels."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from corpuscope.tools.core.schema import Floats, Ints

VECTORS = ".minilm.f16.npy"


@dataclass(frozen=True, eq=False)
class LabelledSet:
    """n texts, their unit `vectors` (n, dim) float32, and the true `labels` (n,), None if unknown.

    Methods are given texts and vectors; labels are for the measures alone.
    """

    name: str
    texts: list[str]
    vectors: Floats
    labels: Ints | None


def names(folder: Path) -> list[str]:
    """The sets of a folder: each a NAME.parquet beside its vectors."""
    stems = sorted(file.stem for file in folder.glob("*.parquet"))
    return [name for name in stems if (folder / f"{name}{VECTORS}").exists()]


def read(folder: Path, name: str) -> LabelledSet:
    """One set in memory, as a method is given it."""
    from pyarrow import parquet

    table = parquet.read_table(folder / f"{name}.parquet")
    vectors = np.load(folder / f"{name}{VECTORS}").astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    labels = None
    if "label" in table.column_names:
        given = table["label"].to_pylist()
        labels = np.unique(given, return_inverse=True)[1].astype(np.int32)
    return LabelledSet(name, table["text"].to_pylist(), vectors, labels)

"""Vectors that come with rows: the same to the bit alone and among others; files that hold none."""

from pathlib import Path

import numpy as np
import pytest

from corpuscope.tools.core.errors import BadInput
from corpuscope.tools.core.schema import Floats
from corpuscope.tools.ingestion.row_vectors import open_vectors, unit_block, unit_vectors


def one_by_one(row: np.ndarray) -> Floats:
    """As vectors were made when they were made one by one: in the digests of earlier versions."""
    vector = np.asarray(row, dtype=np.float64)
    vector = vector / np.abs(vector).max()
    unit: Floats = (vector / np.linalg.norm(vector)).astype(np.float32)
    return unit


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64, np.int8])
@pytest.mark.parametrize("dim", [2, 7, 384, 1023])
def test_vectors_of_a_block_are_those_made_one_by_one_to_the_bit(
    dim: int, dtype: type[np.generic]
) -> None:
    rows = (np.random.default_rng(dim).normal(size=(50, dim)) * 30).astype(dtype)
    rows[:, 0] = 1
    made = unit_block(rows)
    for vector, row in zip(made, rows, strict=True):
        assert not isinstance(vector, str)
        assert vector.tobytes() == one_by_one(row).tobytes()
    cells = unit_vectors(list(rows))
    assert [np.asarray(one).tobytes() for one in cells] == [np.asarray(m).tobytes() for m in made]


def test_a_wrong_vector_costs_none_of_its_neighbours() -> None:
    rows = np.random.default_rng(0).normal(size=(6, 5)).astype(np.float32)
    rows[1] = 0
    rows[3, 2] = np.nan
    rows[4, 0] = np.inf
    made = unit_block(rows)
    assert [isinstance(vector, str) for vector in made] == [False, True, False, True, True, False]
    assert "all zeros" in str(made[1]) and "not finite" in str(made[3])
    assert np.asarray(made[2]).tobytes() == one_by_one(rows[2]).tobytes()


def test_cells_of_several_lengths_and_kinds_are_vectors_each() -> None:
    cells: list[object] = [np.ones(2, np.float32), np.ones(3), "[3, 4]", [1, 0], None]
    made = unit_vectors(cells)
    assert [len(vector) for vector in made[:4]] == [2, 3, 2, 2]
    assert made[4] == "its vector is None, not a list of 2 to 32,768 numbers"
    assert all(isinstance(one, str) for one in unit_vectors([np.ones(1), np.ones(1)]))
    assert unit_vectors([]) == []


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (np.ones(3), r"shape \(3,\)"),
        (np.ones((2, 2), bool), "type bool"),
        (np.ones((2, 2), complex), "type complex128"),
        (np.zeros((2, 2), [("a", float)]), "expected .rows, dim. of floats"),
        (np.ones((0, 4)), "0 vectors"),
        (np.ones((4, 1)), "of 1 numbers"),
        (np.array([[1, None]], object), "Python objects"),
        (np.ones((100, 100)), "the limit is 10,000"),
    ],
    ids=["1d", "bool", "complex", "fields", "no rows", "one number", "objects", "large"],
)
def test_an_array_that_is_no_table_of_vectors_is_refused(
    tmp_path: Path, array: np.ndarray, message: str
) -> None:
    path = tmp_path / "a.npy"
    np.save(path, array)
    with pytest.raises(BadInput, match=message):
        open_vectors(path, max_bytes=10_000)


def test_a_file_that_is_no_sound_npy_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.npy"
    with pytest.raises(BadInput, match="is not a file"):
        open_vectors(path, max_bytes=10_000)
    np.save(path, np.ones((2, 2)))
    whole = path.read_bytes()
    for content in (b"", b"junk", b"\x80\x04\x95 pickle", whole[:-5], whole.replace(b"{", b"[")):
        path.write_bytes(content)
        with pytest.raises(BadInput, match=r"cannot be read as \.npy"):
            open_vectors(path, max_bytes=10_000)

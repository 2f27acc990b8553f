"""What is made of good and bad parquet files."""

from pathlib import Path

import numpy as np
import pytest
from support.file_rows import Read, rows_of, short, values

from corpuscope.tools.core.errors import BadInput
from corpuscope.tools.readers.parquet_files import NOT_READ
from corpuscope.tools.readers.rows import Row


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.parquet", b"PAR1 not parquet", "cannot be read as parquet"),
    ],
    ids=short,
)
def test_what_is_no_table_is_refused(read: Read, name: str, content: bytes, message: str) -> None:
    with pytest.raises(BadInput, match=message):
        read(name, content)


def test_parquet_keeps_types_and_gives_vectors_as_arrays(tmp_path: Path) -> None:
    import pyarrow as pa
    from pyarrow import parquet

    path = tmp_path / "a.parquet"
    moment = pa.array([1_714_069_444_123_456_789, None], pa.timestamp("ns", "Europe/Berlin"))
    table = pa.table(
        {
            "text": ["a", None],
            "n": [1, 2],
            "when": moment,
            "far": pa.array([300_000_000_000, 0], pa.timestamp("s")),
            "vector": pa.array([[1.0, 2.0], None], pa.list_(pa.float32())),
            "label": pa.array(["x", "x"]).dictionary_encode(),
            "tags": [["t"], []],
        }
    )
    parquet.write_table(table, path)
    first, second = list(rows_of(path))
    assert isinstance(first, Row) and isinstance(second, Row)
    vector = first.values.pop("vector")
    assert isinstance(vector, np.ndarray) and vector.tolist() == [1.0, 2.0]
    assert first == Row(
        1,
        {
            "text": "a",
            "n": 1,
            "when": "2024-04-25 18:24:04.123456789Z",
            "far": "11476-08-15 05:20:00.000",
            "label": "x",
            "tags": NOT_READ,
        },
    )
    assert second.values["vector"] is None and second.values["when"] is None


@pytest.mark.parametrize("fixed", [False, True], ids=["lists", "lists of one length"])
def test_vectors_of_parquet_come_whole_whatever_stands_between_them(
    tmp_path: Path, fixed: bool
) -> None:
    import pyarrow as pa
    from pyarrow import parquet

    path = tmp_path / "a.parquet"
    sound: list[list[float | None] | None] = [[float(n), n + 0.5] for n in range(600)]
    lists = [*sound[:400], None, [1.0, None], *sound[402:]]
    for cells in (sound, lists):
        missing = [400] if cells is lists else []
        kind = pa.list_(pa.float32(), 2) if fixed else pa.list_(pa.float32())
        odd: list[list[float]] = [] if fixed else [[], [1.0, 2.0, 3.0]]
        table = pa.table({"vector": pa.array([*cells, *odd], kind)}).slice(3)
        parquet.write_table(table, path)
        rows = values(list(rows_of(path)))
        for number, (row, cell) in enumerate(zip(rows, [*cells, *odd][3:], strict=True), 3):
            vector = row["vector"]
            if number in missing:
                assert vector is None
            else:
                assert isinstance(vector, np.ndarray) and cell is not None
                np.testing.assert_array_equal(vector, np.array(cell, np.float32))


def test_parquet_is_measured_unpacked(tmp_path: Path) -> None:
    import pyarrow as pa
    from pyarrow import parquet

    path = tmp_path / "a.parquet"
    parquet.write_table(pa.table({"text": ["same text again"] * 100_000}), path)
    assert path.stat().st_size < 100_000
    with pytest.raises(BadInput, match=r"unpacks to 400,000 bytes, the limit is 100,000"):
        list(rows_of(path, max_bytes=100_000))


def test_parquet_with_repeated_names_and_broken_utf8_is_refused(tmp_path: Path) -> None:
    import pyarrow as pa
    from pyarrow import parquet

    path = tmp_path / "a.parquet"
    column = pa.array(["x"])
    parquet.write_table(pa.Table.from_arrays([column, column], names=["a", "a"]), path)
    with pytest.raises(BadInput, match="repeated: a"):
        list(rows_of(path))
    offsets = pa.py_buffer(np.array([0, 2], np.int32).tobytes())
    broken = pa.Array.from_buffers(pa.string(), 1, [None, offsets, pa.py_buffer(b"\xff\xfe")])
    parquet.write_table(pa.table({"text": broken}), path)
    with pytest.raises(BadInput, match="can't decode byte 0xff"):
        list(rows_of(path))


def test_columns_with_dots_in_their_names_are_not_mixed_up(tmp_path: Path) -> None:
    import pyarrow as pa
    from pyarrow import parquet

    path = tmp_path / "a.parquet"
    names = ["a.b", "a", "a.b.c", "text"]
    parquet.write_table(pa.table({name: [f"{name} {n}" for n in range(9)] for name in names}), path)
    rows = values(list(rows_of(path)))
    assert rows == [{name: f"{name} {n}" for name in names} for n in range(9)]


def test_a_damaged_description_of_a_column_is_bad_input_and_not_the_end_of_the_process(
    tmp_path: Path,
) -> None:
    import pyarrow as pa
    from pyarrow import parquet

    out = tmp_path / "sound.parquet"
    table = pa.table({"text": ["words"] * 50, "tags": [["x"], None] * 25})
    parquet.write_table(table, out)
    sound = out.read_bytes()
    path, refused = tmp_path / "a.parquet", 0
    # All of the footer, byte by byte.
    for place in range(len(sound) - 600, len(sound) - 8, 3):
        path.write_bytes(sound[:place] + bytes([sound[place] ^ 2]) + sound[place + 1 :])
        try:
            list(rows_of(path))
        except BadInput:
            refused += 1
    assert refused

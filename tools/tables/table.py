"""The columns of all records of a dataset, as one file that is read without being copied.

In: records page by page, in the order of their ids; out: a table whose columns are coded: the
distinct values once, and for each record the place of its value. The file is Arrow's (IPC), and is
mapped into memory, so that a dataset of a million records is opened in milliseconds. pyarrow takes
half a second to import, which who only lists datasets need not wait for.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from corpuscope.tools.core.schema import ColumnType, Ints, Scalar
from corpuscope.tools.core.values import PARSERS, is_missing

ID, TEXT, COLUMN_PREFIX = "id", "text", "column:"
"""Names in the file: a metadata column may be called `id`."""

MISSING = -1
"""The code of a record without a value."""

PLAIN_TYPES: dict[ColumnType, tuple[type, ...]] = {
    "string": (str,),
    "date": (str,),
    "boolean": (bool,),
    "number": (int, float),
}


@dataclass(frozen=True, eq=False)
class Column:
    """One metadata column of n records.

    `values` (m,): the distinct values, rising: str objects, bool, int64 where all are whole, else
    float64. `codes` (n,) int32: the place of each record's value, `MISSING` where it has none.
    """

    name: str
    kind: ColumnType
    codes: Ints
    values: NDArray[Any]

    def numbers(self) -> NDArray[np.float64]:
        """(n,) float64 of a column of numbers or booleans, NaN where there is none."""
        padded = np.append(self.values.astype(np.float64), np.nan)
        return np.asarray(padded[self.codes])


@dataclass(frozen=True, eq=False)
class RecordTable:
    """All records of a dataset, in the order of their ids: `ids` (n,) bytes."""

    ids: NDArray[np.bytes_]
    kinds: Mapping[str, ColumnType]
    arrow: Any
    """A table of Arrow: `id`, `text`, and `column:…` of each metadata column."""
    _columns: dict[str, Column] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.ids)

    def column(self, name: str) -> Column:
        """A metadata column; raises KeyError where the dataset has none of this name."""
        if name not in self._columns:
            kind = self.kinds[name]
            coded = self.arrow.column(f"{COLUMN_PREFIX}{name}").combine_chunks()
            codes = coded.indices.fill_null(MISSING).to_numpy().astype(np.int32)
            values = coded.dictionary.to_numpy(zero_copy_only=False)
            self._columns[name] = Column(name, kind, codes, values)
        return self._columns[name]

    def with_part(self, part: str) -> NDArray[np.bool_]:
        """(n,) whether the text has this part in it, in capital letters or not."""
        import pyarrow.compute as pc

        found = pc.match_substring(self.arrow.column(TEXT), part, ignore_case=True)
        return np.asarray(found.to_numpy())

    def texts(self, rows: NDArray[np.int64]) -> list[str]:
        """The texts of the records at some rows."""
        import pyarrow as pa

        taken: list[str] = self.arrow.column(TEXT).take(pa.array(rows)).to_pylist()
        return taken

    def rows_of(self, ids: Sequence[str]) -> NDArray[np.int64]:
        """(q,) the row of each record, -1 of those that are not there."""
        wanted = np.array(ids, dtype=np.bytes_)
        if not len(self.ids) or not len(wanted):
            return np.full(len(wanted), -1, np.int64)
        at = np.minimum(np.searchsorted(self.ids, wanted), len(self.ids) - 1)
        return np.where(self.ids[at] == wanted, at, -1).astype(np.int64)


def build_table(
    pages: Iterable[Sequence[Mapping[str, Any]]], kinds: Mapping[str, ColumnType]
) -> RecordTable:
    """The table of records.

    Args:
        pages: The records, `id`, `text` and `metadata` of each, in the order of their ids.
        kinds: The metadata columns (name to type); values of other types count as they are read:
            `3` as "3" among strings, "x" as missing among numbers.
    """
    import pyarrow as pa

    ids: list[Any] = []
    texts: list[Any] = []
    chunks: dict[str, list[Any]] = {name: [] for name in kinds}
    for page in pages:
        ids.append(pa.array([row["id"] for row in page], pa.string()))
        texts.append(pa.array([row["text"] for row in page], pa.large_string()))
        metadata = [row["metadata"] or {} for row in page]
        for name, kind in kinds.items():
            chunks[name].append(_chunk([each.get(name) for each in metadata], kind))
    arrays = {
        ID: pa.chunked_array(ids, pa.string()).combine_chunks(),
        TEXT: pa.chunked_array(texts, pa.large_string()).combine_chunks(),
    }
    for name, kind in kinds.items():
        arrays[f"{COLUMN_PREFIX}{name}"] = _coded(chunks[name], kind)
    return _of_arrow(pa.table(arrays), kinds)


def write_table(table: RecordTable, file: Path) -> None:
    """Write a table to a file.

    Raises:
        OSError: It cannot be written.
    """
    import pyarrow as pa
    from pyarrow import ipc

    with pa.OSFile(str(file), "wb") as sink, ipc.new_file(sink, table.arrow.schema) as writer:
        writer.write_table(table.arrow)


def read_table(file: Path, kinds: Mapping[str, ColumnType]) -> RecordTable:
    """The table of a file.

    Raises:
        OSError: There is no such file, or it cannot be read.
        ValueError: It is not as it was written (pyarrow's own errors are such), or has other
            columns.
    """
    import pyarrow as pa
    from pyarrow import ipc

    with pa.memory_map(str(file)) as source:
        table = ipc.open_file(source).read_all()
    if table.column_names != [ID, TEXT, *(f"{COLUMN_PREFIX}{name}" for name in kinds)]:
        raise ValueError("the table has other columns")
    return _of_arrow(table, kinds)


def _of_arrow(table: Any, kinds: Mapping[str, ColumnType]) -> RecordTable:
    ids = np.array(table.column(ID).to_pylist(), dtype=np.bytes_)
    return RecordTable(ids, dict(kinds), table)


def _chunk(values: list[Scalar], kind: ColumnType) -> Any:
    """Some values of a column; numbers as float64 unless all are whole."""
    import pyarrow as pa

    plain = PLAIN_TYPES[kind]
    if not all(value is None or type(value) in plain for value in values):
        values = [_read(value, kind) for value in values]
    if kind == "boolean":
        return pa.array(values, pa.bool_())
    if kind == "number":
        whole = all(value is None or type(value) is int for value in values)
        if whole:
            return pa.array(values, pa.int64())
        floats = [None if value is None else float(value) for value in values]
        return pa.array(floats, pa.float64())
    return pa.array(values, pa.string())


def _read(value: Scalar, kind: ColumnType) -> Scalar:
    if is_missing(value):
        return None
    parse: Callable[[object], Scalar] = PARSERS[kind]
    try:
        return parse(value)
    except (ValueError, OverflowError):
        return None


def _coded(chunks: list[Any], kind: ColumnType) -> Any:
    """A column as a dictionary array, its values rising."""
    import pyarrow as pa
    import pyarrow.compute as pc

    type_ = {"boolean": pa.bool_(), "number": pa.int64()}.get(kind, pa.string())
    if any(chunk.type == pa.float64() for chunk in chunks):
        type_ = pa.float64()
        chunks = [chunk.cast(type_, safe=False) for chunk in chunks]
    if kind == "boolean":  # Arrow codes no booleans
        whole = pa.chunked_array(chunks, type_).combine_chunks()
        return pa.DictionaryArray.from_arrays(whole.cast(pa.int32()), pa.array([False, True]))
    coded = pa.chunked_array(chunks, type_).combine_chunks().dictionary_encode()
    order = pc.sort_indices(coded.dictionary).to_numpy()
    place = np.empty(len(order), np.int32)
    place[order] = np.arange(len(order), dtype=np.int32)
    codes = coded.indices.fill_null(0).to_numpy()
    indices = pa.array(place[codes] if len(order) else codes, mask=_missing(coded))
    return pa.DictionaryArray.from_arrays(
        indices.cast(pa.int32()), coded.dictionary.take(pa.array(order))
    )


def _missing(coded: Any) -> NDArray[np.bool_]:
    return np.asarray(coded.indices.is_null().to_numpy(zero_copy_only=False))

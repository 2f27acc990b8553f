"""The live rows of a collection as they are now, by the column, and what was found out about them.

In: an opened collection of Milvus Lite; out: its tables, and which of their rows are live: the
newest of each id, not deleted. Each file of a collection never changes, so that what is found out
about its rows (values of the metadata, words) is found once; what was written lately lies in
memory and is looked at anew after each write.
"""

from bisect import bisect_left
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from threading import RLock
from typing import Any, TypeVar

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.compute as pc
from milvus_lite.search.filter import evaluate_mask
from numpy.typing import NDArray

from corpuscope.tools.lite.conditions import FieldCondition, parse_conditions

Found = TypeVar("Found")

NO_VALUE = None
NOT_SINGLE = object()
"""Stands for a list or an object in a row's metadata: equal to nothing, and in no order."""


class Once:
    """What is found out about some rows: once, by whoever asks first, and kept with them."""

    def __init__(self) -> None:
        self._found: dict[str, Any] = {}
        self._lock = RLock()

    def get(self, key: str, find: Callable[[], Found]) -> Found:
        """What is known by this key, found now if it was not before."""
        with self._lock:
            if key not in self._found:
                self._found[key] = find()
            found: Found = self._found[key]
            return found


@dataclass(frozen=True, slots=True, eq=False)
class Part:
    """Rows of one Arrow table: of a file of the collection (`segment`), or those in memory.

    Of n rows: `ids`, `numbers` (n,), which rise with each write, and the `vectors` (n, dim).
    """

    segment: Any | None
    table: Any
    ids: list[str]
    numbers: NDArray[np.uint64]
    vectors: NDArray[np.float32]
    once: Once = field(default_factory=Once)

    def __len__(self) -> int:
        return len(self.ids)

    def column(self, name: str) -> Any:
        """A column as one Arrow array."""
        chunked = self.table.column(name)
        return chunked.chunk(0) if chunked.num_chunks == 1 else chunked.combine_chunks()

    def fitting(self, condition: FieldCondition) -> NDArray[np.bool_]:
        """Which rows fit a condition, (n,)."""
        if condition.column is None:
            return np.array(condition.fitting(self.ids), bool)
        name = condition.column
        codes, values = self.once.get(f"metadata {name}", lambda: self._values(name))
        return np.array(condition.fitting(values), bool)[codes]

    def _values(self, name: str) -> tuple[NDArray[np.int32], list[Any]]:
        """A key of the metadata: the code of each row (n,), and the value of each code."""
        known: dict[tuple[type, Any], int] = {}
        values: list[Any] = []
        codes = np.empty(len(self), np.int32)
        for row, text in enumerate(self.table.column("metadata").to_pylist()):
            value = orjson.loads(text).get(name) if text else NO_VALUE
            if isinstance(value, list | dict):
                value = NOT_SINGLE
            code = known.setdefault((type(value), value), len(values))
            if code == len(values):
                values.append(value)
            codes[row] = code
        return codes, values


@dataclass(frozen=True, slots=True, eq=False)
class LiveRows:
    """The rows of a collection at one time: those of the `parts`, one after the other.

    `collection`, its name; `state`, what it was: while it is the same, so are they; `starts`, the
    place of each part's first row among all; `live` (n,), which rows are.
    """

    collection: str
    state: tuple[Any, ...]
    parts: list[Part]
    starts: NDArray[np.int64]
    live: NDArray[np.bool_]
    once: Once = field(default_factory=Once)

    def fitting(self, expression: str, compiled: Callable[[str], Any]) -> NDArray[np.bool_]:
        """Which rows are live and fit an expression, (n,); `compiled` has Milvus Lite read one
        that is not ours."""
        if not expression:
            return self.live
        conditions = parse_conditions(expression)
        masks: list[NDArray[np.bool_]] = []
        for part in self.parts:
            if conditions is None:
                masks.append(evaluate_mask(compiled(expression), part.table))
            else:
                masks.append(np.logical_and.reduce([part.fitting(one) for one in conditions]))
        return self.live & np.concatenate(masks) if masks else self.live

    def in_order(self) -> tuple[list[str], NDArray[np.int64]]:
        """The ids of the live rows in their order, and the place of each."""
        return self.once.get("order", self._in_order)

    def _in_order(self) -> tuple[list[str], NDArray[np.int64]]:
        ids = [record for part in self.parts for record in part.ids]
        order = pc.sort_indices(pa.array(ids, pa.string())).to_numpy()
        places = order[self.live[order]].astype(np.int64)
        return [ids[place] for place in places.tolist()], places

    def places_of(self, ids: Iterable[str]) -> NDArray[np.int64]:
        """The places of the live rows with these ids, in their order; others are left out."""
        known, places = self.in_order()
        at = [(bisect_left(known, record), record) for record in ids]
        return places[[here for here, record in at if known[here : here + 1] == [record]]]

    def take(self, name: str, places: NDArray[np.int64]) -> list[Any]:
        """A column of texts or JSON, of the rows at some places."""
        values = np.empty(len(places), object)
        for here, part, rows in self._by_part(places):
            values[here] = part.table.column(name).take(pa.array(rows)).to_pylist()
        taken: list[Any] = values.tolist()
        return taken

    def take_vectors(self, places: NDArray[np.int64]) -> NDArray[np.float32]:
        """The vectors of the rows at some places, (m, dim)."""
        dim = max((part.vectors.shape[1] for part in self.parts), default=0)
        vectors = np.empty((len(places), dim), "<f4")
        for here, part, rows in self._by_part(places):
            vectors[here] = part.vectors[rows]
        return vectors

    def _by_part(
        self, places: NDArray[np.int64]
    ) -> Iterable[tuple[NDArray[np.int64], Part, NDArray[np.int64]]]:
        """For each part in which some places lie: where they are in the list, and its rows."""
        owner = np.searchsorted(self.starts, places, side="right") - 1
        for number in np.unique(owner).tolist():
            here = np.flatnonzero(owner == number)
            yield here, self.parts[number], places[here] - self.starts[number]


def collection_state(collection: Any) -> tuple[Any, ...]:
    """What is another with every write that a reader can see."""
    memory = collection._memtable
    return (
        collection._segments_snapshot(),
        memory,
        memory.num_physical_rows(),
        memory.estimated_memory_bytes,  # a deletion adds a tombstone
    )


def live_rows(collection: Any, before: LiveRows | None) -> LiveRows:
    """The rows of a collection as Milvus Lite's own query finds them; those of `before`, or what
    is known of its files, where they are still the same."""
    # Before the snapshot: a write in between makes the state old, never the rows.
    state = collection_state(collection)
    if before is not None and before.state == state:
        return before
    segments, deleted = collection._read_snapshot()
    known = {id(part.segment): part for part in before.parts} if before else {}
    memory = collection._memtable
    parts = [known.get(id(one)) or _of_file(one) for one in segments if one.num_rows]
    ids, numbers, vectors, _, table = memory.to_search_snapshot(
        collection._vector_name, include_table=True
    )
    if ids:
        parts.append(Part(None, table, ids, numbers, vectors))
    gone = dict(deleted.snapshot)
    for record, (number, _) in memory.delete_index_snapshot().items():
        gone[record] = max(number, gone.get(record, 0))
    sizes = [len(part) for part in parts]
    return LiveRows(collection.name, state, parts, np.cumsum([0, *sizes])[:-1], _live(parts, gone))


def _of_file(segment: Any) -> Part:
    return Part(segment, segment.table, segment.pks, segment.seqs, segment.vectors)


def _live(parts: list[Part], gone: dict[str, int]) -> NDArray[np.bool_]:
    """Which rows are the newest of their id, and not deleted after they were written."""
    ids = [record for part in parts for record in part.ids]
    if not ids:
        return np.zeros(0, bool)
    numbers = np.concatenate([part.numbers for part in parts])
    coded = pa.array(ids, pa.string()).dictionary_encode()
    if len(coded.dictionary) == len(ids) and not gone:
        return np.ones(len(ids), bool)
    codes = coded.indices.to_numpy()
    newest = np.zeros(len(coded.dictionary), np.uint64)
    np.maximum.at(newest, codes, numbers)
    since = np.zeros(len(coded.dictionary), np.uint64)
    at = pc.index_in(pa.array(list(gone), pa.string()), value_set=coded.dictionary)
    for code, number in zip(at.to_pylist(), gone.values(), strict=True):
        if code is not None:
            since[code] = number
    live: NDArray[np.bool_] = (numbers == newest[codes]) & ~(since[codes] > numbers)
    return live

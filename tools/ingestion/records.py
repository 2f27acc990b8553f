"""Rows become records, and what is wrong with a row is counted and named.

In: rows, a plan of their columns, and vectors where a file of their own brings them; out: records
with a cleaned text, typed metadata, and an id and a digest that depend on nothing but the source. A
row without a text is empty; one whose id, vector, text or metadata cannot be used is bad.
"""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from hashlib import blake2b
from pathlib import Path
from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray

from corpuscope.tools.core.errors import BadInput
from corpuscope.tools.core.redaction import Redact, as_it_is
from corpuscope.tools.core.schema import Floats, Record, Scalar
from corpuscope.tools.core.values import PARSERS, is_missing, without_controls
from corpuscope.tools.ingestion.columns import ColumnPlan
from corpuscope.tools.ingestion.rows import BadRow, Row
from corpuscope.tools.store.collections import MAX_TEXT_BYTES

MAX_VALUE_CHARS = 1_000
"""Metadata is for filtering and colouring; longer strings are texts, and fill the store."""

MAX_METADATA_BYTES = 60_000
"""Milvus keeps at most 65,536 bytes of JSON per record; the rest is room for its own fields."""

MAX_DIMENSION = 32_768
"""Milvus' limit on the numbers in a vector; its lower limit is 2."""

DIGEST_BYTES = 8
"""Of each half of a record's digest: one of text and vector, one of the metadata."""

ID_BYTES = 8
"""Short enough to be quoted in a chat; two of a million ids meet once in 30 million datasets."""

EXAMPLES_KEPT = 20
"""Examples kept of each kind of trouble: enough to find the cause."""


@dataclass(slots=True)
class RowTally:
    """What became of the rows: read = made + empty + bad."""

    read: int = 0
    made: int = 0
    empty: int = 0
    bad: int = 0
    bad_rows: list[tuple[int, str]] = field(default_factory=list)
    """Row number and reason of the first `EXAMPLES_KEPT`."""
    repeated_texts: int = 0
    """Records whose text an earlier record of the file has."""
    cut: int = 0
    """Texts cut to `MAX_TEXT_BYTES`."""
    cut_rows: list[int] = field(default_factory=list)
    cut_values: int = 0
    """Metadata strings cut to `MAX_VALUE_CHARS`."""
    misfits: dict[str, int] = field(default_factory=dict)
    """Metadata column to the values that are not of its type and were left empty."""

    def add_bad(self, row: BadRow) -> None:
        """Count a bad row."""
        self.bad += 1
        if len(self.bad_rows) < EXAMPLES_KEPT:
            self.bad_rows.append((row.number, row.reason))

    def add_cut(self, number: int) -> None:
        """Count a row whose text was cut."""
        self.cut += 1
        if len(self.cut_rows) < EXAMPLES_KEPT:
            self.cut_rows.append(number)


class _UnfitRow(Exception):
    """Why one row cannot be a record; it ends no ingest, but is counted."""


def content_digest(digest: str) -> str:
    """The part of a record's digest that changes with its text and vector, not its metadata."""
    return digest[: 2 * DIGEST_BYTES]


class RecordBuilder:
    """Makes the records of one source and counts in `tally` what became of its rows.

    vectors: (rows of the source, dim) from `open_vectors`, or None; row i belongs to the i-th row
    of the source, bad and empty ones counted too. Ids and digests depend on nothing but the source
    and the columns, so that the same source twice gives the same records: an id is the hash of the
    id column's value, else of the text, and of how many rows before had that text. `redact` is
    applied to what the tally quotes of a row.
    """

    def __init__(
        self,
        columns: ColumnPlan,
        vectors: NDArray[Any] | None = None,
        redact: Redact = as_it_is,
    ) -> None:
        self.tally = RowTally()
        self._columns = columns
        self._redact = redact
        # A plain view of the same pages: numpy's memmap class makes each row many times slower.
        self._vectors = None if vectors is None else np.asarray(vectors)
        self._times_seen: dict[bytes, int] = {}
        self._given_ids: set[bytes] = set()
        self._dim = 0

    def build(self, rows: Iterable[Row | BadRow]) -> Iterator[Record]:
        """The records of the rows, as they come.

        Raises BadInput where `vectors` has no row for a row of the file.
        """
        for row in rows:
            self.tally.read += 1
            try:
                record = self._record(row) if isinstance(row, Row) else None
            except _UnfitRow as error:
                self.tally.add_bad(BadRow(row.number, str(error)))
                continue
            if isinstance(row, BadRow):
                self.tally.add_bad(row)
            elif record is None:
                self.tally.empty += 1
            else:
                self.tally.made += 1
                yield record

    def _record(self, row: Row) -> Record | None:
        """The record of a row; None where it has no text.

        Raises _UnfitRow, and then leaves no trace in ids or counts.
        """
        text = self._text(row)
        if not text:
            return None
        text_bytes = text.encode()
        too_long = len(text_bytes) > MAX_TEXT_BYTES
        if too_long:
            text = text_bytes[:MAX_TEXT_BYTES].decode(errors="ignore")
            text_bytes = text.encode()
        given_id = self._given_id(row)
        vector = self._vector(row)
        metadata, cut_values = self._metadata(row)
        metadata_json = orjson.dumps(metadata, option=orjson.OPT_SORT_KEYS)
        if len(metadata_json) > MAX_METADATA_BYTES:
            raise _UnfitRow(
                f"its metadata takes {len(metadata_json):,} bytes, the limit is "
                f"{MAX_METADATA_BYTES:,}; name fewer metadata_columns"
            )
        # From here on the row is good: only now may it leave traces.
        record_id = _text_hash(text_bytes)
        times_seen = self._times_seen.get(record_id, 0)
        self._times_seen[record_id] = times_seen + 1
        self.tally.repeated_texts += times_seen > 0
        self.tally.cut_values += cut_values
        if too_long:
            self.tally.add_cut(row.number)
        if given_id is not None:
            self._given_ids.add(given_id)
            record_id = given_id
        elif times_seen:
            record_id = _text_hash(b"%b\0%d" % (text_bytes, times_seen))
        content = blake2b(text_bytes, digest_size=DIGEST_BYTES)
        if vector is not None:
            content.update(b"\0" + vector.tobytes())
        digest = content.hexdigest() + blake2b(metadata_json, digest_size=DIGEST_BYTES).hexdigest()
        return Record(record_id.hex(), text, digest, metadata, vector)

    def _text(self, row: Row) -> str:
        parts = (_cell_text(row, name) for name in self._columns.text)
        return "\n".join(part for part in parts if part)

    def _given_id(self, row: Row) -> bytes | None:
        """The hash of the id column's value; None where the file has no such column."""
        if self._columns.id is None:
            return None
        given = _cell_text(row, self._columns.id)
        if not given:
            raise _UnfitRow(f"id column {self._columns.id!r} is empty")
        key = blake2b(given.encode(), digest_size=ID_BYTES, person=b"id").digest()
        if key in self._given_ids:
            raise _UnfitRow(
                f"id {self._redact(given)[:80]!r} stands in an earlier row, which was kept"
            )
        return key

    def _metadata(self, row: Row) -> tuple[dict[str, Scalar], int]:
        """The values by column, and how many strings were cut."""
        metadata: dict[str, Scalar] = {}
        cut_values = 0
        for name, kind in self._columns.metadata.items():
            value = row.values.get(name)
            parsed: Scalar = None
            if kind == "string" and isinstance(value, str):
                # The usual case; and an empty string is a value here, and of no other type.
                parsed = without_controls(value)
            elif not is_missing(value):
                try:
                    parsed = PARSERS[kind](value)
                except (ValueError, OverflowError):
                    self.tally.misfits[name] = self.tally.misfits.get(name, 0) + 1
            if isinstance(parsed, str) and len(parsed) > MAX_VALUE_CHARS:
                parsed = parsed[:MAX_VALUE_CHARS]
                cut_values += 1
            metadata[name] = parsed
        return metadata, cut_values

    def _vector(self, row: Row) -> Floats | None:
        """The vector that comes with the row, at unit length; None where none do."""
        if self._vectors is not None:
            place = self.tally.read - 1
            if place >= len(self._vectors):
                raise BadInput(
                    f"the file has more rows than the {len(self._vectors):,} vectors; "
                    "there must be one vector for each row, empty and bad rows included"
                )
            vector = _unit_vector(self._vectors[place])
        elif self._columns.vector is not None:
            vector = _unit_vector(row.values.get(self._columns.vector))
        else:
            return None
        if self._dim and len(vector) != self._dim:
            raise _UnfitRow(f"its vector has {len(vector)} numbers, those before have {self._dim}")
        self._dim = len(vector)
        return vector


def _text_hash(text: bytes) -> bytes:
    return blake2b(text, digest_size=ID_BYTES, person=b"text").digest()


def _cell_text(row: Row, name: str) -> str:
    """A single value as cleaned, stripped text; empty where it is missing."""
    value = row.values.get(name)
    if isinstance(value, str):
        return without_controls(value).strip()
    if is_missing(value):
        return ""
    try:
        return str(PARSERS["string"](value))
    except ValueError as error:
        raise _UnfitRow(f"column {name!r} holds a {type(value).__name__}, not a text") from error


def _unit_vector(value: object) -> Floats:
    """A list of numbers, or its JSON, as a vector of unit length (dim,)."""
    try:
        if isinstance(value, str):
            value = json.loads(value)
        vector = np.asarray(value, dtype=np.float64)
    except (TypeError, ValueError, OverflowError, RecursionError) as error:
        raise _UnfitRow("its vector is not a list of numbers") from error
    if vector.ndim != 1 or not 2 <= len(vector) <= MAX_DIMENSION:
        shape = f"of shape {vector.shape}" if vector.ndim else repr(value)[:40]
        raise _UnfitRow(f"its vector is {shape}, not a list of 2 to {MAX_DIMENSION:,} numbers")
    largest = np.abs(vector).max()
    if not np.isfinite(largest):
        raise _UnfitRow("its vector holds numbers that are missing or not finite")
    if largest == 0:
        raise _UnfitRow("its vector is all zeros, which has no direction")
    # Scaled first, so that squares neither overflow nor vanish.
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

"""Rows become records, and what is wrong with a row is counted and named.

In: rows, a plan of their columns, and vectors where a file of their own brings them; out: records
by the column, with a cleaned text, typed metadata, and an id and a digest that depend on nothing
but the source. A row without a text is empty; one whose id, vector, text or metadata cannot be used
is bad.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray

from corpuscope.tools.core.errors import BadInput
from corpuscope.tools.core.redaction import Redact, as_it_is
from corpuscope.tools.core.schema import Floats, Scalar
from corpuscope.tools.ingestion.cells import MetadataCells, MetadataReader, read_texts
from corpuscope.tools.ingestion.columns import ColumnPlan
from corpuscope.tools.ingestion.row_vectors import VectorOrReason, joined, unit_block, unit_vectors
from corpuscope.tools.ingestion.seen import SeenHashes
from corpuscope.tools.readers.rows import BadRow, Row, blocks
from corpuscope.tools.store.collections import MAX_TEXT_BYTES
from corpuscope.tools.store.rows import BATCH_ROWS, RecordColumns

MAX_METADATA_BYTES = 60_000
"""Milvus keeps at most 65,536 bytes of JSON per record; the rest is room for its own fields."""

DIGEST_BYTES = 8
"""Of each half of a record's digest: one of text and vector, one of the metadata."""

ID_BYTES = 8
"""Short enough to be quoted in a chat; two of a million ids meet once in 30 million datasets."""

LONGEST_QUOTED = 2_000
"""Characters of an id that are redacted, before they are cut to what a message quotes."""

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

    @property
    def wants_reasons(self) -> bool:
        """Whether the reason of a bad row is still kept."""
        return len(self.bad_rows) < EXAMPLES_KEPT

    def add_bad(self, number: int, reason: str) -> None:
        """Count a bad row."""
        self.bad += 1
        if self.wants_reasons:
            self.bad_rows.append((number, reason))

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


@dataclass(frozen=True, slots=True)
class BuiltBatch:
    """Records made of some rows, and the `rows_read` of the source up to the last of these."""

    records: RecordColumns
    rows_read: int


@dataclass(frozen=True, slots=True)
class _Block:
    """What the cells of some sound rows mean, each by itself; by the place of the row."""

    texts: list[str]
    text_bytes: list[bytes]
    """The texts in UTF-8, no longer than `MAX_TEXT_BYTES`."""
    cut: set[int]
    """The places of the texts that were longer."""
    wrong_texts: dict[int, str]
    text_hashes: list[bytes]
    texts_seen: list[int]
    """How often `SeenHashes` has settled each."""
    given_ids: list[str] | None
    wrong_ids: dict[int, str]
    id_hashes: list[bytes]
    ids_seen: list[int]
    vectors: list[VectorOrReason] | None
    """Of a .npy that is too short, fewer than rows."""
    metadata: MetadataCells


class _Made:
    """The columns of the records that are made of a block, row after row."""

    def __init__(self) -> None:
        self.ids: list[str] = []
        self.texts: list[str] = []
        self.digests: list[str] = []
        self.metadata: list[bytes] = []
        self.vectors: list[Floats] = []

    def columns(self) -> RecordColumns:
        vectors = joined(self.vectors) if self.vectors else None
        return RecordColumns(self.ids, self.texts, self.digests, self.metadata, vectors)


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
        self._metadata = MetadataReader(columns.metadata)
        self._texts_seen = SeenHashes()
        self._ids_seen = SeenHashes()
        self._dim = 0

    def build(self, rows: Iterable[Row | BadRow]) -> Iterator[BuiltBatch]:
        """The records of the rows, in their order, of `BATCH_ROWS` rows or fewer at a time.

        Raises BadInput where `vectors` has no row for a row of the file.
        """
        for some in blocks(rows, BATCH_ROWS):
            records = self._records(some)
            yield BuiltBatch(records, self.tally.read)

    def _records(self, rows: list[Row | BadRow]) -> RecordColumns:
        """The records of some rows; what goes over the border of rows is done in their order."""
        block = self._read_block(rows)
        made = _Made()
        place = -1
        for row in rows:
            self.tally.read += 1
            if isinstance(row, BadRow):
                self.tally.add_bad(row.number, row.reason)
                continue
            place += 1
            try:
                is_record = self._add_record(block, place, row.number, made)
            except _UnfitRow as error:
                self.tally.add_bad(row.number, str(error))
            else:
                self.tally.made += is_record
                self.tally.empty += not is_record
        return made.columns()

    def _read_block(self, rows: list[Row | BadRow]) -> _Block:
        sound = [place for place, row in enumerate(rows) if isinstance(row, Row)]
        cells = [row.values for row in rows if isinstance(row, Row)]
        texts, wrong_texts = read_texts(cells, self._columns.text)
        text_bytes = [text.encode() for text in texts]
        cut = {place for place, text in enumerate(text_bytes) if len(text) > MAX_TEXT_BYTES}
        for place in cut:
            texts[place] = text_bytes[place][:MAX_TEXT_BYTES].decode(errors="ignore")
            text_bytes[place] = texts[place].encode()
        given_ids: list[str] | None = None
        wrong_ids: dict[int, str] = {}
        if self._columns.id is not None:
            given_ids, wrong_ids = read_texts(cells, [self._columns.id])
        hashes = [_text_hash(text) for text in text_bytes]
        id_hashes = [_id_hash(given) for given in given_ids or ()]
        vectors: list[VectorOrReason] | None = None
        if self._vectors is not None:
            begin = self.tally.read
            there = [begin + place for place in sound if begin + place < len(self._vectors)]
            together = self._vectors[begin : begin + len(rows)]
            alone = len(there) < len(together)
            vectors = unit_block(self._vectors[there] if alone else together)
        elif self._columns.vector is not None:
            vectors = unit_vectors([row.get(self._columns.vector) for row in cells])
        metadata = self._metadata.read(cells)
        return _Block(
            texts,
            text_bytes,
            cut,
            wrong_texts,
            hashes,
            self._texts_seen.settled(hashes),
            given_ids,
            wrong_ids,
            id_hashes,
            self._ids_seen.settled(id_hashes),
            vectors,
            metadata,
        )

    def _add_record(self, block: _Block, place: int, number: int, made: _Made) -> bool:
        """Add the record of a row to those made; False where it has no text.

        Raises _UnfitRow, and then leaves no trace in ids or counts.
        """
        if place in block.wrong_texts:
            raise _UnfitRow(block.wrong_texts[place])
        text = block.text_bytes[place]
        if not text:
            return False
        given_id = self._given_id(block, place)
        vector = self._vector(block, place)
        metadata_hash = _metadata_hash(block.metadata.values[place])
        # From here on the row is good: only now may it leave traces.
        if vector is not None:
            self._dim = len(vector)
        for name in block.metadata.misfits.get(place, ()):
            self.tally.misfits[name] = self.tally.misfits.get(name, 0) + 1
        self.tally.cut_values += block.metadata.cut.get(place, 0)
        if place in block.cut:
            self.tally.add_cut(number)
        record_id = block.text_hashes[place]
        times_seen = block.texts_seen[place] + self._texts_seen.add(record_id)
        self.tally.repeated_texts += times_seen > 0
        if given_id is not None:
            self._ids_seen.add(given_id)
            record_id = given_id
        elif times_seen:
            record_id = _text_hash(b"%b\0%d" % (text, times_seen))
        content = blake2b(text, digest_size=DIGEST_BYTES)
        if vector is not None:
            content.update(b"\0" + vector.tobytes())
            made.vectors.append(vector)
        made.ids.append(record_id.hex())
        made.texts.append(block.texts[place])
        made.digests.append(content.hexdigest() + metadata_hash)
        # A copy: what orjson returns keeps the 4 kB that it wrote into.
        made.metadata.append(bytes(memoryview(orjson.dumps(block.metadata.values[place]))))
        return True

    def _given_id(self, block: _Block, place: int) -> bytes | None:
        """The hash of the id column's value; None where the file has no such column."""
        if block.given_ids is None:
            return None
        if place in block.wrong_ids:
            raise _UnfitRow(block.wrong_ids[place])
        given = block.given_ids[place]
        if not given:
            raise _UnfitRow(f"id column {self._columns.id!r} is empty")
        key = block.id_hashes[place]
        if block.ids_seen[place] or self._ids_seen.recent(key):
            # Redaction takes its time, and most reasons are only counted.
            wanted = given[:LONGEST_QUOTED] if self.tally.wants_reasons else ""
            raise _UnfitRow(
                f"id {self._redact(wanted)[:80]!r} stands in an earlier row, which was kept"
            )
        return key

    def _vector(self, block: _Block, place: int) -> Floats | None:
        """The vector that comes with the row, at unit length; None where none do."""
        if block.vectors is None:
            return None
        if place >= len(block.vectors):
            assert self._vectors is not None
            raise BadInput(
                f"the file has more rows than the {len(self._vectors):,} vectors; "
                "there must be one vector for each row, empty and bad rows included"
            )
        vector = block.vectors[place]
        if isinstance(vector, str):
            raise _UnfitRow(vector)
        if self._dim and len(vector) != self._dim:
            raise _UnfitRow(f"its vector has {len(vector)} numbers, those before have {self._dim}")
        return vector


def _text_hash(text: bytes) -> bytes:
    return blake2b(text, digest_size=ID_BYTES, person=b"text").digest()


def _id_hash(given: str) -> bytes:
    return blake2b(given.encode(), digest_size=ID_BYTES, person=b"id").digest()


def _metadata_hash(metadata: dict[str, Scalar]) -> str:
    """The half of the digest that is of the metadata; raises _UnfitRow where they are too large."""
    metadata_json = orjson.dumps(metadata, option=orjson.OPT_SORT_KEYS)
    if len(metadata_json) > MAX_METADATA_BYTES:
        raise _UnfitRow(
            f"its metadata takes {len(metadata_json):,} bytes, the limit is "
            f"{MAX_METADATA_BYTES:,}; name fewer metadata_columns"
        )
    return blake2b(metadata_json, digest_size=DIGEST_BYTES).hexdigest()

"""Records made one row after the other, as every version before made them: what must not change.

Ids and digests of datasets that are there came from this; another id would add every record again.
"""

import json
from collections.abc import Iterable
from hashlib import blake2b

import numpy as np
import orjson

from corpuscope.tools.core.errors import BadInput
from corpuscope.tools.core.schema import Floats, Record, Scalar
from corpuscope.tools.core.values import PARSERS, is_missing, without_controls
from corpuscope.tools.ingestion.columns import ColumnPlan
from corpuscope.tools.ingestion.records import RowTally
from corpuscope.tools.readers.rows import BadRow, Row


class Unfit(Exception):
    pass


class RowByRow:
    def __init__(self, columns: ColumnPlan, vectors: np.ndarray | None = None) -> None:
        self.tally = RowTally()
        self.columns = columns
        self.vectors = vectors
        self.times_seen: dict[bytes, int] = {}
        self.given_ids: set[bytes] = set()
        self.dim = 0

    def build(self, rows: Iterable[Row | BadRow]) -> list[Record]:
        made = []
        for row in rows:
            self.tally.read += 1
            try:
                record = self.record(row) if isinstance(row, Row) else None
            except Unfit as error:
                self.tally.add_bad(row.number, str(error))
                continue
            if isinstance(row, BadRow):
                self.tally.add_bad(row.number, row.reason)
            elif record is None:
                self.tally.empty += 1
            else:
                self.tally.made += 1
                made.append(record)
        return made

    def record(self, row: Row) -> Record | None:
        text = "\n".join(filter(None, [cell_text(row, name) for name in self.columns.text]))
        if not text:
            return None
        raw = text.encode()
        too_long = len(raw) > 65_535
        if too_long:
            text = raw[:65_535].decode(errors="ignore")
            raw = text.encode()
        given = self.given_id(row)
        vector = self.vector(row)
        metadata, cut, misfits = self.metadata(row)
        metadata_json = orjson.dumps(metadata, option=orjson.OPT_SORT_KEYS)
        if len(metadata_json) > 60_000:
            raise Unfit(
                f"its metadata takes {len(metadata_json):,} bytes, the limit is "
                "60,000; name fewer metadata_columns"
            )
        self.dim = 0 if vector is None else len(vector)
        for name in misfits:
            self.tally.misfits[name] = self.tally.misfits.get(name, 0) + 1
        record_id = blake2b(raw, digest_size=8, person=b"text").digest()
        times = self.times_seen.get(record_id, 0)
        self.times_seen[record_id] = times + 1
        self.tally.repeated_texts += times > 0
        self.tally.cut_values += cut
        if too_long:
            self.tally.add_cut(row.number)
        if given is not None:
            self.given_ids.add(given)
            record_id = given
        elif times:
            numbered = b"%b\0%d" % (raw, times)
            record_id = blake2b(numbered, digest_size=8, person=b"text").digest()
        content = blake2b(raw, digest_size=8)
        if vector is not None:
            content.update(b"\0" + vector.tobytes())
        digest = content.hexdigest() + blake2b(metadata_json, digest_size=8).hexdigest()
        return Record(record_id.hex(), text, digest, metadata, vector)

    def given_id(self, row: Row) -> bytes | None:
        if self.columns.id is None:
            return None
        given = cell_text(row, self.columns.id)
        if not given:
            raise Unfit(f"id column {self.columns.id!r} is empty")
        key = blake2b(given.encode(), digest_size=8, person=b"id").digest()
        if key in self.given_ids:
            raise Unfit(f"id {given[:80]!r} stands in an earlier row, which was kept")
        return key

    def metadata(self, row: Row) -> tuple[dict[str, Scalar], int, list[str]]:
        metadata: dict[str, Scalar] = {}
        misfits: list[str] = []
        cut = 0
        for name, kind in self.columns.metadata.items():
            value = row.values.get(name)
            parsed: Scalar = None
            if kind == "string" and isinstance(value, str):
                parsed = without_controls(value)
            elif not is_missing(value):
                try:
                    parsed = PARSERS[kind](value)
                except (ValueError, OverflowError):
                    misfits.append(name)
            if isinstance(parsed, str) and len(parsed) > 1_000:
                parsed = parsed[:1_000]
                cut += 1
            metadata[name] = parsed
        return metadata, cut, misfits

    def vector(self, row: Row) -> Floats | None:
        if self.vectors is not None:
            if self.tally.read > len(self.vectors):
                raise BadInput(f"the file has more rows than the {len(self.vectors):,} vectors")
            vector = unit_vector(self.vectors[self.tally.read - 1])
        elif self.columns.vector is not None:
            vector = unit_vector(row.values.get(self.columns.vector))
        else:
            return None
        if self.dim and len(vector) != self.dim:
            raise Unfit(f"its vector has {len(vector)} numbers, those before have {self.dim}")
        return vector


def cell_text(row: Row, name: str) -> str:
    value = row.values.get(name)
    if isinstance(value, str):
        return without_controls(value).strip()
    if is_missing(value):
        return ""
    try:
        return str(PARSERS["string"](value))
    except ValueError as error:
        raise Unfit(f"column {name!r} holds a {type(value).__name__}, not a text") from error


def unit_vector(value: object) -> Floats:
    try:
        if isinstance(value, str):
            value = json.loads(value)
        vector = np.asarray(value, dtype=np.float64)
    except (TypeError, ValueError, OverflowError, RecursionError) as error:
        raise Unfit("its vector is not a list of numbers") from error
    if vector.ndim != 1 or not 2 <= len(vector) <= 32_768:
        shape = f"of shape {vector.shape}" if vector.ndim else repr(value)[:40]
        raise Unfit(f"its vector is {shape}, not a list of 2 to 32,768 numbers")
    largest = np.abs(vector).max()
    if not np.isfinite(largest):
        raise Unfit("its vector holds numbers that are missing or not finite")
    if largest == 0:
        raise Unfit("its vector is all zeros, which has no direction")
    vector = vector / largest
    unit: Floats = (vector / np.linalg.norm(vector)).astype(np.float32)
    return unit

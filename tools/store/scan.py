"""Reading a whole dataset in pages: checked, and the next page read while one is worked on."""

from collections.abc import Collection, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Literal, TypeAlias

import numpy as np

from corpuscope.tools.core.schema import DatasetCard, Floats
from corpuscope.tools.store.connection import Connection

# Ids are hashes, so the first page, a small one, is a sample that tells how long the rows are.
FIRST_PAGE_ROWS = 1_000
# pymilvus takes no more rows at a time.
MAX_PAGE_ROWS = 16_384
# A third of what a Milvus server gives in one answer, since the sample only tells the average.
PAGE_BYTES = 32 * 1024 * 1024

PageField: TypeAlias = Literal["text", "vector"]
RawRows: TypeAlias = list[dict[str, Any]]


@dataclass(frozen=True, slots=True, eq=False)
class Page:
    """Some records of a dataset, in the order of their ids.

    `ids` (rows); `texts` (rows), and `vectors` (rows, dim) float32 of unit length: what was not
    asked for is empty.
    """

    ids: list[str]
    texts: list[str]
    vectors: Floats


def scan_pages(
    connection: Connection, card: DatasetCard, fields: Collection[PageField], chosen: str
) -> Iterator[Page]:
    """The pages of the records that fit the Milvus expression `chosen` (all: "")."""
    for rows in scan_rows(connection, card, ["id", *fields], chosen):
        vectors = np.empty((len(rows) if "vector" in fields else 0, card.dim), np.float32)
        if "vector" in fields:
            np.stack([row["vector"] for row in rows], out=vectors)
        texts = [row["text"] for row in rows] if "text" in fields else []
        yield Page([row["id"] for row in rows], texts, vectors)


def scan_rows(
    connection: Connection, card: DatasetCard, fields: Sequence[str], chosen: str
) -> Iterator[RawRows]:
    """The rows that fit `chosen` in the order of their ids, with these fields; vectors are arrays.

    Raises:
        Unavailable: Milvus went away.
        NotFound: The dataset was deleted meanwhile.
        RuntimeError: Milvus repeated a row.
    """
    with _open_iterator(connection, card, fields, (chosen, FIRST_PAGE_ROWS)) as iterator:
        rows = iterator.next()
        if not rows:
            return
        last = _sort_and_check(rows, "", card)
        yield rows
    # A server may give less than was asked for before the end, so only no rows are the end.
    rows_at_a_time = max(1, min(MAX_PAGE_ROWS, PAGE_BYTES // _row_bytes(rows)))
    chosen = f'id > "{last}"' + (f" and ({chosen})" if chosen else "")
    with (
        _open_iterator(connection, card, fields, (chosen, rows_at_a_time)) as iterator,
        ThreadPoolExecutor(1, "corpuscope-reads-ahead") as reader,
    ):
        coming = reader.submit(iterator.next)
        while rows := coming.result():
            coming = reader.submit(iterator.next)
            last = _sort_and_check(rows, last, card)
            yield rows


@contextmanager
def _open_iterator(
    connection: Connection, card: DatasetCard, fields: Sequence[str], asked: tuple[str, int]
) -> Iterator[Any]:
    """pymilvus' iterator over the rows that fit, so many at a time; its errors in our words."""
    from pymilvus.exceptions import MilvusException

    chosen, rows_at_a_time = asked
    iterator = connection.call(
        "query_iterator",
        card.collection,
        batch_size=rows_at_a_time,
        filter=chosen,
        output_fields=list(fields),
        strict_float32=True,  # vectors as arrays, not as lists of Python's floats
    )
    try:
        yield iterator
    except MilvusException as error:
        raise connection.meaning(error) from error
    finally:
        iterator.close()


def _sort_and_check(rows: RawRows, last: str, card: DatasetCard) -> str:
    """Put rows in the order of their ids; the last id, when all are new and after `last`."""
    rows.sort(key=lambda row: str(row["id"]))
    ids = [last, *(str(row["id"]) for row in rows)]
    # Milvus Lite before 3.2.1 dropped and repeated rows here: never believe it blindly.
    if any(before >= after for before, after in pairwise(ids)):
        raise RuntimeError(f"{card.collection}: the scan repeats rows after {last or 'the start'}")
    return ids[-1]


def _row_bytes(rows: RawRows) -> int:
    """The mean length of a row on the wire."""
    total = 0
    for row in rows:
        for value in row.values():
            total += value.nbytes if isinstance(value, np.ndarray) else len(str(value).encode())
    return total // len(rows) + 1

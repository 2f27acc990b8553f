"""Reading a whole dataset in pages, in the order of its ids.

In: a dataset's card, fields, and a Milvus expression; out: pages, by pymilvus' iterator. The next
page is read while one is worked on, and each is checked: its ids must be new and rise.
"""

from collections.abc import Collection, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Literal, TypeAlias

import numpy as np

from corpuscope.tools.core.schema import DatasetCard, Floats
from corpuscope.tools.store.connection import Connection

FIRST_PAGE_ROWS = 1_000
"""Ids are hashes, so this first, small page is a sample that tells how long the rows are."""

MAX_PAGE_ROWS = 16_384
"""pymilvus takes no more rows at a time."""

PAGE_BYTES = 32 * 1024 * 1024
"""A third of what a Milvus server gives in one answer, since the sample only tells the average."""

PageField: TypeAlias = Literal["text", "vector"]
RawRows: TypeAlias = list[dict[str, Any]]
"""Rows as pymilvus gives them: field to value."""


@dataclass(frozen=True, slots=True, eq=False)
class Page:
    """Some records of a dataset, in the order of their ids.

    n `ids`, n `texts`, and `vectors` (n, dim) float32 of unit length; what was not asked for is
    empty.
    """

    ids: list[str]
    texts: list[str]
    vectors: Floats


def scan_pages(
    connection: Connection, card: DatasetCard, fields: Collection[PageField], expression: str
) -> Iterator[Page]:
    """The pages of the records that fit the Milvus expression `expression` (all: "")."""
    for rows in scan_rows(connection, card, ["id", *fields], expression):
        vectors = np.empty((len(rows) if "vector" in fields else 0, card.dim), np.float32)
        if "vector" in fields:
            np.stack([row["vector"] for row in rows], out=vectors)
        texts = [row["text"] for row in rows] if "text" in fields else []
        yield Page([row["id"] for row in rows], texts, vectors)


def scan_rows(
    connection: Connection, card: DatasetCard, fields: Sequence[str], expression: str
) -> Iterator[RawRows]:
    """Milvus' rows that fit `expression`, in the order of their ids, with these fields.

    Vectors are float32 arrays.

    Raises:
        Unavailable: Milvus went away.
        NotFound: The dataset was deleted meanwhile.
        RuntimeError: Milvus repeated a row.
    """
    with _open_iterator(connection, card, fields, (expression, FIRST_PAGE_ROWS)) as iterator:
        rows = iterator.next()
        if not rows:
            return
        last = _sort_and_check(rows, "", card)
        yield rows
    # A server may give less than was asked for before the end, so only no rows are the end.
    rows_at_a_time = max(1, min(MAX_PAGE_ROWS, PAGE_BYTES // _row_bytes(rows)))
    expression = f'id > "{last}"' + (f" and ({expression})" if expression else "")
    with (
        _open_iterator(connection, card, fields, (expression, rows_at_a_time)) as iterator,
        ThreadPoolExecutor(1, "corpuscope-reads-ahead") as reader,
    ):
        next_rows = reader.submit(iterator.next)
        while rows := next_rows.result():
            connection.patience.left()
            next_rows = reader.submit(iterator.next)
            last = _sort_and_check(rows, last, card)
            yield rows


@contextmanager
def _open_iterator(
    connection: Connection, card: DatasetCard, fields: Sequence[str], query: tuple[str, int]
) -> Iterator[Any]:
    """pymilvus' iterator for a query (expression, rows at a time); its errors as those of core."""
    from pymilvus.exceptions import MilvusException

    expression, rows_at_a_time = query
    iterator = connection.call(
        "query_iterator",
        card.collection,
        batch_size=rows_at_a_time,
        filter=expression,
        output_fields=list(fields),
        strict_float32=True,  # vectors as arrays, not as lists of Python's floats
    )
    try:
        with connection.in_time():
            yield iterator
    except MilvusException as error:
        raise connection.meaning(error) from error
    finally:
        iterator.close()


def _sort_and_check(rows: RawRows, last: str, card: DatasetCard) -> str:
    """Sort the rows by id, in place; the last id, if none repeats and all come after `last`."""
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

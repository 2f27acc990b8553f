"""The nearest records of many vectors, searched by Milvus in batches, several requests at a time.

In: vectors (n, dim) and the ids among which to look; out: rows of those ids and cosines, (n, k)
each. Milvus searches all records of the dataset, so that hits outside of the ids are passed over;
where they filled a list, it is searched again, longer.
"""

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import repeat

import numpy as np
from numpy.typing import NDArray

from corpuscope.tools.core.schema import DatasetCard, Floats, Ints, Report
from corpuscope.tools.store.connection import Connection

EMPTY_PLACE = -1
"""Stands in the rows where there are fewer neighbours than places."""

MAX_HITS = 16_384
"""The most hits that Milvus gives for one vector."""

QUERIES_PER_REQUEST = 500
HITS_PER_REQUEST = 100_000
"""Where each vector brings many hits, a request has fewer of them."""

REQUESTS_AT_A_TIME = 4

MIN_CANDIDATES = 128
"""How many candidates an HNSW graph is searched with, at least (its `ef`): of 45 neighbours it then
misses 3 in a thousand instead of 2 in a hundred, in the same time."""

WIDENING = 4
"""How much longer a list is searched that records outside of the ids filled up."""


@dataclass(frozen=True, slots=True, eq=False)
class BatchedSearch:
    """What is searched, and the arrays (n, k) that its batches fill: `rows` and `cosines`.

    `vectors` (n, dim); `row_of`, the row of each id that counts as a neighbour; `exact`, whether
    the index misses none, as in Milvus Lite.
    """

    connection: Connection
    card: DatasetCard
    row_of: Mapping[str, int]
    vectors: Floats
    rows: Ints
    cosines: Floats
    exact: bool


def search_all(search: BatchedSearch, report: Report) -> None:
    """Fill the search's arrays, until no vector can have more neighbours within `row_of`.

    Raises:
        Unavailable: Milvus went away.
        NotFound: The dataset was deleted meanwhile.
    """
    count, k = search.rows.shape
    left = np.arange(count)
    limit = min(k, MAX_HITS)
    while left.size:
        size = max(1, min(QUERIES_PER_REQUEST, HITS_PER_REQUEST // limit))
        batches = [left[at : at + size] for at in range(0, len(left), size)]
        short: list[int] = []
        pool = ThreadPoolExecutor(REQUESTS_AT_A_TIME, "corpuscope-searches")
        try:
            done = count - len(left)
            searched = pool.map(_search_batch, repeat(search), batches, repeat(limit))
            for short_in_batch, batch in zip(searched, batches, strict=True):
                short += short_in_batch
                done += len(batch) - len(short_in_batch)
                report(done / count, f"{done:,} of {count:,} texts have their neighbours")
        finally:
            pool.shutdown(cancel_futures=True)
        left = np.array(short, dtype=np.int64)
        limit = min(limit * WIDENING, MAX_HITS)


def _search_batch(search: BatchedSearch, batch: NDArray[np.int64], limit: int) -> list[int]:
    """Fill the rows of one batch; those for which a longer list may hold more neighbours."""
    results = search.connection.call(
        "search",
        search.card.collection,
        list(search.vectors[batch]),
        anns_field="vector",
        limit=limit,
        search_params={} if search.exact else {"params": {"ef": max(MIN_CANDIDATES, 2 * limit)}},
    )
    k = search.rows.shape[1]
    short = []
    for row, hits in zip(batch.tolist(), results, strict=True):
        # By id and not by place: equal vectors come in any order, the vector itself among them.
        known = [
            (search.row_of[record], cosine)
            for record, cosine in zip(hits.ids, hits.distances, strict=True)
            if record in search.row_of
        ][:k]
        if known:
            search.rows[row, : len(known)], search.cosines[row, : len(known)] = zip(
                *known, strict=True
            )
        if len(known) < k and len(hits.ids) == limit < MAX_HITS:
            short.append(row)
    return short


def row_numbers(ids: Sequence[str]) -> dict[str, int]:
    """The row of each id."""
    return {record: row for row, record in enumerate(ids)}

"""Datasets and their records, as the tools see them.

A dataset is a card in the catalogue and the collection that the card names. Cards and records go in
and come out as the types of core; Milvus' own rows, expressions and errors stay in this wing.
"""

import copy
import re
from collections.abc import Collection, Iterator, Sequence
from typing import Any

import numpy as np

from corpuscope.tools.core.errors import BadInput, NotFound, NotReady
from corpuscope.tools.core.ids import dataset_name
from corpuscope.tools.core.schema import (
    DatasetCard,
    Floats,
    Ints,
    Record,
    Report,
    no_report,
    to_json,
)
from corpuscope.tools.lite.conditions import without_lists
from corpuscope.tools.store import deletion, neighbour_search, scan
from corpuscope.tools.store.collections import (
    AUTOINDEX,
    CATALOGUE,
    FLAT,
    card_in,
    catalogue_rows,
    collection_in,
    create_catalogue,
    create_collection,
    drop_collections,
)
from corpuscope.tools.store.connection import Connection, MilvusLocation
from corpuscope.tools.store.filters import (
    MAX_CHAIN,
    filter_expression,
    ids_expression,
    longest_list,
)
from corpuscope.tools.store.locks import catalogue_lock
from corpuscope.tools.store.neighbour_search import MAX_HITS
from corpuscope.tools.store.patience import Patience
from corpuscope.tools.store.rows import (
    BATCH_ROWS,
    Hit,
    RecordColumns,
    record_from_row,
    upsert_requests,
)
from corpuscope.tools.store.scan import Page, PageField
from corpuscope.tools.tables.where import Condition

MAX_CARD_BYTES = 60_000
"""Of a card as JSON: it must fit into one string of Milvus."""

MAX_FETCHED_BY_ID = 4_000
"""Beyond this, reading everything once is faster than looking ids up: each look-up costs Milvus
Lite a pass over the collection."""

FULL_TEXT_SINCE = (2, 5)
"""The version of Milvus servers that brought BM25."""


BARE_LITE = "milvus_lite"
"""How the version of a Milvus Lite begins that is not served by corpuscope."""


class Store:
    """The datasets in one Milvus, which is reached at first use."""

    def __init__(self, location: MilvusLocation) -> None:
        self.location = location
        self.connection = Connection(location)
        self.unreadable: dict[str, str] = {}
        """Why datasets cannot be read, by name, as of the last look into the catalogue."""
        self._index_type = FLAT if location.is_lite else AUTOINDEX

    def within(self, patience: Patience) -> "Store":
        """The same datasets for one call, which ends when its patience does."""
        bounded = copy.copy(self)
        bounded.connection = self.connection.within(patience)
        return bounded

    def connect(self) -> None:
        """Reach Milvus now, so that the first call does not wait for it; and finish deletions that
        a kill stopped.

        Raises:
            Unavailable: Milvus cannot be reached.
        """
        self.connection.client()
        deletion.finish_deletions(self.connection)

    def close(self) -> None:
        """Let go of the connection, and of Milvus Lite where this process started it."""
        self.connection.close()

    # Datasets

    def cards(self) -> list[DatasetCard]:
        """The cards of all datasets, by name; one whose first ingest did not end is left out.

        Raises:
            Unavailable: Milvus cannot be reached.
        """
        return [card for card in self._all_cards() if not card.pending]

    def find(self, name: str) -> DatasetCard | None:
        """The card of this name, also one whose first ingest did not end; None: no such dataset.

        Raises:
            NotReady: There is one that cannot be read.
        """
        known = next((card for card in self._all_cards() if card.name == name), None)
        self._check_readable(name)
        return known

    def _all_cards(self) -> list[DatasetCard]:
        # In this order: a deletion that has begun is seen, or has ended and taken its row with it.
        deleted = deletion.finish_deletions(self.connection)
        rows = catalogue_rows(self.connection)
        read = {row["id"]: card_in(row) for row in rows if collection_in(row) not in deleted}
        self.unreadable = {name: why for name, why in read.items() if isinstance(why, str)}
        return [card for card in read.values() if isinstance(card, DatasetCard)]

    def _check_readable(self, name: str) -> None:
        if why := self.unreadable.get(name):
            raise NotReady(
                f"Dataset '{name}' cannot be read: {why}. It is left as it is: if a newer "
                "corpuscope made it, update this one; else ingest under another name."
            )

    def card(self, name: str | None) -> DatasetCard:
        """The card of this name, however it is spelt, or the only one where no name is given.

        Raises:
            NotFound: No such dataset; the message lists those there are.
            BadInput: No name although there are several.
        """
        cards = self.cards()
        if name is not None:
            self._check_readable(dataset_name(name))
        if not cards:
            raise NotFound("There is no dataset yet. Make one with `ingest` (a file or rows).")
        names = ", ".join(card.name for card in cards)
        if name is None:
            if len(cards) > 1:
                raise BadInput(f"Several datasets: say which with `dataset`. Datasets: {names}.")
            return cards[0]
        meant = dataset_name(name)
        for card in cards:
            if card.name == meant:
                return card
        raise NotFound(f"No dataset '{name[:60]}'. Datasets: {names}.")

    def has_full_text(self) -> bool:
        """Whether this Milvus has full-text search (BM25): Milvus Lite and servers from 2.5 on."""
        if self.location.is_lite:
            return True
        version = re.match(r"v?(\d+)\.(\d+)", self.connection.call("get_server_version"))
        return version is not None and (int(version[1]), int(version[2])) >= FULL_TEXT_SINCE

    def create(self, card: DatasetCard) -> None:
        """Make the collection that the card names; it becomes the dataset's with `save_card`."""
        if not self.connection.call("has_collection", card.collection):
            self.connection.run(lambda client: create_collection(client, card, self._index_type))

    def save_card(self, card: DatasetCard) -> None:
        """Write the card into the catalogue, in one write: from now on it is the dataset's.

        Raises:
            BadInput: It has too many metadata columns to fit.
        """
        card_json = to_json(card)
        if len(card_json.encode()) > MAX_CARD_BYTES:
            raise BadInput(
                f"{len(card.metadata_columns)} metadata columns are too many to describe; "
                "name those you need with `metadata_columns`."
            )
        # Two processes that see no catalogue must not both make it.
        with catalogue_lock(self.location.home):
            if not self.connection.call("has_collection", CATALOGUE):
                self.connection.run(lambda client: create_catalogue(client, self._index_type))
        row = {"id": card.name, "card": card_json, "vector": [1.0, 0.0]}
        self.connection.call("upsert", CATALOGUE, [row])

    def drop(self, card: DatasetCard) -> None:
        """Delete a dataset with all that belongs to it. The caller holds its lock.

        Once it has begun, a kill only delays it.

        Raises:
            OSError: The home cannot be written to: nothing was deleted.
        """
        if not deletion.begin_deletion(self.location.home, card):
            # No room for a tombstone, and no runs: without its row it is gone just as well.
            self.connection.call("delete", CATALOGUE, ids=[card.name])
        deletion.finish_deletion(self.connection, card.collection, card.name)

    def finish_deletion(self, dataset: str) -> bool:
        """Finish a deletion of the dataset that was stopped; whether there was one.

        The caller holds its lock.
        """
        begun = deletion.tombstones(self.location.home).items()
        stopped = [collection for collection, name in begun if name == dataset]
        for collection in stopped:
            deletion.finish_deletion(self.connection, collection, dataset)
        return bool(stopped)

    def drop_collections_of(self, dataset: str, keep: str) -> None:
        """Drop the collections of a dataset but for `keep`: what killed ingests left behind."""
        drop_collections(self.connection, dataset, keep)

    # Records

    def count(self, card: DatasetCard) -> int:
        """How many records the dataset has."""
        rows = self.connection.call("query", card.collection, filter="", output_fields=["count(*)"])
        return int(rows[0]["count(*)"])

    def upsert(self, card: DatasetCard, records: RecordColumns) -> None:
        """Write records by id, in place of those that are there; they need their vectors.

        Raises:
            Unavailable: Milvus went away.
            NotFound: The dataset was deleted meanwhile.
        """
        for request in upsert_requests(card.collection, records):
            self.connection.upsert(request)

    def digests(self, card: DatasetCard) -> dict[str, str]:
        """The digest of every record, by id."""
        batches = self.scan(card, ["id", "digest"])
        return {row["id"]: row["digest"] for rows in batches for row in rows}

    def fetch(self, card: DatasetCard, ids: Sequence[str]) -> dict[str, Record]:
        """Records by id, without vectors; ids that are not there are left out."""
        fields = ["id", "digest", "text", "metadata"]
        if len(ids) > MAX_FETCHED_BY_ID:
            wanted = set(ids)
            batches = self.scan(card, fields)
            wanted_rows = (row for rows in batches for row in rows if row["id"] in wanted)
            return {row["id"]: record_from_row(row) for row in wanted_rows}
        records: dict[str, Record] = {}
        for start in range(0, len(ids), BATCH_ROWS):
            expression = ids_expression(list(ids[start : start + BATCH_ROWS]))
            rows = self.connection.call(
                "query", card.collection, filter=expression, output_fields=fields, limit=BATCH_ROWS
            )
            records |= {row["id"]: record_from_row(row) for row in rows}
        return records

    def expression(self, condition: Condition) -> str | None:
        """A condition as an expression for this Milvus; None where it cannot be asked so."""
        expression = filter_expression(condition)
        has_lists = not self.location.is_lite and longest_list(condition) > 0
        if not has_lists or not self.connection.call("get_server_version").startswith(BARE_LITE):
            return expression
        # A Milvus Lite that is not ours evaluates lists as chains.
        is_short = longest_list(condition) <= MAX_CHAIN
        return without_lists(expression) if expression and is_short else None

    def scan(
        self, card: DatasetCard, fields: Sequence[str], expression: str = ""
    ) -> Iterator[list[dict[str, Any]]]:
        """Milvus' rows of all records, or of those that fit a Milvus expression, with these fields.

        They come in batches, in the order of their ids, each once; raises as `pages` does.
        """
        return scan.scan_rows(self.connection, card, fields, expression)

    def pages(
        self,
        card: DatasetCard,
        fields: Collection[PageField] = ("text", "vector"),
        expression: str = "",
    ) -> Iterator[Page]:
        """All records, or those that fit a Milvus expression, in the order of their ids, each once.

        Raises:
            Unavailable: Milvus went away.
            NotFound: The dataset was deleted meanwhile.
            RuntimeError: Milvus lost or repeated records.
        """
        # Of a filter nobody knows how many fit, so that only repeated rows are noticed there.
        expected = 0 if expression else self.count(card)
        seen = 0
        for page in scan.scan_pages(self.connection, card, fields, expression):
            seen += len(page.ids)
            yield page
        if seen < expected:
            raise RuntimeError(f"{card.collection}: the scan gave {seen} of {expected} records")

    # Searches

    def search_vectors(
        self, card: DatasetCard, vector: Floats, limit: int, expression: str = ""
    ) -> list[Hit]:
        """The records whose vectors are nearest to `vector` (dim,), by cosine, nearest first, of
        those that fit a Milvus expression."""
        return self._search(card, "vector", vector, (limit, expression))

    def search_words(
        self, card: DatasetCard, query: str, limit: int, expression: str = ""
    ) -> list[Hit]:
        """The records that share words with `query`, best first by BM25, of those that fit a Milvus
        expression; needs `card.full_text`."""
        return self._search(card, "words", query, (limit, expression))

    def neighbours(
        self,
        card: DatasetCard,
        ids: Sequence[str],
        vectors: Floats,
        k: int,
        report: Report = no_report,
    ) -> tuple[Ints, Floats]:
        """The k records nearest to each vector by cosine, among those of `ids`.

        `vectors` (n, dim) float32. Comes back as (n, k) int32 rows of `ids`, in falling order of
        cosine, and (n, k) float32 cosines; -1 and 0 where there are fewer. A vector that is in
        the dataset finds itself, though not always first: equal ones come in any order. Exact in
        Milvus Lite; by its index on a server (of 20,000 x 384 it found 0.997 of the 45 nearest,
        but 0.92 right after the records were written, while the server still built it).

        Raises:
            Unavailable: Milvus went away.
            NotFound: The dataset was deleted meanwhile.
        """
        search = neighbour_search.BatchedSearch(
            self.connection,
            card,
            neighbour_search.row_numbers(ids),
            vectors,
            np.full((len(vectors), k), neighbour_search.EMPTY_PLACE, np.int32),
            np.zeros((len(vectors), k), np.float32),
            exact=self.location.is_lite,
        )
        neighbour_search.search_all(search, report)
        return search.rows, search.cosines

    def _search(
        self,
        card: DatasetCard,
        field: str,
        query: Floats | str,
        bounds: tuple[int, str],
    ) -> list[Hit]:
        limit, expression = bounds
        results = self.connection.call(
            "search",
            card.collection,
            [query],
            anns_field=field,
            filter=expression,
            limit=min(limit, MAX_HITS),
            output_fields=["digest", "text", "metadata"],
        )
        # Milvus Lite gives BM25 as a negative distance, a server as the score itself.
        score = abs if field == "words" else float
        return [
            Hit(record_from_row({"id": hit["id"], **hit["entity"]}), score(float(hit["distance"])))
            for hit in results[0]
        ]

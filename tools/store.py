"""The records of all datasets in Milvus: the only module that imports pymilvus.

One collection per dataset, and one small collection, the catalogue, with a row per dataset that
says which collection is the present one and how it was made. Milvus Lite (a folder in the home),
a Milvus server and Zilliz Cloud differ only in how they are reached.
"""

import contextlib
import logging
import re
import threading
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from corpuscope.tools import lite
from corpuscope.tools.errors import BadInput, NotFound, Unavailable
from corpuscope.tools.filters import Where, expression, ids_expression
from corpuscope.tools.location import MilvusLocation
from corpuscope.tools.locks import catalogue_lock
from corpuscope.tools.schema import DatasetCard, Floats, Hit, Record

if TYPE_CHECKING:
    from pymilvus import MilvusClient
    from pymilvus.exceptions import MilvusException

CATALOGUE = "corpuscope_datasets"
PREFIX = "corpuscope_"

# Milvus counts the bytes of a VARCHAR.
TEXT_BYTES = 65_535
CARD_BYTES = 60_000
# A batch stays far below the 64 MiB that a Milvus server takes in one message.
BATCH_ROWS = 1_000
BATCH_BYTES = 8 * 1024 * 1024
SCAN_ROWS = 16_384
# Beyond this, reading everything once is faster than looking ids up: each look-up costs Milvus
# Lite a pass over the collection.
FETCHED_BY_ID = 4_000
# The most hits that Milvus gives in one search.
MOST_HITS = 16_384
CONNECT_SECONDS = 10.0
# pymilvus' code for a server that cannot be reached, and Milvus Lite's for one not yet loaded.
UNREACHABLE = 2
NOT_LOADED = 101
NO_COLLECTION = 100

FULL_TEXT_SINCE = (2, 5)
NEEDS_LOADED = frozenset({"query", "query_iterator", "search", "delete"})


class Store:
    """A connection to Milvus, opened at first use and renewed when its server went away."""

    def __init__(self, location: MilvusLocation) -> None:
        self.location = location
        self._client: MilvusClient | None = None
        self._lite: lite.LiteServer | None = None
        self._lock = threading.RLock()

    def connect(self) -> None:
        """Reach Milvus now, so that the first call does not wait for it.

        Raises:
            Unavailable: Milvus cannot be reached.
        """
        self._connected()

    def close(self) -> None:
        """Let go of the connection, and of Milvus Lite where this process started it."""
        with self._lock:
            if self._client is not None:
                with contextlib.suppress(ValueError):  # its channel may be closed already
                    self._client.close()
            self._client = None
            if self._lite is not None:
                self._lite.close()
                self._lite = None

    # Datasets

    def cards(self) -> list[DatasetCard]:
        """All datasets, by name; one whose first ingest did not end is not there yet.

        Raises:
            Unavailable: Milvus cannot be reached.
        """
        return [card for card in self._all_cards() if not card.pending]

    def find(self, name: str) -> DatasetCard | None:
        """The dataset of this name, also one whose first ingest did not end."""
        return next((card for card in self._all_cards() if card.name == name), None)

    def _all_cards(self) -> list[DatasetCard]:
        if not self._call("has_collection", CATALOGUE):
            return []
        rows = self._call(
            "query", CATALOGUE, filter='id != ""', output_fields=["card"], limit=MOST_HITS
        )
        cards = [DatasetCard.model_validate_json(row["card"]) for row in rows]
        return sorted(cards, key=lambda card: card.name)

    def card(self, name: str | None) -> DatasetCard:
        """The dataset of this name, or the only one where no name is given.

        Raises:
            NotFound: No such dataset; the message lists those there are.
            BadInput: No name although there are several.
        """
        cards = self.cards()
        if not cards:
            raise NotFound("There is no dataset yet. Make one with `ingest` (a file or rows).")
        names = ", ".join(card.name for card in cards)
        if name is None:
            if len(cards) > 1:
                raise BadInput(f"Several datasets: say which with `dataset`. Datasets: {names}.")
            return cards[0]
        for card in cards:
            if card.name == name:
                return card
        raise NotFound(f"No dataset '{name[:60]}'. Datasets: {names}.")

    def finds_words(self) -> bool:
        """Whether this Milvus has full-text search (BM25): Milvus Lite and servers from 2.5 on."""
        if self.location.is_lite:
            return True
        version = re.match(r"v?(\d+)\.(\d+)", self._call("get_server_version"))
        return version is not None and (int(version[1]), int(version[2])) >= FULL_TEXT_SINCE

    def create(self, card: DatasetCard) -> None:
        """Make the card's collection; it becomes the dataset's with `save_card`."""
        if not self._call("has_collection", card.collection):
            _create_collection(self._connected(), card)

    def save_card(self, card: DatasetCard) -> None:
        """Write the card into the catalogue: from now on it is the dataset's."""
        written = card.model_dump_json()
        if len(written.encode()) > CARD_BYTES:
            raise BadInput(
                f"{len(card.metadata_columns)} metadata columns are too many to describe; "
                "name those you need with `metadata_columns`."
            )
        with catalogue_lock(self.location.home):
            if not self._call("has_collection", CATALOGUE):
                _create_catalogue(self._connected())
        row = {"id": card.name, "card": written, "vector": [1.0, 0.0]}
        self._call("upsert", CATALOGUE, [row])

    def drop(self, card: DatasetCard) -> None:
        """Forget the dataset: its catalogue row first, then its records."""
        self._call("delete", CATALOGUE, ids=[card.name])
        self.drop_strays(card.name, keep="")

    def drop_strays(self, name: str, keep: str) -> None:
        """Drop the collections that a killed ingest of the dataset left behind, but for `keep`."""
        stray = re.compile(re.escape(PREFIX + name) + r"__\d+")
        for collection in self._call("list_collections"):
            if stray.fullmatch(collection) and collection != keep:
                self._call("drop_collection", collection)

    # Records

    def count(self, card: DatasetCard) -> int:
        """How many records the dataset has."""
        rows = self._call("query", card.collection, filter="", output_fields=["count(*)"])
        return int(rows[0]["count(*)"])

    def upsert(self, card: DatasetCard, records: Sequence[Record]) -> None:
        """Write records by id; the same twice changes nothing. Every record needs its vector."""
        for batch in _batches(records):
            rows = [
                {
                    "id": record.id,
                    "digest": record.digest,
                    "text": record.text,
                    "metadata": record.metadata,
                    "vector": record.vector,
                }
                for record in batch
            ]
            self._call("upsert", card.collection, rows)

    def digests(self, card: DatasetCard) -> dict[str, str]:
        """The digest of every record, by id."""
        pages = self.scan(card, ["id", "digest"])
        return {row["id"]: row["digest"] for rows in pages for row in rows}

    def fetch(self, card: DatasetCard, ids: Sequence[str]) -> dict[str, Record]:
        """Records by id, without vectors; ids that are not there are left out."""
        fields = ["id", "digest", "text", "metadata"]
        if len(ids) > FETCHED_BY_ID:
            wanted = set(ids)
            pages = self.scan(card, fields)
            return {r["id"]: _record(r) for rows in pages for r in rows if r["id"] in wanted}
        found: dict[str, Record] = {}
        for start in range(0, len(ids), BATCH_ROWS):
            chosen = ids_expression(list(ids[start : start + BATCH_ROWS]))
            rows = self._call(
                "query", card.collection, filter=chosen, output_fields=fields, limit=BATCH_ROWS
            )
            found |= {row["id"]: _record(row) for row in rows}
        return found

    def matching(self, card: DatasetCard, where: Where) -> set[str]:
        """The ids of the records that fit a filter."""
        chosen = expression(where, card.metadata_columns)
        return {row["id"] for rows in self.scan(card, ["id"], chosen) for row in rows}

    def scan(
        self, card: DatasetCard, fields: Sequence[str], chosen: str = ""
    ) -> Iterator[list[dict[str, Any]]]:
        """All records in the order of their ids, in batches of rows with these fields."""
        from pymilvus.exceptions import MilvusException

        iterator = self._call(
            "query_iterator",
            card.collection,
            batch_size=SCAN_ROWS,
            filter=chosen,
            output_fields=list(fields),
        )
        last = ""
        try:
            while rows := iterator.next():
                ordered = sorted(rows, key=lambda row: str(row["id"]))
                # Milvus Lite before 3.2.1 dropped and repeated rows here: never believe it blindly.
                if ordered[0]["id"] <= last:
                    raise RuntimeError(f"{card.collection}: the scan repeats rows after {last}")
                last = ordered[-1]["id"]
                yield ordered
        except MilvusException as error:
            if error.code == UNREACHABLE:
                raise self._unreachable() from error
            raise _meaning(error) from error
        finally:
            iterator.close()

    # Searches

    def nearest(
        self, card: DatasetCard, vector: Floats, limit: int, where: Where | None = None
    ) -> list[Hit]:
        """The records whose vectors are nearest to `vector` (dim,), by cosine."""
        return self._search(card, "vector", vector, (limit, where))

    def matching_words(
        self, card: DatasetCard, query: str, limit: int, where: Where | None = None
    ) -> list[Hit]:
        """The records that share words with `query`, by BM25; needs `card.full_text`."""
        return self._search(card, "words", query, (limit, where))

    def _search(
        self,
        card: DatasetCard,
        field: str,
        query: Floats | str,
        bounds: tuple[int, Where | None],
    ) -> list[Hit]:
        limit, where = bounds
        chosen = expression(where, card.metadata_columns)
        found = self._call(
            "search",
            card.collection,
            [query],
            anns_field=field,
            filter=chosen,
            limit=min(limit, MOST_HITS),
            output_fields=["digest", "text", "metadata"],
        )
        # Milvus Lite gives BM25 as a negative distance, a server as the score itself.
        sized = abs if field == "words" else float
        return [
            Hit(_record({"id": hit["id"], **hit["entity"]}), sized(float(hit["distance"])))
            for hit in found[0]
        ]

    # The connection

    def _call(self, method: str, *arguments: Any, **options: Any) -> Any:
        """Call a method of the client; reach Milvus again once where its server is gone."""
        from pymilvus.exceptions import MilvusException

        try:
            return getattr(self._connected(), method)(*arguments, **options)
        except MilvusException as error:
            if error.code == UNREACHABLE:
                self.close()
            elif error.code != NOT_LOADED:
                raise _meaning(error) from error
        try:
            # Whoever opens the folder anew finds its collections not loaded.
            if arguments and method in NEEDS_LOADED:
                self._connected().load_collection(arguments[0])
            return getattr(self._connected(), method)(*arguments, **options)
        except MilvusException as error:
            if error.code == UNREACHABLE:
                raise self._unreachable() from error
            raise _meaning(error) from error

    def _connected(self) -> "MilvusClient":
        from pymilvus import MilvusClient
        from pymilvus.exceptions import MilvusException

        with self._lock:
            if self._client is None:
                # It logs, with a traceback, even what this module expects and handles.
                logging.getLogger("pymilvus").setLevel(logging.CRITICAL)
                uri = self.location.uri
                if uri is None:
                    self._lite = lite.connect(self.location.home)
                    uri = self._lite.address
                token = self.location.token
                try:
                    self._client = MilvusClient(uri, token=token, timeout=CONNECT_SECONDS)
                except (MilvusException, ValueError) as error:  # ValueError: no such port
                    raise self._unreachable() from error
            return self._client

    def _unreachable(self) -> Unavailable:
        if self.location.is_lite:
            return Unavailable(
                "Milvus Lite went away in the middle of it (another corpuscope on the same home "
                "had started it and ended). Call again: this one starts its own."
            )
        return Unavailable(
            f"Milvus does not answer at {self.location.shown}. Check CORPUSCOPE_MILVUS_URI and "
            "CORPUSCOPE_MILVUS_TOKEN, and that the server runs; `corpuscope doctor` tries it."
        )


def _meaning(error: "MilvusException") -> Exception:
    """An error as one that the client can act on, where it is of such a kind."""
    if error.code == NO_COLLECTION:
        return NotFound("The dataset was deleted or replaced meanwhile. See `list-datasets`.")
    unexpected: Exception = error
    return unexpected


def _batches(records: Sequence[Record]) -> Iterator[list[Record]]:
    batch: list[Record] = []
    size = 0
    for record in records:
        weight = len(record.text.encode()) + (0 if record.vector is None else record.vector.nbytes)
        if batch and (len(batch) >= BATCH_ROWS or size + weight > BATCH_BYTES):
            yield batch
            batch, size = [], 0
        batch.append(record)
        size += weight
    if batch:
        yield batch


def _record(row: dict[str, Any]) -> Record:
    return Record(row["id"], row["text"], row["digest"], dict(row["metadata"] or {}))


def _create_catalogue(client: "MilvusClient") -> None:
    from pymilvus import DataType

    schema = client.create_schema(description="The datasets of corpuscope")
    schema.add_field("id", DataType.VARCHAR, is_primary=True, max_length=64)
    schema.add_field("card", DataType.VARCHAR, max_length=TEXT_BYTES)
    schema.add_field("vector", DataType.FLOAT_VECTOR, dim=2)  # Milvus wants one in each collection
    index = client.prepare_index_params()
    index.add_index("vector", index_type="FLAT", metric_type="COSINE")
    client.create_collection(
        CATALOGUE, schema=schema, index_params=index, consistency_level="Strong"
    )


def _create_collection(client: "MilvusClient", card: DatasetCard) -> None:
    from pymilvus import DataType, Function, FunctionType

    schema = client.create_schema(description=f"corpuscope: {card.embedding}")
    schema.add_field("id", DataType.VARCHAR, is_primary=True, max_length=64)
    schema.add_field("digest", DataType.VARCHAR, max_length=64)
    schema.add_field(
        "text", DataType.VARCHAR, max_length=TEXT_BYTES, enable_analyzer=card.full_text
    )
    schema.add_field("metadata", DataType.JSON)
    schema.add_field("vector", DataType.FLOAT_VECTOR, dim=card.dim)
    index = client.prepare_index_params()
    index.add_index("vector", index_type="FLAT", metric_type="COSINE")
    if card.full_text:
        schema.add_field("words", DataType.SPARSE_FLOAT_VECTOR)
        schema.add_function(
            Function(
                name="bm25",
                function_type=FunctionType.BM25,
                input_field_names=["text"],
                output_field_names=["words"],
            )
        )
        index.add_index("words", index_type="SPARSE_INVERTED_INDEX", metric_type="BM25")
    client.create_collection(
        card.collection, schema=schema, index_params=index, consistency_level="Strong"
    )

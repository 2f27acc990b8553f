"""The collections: one per dataset, and the catalogue that says which is whose.

In: Milvus' client and a dataset's card; out: a collection with its fields and indexes. Reads are
`Strong`: a call sees every write that ended before it, by whichever process.
"""

import json
import re
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from corpuscope.tools.core.files import complaint
from corpuscope.tools.core.schema import DatasetCard, from_json

if TYPE_CHECKING:
    from pymilvus import MilvusClient

    from corpuscope.tools.store.connection import Connection

CATALOGUE = "corpuscope_datasets"
COLLECTION_PREFIX = "corpuscope_"
"""Before the names of ours: the Milvus server may hold collections of others."""

MOST_DATASETS = 16_384
"""What Milvus gives in one answer."""

MAX_TEXT_BYTES = 65_535
"""Milvus' limit on a string, in bytes of UTF-8."""

FLAT = "FLAT"
"""The index type in Milvus Lite: exact, and no slower there than the others."""

AUTOINDEX = "AUTOINDEX"
"""The index type on a server: an HNSW graph that Milvus builds for each part of 1,024 records and
more, smaller parts being searched exactly. Not chosen by size, because a collection is made before
its records come, and grows; and Zilliz Cloud has no other."""


def new_collection_name(dataset: str) -> str:
    """A name that no collection of the dataset had before: the fits and runs of an older one must
    not be taken for those of the new one."""
    return f"{COLLECTION_PREFIX}{dataset}__{time.time_ns()}"


def is_collection_of(dataset: str, collection: str) -> bool:
    """Whether this is the name of a collection of the dataset, the present one or an older one."""
    return re.fullmatch(rf"{COLLECTION_PREFIX}{re.escape(dataset)}__\d+", collection) is not None


def drop_collections(connection: "Connection", dataset: str, keep: str) -> None:
    """Drop the collections of a dataset but for `keep`."""
    for collection in connection.call("list_collections"):
        if is_collection_of(dataset, collection) and collection != keep:
            connection.call("drop_collection", collection)


def catalogue_rows(connection: "Connection") -> list[dict[str, str]]:
    """The catalogue as it is kept: each dataset's `id`, which is its name, and `card`, by name."""
    if not connection.call("has_collection", CATALOGUE):
        return []
    rows: list[dict[str, str]] = connection.call(
        "query", CATALOGUE, filter='id != ""', output_fields=["id", "card"], limit=MOST_DATASETS
    )
    return sorted(rows, key=lambda row: row["id"])


def card_in(row: Mapping[str, str]) -> DatasetCard | str:
    """The card in a row of the catalogue, or why it cannot be read."""
    try:
        return from_json(DatasetCard, row["card"])
    except ValidationError as error:
        return f"its card is {complaint(error)[0]}"


def collection_in(row: Mapping[str, str]) -> str | None:
    """The collection that a row of the catalogue names, also where another version wrote the card;
    None where that cannot be known."""
    try:
        card = json.loads(row["card"])
    except ValueError:
        return None
    collection = card.get("collection") if isinstance(card, dict) else None
    return collection if isinstance(collection, str) else None


def create_catalogue(client: "MilvusClient", index_type: str) -> None:
    """Make the catalogue: a row per dataset, its name as `id` and its card as JSON."""
    from pymilvus import DataType

    schema = client.create_schema(description="The datasets of corpuscope")
    schema.add_field("id", DataType.VARCHAR, is_primary=True, max_length=64)
    schema.add_field("card", DataType.VARCHAR, max_length=MAX_TEXT_BYTES)
    schema.add_field("vector", DataType.FLOAT_VECTOR, dim=2)  # Milvus wants one in each collection
    index = client.prepare_index_params()
    index.add_index("vector", index_type=index_type, metric_type="COSINE")
    _create(client, CATALOGUE, schema, index)


def create_collection(client: "MilvusClient", card: DatasetCard, index_type: str) -> None:
    """Make the collection of a dataset's records: a row per record.

    `vector` is searched by cosine; where the card says `full_text`, Milvus keeps a BM25 index of
    the texts in `words`.
    """
    from pymilvus import DataType, Function, FunctionType

    schema = client.create_schema(description=f"corpuscope: {card.embedding}")
    schema.add_field("id", DataType.VARCHAR, is_primary=True, max_length=64)
    schema.add_field("digest", DataType.VARCHAR, max_length=64)
    schema.add_field(
        "text", DataType.VARCHAR, max_length=MAX_TEXT_BYTES, enable_analyzer=card.full_text
    )
    schema.add_field("metadata", DataType.JSON)
    schema.add_field("vector", DataType.FLOAT_VECTOR, dim=card.dim)
    index = client.prepare_index_params()
    index.add_index("vector", index_type=index_type, metric_type="COSINE")
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
        words = "SPARSE_INVERTED_INDEX" if index_type == FLAT else index_type
        index.add_index("words", index_type=words, metric_type="BM25")
    _create(client, card.collection, schema, index)


def _create(client: "MilvusClient", name: str, schema: Any, index: Any) -> None:
    """Make a collection, index and load it, without pymilvus' half a second of sleep per index:
    there is nothing in it yet that could be indexed. It is there whole or not at all."""
    from pymilvus.exceptions import MilvusException

    # Where Milvus went away in the middle of it, this is done again.
    if not client.has_collection(name):
        client.create_collection(name, schema=schema, consistency_level="Strong")
    try:
        client.create_index(name, index, sync=False)
        client.load_collection(name)
    except MilvusException:
        client.drop_collection(name)
        raise

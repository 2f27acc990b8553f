"""The records of all datasets in Milvus: the only package that imports pymilvus.

One collection per dataset, and one small collection, the catalogue, with a row per dataset that
says which collection is the present one and how it was made.
"""

from corpuscope.tools.store.neighbours import MOST_HITS
from corpuscope.tools.store.reading import Page
from corpuscope.tools.store.records import BATCH_ROWS
from corpuscope.tools.store.schemas import CATALOGUE, PREFIX
from corpuscope.tools.store.store import Store

__all__ = ["BATCH_ROWS", "CATALOGUE", "MOST_HITS", "PREFIX", "Page", "Store"]

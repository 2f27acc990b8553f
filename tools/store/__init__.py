"""The records of all datasets in Milvus, and the runs beside them on disk.

Milvus holds one collection per dataset, and one small collection, the catalogue, with a row per
dataset that says which collection is the present one and how it was made (its card). May
import core and lite; only these two wings import pymilvus.

store: the datasets and their records, as the tools see them
collections: names, fields and indexes of the collections
connection: where Milvus is, and the client, renewed when its server went away
rows: records by the column, packed for Milvus, and its rows as records
scan: all records of a dataset, in pages, in the order of their ids
neighbour_search: the nearest records of many vectors, searched by Milvus
filters: metadata filters as Milvus expressions
file_memo: what was read from files lately, as long as they are the same
members: which record is in which cluster, as a parquet file
runs: runs and what belongs to them, as files
defaults: a dataset's default run, and the layer that a run shows
locks: one writer per dataset across processes
"""

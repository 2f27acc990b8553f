"""The records of all datasets in Milvus, and the runs beside them on disk.

Milvus holds one collection per dataset, and one small collection, the catalogue, with a row per
dataset that says which collection is the present one and how it was made (its card). Only this wing
imports pymilvus and milvus_lite. May import core alone.

store: the datasets and their records, as the tools see them
collections: names, fields and indexes of the collections
connection: where Milvus is, and the client, renewed when its server went away
rows: records by the column, packed for Milvus, and its rows as records
scan: all records of a dataset, in pages, in the order of their ids
neighbour_search: the nearest records of many vectors, searched by Milvus
filters: metadata filters as Milvus expressions
lite_server: Milvus Lite in a process of its own, for several corpuscope processes
lite_scan: pages of a scan, read from the insides of Milvus Lite
lite_insert: batches written by the column into the insides of Milvus Lite
members: which record is in which cluster, as a parquet file
runs: runs and what belongs to them, as files
defaults: a dataset's default run, and the layer that a run shows
locks: one writer per dataset across processes
"""

"""The records of all datasets in Milvus, and the runs beside them on disk.

Milvus holds one collection per dataset, and one small collection, the catalogue, with a row per
dataset that says which collection is the present one and how it was made (its card). May
import core and lite; only these two wings import pymilvus.

store: the datasets and their records, as the tools see them
collections: names, fields and indexes of the collections
connection: where Milvus is, and the client, renewed when its server went away
patience: how long a call may take, and whether anybody still waits for it
rows: records by the column, packed for Milvus, and its rows as records
scan: all records of a dataset, in pages, in the order of their ids
neighbour_search: the nearest records of many vectors, searched by Milvus
filters: metadata filters as Milvus expressions
deletion: datasets that are being deleted, whatever ends the process
members: which record is in which cluster, as a parquet file
runs: runs and what belongs to them, as files
run_folders: which runs can be read, their numbers, what is left of deleted ones
run_files: the files of a run, written and read, also damaged ones
defaults: a dataset's default run, and the layer that a run shows
locks: one writer per dataset across processes
"""

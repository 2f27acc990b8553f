"""The records of all datasets in Milvus.

Milvus holds one collection per dataset, and one small collection, the catalogue, with a row per
dataset that says which collection is the present one and how it was made (its card). May
import core, lite and archive; of all wings only lite and this one import pymilvus.

store: the datasets and their records, as the tools see them
collections: names, fields and indexes of the collections
connection: where Milvus is, and the client, renewed when its server went away
patience: how long a call may take, and whether anybody still waits for it
rows: records by the column, packed for Milvus, and its rows as records
scan: all records of a dataset, in pages, in the order of their ids
neighbour_search: the nearest records of many vectors, searched by Milvus
filters: metadata filters as Milvus expressions
deletion: datasets that are being deleted, whatever ends the process
locks: one writer per dataset across processes
"""

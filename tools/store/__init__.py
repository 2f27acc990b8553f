"""The records of all datasets in Milvus: the only package that imports pymilvus.

One collection per dataset, and one small collection, the catalogue, with a row per dataset that
says which collection is the present one and how it was made.
"""

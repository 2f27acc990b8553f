"""From a file to its rows, in a stream, within limits on all that is held or unpacked.

May import core, and nothing else: what columns mean, and what becomes of a row, is not known here.

source: a file that is to be read: its limits, its bytes and its text as they are unpacked
rows: rows as they stand in a source, before columns mean anything
formats: the reader for a file, by the ending of its name
encodings: in which encoding a text file is
text_files: csv, tsv, jsonl, json
parquet_files: parquet
sheets: xlsx
"""

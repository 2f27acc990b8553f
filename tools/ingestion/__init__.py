"""From a file, or rows given in the call, to the records of a dataset in the store.

May import core, readers, store, embedding and workspace; no other wing of its floor.

request: what is asked for, its files opened, its rows
loading: the two passes of an ingest, and the order of its writes
survey: the first pass: columns, counts, a sample of the texts
batch_writer: the second pass: records embedded and written, the card marked when they change
observations: what a source shows as its rows go by: ids, uneven dates, frequent handles
advice: what an answer says of that, with the call that makes it better
mojibake: text that was decoded wrongly once, found and mended
columns: which column is text, id, vector or metadata, and of which type
seen: ids and texts that were there before, by their hashes
records: rows become records by the column, and what is wrong with a row is counted
cells: the cells of a column as texts and metadata values
row_vectors: vectors that come with the rows, in a column or a .npy file
"""

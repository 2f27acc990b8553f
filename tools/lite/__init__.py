"""Milvus Lite, served to every corpuscope on a home, and quicker than it is by itself.

A child process owns the folder and serves it over Milvus' own protocol. What is slow in Milvus
Lite for collections like ours is answered here, from its insides, in the versions that are known;
all else is left to it. May import core alone.

server: the child process, how it is started and reached, and when it ends
service: the service: which requests are answered here, and which are left to Milvus Lite
live: the live rows of a collection, and what was found out about them
conditions: filters as they are written, read back and evaluated over distinct values
words: search by words
nearest: search by vectors
answers: rows as answers of Milvus' protocol
insert: batches written by the column
failed_writes: a write that fails, at a full disk, loses and leaves nothing
wire: what both sides of Milvus' protocol know
"""

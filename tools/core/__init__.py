"""What every wing uses: types, names, text and vectors. Imports nothing of corpuscope but itself.

errors              failures that are foreseen, as a tree
schema              datasets, records, runs, clusters and descriptions as types
ids                 names, run ids and cluster ids, and what to read off them
text                one line, cleaned, cut
values              metadata values by type
vectors             unit rows and their mean
files               a file that appears only when it is whole
disk                what disk and system refuse, in words; free space before large writes
masking             what is taken out of texts for vectors and keywords
redaction           personal data replaced by its kind
redaction_patterns  the forms of personal data
excerpts            records as answers show them
"""

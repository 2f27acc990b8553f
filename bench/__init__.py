"""The benchmark: corpuscope beside the tools that do the same.

Run it with `make bench`; it writes RESULTS.md. It may import everything of corpuscope, and nothing
imports it.

__main__: the command
sets, made: the texts with vectors and labels that are read, or made for size
methods, measures: what is compared, and by which figures
compare: methods side by side, seed by seed, step by step
description_methods, description_report: what the words about clusters are worth
from_csv: from a csv to themes, beside BERTopic from the same csv
store: a set through the real client, server and store
processes: memory and time of processes, from /proc
table: figures as Markdown, and the document of results
"""

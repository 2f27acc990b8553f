"""What a tool is given, and what it means by dataset, run and cluster.

May be imported from below: core, tables, store, llm, clustering, analysis, plotting,
embedding, prompts.

- workspace: store, runs, files and models, passed into every tool
- arguments: the arguments that several tools share
- selection: the dataset and run that a client means, with words and records as they may be shown
- headings: many themes under a few headings
- reading: a dataset, or a part of it, in memory
- tables: the columns of a dataset's records, kept until they change; filters on them
- slices: which theme each record of a dataset is in
- cache: what clustering worked out about a dataset, on disk
- file_access: which files may be read and written
"""

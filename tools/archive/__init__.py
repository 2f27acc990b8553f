"""The runs of datasets on disk: `runs/<dataset>/<run>/`, each there whole or not at all.

In and out: the types of core. May import core alone.

runs: runs as files: saved, loaded, edited, chosen and removed
notes: what is kept beside a run: map, stability, words, evidence
run_folders: which runs can be read, their numbers, what is left of deleted ones
run_files: the files of a run, written and read, also damaged ones
edits: edits of a run by hand, their log, and what the run is after each
origins: where the layers of a run were found
file_memo: what was read from files lately, as long as they are the same
members: which record is in which cluster, as a parquet file
defaults: a dataset's default run, and the layer that a run shows
"""

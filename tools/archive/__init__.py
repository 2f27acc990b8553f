"""The runs of datasets on disk: `runs/<dataset>/<run>/`, each there whole or not at all.

In and out: the types of core. May import core alone.

runs: runs and what belongs to them, as files
run_folders: which runs can be read, their numbers, what is left of deleted ones
run_files: the files of a run, written and read, also damaged ones
origins: where the layers of a run were found
file_memo: what was read from files lately, as long as they are the same
members: which record is in which cluster, as a parquet file
defaults: a dataset's default run, and the layer that a run shows
"""

"""The runs of datasets on disk: `runs/<dataset>/<run>/`, each there whole or not at all.

In and out: the types of core. May import core alone.

runs: runs and what belongs to them, as files
run_files: the folders and files of runs: numbers, what is damaged, what is left of deleted ones
file_memo: what was read from files lately, as long as they are the same
members: which record is in which cluster, as a parquet file
defaults: a dataset's default run, and the layer that a run shows
"""

"""The ways to a run of clusters, and what one run has to do with another.

In come loaded records or an earlier run, out comes a draft, which the tool `cluster` saves. May be
imported from below: core, store, llm, clustering, analysis, plotting, embedding, workspace.

- new_run: a run of its own over all records of a dataset, or some
- drill_down: an earlier run with one cluster split into its parts
- assignment: an earlier run with new records put into its clusters
- regardless: columns that themes are found across, taken off the vectors
- repeats: what to know of the themes: that they repeat a column, or names
- draft: a run that is not saved yet, with all that its folder will hold
- assembly: nodes, members and parameters as a run keeps them
- matching: which clusters of two runs are the same thing
- frozen: themes that a person froze, kept as they are
- inheritance: ids and descriptions taken over from earlier runs
- changes: what became of the clusters of an earlier run
- comparison: what changed between two runs, as an answer
- result: what the tool `cluster` answers
- run_map: the map of a run, laid out once
"""

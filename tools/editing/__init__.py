"""Edits of a run by hand: what a person corrects in the themes that were found.

In comes a run as it is, and what is asked for; out comes the run as it is then, with all that
belongs to what changed. May be imported from below: core, store, llm, clustering, analysis,
plotting, embedding, workspace, and runs, of which an edited one is a kind.

- plans: what each kind of edit does to clusters and members
- outcome: what follows of it: sizes, keywords, exemplars, centroids, noise and words
- differences: what a person sees of it: which clusters grew, shrank, came and went
- result: what the tool `edit-clusters` answers
"""

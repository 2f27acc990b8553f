"""From texts and their vectors in memory to a tree of clusters, and what can be said of it.

May import `core` and `geometry` from below; reads no store and writes no file.

- `pipeline`: vectors to tree, step by step
- `corpus`: the distinct texts of a dataset and their vectors
- `linkage`: groups of texts too few for density
- `layers`: density clusters at several resolutions, and which of them to keep
- `headings`: a coarser layer above many themes
- `tree`: the layers as one tree of clusters whose ids are paths
- `nuisance`: what the groups of a column have in common, taken off the vectors
- `noise`: why a text is in no cluster
- `stability`: does a cluster come back when the texts are others of the same kind?
- `memory`: what is known of a corpus already
- `warm_up`: compile every step before it is needed
"""

"""Where texts lie: the neighbours of unit vectors, and places in few dimensions made of them.

May import `core` from below; reads no store and writes no file. `knn` and `node_embedding` are
imported inside functions only: they import numba, which takes a second.

- `knn`: the nearest neighbours of many vectors, by random cells and neighbours of neighbours
- `graph`: the neighbour graph, and the weighted graphs made of it
- `node_embedding`: the forces that bring linked texts together in few dimensions
- `projection`: the map, by UMAP
"""

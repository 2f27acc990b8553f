"""The cluster tree: the layers of one run as nodes whose ids are paths.

In: the labels of n points in each layer, coarse to fine. Out: nodes with members, and for each
point the path of the finest node that holds it. Nodes are nested by majority: a cluster hangs
under the one of a coarser layer that holds more than half of its points.

A cluster's id is its path, `3`, `3.1`, `3.1.2`: numbered by size within its parent, so that `1` is
always the largest. What belongs to no cluster is `noise`.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from corpuscope.tools.clustering.layers import ClusterLayer
from corpuscope.tools.core.ids import LayeredNode, lineage, parent_of, stands_in
from corpuscope.tools.core.schema import NOISE, Floats, Ints

Paths = NDArray[np.object_]
"""(n,) str: for each point the id of the finest node that holds it, or `noise`."""


@dataclass(frozen=True, slots=True, eq=False)
class TreeNode:
    """One cluster: `members` are its points and its children's, rising; `size` counts records."""

    id: str
    layers: tuple[int, int]
    members: Ints
    size: int


@dataclass(frozen=True, slots=True, eq=False)
class ClusterTree:
    """All clusters of a run. `nodes` is in the order of the ids: 1, 1.1, 1.2, 2, ….

    `strengths` (n,) float32, 0 to 1: how surely a point is in the node that its path names.
    A point in `3.1` is in `3`: members are read off the paths.
    """

    paths: Paths
    strengths: Floats
    nodes: tuple[TreeNode, ...]

    def labels_at(self, layer: int) -> Ints:
        """(n,) int32: position in `nodes` of the node that holds the point in that layer, or -1."""
        place = {node.id: index for index, node in enumerate(self.nodes)} | {NOISE: -1}
        paths = layer_paths(self.paths, self.nodes, layer)
        return np.fromiter((place[path] for path in paths), np.int32, len(paths))


@dataclass(slots=True)
class _OpenNode:
    """A node while the tree is built: its parent (-1: none), first and last layer, children."""

    parent: int
    first: int
    last: int
    children: list[int] = field(default_factory=list)


def build_tree(
    layers: Sequence[ClusterLayer], weights: Ints, recommended: int | None = None
) -> ClusterTree:
    """The tree of layers over the same n points, coarse to fine.

    `weights` (n,) are the records of each point; `recommended` is the layer shown first, None the
    finest. What first stands out in a finer layer than that, below no cluster of a coarser one,
    was noise there (`found_in_noise`): its numbers come after those of all others on top.

    A cluster hangs under the node that so far holds most of its points, and stands on top where
    none holds more than half. An only child is its parent again, standing in one layer more with
    the parent's members: a theme does not become another by losing its edge. In PLSCAN's layers an
    only child has exactly its parent's members, so that nothing is changed there.
    """
    count = len(weights)
    holder = np.full(count, -1, np.int32)  # the finest node so far that holds each point
    strengths = np.zeros(count, np.float32)
    growing: list[_OpenNode] = []
    for depth, layer in enumerate(layers):
        groups = layer_groups(layer)
        parents = [_majority(holder[members]) for members in groups]
        candidates = Counter(parents)
        for members, parent in zip(groups, parents, strict=True):
            only_child = parent >= 0 and candidates[parent] == 1 and not growing[parent].children
            if only_child:
                growing[parent].last = depth
                node, joining = parent, members[holder[members] != parent]
            else:
                node, joining = len(growing), members
                growing.append(_OpenNode(parent, depth, depth))
                if parent >= 0:
                    growing[parent].children.append(node)
            holder[joining] = node
            strengths[joining] = layer.strengths[joining]
    finest = len(layers) - 1 if recommended is None else recommended
    return _numbered(growing, holder, strengths, weights, finest)


def layer_paths(paths: Paths, nodes: Iterable[LayeredNode], layer: int) -> list[str]:
    """For each point the id of the node that holds it in that layer, else `noise`."""
    standing = {node.id for node in nodes if stands_in(node, layer)}
    holder = {
        path: next((node_id for node_id in lineage(path) if node_id in standing), NOISE)
        for path in set(paths)
    }
    return [holder[path] for path in paths]


def found_in_noise(node: LayeredNode, recommended: int) -> bool:
    """Whether a cluster on top was found among what is noise in the recommended layer.

    It first stands out in a finer one, or the noise was clustered by itself. In runs of before its
    id is `noise.1`, `noise.2`, ….
    """
    parent = parent_of(node.id)
    late = node.layers is None or node.layers[0] > recommended
    return parent == NOISE or (parent is None and late)


def layer_groups(layer: ClusterLayer) -> list[Ints]:
    """The points of each cluster of a layer, rising."""
    by_label = np.argsort(layer.labels, kind="stable").astype(np.int32)
    ends = np.searchsorted(layer.labels[by_label], np.arange(layer.clusters + 1))
    return [by_label[start:end] for start, end in pairwise(ends)]


def _majority(holders: Ints) -> int:
    """What more than half of the points have in common, or -1."""
    values, counts = np.unique(holders, return_counts=True)
    most = int(counts.argmax()) if len(counts) else 0
    return int(values[most]) if len(counts) and 2 * counts[most] > len(holders) else -1


def _numbered(
    growing: list[_OpenNode], holder: Ints, strengths: Floats, weights: Ints, recommended: int
) -> ClusterTree:
    """Members, sizes and ids by size, once every point has its finest node."""
    by_holder = np.argsort(holder, kind="stable").astype(np.int32)
    ends = np.searchsorted(holder[by_holder], np.arange(len(growing) + 1))
    members = [by_holder[start:end] for start, end in pairwise(ends)]
    for index in range(len(growing) - 1, -1, -1):  # children were made after their parents
        if (parent := growing[index].parent) >= 0:
            members[parent] = np.concatenate((members[parent], members[index]))
    sizes = [int(weights[points].sum()) for points in members]

    def numbered(siblings: Iterable[int], prefix: str, after: int = 0) -> Iterable[tuple[int, str]]:
        alive = (index for index in siblings if len(members[index]))
        ranked = sorted(alive, key=lambda index: (-sizes[index], members[index].min()))
        for number, index in enumerate(ranked, after + 1):
            yield index, f"{prefix}{number}"
            yield from numbered(growing[index].children, f"{prefix}{number}.")

    top = [index for index, node in enumerate(growing) if node.parent < 0]
    early = [index for index in top if growing[index].first <= recommended]
    late = [index for index in top if growing[index].first > recommended]
    ids = dict(numbered(early, ""))
    ids |= dict(numbered(late, "", after=sum(len(members[index]) > 0 for index in early)))
    # The last name is reached by the holder -1.
    names = np.array(
        [*(ids.get(index, NOISE) for index in range(len(growing))), NOISE], dtype=object
    )
    nodes = tuple(
        TreeNode(
            node_id,
            (growing[index].first, growing[index].last),
            np.sort(members[index]),
            sizes[index],
        )
        for index, node_id in ids.items()
    )
    return ClusterTree(names[holder], strengths, nodes)

"""Themes that a person froze, kept as they are while the rest is clustered anew.

In: the saved runs of the same records, and a new clustering of them. Out: the clustering in which
the records of each frozen theme are together in one theme again. New records join it where the
clustering puts them with most of it; what little is left of a cluster that it took the place of is
noise.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from corpuscope.tools.archive.runs import Runs
from corpuscope.tools.clustering.corpus import Corpus
from corpuscope.tools.clustering.pipeline import Clustering
from corpuscope.tools.clustering.tree import ClusterTree, Paths, TreeNode
from corpuscope.tools.core.ids import depth, id_sort_key, is_within, lineage, parent_of
from corpuscope.tools.core.schema import NOISE, Floats, Ints, Members, Run
from corpuscope.tools.runs.matching import overlaps, same_clusters

MOSTLY_TAKEN = 0.5
"""A cluster that a frozen theme takes more of than this is the same thing: its rest is the edge."""


@dataclass(frozen=True)
class FrozenTheme:
    """A cluster that was frozen, in the run that says so."""

    run: Run
    cluster: str


def frozen_themes(runs: Runs, past: Sequence[Run]) -> list[FrozenTheme]:
    """The frozen themes of earlier runs, each id once, those of the first run first.

    What another one was handed down counts only as long as the first has it: who thaws a theme does
    so once.
    """
    themes: dict[str, FrozenTheme] = {}
    for run in past:
        handed = {*runs.as_of(run).frozen} - {*past[0].frozen} if run.id != past[0].id else ()
        for cluster in run.frozen:
            if cluster not in handed:
                themes.setdefault(cluster, FrozenTheme(run, cluster))
    return list(themes.values())


def with_frozen(
    runs: Runs, themes: Sequence[FrozenTheme], corpus: Corpus, clustering: Clustering
) -> tuple[Clustering, dict[str, FrozenTheme]]:
    """The clustering with the frozen themes kept together, and by its ids which is which; one none
    of whose records is left is not among them."""
    kept: dict[str, FrozenTheme] = {}
    tree = clustering.tree
    finest, recommended = len(clustering.choice.layers) - 1, clustering.choice.recommended
    paths, strengths = tree.paths.copy(), tree.strengths.copy()
    layers = {node.id: node.layers for node in tree.nodes}
    taken = np.zeros(len(paths), np.bool_)
    for theme in themes:
        before = runs.members(theme.run)
        again = _again(before, corpus, tree.paths)
        points, own = _points(theme, before, corpus)
        free = ~taken[points]
        points, own = points[free], own[free]
        if not points.size:
            continue
        joining = _joining(before, corpus, tree.paths, again.get(theme.cluster))
        above = again.get(parent_of(theme.cluster) or "")
        if above is None or layers[above][1] >= recommended:
            above = None
        id_ = _next(above, layers)
        layers[id_] = (0 if above is None else layers[above][1] + 1, finest)
        kept[id_] = theme
        strengths[points] = own
        points = np.union1d(points, joining[~taken[joining]])
        taken[points] = True
        paths[points] = id_
    if not kept:
        return clustering, {}
    _give_way(tree, paths, layers)
    strengths[paths == NOISE] = 0
    nodes = _nodes(paths, layers, corpus.weights)
    return replace(clustering, tree=ClusterTree(paths, strengths, nodes)), kept


def _again(before: Members, corpus: Corpus, paths: Paths) -> dict[str, str]:
    """The new cluster that is the same thing, by earlier one."""
    zeros = np.zeros(len(corpus.ids), np.float32)
    after = Members(corpus.ids, paths[corpus.copies_of], zeros, zeros, corpus.copies_of)
    return {earlier: later for later, earlier in same_clusters(overlaps(before, after)).items()}


def _points(theme: FrozenTheme, before: Members, corpus: Corpus) -> tuple[Ints, Floats]:
    """The texts that are in the theme, rising, and how surely each is."""
    strength = {
        record: float(before.strengths[row])
        for row, record in enumerate(before.ids)
        if is_within(str(before.paths[row]), theme.cluster)
    }
    held = {
        int(point): strength[record]
        for record, point in zip(corpus.ids, corpus.copies_of, strict=True)
        if record in strength
    }
    points = sorted(held)
    return np.array(points, np.int32), np.array([held[point] for point in points], np.float32)


def _joining(before: Members, corpus: Corpus, paths: Paths, cluster: str | None) -> Ints:
    """The texts that the earlier run did not know and that are in a new cluster, rising."""
    if cluster is None:
        return np.empty(0, np.int32)
    known = {*before.ids}
    old = {int(p) for r, p in zip(corpus.ids, corpus.copies_of, strict=True) if r in known}
    inside = {path: is_within(path, cluster) for path in set(paths.tolist())}
    points = [at for at, path in enumerate(paths.tolist()) if inside[path] and at not in old]
    return np.array(points, np.int32)


def _next(parent: str | None, used: Iterable[str]) -> str:
    """The next free id below a cluster, or on top."""
    numbers = (int(id_.rpartition(".")[2]) for id_ in used if parent_of(id_) == parent)
    number = max(numbers, default=0) + 1
    return f"{number}" if parent is None else f"{parent}.{number}"


def _give_way(tree: ClusterTree, paths: Paths, layers: Mapping[str, tuple[int, int]]) -> None:
    """Take apart, in `paths`, the clusters most of which is in frozen themes now."""
    left = {node.id: _inside(paths, node.id) for node in tree.nodes}
    gone = {
        node.id
        for node in tree.nodes
        if len(left[node.id]) < (1 - MOSTLY_TAKEN) * len(node.members)
    }
    for cluster in sorted(gone, key=depth, reverse=True):
        above = next((id_ for id_ in reversed(lineage(cluster)[:-1]) if id_ not in gone), NOISE)
        paths[paths == cluster] = above


def _inside(paths: Paths, cluster: str) -> Ints:
    inside = {path: is_within(path, cluster) for path in set(paths.tolist())}
    return np.flatnonzero([inside[path] for path in paths.tolist()]).astype(np.int32)


def _nodes(
    paths: Paths, layers: Mapping[str, tuple[int, int]], weights: Ints
) -> tuple[TreeNode, ...]:
    """The clusters that have texts, in the order of their ids."""
    nodes = []
    for cluster in sorted(layers, key=id_sort_key):
        members = _inside(paths, cluster)
        if members.size:
            size = int(weights[members].sum())
            nodes.append(TreeNode(cluster, layers[cluster], members, size))
    return tuple(nodes)

"""Which clusters of a later run are the same thing as clusters of an earlier one.

Two clusters are the same where they share most of their records (Jaccard index); where hardly any
record is left to go by, where their centroids are close. The ids follow from that.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from corpuscope.tools.clustering.noise import rename_reasons
from corpuscope.tools.core.ids import depth, id_sort_key, lineage, parent_of
from corpuscope.tools.core.schema import NOISE, Floats, Members, Node

SAME = 0.5
"""Jaccard index from which two clusters are the same. Above it no cluster has two equals beside
each other; on BANKING77 and StackOverflow, other seeds and 80 % of the data, 96 % of the pairs have
the same majority label, and lower thresholds add few pairs."""

SAME_CENTROID = 0.95
"""Cosine from which centroids say the same; there, 96 % of the pairs are those that the records
give, and 98 % of these are found. Different clusters come up to 0.93."""

FEWEST_KNOWN = 5
"""Fewer records of a cluster that are left say nothing about where it went."""


@dataclass(frozen=True, slots=True, eq=False)
class Overlaps:
    """How many records two runs share: those that both of them know.

    `pairs` by (earlier path, later path), finest paths, `noise` included; `together` by (earlier
    cluster, later cluster), all levels; `before` and `after` by cluster.
    """

    pairs: Counter[tuple[str, str]]
    together: Counter[tuple[str, str]]
    before: Counter[str]
    after: Counter[str]
    lost: frozenset[str]

    @property
    def records(self) -> int:
        """How many records both runs know."""
        return self.pairs.total()

    def jaccard(self, earlier: str, later: str) -> float:
        """Shared records of two clusters over those in either, 0 to 1."""
        both = self.together[earlier, later]
        return both / max(1, self.before[earlier] + self.after[later] - both)


def overlaps(before: Members, after: Members) -> Overlaps:
    """The overlaps of all clusters of an earlier and a later run, by the ids of their records."""
    place = dict(zip(after.ids, after.paths, strict=True))
    pairs = Counter(
        (str(path), str(place[record]))
        for record, path in zip(before.ids, before.paths, strict=True)
        if record in place
    )
    together: Counter[tuple[str, str]] = Counter()
    left: Counter[str] = Counter()
    known: Counter[str] = Counter()
    for (old_path, new_path), count in pairs.items():
        old_ids, new_ids = _clusters(old_path), _clusters(new_path)
        left.update(dict.fromkeys(old_ids, count))
        known.update(dict.fromkeys(new_ids, count))
        together.update({(old_id, new_id): count for old_id in old_ids for new_id in new_ids})
    sizes: Counter[str] = Counter()
    for path, count in Counter(map(str, before.paths)).items():
        sizes.update(dict.fromkeys(_clusters(path), count))
    lost = frozenset(id_ for id_, size in sizes.items() if left[id_] < min(FEWEST_KNOWN, size))
    return Overlaps(pairs, together, left, known, lost)


def same_clusters(shared: Overlaps) -> dict[str, str]:
    """The earlier cluster that is the same thing, by later cluster; one to one.

    The most alike are paired first. Who contends for a cluster is a part of its rival, so that
    this is hardly ever worse than the best assignment.
    """
    alike = (
        (shared.jaccard(*pair), *pair) for pair in shared.together if pair[0] not in shared.lost
    )
    ranked = sorted(
        (pair for pair in alike if pair[0] >= SAME),
        key=lambda pair: (-pair[0], abs(depth(pair[1]) - depth(pair[2])), id_sort_key(pair[2])),
    )
    return _one_to_one((earlier, later) for _, earlier, later in ranked)


def same_by_centroid(before: Mapping[str, Floats], after: Mapping[str, Floats]) -> dict[str, str]:
    """The earlier cluster, by later one, whose (dim,) unit centroid is nearest and near enough."""
    if not before or not after:
        return {}
    earlier, later = list(before), list(after)
    cosines = np.stack([*before.values()]) @ np.stack([*after.values()]).T
    rows, columns = np.nonzero(cosines >= SAME_CENTROID)
    ranked = np.argsort(-cosines[rows, columns], kind="stable")
    return _one_to_one((earlier[rows[at]], later[columns[at]]) for at in ranked)


def inherited_ids(
    ids: Iterable[str], same: Mapping[str, str], used: Iterable[str]
) -> dict[str, str]:
    """The id that each cluster gets: that of the same cluster before, as far as paths allow.

    Args:
        ids: The ids as they were given, numbered by size.
        same: The earlier id of a cluster that is the same thing, by its id as it was given.
        used: All ids that earlier runs used: no other cluster gets one of them.

    From the top down: a cluster whose parent has the parent's id from before keeps its own; the
    others get numbers beyond those used there.
    """
    last: dict[str | None, int] = {}
    for used_id in used:
        parent, _, number = used_id.rpartition(".")
        last[parent or None] = max(last.get(parent or None, 0), int(number))
    below: dict[str | None, list[str]] = {}
    for given in sorted(ids, key=id_sort_key):
        below.setdefault(parent_of(given), []).append(given)
    names: dict[str, str] = {}
    waiting: list[tuple[str | None, str | None]] = [(None, None), (NOISE, NOISE)]
    while waiting:
        parent_given, parent_named = waiting.pop()
        next_number = last.get(parent_named, 0)
        for given in below.get(parent_given, []):
            before = same.get(given)
            if before is not None and parent_of(before) == parent_named:
                names[given] = before
            else:
                next_number += 1
                prefix = "" if parent_named is None else f"{parent_named}."
                names[given] = f"{prefix}{next_number}"
            waiting.append((given, names[given]))
    return names


def rename_clusters(
    nodes: Iterable[Node], members: Members, names: Mapping[str, str]
) -> tuple[list[Node], Members]:
    """Nodes, in the order of their new ids, and members under the new ids; `noise` stays.

    Reasons for noise name clusters: `between 3 and 7.1`.
    """
    renamed = [replace(node, id=names[node.id]) for node in nodes]
    name_of = {NOISE: NOISE, **names}
    paths: NDArray[np.object_] = np.array([name_of[path] for path in members.paths], dtype=object)
    moved = replace(members, paths=paths)
    if members.noise_reasons is not None:
        moved = replace(
            moved, noise_reasons=rename_reasons(members.noise_reasons, names.__getitem__)
        )
    if members.nearest is not None:
        nearest = [name_of.get(theme, "") for theme in members.nearest]
        moved = replace(moved, nearest=np.array(nearest, dtype=object))
    return sorted(renamed, key=lambda node: id_sort_key(node.id)), moved


def _clusters(path: str) -> list[str]:
    return [cluster for cluster in lineage(path) if cluster != NOISE]


def _one_to_one(pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Later to earlier, each used once; the first pairs first."""
    chosen: dict[str, str] = {}
    taken: set[str] = set()
    for earlier, later in pairs:
        if earlier not in taken and later not in chosen:
            chosen[later] = earlier
            taken.add(earlier)
    return chosen

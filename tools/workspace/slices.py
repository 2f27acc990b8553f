"""Which theme each record of a dataset is in, row for row with its table.

In: a selection; out: arrays over the n rows of `record_table`, to count and to compare by.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from corpuscope.tools.clustering.tree import layer_paths
from corpuscope.tools.core.ids import lineage
from corpuscope.tools.core.schema import NOISE, Ints, Node
from corpuscope.tools.tables.mask import Mask
from corpuscope.tools.tables.where import Where
from corpuscope.tools.workspace.selection import Selection, cluster_rows
from corpuscope.tools.workspace.tables import record_table, where_members
from corpuscope.tools.workspace.workspace import Workspace

IN_NOISE, NOT_IN_RUN = -1, -2
"""In place of a theme: the record is noise, or the run does not know it."""


@dataclass(frozen=True, eq=False)
class ThemeColumn:
    """The themes of a run as it is shown, and (n,) which one each record of the dataset is in: its
    place in `themes`, `IN_NOISE` or `NOT_IN_RUN`."""

    themes: Sequence[Node]
    codes: Ints


def theme_column(workspace: Workspace, selection: Selection) -> ThemeColumn:
    """The theme of each record of the dataset, at the layer that the selection shows.

    Raises:
        NotReady: The run is of other records: the dataset was replaced.
    """
    selection.check_current()
    run = selection.run
    members = workspace.runs.members(run)
    themes = selection.standing_in(run.recommended)
    place = {node.id: at for at, node in enumerate(themes)} | {NOISE: IN_NOISE}
    paths = layer_paths(members.paths, run.nodes, run.recommended)
    codes = np.full(len(record_table(workspace, selection.card)), NOT_IN_RUN, np.int32)
    rows = record_table(workspace, selection.card).rows_of(members.ids)
    there = rows >= 0
    of_members = np.fromiter((place[path] for path in paths), np.int32, len(paths))
    codes[rows[there]] = of_members[there]
    return ThemeColumn(themes, codes)


@dataclass(frozen=True)
class FittingSizes:
    """How many records of a run fit a filter: all, those of its noise, and those of each cluster,
    parts included; a cluster without any is not in it."""

    total: int
    noise: int
    of_cluster: Mapping[str, int]


def fitting_sizes(workspace: Workspace, selection: Selection, where: Where) -> FittingSizes:
    """How many records of the clusters of a run, and of the noise of its layer, fit a filter.

    Raises:
        BadInput: A column, comparison or value that cannot be filtered by.
        NotReady: The run is of other records: the dataset was replaced.
    """
    selection.check_current()
    run = selection.run
    members = workspace.runs.members(run)
    fits = where_members(workspace, selection.card, where, members.ids)
    found = Counter(members.paths[fits].tolist())
    places = layer_paths(np.array([*found], dtype=object), run.nodes, run.recommended)
    sizes: Counter[str] = Counter()
    for path, count in found.items():
        sizes.update(dict.fromkeys(lineage(path), count))
    noise = sum(
        count for count, place in zip(found.values(), places, strict=True) if place == NOISE
    )
    return FittingSizes(int(np.count_nonzero(fits)), noise, sizes)


def cluster_mask(workspace: Workspace, selection: Selection, cluster: str) -> Mask:
    """(n,) which records of the dataset are in a cluster, at whatever depth, or in the noise.

    Raises:
        NotFound: The run has no such cluster.
        NotReady: The run is of other records: the dataset was replaced.
    """
    selection.check_current()
    selection.check(cluster)
    members = workspace.runs.members(selection.run)
    table = record_table(workspace, selection.card)
    rows = table.rows_of(
        [members.ids[row] for row in cluster_rows(selection.run, members, cluster)]
    )
    mask = np.zeros(len(table), bool)
    mask[rows[rows >= 0]] = True
    return mask

"""Drilling down: the parts of one cluster, found anew, hung below it in a new run."""

import shutil
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np

from corpuscope.tools.clustering import Clustering
from corpuscope.tools.corpus import Corpus
from corpuscope.tools.runs import DESCRIPTIONS, MAP_FILE, Members, Runs
from corpuscope.tools.schema import NOISE, Floats, Node, Run, Scalar
from corpuscope.tools.selection import Selection, rows_of
from corpuscope.tools.tree import is_within


@dataclass(frozen=True)
class Part:
    """What clustering one cluster by itself found.

    `centrality` (m,) belongs to the distinct texts of `corpus`; `nodes` have ids of their own,
    1, 2, …, as if the part were the whole.
    """

    within: str
    corpus: Corpus
    found: Clustering
    nodes: list[Node]
    centrality: Floats


def inside(members: Members, within: str) -> set[str]:
    """The ids of the records in a cluster, or in the noise."""
    return {members.ids[row] for row in rows_of(members, within)}


def grafted(parent: Run, part: Part, settled: dict[str, Scalar]) -> Run:
    """The parent run with the parts below `within`, in place of what was below it."""
    total = max(1, parent.records)
    below = [
        node.model_copy(
            update={
                "id": f"{part.within}.{node.id}",
                "layers": None,
                "share": round(node.size / total, 6),
            }
        )
        for node in part.nodes
    ]
    kept = [
        node
        for node in parent.nodes
        if node.id == part.within or not is_within(node.id, part.within)
    ]
    return parent.model_copy(
        update={
            "created": datetime.now(UTC).isoformat(timespec="seconds"),
            "parameters": settled,
            "parent_run": parent.id,
            "within": part.within,
            "nodes": kept + below,
        }
    )


def regrouped(members: Members, part: Part) -> Members:
    """The parent's members, those inside moved to the parts; what fits no part stays above."""
    paths = members.paths.copy()
    strengths = members.strengths.copy()
    near = members.centrality.copy()
    row_of = {record: row for row, record in enumerate(members.ids)}
    rows = np.array([row_of[record] for record in part.corpus.ids])
    points = part.corpus.copies_of
    found = part.found.tree.paths[points]
    placed = found != NOISE
    paths[rows] = [part.within if path == NOISE else f"{part.within}.{path}" for path in found]
    strengths[rows[placed]] = part.found.tree.strengths[points][placed]
    near[rows[placed]] = part.centrality[points][placed]
    return Members(members.ids, paths, strengths, near, members.copies_of)


def keep_words_and_map(runs: Runs, old: Selection, new: Run) -> None:
    """Take over what still holds: the map, and the descriptions of clusters that did not change."""
    source = runs.folder(old.run.dataset, old.run.id)
    target = runs.folder(new.dataset, new.id)
    within = str(new.within)
    for cluster in old.descriptions:
        if cluster == within or not is_within(cluster, within):
            (target / DESCRIPTIONS).mkdir(exist_ok=True)
            shutil.copy2(source / DESCRIPTIONS / f"{cluster}.json", target / DESCRIPTIONS)
    if (source / MAP_FILE).exists():
        shutil.copy2(source / MAP_FILE, target)

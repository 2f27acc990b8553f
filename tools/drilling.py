"""Drilling down: the parts of one cluster, found anew, hung below it in a new run."""

import shutil
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from corpuscope.tools.clustering import Clustering
from corpuscope.tools.corpus import Corpus
from corpuscope.tools.recording import covered
from corpuscope.tools.runs import DESCRIPTIONS, MAP_FILE, Members, Runs
from corpuscope.tools.schema import NOISE, Floats, Node, Run, Scalar
from corpuscope.tools.selection import Selection, rows_of
from corpuscope.tools.tree import is_within, lineage, stands


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


def inside(run: Run, members: Members, within: str) -> set[str]:
    """The ids of the records in a cluster, or in the noise."""
    return {members.ids[row] for row in rows_of(run, members, within)}


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
    # In the noise are also records of a coarser cluster: those that fit no part stay in it.
    below = np.array([is_within(str(path), part.within) for path in paths[rows]])
    paths[rows[below]] = part.within
    paths[rows[placed]] = [f"{part.within}.{path}" for path in found[placed]]
    strengths[rows[placed]] = part.found.tree.strengths[points][placed]
    near[rows[placed]] = part.centrality[points][placed]
    return Members(members.ids, paths, strengths, near, members.copies_of)


def grafted(parent: Run, part: Part, members: Members, settled: dict[str, Scalar]) -> Run:
    """The parent run with the parts below `within`, in place of what was below it.

    `members` are the regrouped ones, from which every cluster's size is counted anew.
    """
    below = [
        node.model_copy(update={"id": f"{part.within}.{node.id}", "layers": None})
        for node in part.nodes
    ]
    kept = [
        node
        for node in parent.nodes
        if node.id == part.within or not is_within(node.id, part.within)
    ]
    sizes = Counter(one for path in members.paths for one in lineage(str(path)))
    nodes = [
        node.model_copy(
            update={"size": sizes[node.id], "share": round(sizes[node.id] / parent.records, 6)}
        )
        for node in kept + below
        if sizes[node.id]
    ]
    layers = [
        layer.model_copy(
            update={
                "coverage": round(covered(nodes, layer.index) / parent.records, 4),
                "clusters": sum(stands(node, layer.index) for node in nodes),
            }
        )
        for layer in parent.layers
    ]
    return parent.model_copy(
        update={
            "created": datetime.now(UTC).isoformat(timespec="seconds"),
            "parameters": settled,
            "parent_run": parent.id,
            "within": part.within,
            "layers": layers,
            "nodes": nodes,
        }
    )


def keep_words_and_map(runs: Runs, old: Selection, within: str, target: Path) -> None:
    """Take over what still holds: the map, and the descriptions of clusters that did not change.

    `target` is the folder of the run that splits `within`.
    """
    source = runs.folder(old.run.dataset, old.run.id)
    for cluster in old.descriptions:
        if cluster == within or not is_within(cluster, within):
            (target / DESCRIPTIONS).mkdir(exist_ok=True)
            shutil.copy2(source / DESCRIPTIONS / f"{cluster}.json", target / DESCRIPTIONS)
    if (source / MAP_FILE).exists():
        shutil.copy2(source / MAP_FILE, target)

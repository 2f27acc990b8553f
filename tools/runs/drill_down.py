"""Drilling down: the parts of one cluster, found anew, hung below it in a new run."""

import shutil
from collections import Counter
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from corpuscope.tools.clustering.corpus import Corpus
from corpuscope.tools.clustering.noise import count_reasons, rename_reasons
from corpuscope.tools.clustering.pipeline import Clustering
from corpuscope.tools.clustering.stability import unchanged_scores
from corpuscope.tools.clustering.tree import Paths, layer_paths, stands_in
from corpuscope.tools.core.errors import BadInput
from corpuscope.tools.core.ids import id_sort_key, is_within, lineage
from corpuscope.tools.core.schema import NOISE, Floats, Members, Node, Run
from corpuscope.tools.runs.assembly import covered
from corpuscope.tools.runs.inheritance import (
    keep_centroids,
    keep_descriptions,
    kept_centroids,
    without_parts,
)
from corpuscope.tools.store.runs import DESCRIPTIONS, MAP_FILE, Runs, write_stability
from corpuscope.tools.workspace.selection import Selection, cluster_rows


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


def outermost(selection: Selection, clusters: list[str]) -> list[str]:
    """The clusters asked for, in order and once; one inside another of them goes without saying.

    Raises:
        BadInput: None is given.
        NotFound: One is not in the run; the message lists those there are.
    """
    if not clusters:
        raise BadInput("within is empty: give a cluster id, or a list of them.")
    for one in clusters:
        selection.check(one)
    outer = {
        one for one in clusters if not any(is_within(one, other) for other in {*clusters} - {one})
    }
    return sorted(outer, key=id_sort_key)


def records_within(run: Run, members: Members, within: str) -> set[str]:
    """The ids of the records in a cluster, or in the noise."""
    return {members.ids[row] for row in cluster_rows(run, members, within)}


def replace_subtree(parent: Run, members: Members, part: Part) -> tuple[Run, Members]:
    """The parent run with the parts below `within`, in place of what was below it.

    Every cluster's size is counted anew from the members as they are regrouped. Split where the
    recommended layer is finer, the parts stand in for the clusters of that layer.
    """
    within = part.within
    split = next((node for node in parent.nodes if node.id == within), None)
    stand = (parent.recommended, parent.recommended)
    coarser = split is not None and split.layers is not None and split.layers[1] < stand[0]
    below = [
        replace(node, id=f"{within}.{node.id}", layers=stand if coarser else None, drilled=True)
        for node in part.nodes
    ]
    kept = [n for n in parent.nodes if n.id == within or not is_within(n.id, within)]
    moved = _regrouped(members, part)
    child = replace(recount(parent, kept + below, moved.paths), parent_run=parent.id, within=within)
    return _reasoned(child, moved, within)


def _regrouped(members: Members, part: Part) -> Members:
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
    return replace(members, paths=paths, strengths=strengths, centrality=near)


def _reasoned(run: Run, members: Members, within: str) -> tuple[Run, Members]:
    """With a reason for all that is noise now: clusters below `within` have given way to it."""
    if members.noise_reasons is None:
        return run, members
    held = rename_reasons(members.noise_reasons, lambda id: within if is_within(id, within) else id)
    noise = np.array(layer_paths(members.paths, run.nodes, run.recommended), dtype=object) == NOISE
    held[~noise] = ""
    held[noise & (held == "")] = f"edge of {within}"
    run = replace(run, noise_reasons=count_reasons(held))
    return run, replace(members, noise_reasons=held)


def recount(run: Run, nodes: list[Node], paths: Paths) -> Run:
    """A run made from another one now: its clusters and layers counted anew over these paths."""
    records = len(paths)
    sizes = Counter(one for path in paths for one in lineage(str(path)))
    count_reasons = [
        replace(node, size=sizes[node.id], share=round(sizes[node.id] / records, 6))
        for node in nodes
        if sizes[node.id]
    ]
    layers = [
        replace(
            layer,
            coverage=round(covered(count_reasons, layer.index) / records, 4),
            clusters=sum(stands_in(node, layer.index) for node in count_reasons),
        )
        for layer in run.layers
    ]
    return replace(
        run,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        records=records,
        noise=records - covered(count_reasons, run.recommended),
        layers=layers,
        nodes=count_reasons,
        follows=None,
        assigned_from=None,
        assigned=0,
    )


def keep_what_holds(runs: Runs, old: Selection, child: Run, target: Path) -> None:
    """Take over what still holds in the run that splits a cluster: the map, and descriptions,
    centroids and stability of clusters that did not change. `target` is the folder of `child`."""
    within = str(child.within)
    source = runs.folder(old.run.dataset, old.run.id)
    for cluster in old.descriptions:
        if cluster == within or not is_within(cluster, within):
            (target / DESCRIPTIONS).mkdir(exist_ok=True)
            shutil.copy2(source / DESCRIPTIONS / f"{cluster}.json", target / DESCRIPTIONS)
    if within in old.descriptions:  # its parts are others now
        keep_descriptions(target, {within: without_parts(old.descriptions[within])})
    known = kept_centroids(source)
    stay = [id for id in known if id == within or not is_within(id, within)]
    keep_centroids(target, {id: known[id] for id in stay})
    if held := runs.stability(old.run):
        scores = unchanged_scores(held.scores, old.run.nodes, child.nodes)
        write_stability(target, replace(held, scores=scores))
    if (source / MAP_FILE).exists():
        shutil.copy2(source / MAP_FILE, target)

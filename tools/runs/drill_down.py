"""Drilling down: the parts of one cluster, found by clustering it alone, hung below it.

In come a run and one of its clusters, out comes the draft of a run that is the same but for what
lies below that cluster.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np

from corpuscope.tools.archive.defaults import BY_HAND, settings_by_hand
from corpuscope.tools.archive.runs import Runs
from corpuscope.tools.clustering.corpus import Corpus
from corpuscope.tools.clustering.noise import count_reasons, rename_reasons
from corpuscope.tools.clustering.pipeline import Parameters
from corpuscope.tools.clustering.stability import unchanged_scores
from corpuscope.tools.clustering.tree import ClusterTree, found_in_noise, layer_paths
from corpuscope.tools.core.errors import BadInput
from corpuscope.tools.core.ids import id_sort_key, is_within, lineage
from corpuscope.tools.core.masking import keyword_text
from corpuscope.tools.core.schema import NOISE, Description, Floats, Members, Node, Report, Run
from corpuscope.tools.runs.assembly import (
    centrality,
    recount,
    run_nodes,
    run_parameters,
    with_noise_assigned,
)
from corpuscope.tools.runs.draft import RunDraft, Split
from corpuscope.tools.runs.inheritance import earlier_runs, without_parts
from corpuscope.tools.runs.new_run import checked_records, cluster_loaded, load_records
from corpuscope.tools.runs.regardless import set_aside
from corpuscope.tools.workspace.reading import LoadedDataset, load_run, part_of
from corpuscope.tools.workspace.selection import Selection, cluster_records
from corpuscope.tools.workspace.workspace import Workspace

T = TypeVar("T")


@dataclass(frozen=True)
class ClusterPart:
    """The cluster `within` of a run, to be split, in vectors regardless of these columns."""

    selection: Selection
    within: str
    columns: tuple[str, ...] = ()


@dataclass(frozen=True)
class Parts:
    """What clustering the cluster `within` by itself found.

    `centrality` (m,) belongs to the distinct texts of `corpus`; `nodes` and the paths of `tree`
    have ids of their own, 1, 2, …, as if the cluster were the whole. Parts of the noise stand on
    top, with the numbers after `last`, the largest that was used there.
    """

    within: str
    corpus: Corpus
    tree: ClusterTree
    nodes: list[Node]
    centrality: Floats
    last: int = 0

    def name(self, part: str) -> str:
        """The id of a part, or of what is below it, in the run."""
        if self.within != NOISE:
            return f"{self.within}.{part}"
        number, dot, below = part.partition(".")
        return f"{self.last + int(number)}{dot}{below}"


def outermost(selection: Selection, clusters: list[str]) -> list[str]:
    """The clusters asked for, in order and once; one inside another of them goes without saying.

    Raises:
        BadInput: None is given.
        NotFound: One is not in the run; the message lists those there are.
    """
    if not clusters:
        raise BadInput("within is empty: give a cluster id, or a list of them.")
    for cluster in clusters:
        selection.check(cluster)
    headings = selection.run.grouped
    asked = {below for cluster in clusters for below in headings.get(cluster, [cluster])}
    outer = [
        cluster
        for cluster in asked
        if not any(is_within(cluster, other) for other in asked - {cluster})
    ]
    return sorted(outer, key=id_sort_key)


def split_cluster(
    workspace: Workspace,
    part: ClusterPart,
    parameters: Parameters,
    report: Report,
) -> RunDraft:
    """The run of a part with its cluster split; its own run where it has no parts.

    Raises:
        BadInput: The cluster is empty.
        NotReady: The dataset grew while it was read.
    """
    selection, within = part.selection, part.within
    parent = selection.run
    members = workspace.runs.members(parent)
    loaded = _load_part(workspace, part, members, report)
    corpus = loaded.corpus
    flat = replace(parameters, only_recommended=True)
    clustering = cluster_loaded(workspace, selection.card, loaded, flat, report)
    choice = clustering.choice
    # One part is no part: the cluster stays as it is.
    if choice.layers[choice.recommended].clusters < 2:
        split = Split(within, parent.reason, clustering.hint)
        return RunDraft(selection.card, parent, members, selection.descriptions, {}, split=split)
    nodes = run_nodes(corpus, clustering, keyword_text(selection.card.mask, workspace.redact))
    near = centrality(corpus, clustering)
    parts = Parts(within, corpus, clustering.tree, nodes, near, _last(workspace.runs, parent))
    run, moved = replace_subtree(parent, members, parts)
    # What is said of the whole stays true of it; the rest is how its part was split.
    stated = run_parameters(parameters, clustering, None) | {
        "where": parent.parameters["where"],
        "regardless_of": ", ".join(part.columns) or None,
        BY_HAND: settings_by_hand(parent) or None,
    }
    return RunDraft(
        card=selection.card,
        run=replace(run, parameters=stated),
        members=moved,
        descriptions={},
        centroids=_around(workspace.runs.centroids(parent), parent, within),
        split=Split(within, choice.reason, _hint(selection, within), part.columns),
        offsets=workspace.runs.offsets(parent),
    )


def _load_part(
    workspace: Workspace, part: ClusterPart, members: Members, report: Report
) -> LoadedDataset:
    """The records in the cluster, with vectors as the run has them, or regardless of other columns.

    Raises:
        BadInput: The cluster is empty.
        NotReady: The dataset grew while it was read.
    """
    card, run = part.selection.card, part.selection.run
    inside = cluster_records(run, members, part.within)
    if not inside:
        raise BadInput(f"Nothing to split: {part.within} is empty in run {run.id}.")
    if part.columns and list(part.columns) == run.regardless_of:
        report(0.01, f"reading '{card.name}'")
        return checked_records(card, part_of(load_run(workspace, card, run, members), inside))
    loaded = load_records(workspace, card, inside, report)
    return set_aside(workspace, card, loaded, part.columns)[0] if part.columns else loaded


def _last(runs: Runs, parent: Run) -> int:
    """The largest number that a cluster on top has, or has in another run of the same records."""
    alike = earlier_runs(runs, replace(parent, id=""))  # as of a draft: all that are saved
    found = [runs.as_of(run) for run in [parent, *alike]]
    ids = (node.id for run in [parent, *alike, *found] for node in run.nodes)
    return max((int(top) for id_ in ids if (top := lineage(id_)[0]) != NOISE), default=0)


def _hint(selection: Selection, within: str) -> str | None:
    """What to know of the parts: which others they take the place of."""
    replaced = [node.id for node in selection.children(within)]
    if not replaced:
        return None
    if within == NOISE:
        return (
            f"They take the place of the themes found in the noise before: {', '.join(replaced)}."
        )
    return (
        f"They take the place of the {len(replaced)} sub-clusters that {within} had: its ids below "
        f"mean other clusters in {selection.run.id}."
    )


def take_over_unchanged(runs: Runs, draft: RunDraft) -> RunDraft:
    """The draft of a split with what still holds of the run that it splits, as it is kept now.

    To be called when the draft is saved: people write descriptions while a cluster is split.
    """
    # As it was split: the draft still has the edits that were in it.
    parent = runs.load(draft.run.dataset, draft.run.parent_run)
    parent = runs.as_of(parent, draft.run.edit)
    within = str(draft.run.within)
    stability = runs.stability(parent)
    if stability is not None:
        scores = unchanged_scores(stability.scores, parent.nodes, draft.run.nodes)
        stability = replace(stability, scores=scores)
    return replace(
        draft,
        descriptions=_descriptions_around(runs.descriptions(parent), parent, within),
        stability=stability,
        map=runs.map(parent),
    )


def replace_subtree(parent: Run, members: Members, parts: Parts) -> tuple[Run, Members]:
    """The parent run with the parts below `within`, in place of what was below it.

    Every cluster's size is counted anew from the members as they are regrouped. In finer layers
    than those in which the split cluster stands, its parts take the place of what was below it.
    """
    within = parts.within
    split = next((node for node in parent.nodes if node.id == within), None)
    stand, finest = None, len(parent.layers) - 1
    if split is not None and split.layers is not None and split.layers[1] < finest:
        stand = (split.layers[1] + 1, finest)
    below = [
        replace(node, id=parts.name(node.id), layers=stand, drilled=True) for node in parts.nodes
    ]
    around = [n for n in parent.nodes if n.id == within or not _is_inside(parent, within, n.id)]
    moved = _regrouped(parent, members, parts)
    run = recount(parent, around + below, moved.paths)
    run, moved = _with_reasons(replace(run, parent_run=parent.id, within=within), moved, within)
    return with_noise_assigned(run, moved)


def _is_inside(run: Run, within: str, cluster: str) -> bool:
    """Whether a cluster, or what lies at its path, is in the one that is split.

    The themes that were found in the noise before are in the noise.
    """
    if is_within(cluster, within):
        return True
    if within != NOISE:
        return False
    top = lineage(cluster)[0]
    return any(node.id == top and found_in_noise(node, run.recommended) for node in run.nodes)


def _regrouped(parent: Run, members: Members, parts: Parts) -> Members:
    """The parent's members, those inside moved to the parts; what fits no part stays above."""
    paths = members.paths.copy()
    strengths = members.strengths.copy()
    near = members.centrality.copy()
    row_of = {record: row for row, record in enumerate(members.ids)}
    rows = np.array([row_of[record] for record in parts.corpus.ids])
    points = parts.corpus.copies_of
    part_paths = parts.tree.paths[points]
    placed = part_paths != NOISE
    # In the noise are also records of a coarser cluster: those that fit no part stay in it.
    inside = {path: _is_inside(parent, parts.within, str(path)) for path in set(paths[rows])}
    below = np.array([inside[path] for path in paths[rows]])
    paths[rows[below]] = parts.within
    paths[rows[placed]] = [parts.name(str(path)) for path in part_paths[placed]]
    strengths[rows[placed]] = parts.tree.strengths[points][placed]
    near[rows[placed]] = parts.centrality[points][placed]
    return replace(members, paths=paths, strengths=strengths, centrality=near)


def _with_reasons(run: Run, members: Members, within: str) -> tuple[Run, Members]:
    """With a reason for all that is noise now: clusters below `within` have given way to it."""
    if members.noise_reasons is None:
        return run, members
    reasons = rename_reasons(
        members.noise_reasons, lambda cluster: within if is_within(cluster, within) else cluster
    )
    noise = np.array(layer_paths(members.paths, run.nodes, run.recommended), dtype=object) == NOISE
    reasons[~noise] = ""
    reasons[noise & (reasons == "")] = f"edge of {within}"
    run = replace(run, noise_reasons=count_reasons(reasons))
    return run, replace(members, noise_reasons=reasons)


def _around(by_cluster: Mapping[str, T], run: Run, within: str) -> dict[str, T]:
    """What belongs to the clusters that did not change: `within` itself, and those not below it."""
    return {
        cluster: value
        for cluster, value in by_cluster.items()
        if cluster == within or not _is_inside(run, within, cluster)
    }


def _descriptions_around(
    descriptions: Mapping[str, Description], run: Run, within: str
) -> dict[str, Description]:
    """The descriptions that still hold; of what was split its parts are others now."""
    around = _around(descriptions, run, within)
    if within in around:
        around[within] = without_parts(around[within])
    return around

"""Drilling down: the parts of one cluster, found by clustering it alone, hung below it.

In come a run and one of its clusters, out comes the draft of a run that is the same but for what
lies below that cluster.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np

from corpuscope.tools.clustering.corpus import Corpus
from corpuscope.tools.clustering.noise import count_reasons, rename_reasons
from corpuscope.tools.clustering.pipeline import Parameters
from corpuscope.tools.clustering.stability import unchanged_scores
from corpuscope.tools.clustering.tree import ClusterTree, layer_paths
from corpuscope.tools.core.errors import BadInput
from corpuscope.tools.core.ids import id_sort_key, is_within
from corpuscope.tools.core.masking import keyword_text
from corpuscope.tools.core.schema import NOISE, Description, Floats, Members, Node, Report, Run
from corpuscope.tools.runs.assembly import centrality, recount, run_nodes, run_parameters
from corpuscope.tools.runs.draft import RunDraft, Split
from corpuscope.tools.runs.inheritance import without_parts
from corpuscope.tools.runs.new_run import cluster_loaded, load_records
from corpuscope.tools.store.defaults import BY_HAND, settings_by_hand
from corpuscope.tools.store.runs import Runs
from corpuscope.tools.workspace.selection import Selection, cluster_records
from corpuscope.tools.workspace.workspace import Workspace

T = TypeVar("T")


@dataclass(frozen=True)
class Parts:
    """What clustering the cluster `within` by itself found.

    `centrality` (m,) belongs to the distinct texts of `corpus`; `nodes` and the paths of `tree`
    have ids of their own, 1, 2, …, as if the cluster were the whole.
    """

    within: str
    corpus: Corpus
    tree: ClusterTree
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
    for cluster in clusters:
        selection.check(cluster)
    asked = {*clusters}
    outer = [
        cluster
        for cluster in asked
        if not any(is_within(cluster, other) for other in asked - {cluster})
    ]
    return sorted(outer, key=id_sort_key)


def split_cluster(
    workspace: Workspace,
    selection: Selection,
    within: str,
    parameters: Parameters,
    report: Report,
) -> RunDraft:
    """The run of `selection` with the cluster `within` split; its own run where it has no parts.

    Raises:
        BadInput: The cluster is empty.
        NotReady: The dataset grew while it was read.
    """
    parent = selection.run
    members = workspace.runs.members(parent)
    inside = cluster_records(parent, members, within)
    if not inside:
        raise BadInput(f"Nothing to split: {within} is empty in run {parent.id}.")
    loaded = load_records(workspace, selection.card, inside, report)
    corpus = loaded.corpus
    flat = replace(parameters, only_recommended=True)
    clustering = cluster_loaded(workspace, selection.card, loaded, flat, report)
    choice = clustering.choice
    # One part is no part: the cluster stays as it is.
    if choice.layers[choice.recommended].clusters < 2:
        split = Split(within, parent.reason, clustering.hint)
        return RunDraft(selection.card, parent, members, selection.descriptions, {}, split=split)
    nodes = run_nodes(corpus, clustering, keyword_text(selection.card.mask, workspace.redact))
    parts = Parts(within, corpus, clustering.tree, nodes, centrality(corpus, clustering))
    run, moved = replace_subtree(parent, members, parts)
    # What is said of the whole stays true of it; the rest is how its part was split.
    stated = run_parameters(parameters, clustering, None) | {
        "where": parent.parameters["where"],
        BY_HAND: settings_by_hand(parent) or None,
    }
    hint = None
    if replaced := len(selection.children(within)):
        hint = (
            f"They take the place of the {replaced} sub-clusters that {within} had: its ids below "
            f"mean other clusters in {parent.id}."
        )
    return RunDraft(
        card=selection.card,
        run=replace(run, parameters=stated),
        members=moved,
        descriptions={},
        centroids=_around(workspace.runs.centroids(parent), within),
        split=Split(within, choice.reason, hint),
    )


def take_over_unchanged(runs: Runs, draft: RunDraft) -> RunDraft:
    """The draft of a split with what still holds of the run that it splits, as it is kept now.

    To be called when the draft is saved: people write descriptions while a cluster is split.
    """
    parent = runs.load(draft.run.dataset, draft.run.parent_run)
    within = str(draft.run.within)
    stability = runs.stability(parent)
    if stability is not None:
        scores = unchanged_scores(stability.scores, parent.nodes, draft.run.nodes)
        stability = replace(stability, scores=scores)
    return replace(
        draft,
        descriptions=_descriptions_around(runs.descriptions(parent), within),
        stability=stability,
        map=runs.map(parent),
    )


def replace_subtree(parent: Run, members: Members, parts: Parts) -> tuple[Run, Members]:
    """The parent run with the parts below `within`, in place of what was below it.

    Every cluster's size is counted anew from the members as they are regrouped. Split where the
    recommended layer is finer, the parts stand in for the clusters of that layer.
    """
    within = parts.within
    split = next((node for node in parent.nodes if node.id == within), None)
    stand = (parent.recommended, parent.recommended)
    coarser = split is not None and split.layers is not None and split.layers[1] < stand[0]
    below = [
        replace(node, id=f"{within}.{node.id}", layers=stand if coarser else None, drilled=True)
        for node in parts.nodes
    ]
    around = [n for n in parent.nodes if n.id == within or not is_within(n.id, within)]
    moved = _regrouped(members, parts)
    run = recount(parent, around + below, moved.paths)
    return _with_reasons(replace(run, parent_run=parent.id, within=within), moved, within)


def _regrouped(members: Members, parts: Parts) -> Members:
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
    below = np.array([is_within(str(path), parts.within) for path in paths[rows]])
    paths[rows[below]] = parts.within
    paths[rows[placed]] = [f"{parts.within}.{path}" for path in part_paths[placed]]
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


def _around(by_cluster: Mapping[str, T], within: str) -> dict[str, T]:
    """What belongs to the clusters that did not change: `within` itself, and those not below it."""
    return {
        cluster: value
        for cluster, value in by_cluster.items()
        if cluster == within or not is_within(cluster, within)
    }


def _descriptions_around(
    descriptions: Mapping[str, Description], within: str
) -> dict[str, Description]:
    """The descriptions that still hold; of what was split its parts are others now."""
    around = _around(descriptions, within)
    if within in around:
        around[within] = without_parts(around[within])
    return around

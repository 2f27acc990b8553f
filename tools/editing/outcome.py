"""What follows of an edit: sizes, keywords, exemplars, centroids, noise and words, worked out once.

In comes a plan, out comes all that is kept of the edit; undoing it needs nothing of this again.
"""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from corpuscope.tools.analysis.exemplars import choose_exemplars, held_keywords
from corpuscope.tools.analysis.keywords import cluster_keywords
from corpuscope.tools.archive.edits import EditedRun, MadeEdit, RunEdit
from corpuscope.tools.clustering.corpus import Corpus
from corpuscope.tools.clustering.noise import count_reasons, rename_reasons
from corpuscope.tools.clustering.tree import Paths, layer_paths
from corpuscope.tools.core.ids import id_sort_key, is_within, lineage, parent_of, stands_in
from corpuscope.tools.core.masking import keyword_text
from corpuscope.tools.core.redaction import Redact
from corpuscope.tools.core.schema import (
    NOISE,
    Description,
    Floats,
    Ints,
    Members,
    Node,
    Run,
)
from corpuscope.tools.core.vectors import unit_mean
from corpuscope.tools.editing.plans import EditPlan
from corpuscope.tools.runs.assembly import count_clusters, with_noise_assigned
from corpuscope.tools.runs.inheritance import inherited_descriptions, with_changes
from corpuscope.tools.workspace.reading import load_run
from corpuscope.tools.workspace.selection import Selection
from corpuscope.tools.workspace.workspace import Workspace

NEW_WORDS = 0.1
"""Share of a cluster's records that may change, of those it was found with, before its keywords are
looked for again: a record or two moved by hand are no reason to call it something else."""


@dataclass(frozen=True, eq=False)
class _Texts:
    """The distinct texts of a run, and where their records are after an edit.

    `path_of` (m,) is the path of each text; `strengths` (m,) that of its membership.
    """

    corpus: Corpus
    path_of: Paths
    strengths: Floats
    keyword_text: Redact

    @cached_property
    def _coded(self) -> tuple[list[str], NDArray[np.int64]]:
        names, codes = np.unique(self.path_of.astype(str), return_inverse=True)
        return names.tolist(), codes

    def points(self, belongs: Callable[[str], bool]) -> Ints:
        """The texts, rising, whose path belongs."""
        names, codes = self._coded
        inside = np.array([belongs(name) for name in names], np.bool_)
        return np.flatnonzero(inside[codes]).astype(np.int32)

    def within(self, cluster: str) -> Ints:
        """The texts in a cluster, rising."""
        return self.points(lambda path: is_within(path, cluster))


def work_out(workspace: Workspace, selection: Selection, plan: EditPlan, edit: RunEdit) -> MadeEdit:
    """All that is kept of an edit of the run of a selection, which is as it was found, or as the
    edits before have left it.

    Raises:
        NotReady: The dataset was replaced after the run, or grows while it is read.
    """
    before = selection.run
    known = workspace.runs.edited(before)
    members = workspace.runs.members(before)
    run = count_clusters(plan.run, plan.run.nodes, plan.paths)
    run = replace(run, edit=edit.number)
    changed = _changed_clusters(members.paths, plan.paths)
    rows = np.flatnonzero(plan.paths != members.paths)
    after, centroids = replace(members, paths=plan.paths), {}
    if rows.size:
        if plan.strength is not None:
            strengths = after.strengths.copy()
            strengths[rows] = plan.strength
            after = replace(after, strengths=strengths)
        run, after = _with_noise(run, after, plan)
        texts = _read_texts(workspace, selection, after)
        after = _with_centrality(after, texts, {*members.paths[rows], *plan.paths[rows]})
        nodes = _with_words(workspace, run, after, texts, changed)
        run = replace(run, nodes=nodes)
        centroids = {
            node.id: unit_mean(texts.corpus.vectors[points])
            for node in run.nodes
            if node.id in changed and (points := texts.within(node.id)).size
        }
    words = _words(workspace, selection, plan, (run, after), changed)
    earlier = {c: one for c, one in selection.descriptions.items() if c not in changed}
    words |= _titled(earlier, plan.titles, edit)
    number, others = edit.number, sorted(changed, key=id_sort_key)
    edited = EditedRun(
        run=run,
        line=[*known.line, number],
        since=known.since | dict.fromkeys(others, number),
        worded=known.worded | dict.fromkeys([*others, *words], number),
    )
    return MadeEdit(
        edit=edit, edited=edited, members=after, centroids=centroids, descriptions=words
    )


def _changed_clusters(before: Paths, after: Paths) -> set[str]:
    """The clusters, gone or there, whose records are others now."""
    changed: set[str] = set()
    moved = before != after
    for old, new in set(zip(before[moved].tolist(), after[moved].tolist(), strict=True)):
        changed |= set(lineage(old)) ^ set(lineage(new))
    return changed - {NOISE}


def _with_noise(run: Run, members: Members, plan: EditPlan) -> tuple[Run, Members]:
    """With a reason for all that is noise now, and the nearest theme where that is kept."""

    def now(cluster: str) -> str:
        """What a cluster is now, or is in: as the theme that people see."""
        name = plan.names.get(cluster, cluster)
        return next((above for above in lineage(name) if above in themes), name)

    themes = {node.id for node in run.nodes if stands_in(node, run.recommended)}
    if members.noise_reasons is not None:
        reasons = rename_reasons(members.noise_reasons, now)
        places = np.array(layer_paths(members.paths, run.nodes, run.recommended), dtype=object)
        reasons[places != NOISE] = ""
        reasons[(places == NOISE) & (reasons == "")] = plan.reason
        members = replace(members, noise_reasons=reasons)
        run = replace(run, noise_reasons=count_reasons(reasons))
    if members.nearest is not None:
        nearest = np.array([now(theme) if theme else "" for theme in members.nearest], dtype=object)
        members = replace(members, nearest=nearest)
    return with_noise_assigned(run, members)


def _read_texts(workspace: Workspace, selection: Selection, members: Members) -> _Texts:
    """The texts of a run, with vectors as it was clustered, where its records are now."""
    corpus = load_run(workspace, selection.card, selection.run, members).corpus
    row_of = {record: row for row, record in enumerate(members.ids)}
    rows = np.array([row_of[corpus.ids[first]] for first in corpus.first], np.int64)
    return _Texts(
        corpus,
        members.paths[rows],
        members.strengths[rows],
        keyword_text(selection.card.mask, workspace.redact),
    )


def _with_centrality(members: Members, texts: _Texts, paths: Collection[str]) -> Members:
    """With the cosine of each record to the mean of its finest cluster, where that is another."""
    near = members.centrality.copy()
    point_of = dict(zip(texts.corpus.ids, texts.corpus.copies_of.tolist(), strict=True))
    for path in paths:
        rows = np.flatnonzero(members.paths == path)
        if path == NOISE:
            near[rows] = 0
            continue
        points = texts.points(path.__eq__)
        if points.size:
            vectors = texts.corpus.vectors
            there = [row for row in rows if members.ids[row] in point_of]
            own = [point_of[members.ids[row]] for row in there]
            near[there] = vectors[own] @ unit_mean(vectors[points])
    return replace(members, centrality=near)


def _with_words(
    workspace: Workspace, run: Run, members: Members, texts: _Texts, changed: Collection[str]
) -> list[Node]:
    """The nodes, those that changed with keywords and exemplars of the records they have now."""
    renewed = {node.id for node in run.nodes if node.id in changed}
    found = workspace.runs.as_of(run)
    there = {node.id for node in found.nodes}
    paths = workspace.runs.members(found).paths
    fresh = {
        cluster
        for cluster in renewed
        if cluster not in there or _differ(paths, members.paths, cluster) >= NEW_WORDS
    }
    words = _keywords(run, texts, fresh)
    inside = set()
    nodes = []
    for node in run.nodes:
        if node.id in renewed:
            inside = {members.ids[row] for row in _rows_within(members.paths, node.id)}
            left = [record for record in node.exemplars if record in inside]
            node = replace(node, keywords=words.get(node.id, node.keywords), exemplars=left)
            if node.id in fresh or not left:
                node = replace(node, exemplars=_exemplars(texts, node) or left)
        nodes.append(node)
    return nodes


def _differ(before: Paths, after: Paths, cluster: str) -> float:
    """The share of the larger of a cluster's two sets of records that the other has not."""
    then, now = _rows_within(before, cluster), _rows_within(after, cluster)
    return 1 - len(np.intersect1d(then, now)) / max(1, len(then), len(now))


def _rows_within(paths: Paths, cluster: str) -> NDArray[np.int64]:
    inside = {path: is_within(path, cluster) for path in set(paths.tolist())}
    return np.flatnonzero([inside[path] for path in paths.tolist()])


def _keywords(run: Run, texts: _Texts, fresh: Collection[str]) -> dict[str, list[str]]:
    """The keywords of some clusters, against those beside them."""
    if not fresh:
        return {}
    families = {parent_of(cluster) for cluster in fresh}
    beside = {
        node.id: points
        for node in run.nodes
        if parent_of(node.id) in families and (points := texts.within(node.id)).size
    }
    words = cluster_keywords(texts.corpus.texts, beside, redact=texts.keyword_text)
    return {cluster: words[cluster] for cluster in fresh if cluster in words}


def _exemplars(texts: _Texts, node: Node) -> list[str]:
    corpus = texts.corpus

    def holding(points: Ints) -> Floats:
        return held_keywords([corpus.texts[point] for point in points], node.keywords)

    points = texts.within(node.id)
    shown = choose_exemplars(corpus.vectors, points, texts.strengths, holding=holding)
    return [corpus.ids[corpus.first[point]] for point in shown]


def _words(
    workspace: Workspace,
    selection: Selection,
    plan: EditPlan,
    now: tuple[Run, Members],
    changed: Collection[str],
) -> dict[str, Description]:
    """The descriptions of the clusters that changed, with how much of what they said is left."""
    run, after = now
    known = workspace.runs.edited(selection.run)
    there, earlier = ({node.id for node in nodes} for nodes in (run.nodes, selection.run.nodes))
    same = {cluster: cluster for cluster in changed if cluster in there}
    # A cluster that became a part of another one is the same thing under another id.
    for old, new in plan.names.items():  # parents first
        if new in there - earlier and same.get(new) in (None, new):
            same[new] = old
    words: dict[str, Description] = {}
    for cluster, old in same.items():
        source = replace(selection.run, edit=known.since.get(old, 0))
        words |= inherited_descriptions(source.as_of, selection.descriptions, {cluster: old})
    same = {cluster: old for cluster, old in same.items() if cluster in words}
    if not words:
        return {}
    return with_changes(workspace.runs, selection.run, words, same, after)


def _titled(
    known: Mapping[str, Description], titles: Mapping[str, str], edit: RunEdit
) -> dict[str, Description]:
    """Descriptions with the titles that were given; a summary that somebody wrote stays, where it
    is `known` and of the same records."""
    words = {}
    for cluster, title in titles.items():
        earlier = known.get(cluster)
        written = earlier is not None and earlier.author != "keywords"
        words[cluster] = Description(
            cluster=cluster,
            title=title,
            summary=earlier.summary if earlier is not None and written else [],
            keywords=earlier.keywords if earlier else [],
            author=edit.steps[0].by,
            created=edit.steps[0].at,
        )
    return words

"""New records join the clusters of a run by the votes of their nearest neighbours, without a refit.

In come a run and its dataset, out comes the draft of a run with all records. The nearest known
texts of a new one vote with their similarity, each for its cluster and those above it; the text
goes down the tree while more than half of the votes go along.
"""

from collections import Counter
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from corpuscope.tools.clustering.corpus import Corpus
from corpuscope.tools.clustering.noise import SECOND_SHARE, count_reasons
from corpuscope.tools.clustering.nuisance import groups_of
from corpuscope.tools.clustering.tree import Paths, layer_paths
from corpuscope.tools.core.errors import BadInput, NotReady
from corpuscope.tools.core.ids import id_sort_key, is_within, lineage
from corpuscope.tools.core.schema import (
    NOISE,
    Floats,
    GroupOffsets,
    Members,
    Node,
    Report,
    Run,
)
from corpuscope.tools.core.vectors import unit_mean
from corpuscope.tools.geometry.graph import exact_nearest
from corpuscope.tools.runs.assembly import recount, with_noise_assigned
from corpuscope.tools.runs.draft import RunDraft
from corpuscope.tools.runs.inheritance import (
    heading_words,
    inherited_descriptions,
    with_changes,
)
from corpuscope.tools.runs.new_run import READ_SHARE, load_records
from corpuscope.tools.runs.regardless import read_metadata
from corpuscope.tools.workspace.reading import LoadedDataset, without_offsets
from corpuscope.tools.workspace.selection import Selection
from corpuscope.tools.workspace.workspace import Workspace

NEIGHBOURS = 15
"""Votes for each text. With 5 or 30 the AMI of StackOverflow or BANKING77 is 0.01 lower."""

FAR = 0.02
"""A text is far where its nearest are less similar than those of this share of the clustered texts.
At 0.02 texts of another corpus are noise to 91 to 100 %, for 0.005 to 0.01 AMI of the own; at 0.05,
or held against the members of one cluster only, it costs up to 0.05."""

NEAREST = 5
"""Neighbours whose mean similarity says how far a text is. One alone lets more strangers in with
MiniLM's vectors (17 % for 9 %), fifteen with lexical ones (70 % for 3 %)."""

SAMPLE = 2_000
"""Clustered texts whose neighbours say what is near: enough for a quantile, quick at any size."""

MANY = 10
"""Fewer new records in noise are no reason to look for clusters anew."""

NOBODY = -1


@dataclass(frozen=True, slots=True, eq=False)
class Votes:
    """Where q texts go: `paths` (q,) a cluster or `noise`; `strengths` (q,) float32, the share of
    the votes, 0 in noise; `far` (q,) bool; `near` (q, k) int64 their neighbours, positions among
    the known; `cosines` (q, k) float32 of these, not below 0."""

    paths: Paths
    strengths: Floats
    far: NDArray[np.bool_]
    near: NDArray[np.int64]
    cosines: Floats


@dataclass(frozen=True, slots=True, eq=False)
class Placement:
    """Where the n records of the dataset come from: an earlier row of the run, or a vote.

    `source` (n,) int64 is the row, in the earlier run, of the record itself or of an equal text,
    -1 where there is none; `asked` (n,) the row of `votes` then. `known` (m,) is the earlier row of
    each known text, `known_paths` (m,) its cluster.
    """

    source: NDArray[np.int64]
    asked: NDArray[np.int64]
    known: NDArray[np.int64]
    known_paths: Paths
    votes: Votes

    def merged(self, earlier: NDArray[Any], voted: NDArray[Any]) -> NDArray[Any]:
        """(n, …) values of all records, from those of the earlier run and those of the votes."""
        values = earlier[self.source]
        new = self.source < 0
        values[new] = voted[self.asked[new]]
        return values

    def map(self, points: Floats) -> Floats:
        """(n, 2) the map, from the earlier run's; a new text lies amid its neighbours.

        Those in its own cluster, where it has one: between two islands there is nothing.
        """
        votes = self.votes
        new = np.zeros((len(votes.paths), 2), np.float32)
        for row, (path, near) in enumerate(zip(votes.paths, votes.near, strict=True)):
            weights = votes.cosines[row] + np.finfo(np.float32).tiny
            if path != NOISE:
                inside = [is_within(str(known), path) for known in self.known_paths[near]]
                weights = weights * inside
            new[row] = np.average(points[self.known[near]], axis=0, weights=weights)
        return self.merged(points, new).astype(np.float32)


def assign_records(workspace: Workspace, selection: Selection, report: Report) -> RunDraft:
    """The run of `selection` with all records of its dataset: those it does not know are assigned.

    Records that are gone drop out.

    Raises:
        BadInput: It is a run of a part of the dataset, or knows all records.
        NotReady: The dataset was replaced after it, or the run's records are all gone.
    """
    _check_whole(selection)
    run = selection.run
    loaded = load_records(workspace, selection.card, None, report)
    members = workspace.runs.members(run)
    report(READ_SHARE, "searching the neighbours of new records")
    row_of = {record: row for row, record in enumerate(members.ids)}
    rows = np.array([row_of.get(record, NOBODY) for record in loaded.corpus.ids], dtype=np.int64)
    _check_some_new(selection, rows)
    offsets = _offsets_with_new(workspace, selection, loaded, rows)
    if offsets is not None:
        loaded = without_offsets(loaded, offsets, offsets.codes)
    corpus = loaded.corpus
    placement, near = _placed(members, corpus, rows)
    after = Members(
        ids=corpus.ids,
        paths=placement.merged(members.paths, placement.votes.paths),
        strengths=placement.merged(members.strengths, placement.votes.strengths),
        centrality=placement.merged(members.centrality, near),
        copies_of=corpus.copies_of,
    )
    if members.noise_reasons is not None:
        reasons = _reasons(placement.votes, placement.known_paths, run)
        after = replace(after, noise_reasons=placement.merged(members.noise_reasons, reasons))
    if members.nearest is not None:
        homes = _homes(members.nearest, members, run)[placement.known]
        nearest = _nearest(placement.votes, homes)
        after = replace(after, nearest=placement.merged(members.nearest, nearest))
    child, after = with_noise_assigned(_recorded(selection, after, rows < 0), after)
    same = {node.id: node.id for node in child.nodes}
    words = inherited_descriptions(run.as_of, selection.descriptions, same)
    points = workspace.runs.map(run)
    return RunDraft(
        card=selection.card,
        run=child,
        members=after,
        descriptions=with_changes(workspace.runs, run, words, same, after)
        | heading_words(selection.descriptions, child.grouped),
        centroids=workspace.runs.centroids(run),
        map=None if points is None else placement.map(points),
        offsets=offsets,
    )


def _offsets_with_new(
    workspace: Workspace, selection: Selection, loaded: LoadedDataset, rows: NDArray[np.int64]
) -> GroupOffsets | None:
    """What the run takes off its vectors, with the groups of all records there are now.

    `rows` (n,) are those of the records in the run, -1 for new ones, whose groups are read off
    their metadata.
    """
    offsets = workspace.runs.offsets(selection.run)
    if offsets is None:
        return None
    ids, new = loaded.corpus.ids, np.flatnonzero(rows < 0)
    codes = offsets.codes[rows]
    metadata = read_metadata(workspace, selection.card, [ids[row] for row in new])
    codes[new] = groups_of(offsets, metadata)
    return replace(offsets, codes=codes)


def _check_whole(selection: Selection) -> None:
    run, card = selection.run, selection.card
    if (where := run.parameters.get("where")) is not None:
        raise BadInput(
            f"Run {run.id} is of a part of '{card.name}' (where {where}), and "
            "assign=True puts in all records. Name a run of the whole dataset, or call cluster()."
        )
    selection.check_current()


def _check_some_new(selection: Selection, rows: NDArray[np.int64]) -> None:
    run = selection.run
    if (rows >= 0).all():
        raise BadInput(
            f"Nothing to assign: run {run.id} knows all {len(rows):,} records of "
            f"'{selection.card.name}'. Add some with `ingest`, or find clusters with cluster()."
        )
    if (rows < 0).all():
        raise NotReady(f"The records of run {run.id} are gone. Call cluster() instead.")


def _placed(members: Members, corpus: Corpus, rows: NDArray[np.int64]) -> tuple[Placement, Floats]:
    """The placement of a corpus whose records have these rows (-1: new) in the earlier run, and
    the centrality of each new text."""
    of_text = np.full(len(corpus.texts), NOBODY, dtype=np.int64)
    of_text[corpus.copies_of[rows >= 0]] = rows[rows >= 0]
    known, new = np.flatnonzero(of_text >= 0), np.flatnonzero(of_text < 0)
    known_paths = members.paths[of_text[known]]
    known_vectors, new_vectors = corpus.vectors[known], corpus.vectors[new]
    votes = vote(known_vectors, known_paths, new_vectors)
    asked = np.full(len(corpus.texts), NOBODY, dtype=np.int64)
    asked[new] = np.arange(len(new))
    source = np.where(rows >= 0, rows, of_text[corpus.copies_of])
    placement = Placement(source, asked[corpus.copies_of], of_text[known], known_paths, votes)
    return placement, _centrality(votes, known_vectors, known_paths, new_vectors)


def vote(vectors: Floats, paths: Paths, asked: Floats) -> Votes:
    """Where (q, dim) unit vectors go among (m, dim) known ones, m at least 1, with (m,) paths."""
    count = max(1, min(NEIGHBOURS, len(vectors) - 1))
    clustered = np.flatnonzero(paths != NOISE)
    if len(clustered) > SAMPLE:
        clustered = np.random.default_rng(0).choice(clustered, SAMPLE, replace=False)
    least = 0.0
    if len(clustered) and len(vectors) > 1:
        _, usual = exact_nearest(vectors, vectors[clustered], count + 1)
        # The first is the text itself.
        least = float(np.quantile(usual[:, 1 : NEAREST + 1].mean(axis=1), FAR))
    near, cosines = np.zeros((0, count), np.int32), np.zeros((0, count), np.float32)
    if len(asked):
        near, cosines = exact_nearest(vectors, asked, count)
    far = cosines[:, :NEAREST].mean(axis=1) < least
    cosines = np.maximum(cosines, 0.0)
    chosen = [
        (NOISE, 0.0) if off else _majority(paths[ids], weights)
        for off, ids, weights in zip(far, near, cosines, strict=True)
    ]
    return Votes(
        paths=np.array([path for path, _ in chosen], dtype=object),
        strengths=np.array([share for _, share in chosen], dtype=np.float32),
        far=far,
        near=near.astype(np.int64),
        cosines=cosines,
    )


def _majority(paths: Paths, weights: Floats) -> tuple[str, float]:
    """The finest cluster with more than half of the votes, and its share; else noise and 0."""
    votes: Counter[str] = Counter()
    for path, weight in zip(paths, weights, strict=True):
        votes.update(dict.fromkeys(lineage(str(path)), float(weight)))
    total = float(weights.sum())
    # Of those with more than half each is within the one before: they share votes.
    chosen = max(
        (cluster for cluster in votes if 2 * votes[cluster] > total), key=len, default=NOISE
    )
    return (NOISE, 0.0) if chosen == NOISE else (chosen, min(1.0, votes[chosen] / total))


def _centrality(votes: Votes, vectors: Floats, known_paths: Paths, asked: Floats) -> Floats:
    """(q,) float32: the cosine of each new text to the mean of its cluster; noise 0."""
    near = np.zeros(len(asked), np.float32)
    paths = sorted(set(known_paths))
    for path in set(votes.paths) - {NOISE}:
        inside = [known for known in paths if is_within(known, path)]
        rows = np.flatnonzero(votes.paths == path)
        near[rows] = asked[rows] @ unit_mean(vectors[np.isin(known_paths, inside)])
    return near


def _reasons(votes: Votes, known_paths: Paths, run: Run) -> NDArray[np.object_]:
    """(q,) why each new text is in no cluster of the recommended layer, as `noise` words it."""
    shown = np.array(layer_paths(known_paths, run.nodes, run.recommended), dtype=object)
    assigned = layer_paths(votes.paths, run.nodes, run.recommended)
    reasons = np.full(len(assigned), "", dtype=object)
    for row in np.flatnonzero([cluster == NOISE for cluster in assigned]):
        around = Counter(shown[votes.near[row]])
        among_noise = around.pop(NOISE, 0)
        ranked = sorted(around, key=lambda cluster: (-around[cluster], id_sort_key(cluster)))
        if votes.far[row]:
            reasons[row] = "isolated"
        elif around.total() <= among_noise:
            reasons[row] = "diffuse"
        elif len(ranked) > 1 and around[ranked[1]] >= SECOND_SHARE * around[ranked[0]]:
            reasons[row] = f"between {ranked[0]} and {ranked[1]}"
        else:
            reasons[row] = f"edge of {ranked[0]}"
    return reasons


def _homes(nearest: Paths, members: Members, run: Run) -> Paths:
    """(n,) the theme of the recommended layer that each record of the run is in or nearest to."""
    places = np.array(layer_paths(members.paths, run.nodes, run.recommended), dtype=object)
    return np.where(places == NOISE, nearest, places)


def _nearest(votes: Votes, homes: Paths) -> Paths:
    """(q,) the theme that each new text is nearest to, by the `homes` of its neighbours."""
    nearest: Paths = np.full(len(votes.paths), "", dtype=object)
    for row, (near, cosines) in enumerate(zip(votes.near, votes.cosines, strict=True)):
        counted: dict[str, float] = {}
        for home, cosine in zip(homes[near], cosines, strict=True):
            if home:
                counted[home] = counted.get(home, 0.0) + float(cosine)
        nearest[row] = max(counted, key=lambda home: (counted[home], home), default="")
    return nearest


def _recorded(selection: Selection, after: Members, fresh: NDArray[np.bool_]) -> Run:
    """The run over the records that there are now."""
    base = selection.run
    child = recount(base, _shown(base.nodes, after), after.paths)
    places = layer_paths(after.paths, child.nodes, child.recommended)
    count = int(fresh.sum())
    strangers = sum(place == NOISE for place, new in zip(places, fresh, strict=True) if new)
    hint = base.hint
    if strangers >= MANY and strangers * base.records > 2 * base.noise * count:
        hint = (
            f"Of the new records {strangers / count:.0%} fit no cluster, of those before "
            f"{base.noise / base.records:.0%}: cluster() may find new themes among them."
        )
    reasons = after.noise_reasons
    return replace(
        child,
        dataset_version=selection.card.version,
        noise_reasons={} if reasons is None else count_reasons(reasons),
        reason=f"The clusters are those of {base.id}: {count:,} new records were put into "
        f"them, {strangers:,} of these are noise.",
        hint=hint,
        parent_run=None,
        within=None,
        assigned_from=base.id,
        assigned=count,
    )


def _shown(nodes: list[Node], members: Members) -> list[Node]:
    """The nodes with exemplars that still are there; where none is, the most central members."""
    there = set(members.ids)
    answer = []
    for node in nodes:
        left = [record for record in node.exemplars if record in there]
        if not left:
            rows = np.flatnonzero([is_within(str(path), node.id) for path in members.paths])
            central = rows[np.argsort(-members.centrality[rows], kind="stable")]
            left = [members.ids[row] for row in central[: len(node.exemplars)]]
        answer.append(replace(node, exemplars=left))
    return answer

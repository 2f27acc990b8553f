"""New records join the clusters of a run by the votes of their nearest neighbours, without a refit.

The nearest known texts of a new one vote with their similarity, each for its cluster and those
above it; the text goes down the tree while more than half of the votes go along.
"""

from collections import Counter
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from corpuscope.tools.clustering.corpus import Corpus
from corpuscope.tools.clustering.noise import SECOND_SHARE, count_reasons
from corpuscope.tools.clustering.tree import Paths, layer_paths
from corpuscope.tools.core.errors import BadInput, NotReady
from corpuscope.tools.core.ids import id_sort_key, is_within, lineage
from corpuscope.tools.core.redaction import Redact
from corpuscope.tools.core.schema import NOISE, Floats, Members, Node, Run
from corpuscope.tools.core.vectors import unit_mean
from corpuscope.tools.runs.drill_down import recount
from corpuscope.tools.runs.inheritance import Carried, inherited_descriptions
from corpuscope.tools.workspace.selection import Selection

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
class Grown:
    """A run with new records, not saved yet, and from where its map comes.

    `source` (n,) int64 is the row, in the earlier run, of the record itself or of an equal text,
    -1 where there is none; `asked` (n,) the row of `votes` then; `known` (m,) the earlier row of
    each known text.
    """

    carried: Carried
    source: NDArray[np.int64]
    asked: NDArray[np.int64]
    known: NDArray[np.int64]
    known_paths: Paths
    votes: Votes

    def places(self, points: Floats) -> Floats:
        """(n, 2) the map, from the earlier run's; a new text lies amid its neighbours.

        Those in its own cluster, where it has one: between two islands there is nothing.
        """
        votes = self.votes
        new = np.zeros((len(votes.paths), 2), np.float32)
        for row, (path, near) in enumerate(zip(votes.paths, votes.near, strict=True)):
            weights = votes.cosines[row] + np.finfo(np.float32).tiny
            if path != NOISE:
                weights = weights * [is_within(str(own), path) for own in self.known_paths[near]]
            new[row] = np.average(points[self.known[near]], axis=0, weights=weights)
        return np.where(
            self.source[:, None] >= 0, points[self.source], new[self.asked] if len(new) else 0.0
        ).astype(np.float32)


def check(selection: Selection, redact: Redact) -> None:
    """Make sure that new records can be put into the clusters of this run.

    `redact` is done to the filter that the message names.

    Raises:
        BadInput: It is a run of a part of the dataset.
        NotReady: The dataset was replaced after it.
    """
    run, card = selection.run, selection.card
    if (where := run.parameters.get("where")) is not None:
        raise BadInput(
            f"Run {run.id} is of a part of '{card.name}' (where {redact(str(where))}), and "
            "assign=True puts in all records. Name a run of the whole dataset, or call cluster()."
        )
    selection.check_current()


def assign_records(
    selection: Selection, members: Members, corpus: Corpus, centroids: dict[str, Floats]
) -> Grown:
    """The run of `selection` with all records of the corpus: those it does not know are assigned.

    Records that are gone drop out. `members` and `centroids` are the run's.

    Raises:
        BadInput: The run knows all records.
        NotReady: The run's records are all gone.
    """
    row_of = {record: row for row, record in enumerate(members.ids)}
    own = np.array([row_of.get(record, NOBODY) for record in corpus.ids], dtype=np.int64)
    run = selection.run
    if (own >= 0).all():
        raise BadInput(
            f"Nothing to assign: run {run.id} knows all {len(own):,} records of "
            f"'{selection.card.name}'. Add some with `ingest`, or find clusters with cluster()."
        )
    if (own < 0).all():
        raise NotReady(f"The records of run {run.id} are gone. Call cluster() instead.")
    of_text = np.full(len(corpus.texts), NOBODY, dtype=np.int64)
    of_text[corpus.copies_of[own >= 0]] = own[own >= 0]
    known, new = np.flatnonzero(of_text >= 0), np.flatnonzero(of_text < 0)
    known_paths = members.paths[of_text[known]]
    known_vectors, new_vectors = corpus.vectors[known], corpus.vectors[new]
    votes = vote(known_vectors, known_paths, new_vectors)
    asked = np.full(len(corpus.texts), NOBODY, dtype=np.int64)
    asked[new] = np.arange(len(new))
    source = np.where(own >= 0, own, of_text[corpus.copies_of])
    place = _Filled(source, asked[corpus.copies_of])
    near = _centrality(votes, known_vectors, known_paths, new_vectors)
    after = Members(
        ids=corpus.ids,
        paths=place.of(members.paths, votes.paths),
        strengths=place.of(members.strengths, votes.strengths),
        centrality=place.of(members.centrality, near),
        copies_of=corpus.copies_of,
    )
    if members.noise_reasons is not None:
        reasons = _reasons(votes, known_paths, run)
        after = replace(after, noise_reasons=place.of(members.noise_reasons, reasons))
    words = inherited_descriptions(selection, {node.id: node.id for node in run.nodes})
    child = _recorded(selection, after, own < 0)
    words = {id: words[id] for id in words if any(node.id == id for node in child.nodes)}
    taken = Carried(child, after, centroids, words, {}, None)
    return Grown(taken, source, asked[corpus.copies_of], of_text[known], known_paths, votes)


def vote(vectors: Floats, paths: Paths, asked: Floats) -> Votes:
    """Where (q, dim) unit vectors go among (m, dim) known ones, m at least 1, with (m,) paths."""
    import faiss

    count = max(1, min(NEIGHBOURS, len(vectors) - 1))
    index = faiss.IndexFlatIP(vectors.shape[1])
    index.add(np.ascontiguousarray(vectors, dtype=np.float32))
    clustered = np.flatnonzero(paths != NOISE)
    if len(clustered) > SAMPLE:
        clustered = np.random.default_rng(0).choice(clustered, SAMPLE, replace=False)
    least = 0.0
    if len(clustered) and len(vectors) > 1:
        usual, _ = index.search(vectors[clustered], count + 1)
        # The first is the text itself.
        least = float(np.quantile(usual[:, 1 : NEAREST + 1].mean(axis=1), FAR))
    if len(asked):
        cosines, near = index.search(np.ascontiguousarray(asked, dtype=np.float32), count)
    else:
        cosines, near = np.zeros((0, count), np.float32), np.zeros((0, count), np.int64)
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
        near=near,
        cosines=cosines,
    )


def _majority(paths: Paths, weights: Floats) -> tuple[str, float]:
    """The finest cluster with more than half of the votes, and its share; else noise and 0."""
    votes: Counter[str] = Counter()
    for path, weight in zip(paths, weights, strict=True):
        votes.update(dict.fromkeys(lineage(str(path)), float(weight)))
    total = float(weights.sum())
    # Of those with more than half each is within the one before: they share votes.
    chosen = max((id for id in votes if 2 * votes[id] > total), key=len, default=NOISE)
    return (NOISE, 0.0) if chosen == NOISE else (chosen, min(1.0, votes[chosen] / total))


@dataclass(frozen=True, slots=True, eq=False)
class _Filled:
    """How values of records come together: from an earlier row, else from the votes."""

    source: NDArray[np.int64]
    asked: NDArray[np.int64]

    def of(self, earlier: NDArray[Any], voted: NDArray[Any]) -> NDArray[Any]:
        values = earlier[self.source]
        new = self.source < 0
        values[new] = voted[self.asked[new]]
        return values


def _centrality(votes: Votes, vectors: Floats, known_paths: Paths, asked: Floats) -> Floats:
    """(q,) float32: the cosine of each new text to the mean of its cluster; noise 0."""
    near = np.zeros(len(asked), np.float32)
    there = sorted(set(known_paths))
    for path in set(votes.paths) - {NOISE}:
        inside = [own for own in there if is_within(own, path)]
        rows = np.flatnonzero(votes.paths == path)
        near[rows] = asked[rows] @ unit_mean(vectors[np.isin(known_paths, inside)])
    return near


def _reasons(votes: Votes, known_paths: Paths, run: Run) -> NDArray[np.object_]:
    """(q,) why each new text is in no cluster of the recommended layer, as `noise` words it."""
    shown = np.array(layer_paths(known_paths, run.nodes, run.recommended), dtype=object)
    own = layer_paths(votes.paths, run.nodes, run.recommended)
    reasons = np.full(len(own), "", dtype=object)
    for row in np.flatnonzero([place == NOISE for place in own]):
        around = Counter(shown[votes.near[row]])
        among_noise = around.pop(NOISE, 0)
        ranked = sorted(around, key=lambda id: (-around[id], id_sort_key(id)))
        if votes.far[row]:
            reasons[row] = "isolated"
        elif around.total() <= among_noise:
            reasons[row] = "diffuse"
        elif len(ranked) > 1 and around[ranked[1]] >= SECOND_SHARE * around[ranked[0]]:
            reasons[row] = f"between {ranked[0]} and {ranked[1]}"
        else:
            reasons[row] = f"edge of {ranked[0]}"
    return reasons


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
        id="",
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

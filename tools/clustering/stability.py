"""Cluster-wise stability: does a cluster come back when the texts are others of the same kind?

In: what was clustered, and the clusters. Out: a score for each, and words for it.

Several times a part of the texts is drawn and clustered anew. A cluster's score is the Jaccard
similarity of those of its texts that were drawn to the new cluster most like it, averaged over the
rounds: 1 came back whole every time, 0 never (Hennig 2007, "Cluster-wise assessment of cluster
stability", Computational Statistics & Data Analysis 52).
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Literal, TypeAlias

import numpy as np

from corpuscope.tools.clustering.corpus import Corpus
from corpuscope.tools.clustering.pipeline import (
    FEWEST_TEXTS,
    ClusteringInput,
    Parameters,
    find_layers,
)
from corpuscope.tools.clustering.tree import layer_groups
from corpuscope.tools.core.ids import lineage
from corpuscope.tools.core.schema import (
    Floats,
    Ints,
    Members,
    Node,
    Report,
    Run,
    Stability,
    no_report,
)
from corpuscope.tools.geometry.graph import subgraph

if TYPE_CHECKING:
    from scipy.sparse import csr_array

STABILITY_ROUNDS = 5
"""Re-clusterings. The mean of 5 differs from that of 10 by 0.02 for clusters of the recommended
layer, by 0.04 for all (BANKING77; StackOverflow less)."""

DRAWN_SHARE = 0.8
"""Share of the distinct texts drawn, without replacement: copies would be neighbours at once."""

KEPT_NEIGHBOURS = 0.6
"""Share of the neighbours asked for in a part: 0.8 of a list is left on average, and so few lists
fall short that hardly a text has to be searched anew."""

StabilityWord: TypeAlias = Literal["stable", "shaky", "unstable"]

NOT_CHECKED = "not checked"
STABLE = 0.75
SHAKY = 0.5

WORD_MEANINGS = {
    "shaky": (
        f"shaky (below {STABLE}): clustered again on {DRAWN_SHARE:.0%} of the texts, the theme "
        "came back with other borders"
    ),
    "unstable": (
        f"unstable (below {SHAKY}): clustered again, it fell apart or melted into others; do not "
        "build on it"
    ),
}
"""What the words say about a theme, for the foot of a list."""


def measure_stability(
    given: ClusteringInput,
    parameters: Parameters,
    members: Mapping[str, Ints],
    rounds: int = STABILITY_ROUNDS,
    report: Report = no_report,
) -> dict[str, float]:
    """The score of each cluster, 0 to 1, of `members` (cluster id to the points in it, rising).

    `given` and `parameters` are what was clustered, and how. Empty where there are too few texts to
    cluster a part of them. Takes as long as clustering `rounds` times without the search for
    neighbours. The same input gives the same scores.
    """
    count = len(given.vectors)
    drawn = round(DRAWN_SHARE * count)
    if drawn < FEWEST_TEXTS or not members:
        return {}
    clusters = membership_matrix(list(members.values()), count)
    scores = np.full((rounds, len(members)), np.nan)
    for number in range(rounds):
        report(number / rounds, f"clustering a part again, round {number + 1} of {rounds}")
        random = np.random.default_rng((parameters.seed, number))
        rows = np.sort(random.choice(count, drawn, replace=False)).astype(np.int32)
        again = _clusters_of_part(given, parameters, rows, number)
        scores[number] = best_jaccard(clusters[:, rows], again)
    present = ~np.isnan(scores)
    sums, times = np.where(present, scores, 0.0).sum(axis=0), present.sum(axis=0)
    return {
        cluster_id: round(float(total / many), 2)  # as it is shown, so that the word fits it
        for cluster_id, total, many in zip(members, sums, times, strict=True)
        if many
    }


def cluster_points(run: Run, members: Members, corpus: Corpus) -> dict[str, Ints]:
    """The distinct texts, rising, of each cluster of a run that stands in a layer and has any left.

    Clusters found by drilling down are left out: they were found among their own texts alone.
    """
    place = dict(zip(corpus.ids, corpus.copies_of.tolist(), strict=True))
    points: dict[str, set[int]] = {
        node.id: set() for node in run.nodes if node.layers and not node.drilled
    }
    for record_id, path in zip(members.ids, members.paths, strict=True):
        if record_id in place:
            for cluster_id in lineage(str(path)):
                if cluster_id in points:
                    points[cluster_id].add(place[record_id])
    return {
        cluster_id: np.array(sorted(texts), np.int32)
        for cluster_id, texts in points.items()
        if texts
    }


def stability_word(score: float) -> StabilityWord:
    """The score in a word, by Hennig's borders.

    They fit what was measured on BANKING77 and StackOverflow (219 clusters): clustered with five
    other seeds, stable clusters came back at a Jaccard similarity of 0.93, shaky ones at 0.72,
    unstable ones at 0.48; their likeness to the nearest true class was 0.53, 0.31 and 0.19.
    """
    if score >= STABLE:
        return "stable"
    return "shaky" if score >= SHAKY else "unstable"


def format_stability(score: float | None) -> str:
    """Word and number: `shaky 0.61`; `not checked` where there is no score."""
    return NOT_CHECKED if score is None else f"{stability_word(score)} {score:.2f}"


def known_stability_word(known: Stability | None, cluster: str) -> str | None:
    """The word for a cluster of a run whose scores are `known`.

    `not checked` if only other clusters were, None if none was.
    """
    if known is None:
        return None
    score = known.scores.get(cluster)
    return NOT_CHECKED if score is None else stability_word(score)


def stability_meanings(scores: Sequence[float | None]) -> str | None:
    """What the words for these scores mean, in sentences; None where all are `stable` or None."""
    words = {stability_word(score) for score in scores if score is not None}
    lines = [meaning for word, meaning in WORD_MEANINGS.items() if word in words]
    return ". ".join(line[0].upper() + line[1:] for line in lines) + "." if lines else None


def unchanged_scores(
    scores: Mapping[str, float], before: Sequence[Node], after: Sequence[Node]
) -> dict[str, float]:
    """Those of the scores that hold in a run grown from another: of clusters that did not change.

    `before` and `after` are the nodes of the two runs; the same layers and size is no change.
    """
    old = {node.id: (node.layers, node.size) for node in before}
    same = {node.id for node in after if old.get(node.id) == (node.layers, node.size)}
    return {cluster_id: score for cluster_id, score in scores.items() if cluster_id in same}


def membership_matrix(groups: Sequence[Ints], count: int) -> "csr_array":
    """(groups, count) sparse of ones: which of `count` points are in which group."""
    from scipy.sparse import csr_array

    ends = np.concatenate(([0], np.cumsum([len(group) for group in groups])))
    points = np.concatenate(groups) if len(groups) else np.empty(0, np.int32)
    return csr_array((np.ones(len(points), np.int32), points, ends), shape=(len(groups), count))


def best_jaccard(groups: "csr_array", candidates: "csr_array") -> Floats:
    """The Jaccard similarity of each group to the candidate most like it, 0 to 1, NaN if empty.

    Both are (groups, points) as `membership_matrix` gives them; memory goes with the pairs that
    overlap.
    """
    common = (groups @ candidates.T).tocoo()
    sizes, candidate_sizes = groups.sum(axis=1), candidates.sum(axis=1)
    union = sizes[common.row] + candidate_sizes[common.col] - common.data
    best = np.where(sizes > 0, 0.0, np.nan).astype(np.float32)
    np.maximum.at(best, common.row, (common.data / union).astype(np.float32))
    return best


def _clusters_of_part(
    whole: ClusteringInput, parameters: Parameters, rows: Ints, number: int
) -> "csr_array":
    """The clusters of all layers of a part, `rows` (p,), as the `membership_matrix` of its points.

    The smallest size of a cluster shrinks with the part; each round has a seed of its own.
    """
    size = parameters.min_cluster_size
    smaller = replace(
        parameters,
        seed=(parameters.seed + number + 1) % 2**31,
        min_cluster_size=None if size is None else max(2, round(DRAWN_SHARE * size)),
    )
    vectors = whole.vectors[rows]
    k = max(2, round(KEPT_NEIGHBOURS * whole.graph.indices.shape[1]))
    graph = subgraph(whole.graph, rows, vectors, k)
    layering = find_layers(ClusteringInput(graph, vectors, whole.weights[rows]), smaller)
    groups = [group for layer in layering.choice.layers for group in layer_groups(layer)]
    return membership_matrix(groups, len(rows))

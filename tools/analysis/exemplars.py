"""Exemplars: the few members that show what a cluster is.

In: unit vectors, members and their strengths, and what each says of the cluster's keywords. Out:
indices of central members that hold keywords and are not alike.
"""

from collections.abc import Callable, Sequence
from typing import TypeAlias

import numpy as np

from corpuscope.tools.analysis.terms import term_pattern
from corpuscope.tools.core.schema import Floats, Ints

CANDIDATES = 500
"""The most central members among which the exemplars are chosen: enough to find distinct ones."""

CORE_SHARE = 0.5
"""Members less than half as central as the first show the edge, not the cluster."""

SAME_TEXT_COSINE = 0.9
"""Texts at this cosine say the same; a second one is shown only where there is nothing else."""

HOLDING_SHARE = 0.5
"""A text shows the theme if it holds at least half as much of the keywords as the text among the
candidates that holds most: the mean of a theme is often nearest to a text that says nothing of it
(a joke, a bare address), and the text with most keywords is often just the longest."""

CHARACTERS_READ = 1_000
"""Of a text, when keywords are looked for: its subject is said at its beginning."""

ENDING = r"\w{0,3}"
"""What an inflection puts behind a keyword."""

CENTRALITY_WEIGHT = 0.7
"""How much centrality counts against distinctness; at 1 only centrality counts."""


Holding: TypeAlias = Callable[[Ints], Floats]
"""Points in, for each of them how much of the keywords it holds out, (p,) from 0."""


def choose_exemplars(
    vectors: Floats,
    members: Ints,
    strengths: Floats,
    *,
    count: int = 5,
    holding: Holding | None = None,
) -> Ints:
    """Up to `count` members of a cluster that are central and distinct, the most central first.

    `vectors` (n, dim) unit float32 and `strengths` (n,) are of all points, `members` are indices
    into them. Centrality is the cosine to the members' mean, weighted by strength; distinctness
    is maximal marginal relevance (Carbonell and Goldstein 1998). With `holding`, members that hold
    the cluster's keywords (`HOLDING_SHARE`) come before those that do not; where none of the
    `CANDIDATES` most central ones does, centrality alone counts. The same input, the same answer.
    """
    if not len(members):
        return members
    weights = strengths[members]
    if not weights.any():
        weights = np.ones(len(members), np.float32)
    member_vectors = vectors[members]
    mean = weights @ member_vectors
    length = float(np.linalg.norm(mean))
    central = weights * (member_vectors @ (mean / length if length > 0 else mean))
    first = np.argsort(-central, kind="stable")[:CANDIDATES]
    core = central[first] >= CORE_SHARE * central[first[0]]
    first = first[: max(count, int(core.sum()))]
    if holding is not None:
        held = holding(members[first])
        telling = held >= HOLDING_SHARE * held.max(initial=0.0)
        first = np.concatenate((first[telling], first[~telling][: max(0, count - telling.sum())]))
    central, member_vectors = central[first], member_vectors[first]
    similar = member_vectors @ member_vectors.T
    chosen = [0]
    while len(chosen) < min(count, len(first)):
        nearest = similar[:, chosen].max(axis=1)
        gain = (
            CENTRALITY_WEIGHT * central
            - (1 - CENTRALITY_WEIGHT) * nearest
            - 2.0 * (nearest > SAME_TEXT_COSINE)
        )
        gain[chosen] = -np.inf
        chosen.append(int(gain.argmax()))
    answer: Ints = members[first[sorted(chosen)]]
    return answer


def held_keywords(texts: Sequence[str], keywords: Sequence[str]) -> Floats:
    """(t,) float32: how much of a cluster's keywords each text holds, 0 to 1.

    The first keyword counts twice as much as the second, three times as much as the third. A word
    counts with an ending too (bag, bags), a phrase as it stands, case aside.
    """
    if not keywords or not texts:
        return np.zeros(len(texts), np.float32)
    weights = 1 / np.arange(1, len(keywords) + 1, dtype=np.float32)
    patterns = [term_pattern(word, ENDING) for word in keywords]
    held = np.zeros(len(texts), np.float32)
    for row, text in enumerate(texts):
        read = text[:CHARACTERS_READ].lower().replace("\u2019", "'")
        for pattern, weight in zip(patterns, weights, strict=True):
            if pattern.search(read):
                held[row] += weight
    share: Floats = held / weights.sum()
    return share

"""Exemplars: the few members that show what a cluster is.

In: unit vectors, members and their strengths. Out: indices of central members that are not alike.
"""

import numpy as np

from corpuscope.tools.core.schema import Floats, Ints

CANDIDATES = 500
"""The most central members among which the exemplars are chosen: enough to find distinct ones."""

CORE_SHARE = 0.5
"""Members less than half as central as the first show the edge, not the cluster."""

SAME_TEXT_COSINE = 0.9
"""Texts at this cosine say the same; a second one is shown only where there is nothing else."""

CENTRALITY_WEIGHT = 0.7
"""How much centrality counts against distinctness; at 1 only centrality counts."""


def choose_exemplars(vectors: Floats, members: Ints, strengths: Floats, *, count: int = 5) -> Ints:
    """Up to `count` members of a cluster that are central and distinct, the most central first.

    `vectors` (n, dim) unit float32 and `strengths` (n,) are of all points, `members` are indices
    into them. Centrality is the cosine to the members' mean, weighted by strength; distinctness
    is maximal marginal relevance (Carbonell and Goldstein 1998). The same input, the same answer.
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

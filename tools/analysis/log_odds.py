"""Words that tell two sets of texts apart: log-odds ratios with an informative Dirichlet prior.

In: texts of both sides. Out: for each side its words, the most telling first. Monroe, Colaresi and
Quinn, "Fightin' Words" (2008): the prior are the words of both together, so that rare ones, which
differ by chance, are drawn to no difference, and z says how sure the rest is. A word counts once a
text, so that no text shouts the others down.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from corpuscope.tools.analysis.keywords import counted_terms, distinct_terms
from corpuscope.tools.analysis.rates import q_values
from corpuscope.tools.analysis.ratios import signed_surprise
from corpuscope.tools.core.redaction import Redact

PRIOR_SHARE = 0.1
"""What the prior weighs, of the words of the smaller side: enough that a word of three texts does
not win, and little enough that what is said in every tenth keeps its z."""

CHARACTERS_READ = 1_200_000
"""Of both sides together, in about a second."""

FEWEST_TEXTS = 3
"""A word of fewer texts, both sides together, is not tried."""

SURE_WORDS, LEAST_Z = 0.05, 1.96
"""A word is told whose q, by the likelihood ratio of the texts that have it, is below the one, and
whose z, by which words are ranked, reaches the other: z alone is blind to a word that one side has
in a quarter of its texts and the other in none, q alone takes what is rare for telling."""


@dataclass(frozen=True, slots=True)
class TellingWord:
    """A word, how surely it tells (z, above 0), its q, and how many texts of each side have it."""

    word: str
    z: float
    q: float
    texts_a: int
    texts_b: int


@dataclass(frozen=True, eq=False)
class WordSides:
    """The words of either side, the most telling first, and (texts, words) bool: which text of the
    side has which of its own words. `tried`: how many words were looked at."""

    a: list[TellingWord]
    b: list[TellingWord]
    held_a: NDArray[np.bool_]
    held_b: NDArray[np.bool_]
    tried: int


def log_odds(counts_a: NDArray[np.int64], counts_b: NDArray[np.int64]) -> NDArray[np.float64]:
    """(k,) z of each word: above 0 where a has more of it.

    Args:
        counts_a: (k,) how often a has each of all words.
        counts_b: The same of b.
    """
    both = counts_a + counts_b
    prior = both * (PRIOR_SHARE * min(counts_a.sum(), counts_b.sum()) / max(1, both.sum()))
    odds, variance = [], np.zeros(len(both))
    for counts in (counts_a, counts_b):
        seen = counts + prior
        # A word that is all there is has infinite odds; the half keeps them finite.
        odds.append(np.log(seen / np.maximum(seen.sum() - seen, 0.5)))
        variance += 1 / seen
    return np.asarray((odds[0] - odds[1]) / np.sqrt(variance))


def contrast_words(
    texts: tuple[Sequence[str], Sequence[str]],
    *,
    count: int,
    left_out: Collection[str],
    redact: Redact,
) -> WordSides:
    """Up to `count` words of either side that tell it from the other.

    `texts`: the distinct texts of a and of b. `left_out`: words, in small letters, that nobody has
    to be told, since the sides were chosen by them. What `redact` takes out is in no word.
    """
    from scipy import stats

    of_a = len(texts[0])
    vocabulary, matrix = counted_terms([*texts[0], *texts[1]], redact, CHARACTERS_READ)
    if not vocabulary or not of_a or not texts[1]:
        none = np.zeros((of_a, 0), bool), np.zeros((len(texts[1]), 0), bool)
        return WordSides([], [], *none, 0)
    sides = matrix[:of_a], matrix[of_a:]
    counts = [np.asarray(side.sum(axis=0)).ravel().astype(np.int64) for side in sides]
    if not counts[0].any() or not counts[1].any():
        return WordSides([], [], np.zeros((of_a, 0), bool), np.zeros((len(texts[1]), 0), bool), 0)
    z = log_odds(counts[0], counts[1])
    tried = np.flatnonzero(counts[0] + counts[1] >= FEWEST_TEXTS)
    q = np.ones(len(vocabulary))
    surprise = signed_surprise(counts[0][tried], of_a, counts[1][tried], len(texts[1]))
    q[tried] = q_values(2 * stats.norm.sf(np.abs(surprise)))
    unsaid = frozenset(left_out)
    words, held = [], []
    for sign, side, own in ((1, sides[0], counts[0]), (-1, sides[1], counts[1])):
        sure = tried[(sign * z[tried] >= LEAST_Z) & (q[tried] < SURE_WORDS)]
        ranked = sure[np.argsort(-sign * z[sure], kind="stable")]
        place = {
            vocabulary[at]: at for at in ranked if not unsaid.intersection(vocabulary[at].split())
        }
        chosen = distinct_terms([(word, int(own[at])) for word, at in place.items()], count)
        chosen.sort(key=lambda word: -sign * z[place[word]])
        at = [place[word] for word in chosen]
        words.append(
            [
                TellingWord(
                    word, float(abs(z[i])), float(q[i]), int(counts[0][i]), int(counts[1][i])
                )
                for word, i in zip(chosen, at, strict=True)
            ]
        )
        held.append(np.asarray(side[:, at].toarray() > 0))
    return WordSides(words[0], words[1], held[0], held[1], len(tried))

"""Titles that are equal or nearly so, and how they are told apart without a model.

Titles by cluster id come in; out go the pairs that are alike, by the share of their words and by
the cosine of the dataset's embedder, the groups that these pairs make, and a title with a keyphrase
that others do not have.
"""

import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from itertools import combinations

import numpy as np

from corpuscope.tools.analysis.keywords import word_stems
from corpuscope.tools.analysis.stop_words import stop_words
from corpuscope.tools.describing.answers import TITLE_CHARACTERS, TITLE_WORDS
from corpuscope.tools.describing.evidence import Evidence
from corpuscope.tools.embedding.spec import LEXICAL, Embedder

TITLES_ALIKE = 0.88
"""Cosine from which titles mean the same. With MiniLM, nine pairs that do reach 0.83 to 0.96, eight
pairs of neighbouring subjects at most 0.76, BANKING77's label names at most 0.89."""

ABOVE_USUAL = 0.6
"""Of the way from the usual cosine of two titles to 1: some models find everything similar."""

ENOUGH_TITLES = 6
"""What is usual shows in 15 pairs; two titles alone would always be just as alike as usual."""

SHARED_WORDS = 0.8
"""Share of their words that titles have in common when they say the same."""

NEGATIONS = frozenset({"no", "not", "never", "none", "nobody", "nothing", "without", "cannot"})
"""Of the stop words those that turn a title into its contrary."""

FEWEST_LETTERS = 3
"""Shorter words in small letters, as of, or, in, say nothing; UK, C, R do, and scripts without
small letters."""


def alike_pairs(titles: Mapping[str, str], embedder: Embedder | None) -> list[tuple[str, str]]:
    """The pairs of clusters, by id, whose titles are equal or nearly so, in the order of the ids.

    By their words, and by an embedder that knows meanings: `lexical` sees nothing of a word that
    its texts do not have, so that "Refund of shoes" may be all "Refund" to it.
    """
    ids = list(titles)
    words = [content_stems(title) for title in titles.values()]
    near = np.zeros((len(ids), len(ids)), np.bool_)
    if embedder is not None and embedder.spec != LEXICAL and len(ids) > 1:
        vectors = embedder.embed(list(titles.values()))
        similar = vectors @ vectors.T
        threshold = TITLES_ALIKE
        if len(ids) >= ENOUGH_TITLES:
            usual = float(np.median(similar[np.triu_indices(len(ids), 1)]))
            threshold = max(TITLES_ALIKE, usual + ABOVE_USUAL * (1 - usual))
        near = similar >= threshold
    return [
        (ids[first], ids[second])
        for first, second in combinations(range(len(ids)), 2)
        if near[first, second] or _share_words(words[first], words[second])
    ]


def title_groups(pairs: Iterable[tuple[str, str]]) -> list[list[str]]:
    """The connected components of the pairs, each in the order in which its ids first occur."""
    groups: list[list[str]] = []
    for pair in pairs:
        touching = [group for group in groups if set(group) & set(pair)]
        merged = dict.fromkeys([*(cluster for group in touching for cluster in group), *pair])
        groups = [group for group in groups if group not in touching] + [list(merged)]
    return groups


def with_keyphrase(title: str, evidence: Evidence, others: Sequence[Evidence]) -> str:
    """The title with the first keyphrase that sets its cluster apart from others of like title, or
    with the cluster's id where there is none; within the limits of a title.
    """
    known = {
        word for other in others for phrase in other.keywords for word in content_stems(phrase.text)
    }
    known |= content_stems(title)
    distinct = [
        phrase.text for phrase in evidence.keywords if not content_stems(phrase.text) <= known
    ]
    room = TITLE_WORDS - len(title.split())
    fitting = [phrase for phrase in distinct if len(phrase.split()) <= room]
    added = (fitting or distinct or [evidence.cluster])[0]
    start = " ".join(title.split()[: max(1, TITLE_WORDS - len(added.split()))])
    # Cut before the phrase: without it the titles would be equal again.
    return f"{start[: TITLE_CHARACTERS - len(f' ({added})')].rstrip()} ({added})"


def content_stems(title: str) -> frozenset[str]:
    """What two titles, or a sentence and a text, are compared by: the stems of their words that say
    something, or all of it where there are none (emoji)."""
    words = re.findall(r"\w+[+#]*", unicodedata.normalize("NFKC", title))
    empty = stop_words() - NEGATIONS
    # In capitals they are names: US, IT.
    telling = [
        word
        for word in words
        if word == word.upper() or (len(word) >= FEWEST_LETTERS and word.casefold() not in empty)
    ]
    return word_stems(" ".join(telling or words).casefold()) or frozenset({title.strip()})


def _share_words(first: frozenset[str], second: frozenset[str]) -> bool:
    """Whether their Jaccard similarity reaches `SHARED_WORDS`."""
    return bool(first) and len(first & second) >= SHARED_WORDS * len(first | second)

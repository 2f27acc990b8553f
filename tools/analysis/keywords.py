"""Keywords: the words that set a cluster apart from its siblings.

In: distinct texts, and which of them each cluster holds. Out: a few words and phrases a cluster.
Class-based TF-IDF (Grootendorst 2022, BERTopic) as a contrast: the share of a cluster's texts that
hold a term, times the logarithm of that share over the siblings' mean share. What stands everywhere
weighs nothing, in any language.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice, pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from corpuscope.tools.core.ids import parent_of
from corpuscope.tools.core.redaction import Redact, as_it_is
from corpuscope.tools.core.schema import Ints

KEYWORDS_PER_CLUSTER = 8
"""As many as one takes in at a glance."""

FEWEST_CHARACTERS, MOST_CHARACTERS = 100, 2_000
"""Read of one text: what it is about is said at its beginning."""

CHARACTER_BUDGET = 4_000_000
"""Read of all texts together where there are many: bounds the time (about 5 s) and the memory."""

MOST_TEXTS = 60_000
"""Read of all clusters together, shared evenly, and of one cluster at most 2,000."""

LONGEST_WORD = 1_000
"""What is redacted ends with a word, so that no half of an address is left; where a script has no
spaces, here."""

MARK = re.compile(r"\[(?:card|email|id|ip|link|phone|secret)\]")
"""What redaction leaves. It is no word of the texts."""

MOST_TERMS = 60_000
"""Terms counted, the most frequent first."""

SMALLEST_SHARE = 0.001
"""The smallest share that siblings are taken to have, so that a name seen once does not win."""

LEAST_LIFT = 1.3
"""How many times as common as among the siblings a keyword must be."""

COMMON_SHARES = (0.05, 0.75)
"""A word in this share of the texts of this share of the clusters is a stop word of the corpus."""

PHRASE_SHARE = 0.6
"""A phrase with this share of a word's texts is what the word mostly means here."""

CONTENT_WORDS = frozenset(
    {"amount", "bill", "bottom", "call", "computer", "cry", "detail", "fire", "found", "full"}
    | {"hundred", "interest", "mill", "mine", "move", "name", "part", "serious", "side"}
    | {"sincere", "system", "thick", "thin", "top"}
)
"""Words that scikit-learn's English stop list takes for empty, and news and tickets do not."""

MORE_STOP_WORDS = frozenset({"did", "does", "doing", "having", "just"})
"""Missing there, beside do, have and only."""

PARTICLES = frozenset({"up", "out", "off", "down", "over", "back"})
"""May end a phrase where the first word hardly stands without it: top up, pay back."""

WORD_OR_SIGN = re.compile(r"[^\W_]+(?:['.\-][^\W_]+)*[+#]*|[^\w\s]|\n")
"""A word of any script, also don't, top-up, node.js, c++; or a mark, which ends a phrase."""


@dataclass(frozen=True, slots=True)
class _Shares:
    """The terms that a cluster's texts hold, and the share of the texts that hold each."""

    terms: NDArray[np.int32]
    share: NDArray[np.float64]
    texts: int

    def over(self, vocabulary: int) -> NDArray[np.float64]:
        """The share of every term of the vocabulary."""
        every = np.zeros(vocabulary)
        every[self.terms] = self.share
        return every


@dataclass(frozen=True, slots=True)
class _Term:
    """A term as a candidate in one cluster."""

    text: str
    count: int
    stems: frozenset[str]


def cluster_keywords(
    texts: Sequence[str],
    clusters: Mapping[str, Ints],
    *,
    count: int = KEYWORDS_PER_CLUSTER,
    redact: Redact = as_it_is,
) -> dict[str, list[str]]:
    """Up to `count` keywords for each cluster, the most telling first, lower-cased.

    `texts`: the n distinct texts. `clusters`: cluster id to indices of the texts in it, children's
    included; siblings are ids of the same parent. An only cluster is held against the texts
    outside it. Large clusters are read in an even sample, long texts at their beginning. What
    `redact` takes out of the texts is in no keyword.
    """
    families: dict[str | None, list[str]] = {}
    for cluster_id in clusters:
        families.setdefault(parent_of(cluster_id), []).append(cluster_id)
    samples = _sample_texts(clusters, families, len(texts))
    read = np.unique(np.concatenate([*samples.values(), np.empty(0, np.int32)]))
    characters = int(
        np.clip(CHARACTER_BUDGET // max(1, len(read)), FEWEST_CHARACTERS, MOST_CHARACTERS)
    )
    vocabulary, term_matrix = _count_terms(
        [_beginning(texts[index], characters, redact) for index in read]
    )
    if not vocabulary:
        return {cluster_id: [] for cluster_id in clusters}
    shares = {
        cluster_id: _term_shares(term_matrix, np.searchsorted(read, rows))
        for cluster_id, rows in samples.items()
    }
    tops = [shares[cluster_id] for cluster_id in clusters if parent_of(cluster_id) not in clusters]
    common = _corpus_stop_words(tops, vocabulary)
    words_of: dict[str, list[str]] = {}
    for siblings in families.values():
        total = sum(
            (shares[cluster_id].over(len(vocabulary)) for cluster_id in siblings),
            np.zeros(len(vocabulary)),
        )
        for cluster_id in siblings:
            here = shares[cluster_id]
            if _outside_key(cluster_id) in shares:
                elsewhere = shares[_outside_key(cluster_id)].over(len(vocabulary))[here.terms]
            else:
                elsewhere = (total[here.terms] - here.share) / max(1, len(siblings) - 1)
            ranked = _rank_terms(here, elsewhere)
            terms = (vocabulary[here.terms[at]] for at in ranked)
            holders = (round(here.share[at] * here.texts) for at in ranked)
            candidates = (
                _Term(term, texts_with, word_stems(term))
                for term, texts_with in zip(terms, holders, strict=True)
                if not common.intersection(term.split())
            )
            words_of[cluster_id] = _choose_distinct(candidates, count)
    return {cluster_id: words_of[cluster_id] for cluster_id in clusters}


def _sample_texts(
    clusters: Mapping[str, Ints], families: Mapping[str | None, list[str]], texts: int
) -> dict[str, Ints]:
    """The texts read for each cluster, and for one without siblings those outside it."""
    each = int(np.clip(MOST_TEXTS // max(1, len(clusters)), 100, 2_000))
    samples = {cluster_id: _even_sample(members, each) for cluster_id, members in clusters.items()}
    for parent, siblings in families.items():
        if len(siblings) == 1:
            around = clusters.get(parent or "", np.arange(texts, dtype=np.int32))
            outside = np.setdiff1d(around, clusters[siblings[0]])
            samples[_outside_key(siblings[0])] = _even_sample(outside, each)
    return samples


def _outside_key(cluster_id: str) -> str:
    return f"not {cluster_id}"


def _even_sample(members: Ints, most: int) -> Ints:
    if len(members) <= most:
        return members
    return members[np.linspace(0, len(members) - 1, most).astype(np.int64)]


def _beginning(text: str, characters: int, redact: Redact) -> str:
    """The beginning of a text without what is redacted."""
    # Redacted before it is cut, but not all of a long text: only its beginning is read.
    space = re.search(r"\s", text[characters : characters + LONGEST_WORD])
    whole = text[: characters + (space.start() if space else LONGEST_WORD)]
    redacted = redact(whole)
    # A new line ends a phrase, as what stood there did.
    return (whole if redacted == whole else MARK.sub("\n", redacted))[:characters]


def _count_terms(texts: list[str]) -> tuple[list[str], Any]:
    """The vocabulary, and which text holds which term: (texts, terms) sparse of ones."""
    from sklearn.feature_extraction.text import CountVectorizer

    stop = stop_words()
    if not any(next(_terms(text, stop), None) for text in texts):
        return [], None
    counter = CountVectorizer(
        analyzer=lambda text: _terms(text, stop),
        binary=True,
        max_features=MOST_TERMS,
        dtype=np.int32,
    )
    term_matrix = counter.fit_transform(texts)
    return list(counter.get_feature_names_out()), term_matrix


def _terms(text: str, stop: frozenset[str]) -> Iterator[str]:
    """The words of a text, and the pairs of neighbours that may be a phrase."""
    tokens = [
        token.removesuffix("'s")
        for token in WORD_OR_SIGN.findall(text.lower().replace("\u2019", "'"))
    ]
    content = [
        len(t) > 1 and not t[0].isdigit() and t.partition("'")[0] not in stop and t[-3:] != "n't"
        for t in tokens
    ]
    for token, good in zip(tokens, content, strict=True):
        if good:
            yield token
    for (first, good), (second, fine) in pairwise(zip(tokens, content, strict=True)):
        if good and (fine or second in PARTICLES) and first != second:
            yield f"{first} {second}"


def _term_shares(term_matrix: Any, rows: NDArray[np.int64]) -> _Shares:
    counts = np.asarray(term_matrix[rows].sum(axis=0)).ravel()
    terms = np.flatnonzero(counts).astype(np.int32)
    return _Shares(terms, counts[terms] / max(1, len(rows)), len(rows))


def _corpus_stop_words(clusters: list[_Shares], vocabulary: list[str]) -> frozenset[str]:
    """The corpus's own stop words: common in nearly every one of at least four clusters."""
    if len(clusters) < 4:
        return frozenset()
    of_texts, of_clusters = COMMON_SHARES
    common_in = np.zeros(len(vocabulary))
    for cluster in clusters:
        common_in[cluster.terms[cluster.share >= of_texts]] += 1
    return frozenset(
        vocabulary[at] for at in np.flatnonzero(common_in >= of_clusters * len(clusters))
    )


def _rank_terms(here: _Shares, elsewhere: NDArray[np.float64]) -> NDArray[np.int64]:
    """Positions of the terms that tell, the most telling first."""
    fewest = 1 if here.texts < 5 else max(2.0, 0.01 * here.texts)
    lift = here.share / np.maximum(elsewhere, SMALLEST_SHARE)
    telling = np.flatnonzero((lift >= LEAST_LIFT) & (here.share * here.texts > fewest - 0.5))
    score = here.share[telling] * np.log(lift[telling])
    return telling[np.argsort(-score, kind="stable")]


def stop_words() -> frozenset[str]:
    """English words that say nothing by themselves: scikit-learn's without `CONTENT_WORDS`.

    stopwordsiso holds them all and 998 more, of which many are content: with it 67 of the 77
    classes of BANKING77 lose keywords such as `order`, `date`, `top up` and `tried`.
    """
    from sklearn.feature_extraction.text import ENGLISH_STOP_WORDS

    return frozenset((ENGLISH_STOP_WORDS | MORE_STOP_WORDS) - CONTENT_WORDS)


def word_stems(term: str) -> frozenset[str]:
    """The words of a term without the endings of the plural, English, German or Romance."""
    return frozenset(re.sub(r"(?<=\w{3})(?:'s|ies|es|en|e|s|y)$", "", w) for w in term.split())


def _choose_distinct(candidates: Iterator[_Term], count: int) -> list[str]:
    """The first `count` terms that do not repeat each other.

    A phrase takes the place of the words that mostly stand in it, else the words stay.
    """
    chosen: list[_Term] = []
    for term in islice(candidates, 6 * count):
        alike = [choice for choice in chosen if choice.stems & term.stems]
        phrase = " " in term.text
        if not alike:
            if term.text.split()[-1] not in PARTICLES:
                chosen.append(term)
        elif phrase and all(" " not in choice.text for choice in alike):
            if all(term.count >= PHRASE_SHARE * choice.count for choice in alike):
                chosen[chosen.index(alike[0])] = term
                chosen = [choice for choice in chosen if choice not in alike]
        elif phrase and len(alike) == 1 and _adds(term, alike[0]):
            chosen.append(term)
    return [term.text for term in chosen[:count]]


def _adds(term: _Term, other: _Term) -> bool:
    """Whether a phrase says more than another: debit card after credit card.

    It does not where it goes on where the other ends, as south wales after new south.
    """
    if " " not in other.text or term.stems <= other.stems:
        return False
    (first, last), (begins, ends) = term.text.split(), other.text.split()
    return first != ends and last != begins

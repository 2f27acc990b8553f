"""Keywords: the words that set a cluster apart from its siblings.

In: distinct texts, and which of them each cluster holds. Out: a few words and phrases a cluster.
Class-based TF-IDF (Grootendorst 2022, BERTopic) as a contrast: the share of a cluster's texts that
hold a term, times the logarithm of that share over the siblings' mean share. What stands everywhere
weighs nothing, in any language; the stop words of the languages that the texts are in fall out
before.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice, takewhile
from typing import Any

import numpy as np
from numpy.typing import NDArray

from corpuscope.tools.analysis.stop_words import stop_words_for
from corpuscope.tools.analysis.terms import (
    PARTICLES,
    fragments,
    is_sequence,
    readable_words,
    text_terms,
)
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

ARABIC_ARTICLE = re.compile(r"^[\u0648\u0628\u0641]?\u0627\u0644(?=\w{3})|^\u0644\u0644(?=\w{3})")
"""It is written together with its word, and with and, in, so, for before it."""


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
    sequence: bool
    """Whether it is of a script without spaces, or a Korean word."""


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
    common = _corpus_stop_words(tops, vocabulary) | _pieces(term_matrix, vocabulary)
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
            candidates = [
                (vocabulary[here.terms[at]], round(here.share[at] * here.texts))
                for at in ranked[: 12 * count]
            ]
            telling = [term for term in candidates if not common.intersection(term[0].split())]
            # A theme of nothing but common words is better called by them than by nothing.
            words_of[cluster_id] = _choose_distinct(_terms_of(telling or candidates), count)
    return {cluster_id: words_of[cluster_id] for cluster_id in clusters}


def counted_terms(texts: Sequence[str], redact: Redact, budget: int) -> tuple[list[str], Any]:
    """The terms of texts, as keywords are counted: the vocabulary, and which text has which term,
    (texts, terms) sparse of ones. Of all together some `budget` characters are read: long texts at
    their beginning."""
    characters = int(np.clip(budget // max(1, len(texts)), FEWEST_CHARACTERS, MOST_CHARACTERS))
    vocabulary, matrix = _count_terms([_beginning(text, characters, redact) for text in texts])
    if not vocabulary:
        return [], None
    pieces = _pieces(matrix, vocabulary)
    kept = [at for at, term in enumerate(vocabulary) if term not in pieces]
    return [vocabulary[at] for at in kept], matrix[:, kept] if pieces else matrix


def distinct_terms(candidates: Sequence[tuple[str, int]], count: int) -> list[str]:
    """The first `count` of terms, each with the number of texts that have it, that do not repeat
    each other."""
    return _choose_distinct(_terms_of(list(candidates[: 12 * count])), count)


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
    """The beginning of a text without what is redacted, and without what is no word."""
    # Redacted before it is cut, but not all of a long text: only its beginning is read.
    space = re.search(r"\s", text[characters : characters + LONGEST_WORD])
    whole = text[: characters + (space.start() if space else LONGEST_WORD)]
    redacted = redact(whole)
    read = readable_words(redacted)
    if read != redacted:
        read = redact(read)  # an address may have been hidden: me&#64;here.com
    # A new line ends a phrase, as what stood there did.
    return (read if redact is as_it_is else MARK.sub("\n", read))[:characters]


def _count_terms(texts: list[str]) -> tuple[list[str], Any]:
    """The vocabulary, and which text holds which term: (texts, terms) sparse of ones."""
    from sklearn.feature_extraction.text import CountVectorizer

    stop = stop_words_for(texts)
    if not any(next(text_terms(text, stop), None) for text in texts):
        return [], None
    counter = CountVectorizer(
        analyzer=lambda text: text_terms(text, stop),
        binary=True,
        max_features=MOST_TERMS,
        dtype=np.int32,
    )
    term_matrix = counter.fit_transform(texts)
    return list(counter.get_feature_names_out()), term_matrix


def _pieces(term_matrix: Any, vocabulary: list[str]) -> set[str]:
    """The terms that are pieces of words, in scripts without spaces."""
    sequences = [at for at, term in enumerate(vocabulary) if is_sequence(term)]
    if not sequences:
        return set()
    counts = np.asarray(term_matrix.sum(axis=0)).ravel()
    return fragments({vocabulary[at]: int(counts[at]) for at in sequences})


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


def word_stems(term: str) -> frozenset[str]:
    """The words of a term without the endings of the plural, English, German or Romance."""
    return frozenset(re.sub(r"(?<=\w{3})(?:'s|ies|es|en|e|s|y)$", "", w) for w in term.split())


def word_families(words: Iterable[str]) -> dict[str, str]:
    """Each word and the one that stands for it and its inflections, the first in the alphabet.

    By form alone, in any language: equal `word_stems`, or a common beginning that is most of both,
    with little behind it (cancel, cancelled; flighted, flightled; карта, карту; 카드가, 카드를).
    """
    heads: dict[str, list[str]] = {}
    family = {}
    for word in sorted(set(words), key=_without_arabic_article):
        known = heads.setdefault(_without_arabic_article(word)[:2], [])
        family[word] = next((head for head in known if _same_word(head, word)), word)
        if family[word] == word:
            known.append(word)
    return family


def _without_arabic_article(word: str) -> str:
    return ARABIC_ARTICLE.sub("", word)


def _same_word(first: str, second: str) -> bool:
    first, second = _without_arabic_article(first), _without_arabic_article(second)
    if word_stems(first) == word_stems(second):
        return True
    pairs = zip(first, second, strict=False)
    begin = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs))
    tails = sorted((first[begin:], second[begin:]), key=len)
    fewest, longest = _inflection_limits(first[0])
    if not tails[0]:
        fewest = min(fewest, 4)
        longest += tails[1][:1] == first[begin - 1]  # plotting
    return (
        begin >= fewest and len(tails[1]) <= longest and 2 * begin > len(tails[0]) + len(tails[1])
    )


def _inflection_limits(letter: str) -> tuple[int, int]:
    """Letters that two inflections of one word begin with at least, and those behind at most.

    What is Latin and shorter is held apart (plane, plant); other scripts inflect shorter words.
    """
    if "가" <= letter <= "힣":  # Korean syllables
        return 2, 3
    return (5, 3) if letter < "\N{MODIFIER LETTER SMALL H}" else (4, 2)  # Latin ends there


def _terms_of(candidates: list[tuple[str, int]]) -> Iterator[_Term]:
    """Terms and the number of texts with each, as candidates that know which are the same word."""
    family = word_families(word for term, _count in candidates for word in term.split())
    for term, texts_with in candidates:
        stems = frozenset(family[word] for word in term.split())
        yield _Term(term, texts_with, stems, is_sequence(term) and " " not in term)


def _choose_distinct(candidates: Iterator[_Term], count: int) -> list[str]:
    """The first `count` terms that do not repeat each other.

    A phrase takes the place of the words that mostly stand in it, else the words stay; so does a
    longer sequence of characters.
    """
    chosen: list[_Term] = []
    for term in islice(candidates, 6 * count):
        alike = [choice for choice in chosen if _alike(term, choice)]
        phrase = " " in term.text
        if not alike:
            if term.text.split()[-1] not in PARTICLES:
                chosen.append(term)
        elif (phrase and all(" " not in choice.text for choice in alike)) or all(
            _is_longer_sequence(term, choice) for choice in alike
        ):
            if all(term.count >= PHRASE_SHARE * choice.count for choice in alike):
                chosen[chosen.index(alike[0])] = term
                chosen = [choice for choice in chosen if choice not in alike]
        elif phrase and len(alike) == 1 and _adds(term, alike[0]):
            chosen.append(term)
    return [term.text for term in chosen[:count]]


def _alike(term: _Term, other: _Term) -> bool:
    """Whether two terms have a word in common, or most of a sequence of characters."""
    if not (term.sequence and other.sequence):
        return bool(term.stems & other.stems)
    first, second = term.text, other.text
    if first in second or second in first:
        return True
    for begin, end in ((first, second), (second, first)):
        if any(begin.endswith(end[:size]) for size in range(2, min(len(begin), len(end)))):
            return True
    return False


def _is_longer_sequence(term: _Term, other: _Term) -> bool:
    """Whether a term is another with more characters; of a Korean word these are particles."""
    if not term.sequence or "가" <= term.text[0] <= "힣":
        return False
    return other.sequence and other.text in term.text


def _adds(term: _Term, other: _Term) -> bool:
    """Whether a phrase says more than another: debit card after credit card.

    It does not where it goes on where the other ends, as south wales after new south.
    """
    if " " not in other.text or term.stems <= other.stems:
        return False
    (first, last), (begins, ends) = term.text.split(), other.text.split()
    return first != ends and last != begins

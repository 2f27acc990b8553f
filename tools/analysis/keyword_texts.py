"""Texts that hold a cluster's keywords: how many do, and which one shows a word not seen yet.

In: keywords, and texts as keywords are read (masked, lower-cased); out: shares, and for strong
keywords that no text shown holds a text that does.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from corpuscope.tools.analysis.terms import term_pattern
from corpuscope.tools.core.schema import Floats

STRONG_SHARE, STRONG_RATIO = 0.03, 2.0
"""A keyword is strong that so large a share of the cluster's texts hold, and so many times that of
the nearest clusters' texts."""

KEYWORD_TEXTS = 3
"""The most texts that are shown only because they hold a strong keyword that no other does."""

SURELY_SHOWN = 250
"""Of a text so many characters are shown, however many excerpts there are beside it."""


@dataclass(frozen=True, slots=True)
class KeywordCount:
    """A keyword with the texts inside that hold it, as points, the share of those inside, 0 to 1,
    and of those beside."""

    word: str
    holding: list[int]
    share: float
    beside: float


def count_keywords(
    words: Sequence[str], inside: Mapping[int, str], beside: Sequence[str]
) -> list[KeywordCount]:
    """How many of the texts inside, by point, and beside hold each keyword."""
    counts = []
    for word in words:
        pattern = term_pattern(word)
        holding = [point for point, text in inside.items() if pattern.search(text)]
        elsewhere = sum(bool(pattern.search(text)) for text in beside)
        counts.append(
            KeywordCount(
                word,
                holding,
                len(holding) / max(1, len(inside)),
                elsewhere / max(1, len(beside)),
            )
        )
    return counts


def missing_keywords(
    counts: Sequence[KeywordCount],
    shown: Iterable[str],
    inside: Mapping[int, str],
    nearness: Floats,
) -> dict[int, str]:
    """For strong keywords that no text of `shown` holds the most typical text inside that does: the
    keyword by its point. `nearness` (n,) says how typical each text inside is."""
    seen: Collection[str] = [*shown]
    typical = dict(zip(inside, nearness.tolist(), strict=True))
    chosen: dict[int, str] = {}
    for count in counts:
        strong = count.share >= max(STRONG_SHARE, STRONG_RATIO * count.beside)
        pattern = term_pattern(count.word)
        if strong and len(chosen) < KEYWORD_TEXTS and not any(map(pattern.search, seen)):
            point = max(count.holding, key=lambda one: (typical[one], -one))
            chosen[point] = count.word
            seen = [*seen, inside[point]]
    return chosen


def from_keyword(text: str, word: str | None) -> str:
    """The text from a little before a keyword on, where that would not surely be shown."""
    found = term_pattern(word).search(text.lower()) if word is not None else None
    if found is None or found.end() <= SURELY_SHOWN // 2:
        return text
    return f"\N{HORIZONTAL ELLIPSIS} {text[max(0, found.start() - SURELY_SHOWN // 3) :]}"

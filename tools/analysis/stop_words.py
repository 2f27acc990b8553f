"""Stop words: words that say nothing by themselves, by language.

In: codes of languages, or the texts of a dataset. Out: sets of words in small letters.
"""

from collections.abc import Sequence
from functools import cache

from corpuscope.tools.analysis.language import language_shares

CONTENT_WORDS = frozenset(
    {"amount", "bill", "bottom", "call", "computer", "cry", "detail", "fire", "found", "full"}
    | {"hundred", "interest", "mill", "mine", "move", "name", "part", "serious", "side"}
    | {"sincere", "system", "thick", "thin", "top"}
)
"""Words that scikit-learn's English stop list takes for empty, and news and tickets do not."""

MORE_STOP_WORDS = frozenset({"did", "does", "doing", "having", "just"})
"""Missing there, beside do, have and only."""

REAL_SHARE = 0.1
"""The share of the texts from which a language's stop words count: names and quotations are fewer,
and a stop word of one language is a word of another (German war, Dutch been)."""


def stop_words() -> frozenset[str]:
    """English words that say nothing by themselves: scikit-learn's without `CONTENT_WORDS`.

    stopwordsiso holds them all and 998 more, of which many are content: with it 67 of the 77
    classes of BANKING77 lose keywords such as `order`, `date`, `top up` and `tried`.
    """
    from sklearn.feature_extraction.text import ENGLISH_STOP_WORDS

    return frozenset((ENGLISH_STOP_WORDS | MORE_STOP_WORDS) - CONTENT_WORDS)


def stop_words_for(texts: Sequence[str]) -> frozenset[str]:
    """The stop words of every language that at least `REAL_SHARE` of the texts are in.

    English ones where no language is found: the texts are too short or too mixed to tell.
    """
    shares = language_shares(texts)
    languages = sorted(code for code, share in shares.items() if share >= REAL_SHARE)
    return frozenset().union(*(_listed(code) for code in languages or ["en"]))


# Kept because a list is read from one file with all languages, 30 ms.
@cache
def _listed(code: str) -> frozenset[str]:
    """The stop words of one language by stopwordsiso; none where it has no list."""
    if code == "en":
        return stop_words()
    from stopwordsiso import has_lang, stopwords

    return frozenset(word.lower() for word in stopwords(code)) if has_lang(code) else frozenset()

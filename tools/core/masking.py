"""What is taken out of a text before it becomes a vector or keywords: handles, links, own words.

In: a mask, which is kept with the dataset, and a text; out: the text without it. A name that stands
in every text, or the pieces of links, would rule the themes. What is shown and searched keeps them.
"""

import re
from collections.abc import Callable, Sequence
from functools import lru_cache, partial

from corpuscope.tools.core.errors import BadInput
from corpuscope.tools.core.redaction import Redact
from corpuscope.tools.core.schema import Mask

MASK_PATTERNS = {
    "emails": r"(?<![\w.+-])[\w.+-]+@[\w-]+(?:\.[\w-]+)+",
    # Also without a scheme where a path follows (t.co/x1), and what is left of a link cut off; not
    # the Chinese or Japanese words that stand right behind one.
    "urls": r"(?:\bhttps?://|\bwww\.)[^\s<>\"\u2e80-\uffff]*|\bhttps?(?::/?)?\u2026"
    r"|(?<![\w@.-])(?:[a-z0-9-]+\.)+[a-z]{2,}/[^\s<>\"\u2e80-\uffff]*",
    "handles": r"(?<![\w@/])[@\uff20]\w+(?:@[\w-]+(?:\.[\w-]+)+)?",
    "numbers": r"(?<!\w)[#$\u20ac\u00a3\u00a5+-]?\d+(?:[.,:/-]\d+)*%?(?![.,:/-]?\w)",
}
"""Each kind of a mask and what it takes. The order matters: an e-mail address holds what looks like
a handle, and a link a number."""

SIGNS = {"emails": "@", "urls": "/|www|\\u2026", "handles": "[@\\uff20]", "numbers": "[0-9]"}
"""What a text must hold for each kind to be in it: most texts are passed over by that."""

OTHER_NAMES = {"links": "urls", "mentions": "handles", "usernames": "handles"}

MOST_MASK_WORDS = 1_000
"""Own words that are kept with a dataset: more fill its card, and are a list of names for a column
to set aside."""

SAYS_SOMETHING = re.compile(r"[^\W_]|[\u2600-\u27bf\U0001f000-\U0001faff]")
"""A letter, a digit or an emoji: what else is left of a text says nothing."""

NO_SPACES = re.compile("[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff]")
"""Letters of scripts that put no spaces between words, so that a word has no border."""


def parse_mask(kinds: Sequence[str] | None, words: Sequence[str] | None) -> Mask:
    """The mask that a client means by names of kinds and words of its own; nothing for None.

    Raises:
        BadInput: An unknown kind, or too many words.
    """
    chosen = []
    for kind in kinds or ():
        plain = kind.strip().lower().lstrip("@")
        plain = plain if plain.endswith("s") else f"{plain}s"
        plain = OTHER_NAMES.get(plain, plain)
        if plain not in MASK_PATTERNS:
            raise BadInput(
                f"mask has no '{kind[:40]}'. Valid: {', '.join(sorted(MASK_PATTERNS))}. Words of "
                f"your own go into stop_words: stop_words=['{kind[:40]}']."
            )
        chosen.append(plain)
    own = sorted({" ".join(word.lower().split()) for word in words or ()} - {""})
    if len(own) > MOST_MASK_WORDS:
        raise BadInput(
            f"stop_words has {len(own):,} words, at most {MOST_MASK_WORDS:,} are kept: give those "
            "that stand in many texts, or set the column that holds them aside in `cluster`."
        )
    # In the order of the patterns, so that equal masks are equal.
    return Mask(tuple(kind for kind in MASK_PATTERNS if kind in chosen), tuple(own))


def masked_text(text: str, mask: Mask) -> str:
    """A text as it is embedded: on one line without what is masked.

    Where nothing is left that says something, the text as it is: a record needs a vector.
    """
    if not mask:
        return text
    left = _without(mask, " ")(text)
    if left == text:
        return text
    return " ".join(left.split()) if SAYS_SOMETHING.search(left) else text


def is_all_masked(text: str, mask: Mask) -> bool:
    """Whether a mask leaves nothing of a text that says something."""
    return bool(mask) and not SAYS_SOMETHING.search(_without(mask, " ")(text))


def keyword_text(mask: Mask, redact: Redact) -> Redact:
    """What is done to a text before its keywords are counted: redacted, then masked.

    A new line stands where something was, so that no phrase reaches over it.
    """
    return partial(_redacted_and_masked, mask, redact) if mask else redact


def _redacted_and_masked(mask: Mask, redact: Redact, text: str) -> str:
    return _without(mask, "\n")(redact(text))


@lru_cache(maxsize=64)
def _without(mask: Mask, gap: str) -> Callable[[str], str]:
    """What puts `gap` in the place of what a mask takes."""
    patterns = [pattern for kind, pattern in MASK_PATTERNS.items() if kind in mask.kinds]
    # The longest first: of `new york city` and `new york` both may be given.
    patterns += map(_word_pattern, sorted(mask.words, key=len, reverse=True))
    # A kind's sign is looked for first; words have none.
    signs = "" if mask.words else "|".join(SIGNS[kind] for kind in mask.kinds)
    replaced = partial(re.compile("|".join(patterns), re.IGNORECASE).sub, gap)
    is_there = re.compile(signs, re.IGNORECASE).search
    return lambda text: replaced(text) if is_there(text) else text


def _word_pattern(word: str) -> str:
    pattern = r"\s+".join(map(re.escape, word.split()))
    return pattern if NO_SPACES.search(word) else rf"(?<!\w){pattern}(?!\w)"

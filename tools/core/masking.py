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
from corpuscope.tools.core.values import without_controls

MASK_PATTERNS = {
    "emails": re.compile(r"(?<![\w.+-])[\w.+-]+@[\w-]+(?:\.[\w-]+)+"),
    # Also without a scheme where a path follows (t.co/x1), and what is left of a link cut off; not
    # the Chinese or Japanese words that stand right behind one.
    "urls": re.compile(
        r"(?:\bhttps?://|\bwww\.)[^\s<>\"\u2e80-\uffff]*|\bhttps?(?::/?)?\u2026"
        r"|(?<![\w@.-])(?:[a-z0-9-]+\.)+[a-z]{2,}/[^\s<>\"\u2e80-\uffff]*",
        re.IGNORECASE,
    ),
    "handles": re.compile(r"[@\uff20](?<![\w@/][@\uff20])\w+(?:@[\w-]+(?:\.[\w-]+)+)?"),
    # Never begun in the middle of a number, and never tried shorter: that would be quadratic.
    "numbers": re.compile(
        r"(?<!\w)(?<!\d[.,:/-])[#$\u20ac\u00a3\u00a5+-]?\d++(?:[.,:/-]\d++)*+%?+(?![.,:/-]?\w)"
    ),
}
"""Each kind of a mask and what it takes. The order matters: an e-mail address holds what looks like
a handle, and a link a number."""

SIGNS = {
    "emails": re.compile(r"\w@\w"),
    "urls": re.compile(r"\w/|://|www|WWW|\u2026"),
    "handles": re.compile(r"[@\uff20]\w"),
    "numbers": re.compile(r"\d"),
}
"""What a text must hold for each kind to be in it: most texts are passed over by that."""

OTHER_NAMES = {"links": "urls", "mentions": "handles", "usernames": "handles"}

MOST_MASK_WORDS = 1_000
"""Own words that are kept with a dataset: more fill its card, and are a list of names for a column
to set aside."""

MOST_MASK_BYTES = 20_000
"""Of all own words: the dataset's card holds 64 kB."""

WORD = re.compile(r"\w+")

SAYS_SOMETHING = re.compile(r"[^\W_]|[\u2600-\u27bf\U0001f000-\U0001faff]")
"""A letter, a digit or an emoji: what else is left of a text says nothing."""

NO_SPACES = re.compile("[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff]")
"""Letters of scripts that put no spaces between words, so that a word has no border."""


def parse_mask(kinds: Sequence[str] | None, words: Sequence[str] | None) -> Mask:
    """The mask that a client means by names of kinds and words of its own; nothing for None.

    Raises:
        BadInput: An unknown kind, or too many or too long words.
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
    own = sorted({" ".join(without_controls(word).lower().split()) for word in words or ()} - {""})
    if len(own) > MOST_MASK_WORDS:
        raise BadInput(
            f"stop_words has {len(own):,} words, at most {MOST_MASK_WORDS:,} are kept: give those "
            "that stand in many texts, or set the column that holds them aside in `cluster`."
        )
    if (size := sum(len(word.encode()) for word in own)) > MOST_MASK_BYTES:
        raise BadInput(
            f"stop_words takes {size:,} bytes, at most {MOST_MASK_BYTES:,} are kept: give single "
            "words and short phrases."
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
    steps = [
        (SIGNS[kind].search, pattern.sub)
        for kind, pattern in MASK_PATTERNS.items()
        if kind in mask.kinds
    ]
    single = {word for word in mask.words if WORD.fullmatch(word) and not NO_SPACES.search(word)}
    # The longest first: of `new york city` and `new york` both may be given.
    if phrases := sorted({*mask.words} - single, key=len, reverse=True):
        pattern = re.compile("|".join(map(_word_pattern, phrases)), re.IGNORECASE)
        steps.append((pattern.search, pattern.sub))

    def take_out(text: str) -> str:
        for is_there, put in steps:
            if is_there(text):
                text = put(gap, text)
        # Looked up word by word: an expression of a thousand words takes a millisecond a text.
        if single:
            text = WORD.sub(lambda word: gap if word[0].lower() in single else word[0], text)
        return text

    return take_out


def _word_pattern(word: str) -> str:
    pattern = r"\s+".join(map(re.escape, word.split()))
    return pattern if NO_SPACES.search(word) else rf"(?<!\w){pattern}(?!\w)"

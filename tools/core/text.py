"""Text as it may be shown: on one line, without unseen characters, cut to a length."""

import re

CUT = " \N{HORIZONTAL ELLIPSIS} "
"""Where the middle of a text was left out of the evidence."""

# Control characters but those that are white space; lone surrogates; and what Unicode lists as
# Default_Ignorable (zero-width, bidi, tags, variation selectors): unseen by the person, read by
# the model.
UNSEEN = re.compile(
    "[\x00-\x08\x0e-\x1b\x7f-\x84\x86-\x9f\ud800-\udfff\xad\u034f\u061c\u115f\u1160\u17b4\u17b5"
    "\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f\u3164\ufe00-\ufe0f\ufeff\uffa0"
    "\ufff0-\ufffb\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff]"
)


def clean_text(text: str) -> str:
    """The text on one line, without control, zero-width, bidi and other unseen characters."""
    return one_line(UNSEEN.sub("", text))


def one_line(text: str) -> str:
    """The text with every run of white space as a single space."""
    return " ".join(text.split())


def shorten(text: str, limit: int) -> str:
    """The text on one line in at most `limit` characters, the end cut off and marked."""
    line = one_line(text)
    return line if len(line) <= limit else line[: limit - 1] + "…"


def shorten_middle(text: str, limit: int) -> str:
    """The text in at most `limit` characters, the middle cut: two thirds head, one third tail."""
    if len(text) <= limit:
        return text
    tail = (limit - len(CUT)) // 3
    head = limit - len(CUT) - tail
    return f"{text[:head].rstrip()}{CUT}{text[len(text) - tail :].lstrip()}"

"""Cells of a spreadsheet: texts that none takes for a formula, and that XML can hold.

A spreadsheet that opens a csv runs what begins like a formula, whoever wrote it. As OWASP advises
("CSV Injection"), such a text gets an apostrophe in front. A number is no formula.
"""

import re

STARTS = "=+\\-@\t\r\n\uff1d\uff0b\uff0d\uff20"
FORMULA = f"^[{STARTS}]"
"""What a cell begins with that is run, in the syntax of Python and of RE2 (Arrow) alike."""

PLAIN_NUMBER = "^[+-]?([0-9]+[.]?[0-9]*|[.][0-9]+)([eE][+-]?[0-9]+)?$"

MARK = "'"

UNWRITABLE = re.compile("[\x00-\x08\x0b-\x1f\ud800-\udfff\ufffe\uffff]")
"""What XML cannot hold."""


def is_formula(text: str) -> bool:
    """Whether a spreadsheet may run the text."""
    if not re.match(FORMULA, text):
        return False
    return text.endswith("\n") or not re.match(PLAIN_NUMBER, text)


def safe_cell(text: str) -> str:
    """The text as it may stand in a csv."""
    return MARK + text if is_formula(text) else text


def writable_text(text: str) -> str:
    """The text without the characters that XML cannot hold."""
    return text if text.isprintable() else UNWRITABLE.sub("", text)

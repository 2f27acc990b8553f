"""Records as answers show them: short enough for a chat, whatever the texts hold."""

from corpuscope.tools.core.redaction import Redact
from corpuscope.tools.core.schema import Scalar
from corpuscope.tools.core.text import shorten

# A page of texts stays below the 25 kB that hosts take well.
PAGE_CHARACTERS = 12_000
VALUE_CHARACTERS = 100
COLUMNS_SHOWN = 12


def shown_metadata(metadata: dict[str, Scalar]) -> dict[str, Scalar]:
    """The first columns of a record that have a value, long values shortened."""
    filled = [(name, value) for name, value in metadata.items() if value is not None]
    return {
        name: shorten(value, VALUE_CHARACTERS) if isinstance(value, str) else value
        for name, value in filled[:COLUMNS_SHOWN]
    }


def shown_value(column: str, value: Scalar, redact: Redact) -> Scalar:
    """A metadata value redacted: one with nothing to hide stays what it is, also a number."""
    text = str(value)
    shown = redact_value(column, text, redact)
    return value if value is None or shown == text else shown


def redact_value(column: str, text: str, redact: Redact) -> str:
    """A value redacted as a text by itself, and as one that its column's name stands before.

    Some numbers are told by the word before them only: `phone: 5551234567`.
    """
    lead = f"{column}: "
    after = redact(lead + text)
    return redact(after.removeprefix(lead) if after.startswith(lead) else text)


def metadata_line(metadata: dict[str, Scalar]) -> str:
    """The metadata as a line of its own below a text; "" where there is none."""
    values = ", ".join(f"{name}={value}" for name, value in metadata.items())
    return f"\n    ({values})" if values else ""

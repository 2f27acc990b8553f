"""Records as answers show them: short enough for a chat, whatever the texts hold."""

from corpuscope.tools.redaction import Redact
from corpuscope.tools.schema import Scalar

# A page of texts stays below the 25 kB that hosts take well.
PAGE_CHARACTERS = 12_000
VALUE_CHARACTERS = 100
COLUMNS_SHOWN = 12


def shortened(text: str, most: int) -> str:
    """The text on one line, cut at `most` characters with a mark."""
    line = " ".join(text.split())
    return line if len(line) <= most else line[: most - 1] + "…"


def shown_metadata(metadata: dict[str, Scalar], redact: Redact) -> dict[str, Scalar]:
    """The first columns of a record that have a value, long ones shortened."""
    filled = [(name, value) for name, value in metadata.items() if value is not None]
    return {
        name: shortened(redact(value), VALUE_CHARACTERS) if isinstance(value, str) else value
        for name, value in filled[:COLUMNS_SHOWN]
    }


def about(metadata: dict[str, Scalar]) -> str:
    """The metadata as a line of its own below a text; "" where there is none."""
    values = ", ".join(f"{name}={value}" for name, value in metadata.items())
    return f"\n    ({values})" if values else ""

"""What answers show: records short enough for a chat, and no text that is not redacted."""

from collections.abc import Sequence
from dataclasses import is_dataclass, replace
from functools import cache
from typing import Any, TypeVar, cast, get_args, get_type_hints

from pydantic import BaseModel

from corpuscope.tools.core.redaction import Redact, as_it_is
from corpuscope.tools.core.schema import VERBATIM, ColumnType, Scalar
from corpuscope.tools.core.text import CUT, shorten

T = TypeVar("T")

# A page of texts stays below the 25 kB that hosts take well.
PAGE_CHARACTERS = 12_000
VALUE_CHARACTERS = 100
COLUMNS_SHOWN = 12


def first_values(
    metadata: dict[str, Scalar], columns: Sequence[str] | None = None
) -> dict[str, Scalar]:
    """These columns of a record, or the first ones that have a value."""
    if columns is not None:
        return {name: metadata.get(name) for name in columns}
    filled = [(name, value) for name, value in metadata.items() if value is not None]
    return dict(filled[:COLUMNS_SHOWN])


def shortened_values(metadata: dict[str, Scalar]) -> dict[str, Scalar]:
    """Metadata with long values cut."""
    return {
        name: shorten(value, VALUE_CHARACTERS) if isinstance(value, str) else value
        for name, value in metadata.items()
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


def redact_columns(
    columns: dict[str, ColumnType], metadata: dict[int, dict[str, Scalar]], redact: Redact
) -> tuple[dict[str, ColumnType], dict[int, dict[str, Scalar]]]:
    """Metadata by row, redacted, and the columns that may be profiled: not those with numbers that
    redaction takes out, such as those of cards, whose quartiles are numbers of cards too."""
    redact_text = cache(lambda column, text: redact_value(column, text, redact))

    def redacted(column: str, value: Scalar) -> Scalar:
        return redact_text(column, value) if isinstance(value, str) else value

    profiled = {
        name: kind
        for name, kind in columns.items()
        if kind != "number"
        or all(
            (text := str(values.get(name))) == redact_text(name, text)
            for values in metadata.values()
        )
    }
    return profiled, {
        row: {name: redacted(name, values.get(name)) for name in profiled}
        for row, values in metadata.items()
    }


def redact_cut(text: str, redact: Redact) -> str:
    """A text redacted that was cut before: the words beside the cut go, since half an address would
    not be known as one."""
    head, cut, tail = text.partition(CUT)
    if not cut:
        return redact(text)
    before, after = _without_last(head.split()), _without_last(tail.split()[::-1])[::-1]
    return f"{redact(' '.join(before))}{CUT}{redact(' '.join(after))}"


def _without_last(words: list[str]) -> list[str]:
    """The words but the last, and those with digits before it: numbers are written in groups."""
    rest = words[:-1]
    while rest and any(map(str.isdigit, rest[-1])):
        rest = rest[:-1]
    return rest


def metadata_line(metadata: dict[str, Scalar]) -> str:
    """The metadata as a line of its own below a text; "" where there is none."""
    values = ", ".join(
        f"{name}={_whole(value)}" for name, value in metadata.items() if value is not None
    )
    return f"\n    ({values})" if values else ""


def _whole(value: Scalar) -> Scalar:
    """A number without decimals as an integer: of a large one Python would show an exponent."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


def redacted(shown: T, redact: Redact) -> T:
    """A result, or any part of one, with every text redacted whose field is not `Verbatim`."""
    changed: object = shown
    if redact is as_it_is:
        return shown
    if isinstance(shown, str):
        changed = redact(shown)
    elif isinstance(shown, list):
        changed = [redacted(item, redact) for item in shown]
    elif isinstance(shown, dict):
        changed = {key: redacted(item, redact) for key, item in shown.items()}
    elif isinstance(shown, BaseModel):
        changed = shown.model_copy(update=_redacted_fields(shown, redact))
    elif is_dataclass(shown) and not isinstance(shown, type):
        changed = replace(shown, **_redacted_fields(shown, redact))
    return cast(T, changed)


def _redacted_fields(shown: object, redact: Redact) -> dict[str, Any]:
    kind: Any = type(shown)
    texts = _redacted_names(kind)
    return {name: redacted(getattr(shown, name), redact) for name in texts}


@cache
def _redacted_names(kind: type) -> tuple[str, ...]:
    hints = get_type_hints(kind, include_extras=True)
    names = kind.model_fields if issubclass(kind, BaseModel) else hints
    return tuple(name for name in names if not _is_verbatim(hints[name]))


def _is_verbatim(hint: object) -> bool:
    marked = VERBATIM in getattr(hint, "__metadata__", ())
    return marked or any(map(_is_verbatim, get_args(hint)))

"""Metadata filters as Milvus expressions.

A filter is an object from column to condition: a value (equals), a list of values (one of), or an
object of comparisons: `{"venue": "BBC", "score": {"gte": 3, "lt": 5}, "kind": ["a", "b"]}`.
All conditions hold together. Dates are ISO 8601 strings and compare as such.

Columns and comparisons must be known ones, and values are written as escaped literals of the
column's type: nothing that a client says becomes part of the expression as it is.
"""

import math
import re
from collections.abc import Mapping
from typing import TypeAlias

from corpuscope.tools.core.errors import BadInput
from corpuscope.tools.core.schema import ColumnType, Scalar
from corpuscope.tools.core.text import shorten
from corpuscope.tools.core.values import PARSERS

Condition: TypeAlias = Scalar | list[Scalar] | dict[str, Scalar | list[Scalar]]
Where: TypeAlias = dict[str, Condition]

IN = "in"
COMPARISONS = {"eq": "==", "ne": "!=", "gt": ">", "gte": ">=", "lt": "<", "lte": "<="}

VALID_COMPARISONS = (*COMPARISONS, IN)

ESCAPES = str.maketrans(
    {"\\": "\\\\", '"': '\\"', "\n": "\\n", "\t": "\\t", "\r": "\\r", "\0": None}
)
"""Without them a value with a quote could end its literal, and the rest of it be an expression."""

MAX_LIST = 10_000
"""Milvus looks such a list up in a set: of 20,000 records in 0.6 s, and our Milvus Lite of 100,000
in 0.1 s. A longer one is no filter but a selection, whose ids belong into the metadata."""

MAX_CHAIN = 200
"""The same where a list becomes a chain of `or`, which takes seconds."""


NEVER_STORED = re.compile(r"[\x00\ud800-\udfff]")
LONG_BITS, MOST_SHOWN = 128, 60
"""What a message quotes of a value."""


def filter_expression(
    where: Where | None, columns: Mapping[str, ColumnType], longest: int = MAX_LIST
) -> str:
    """The Milvus expression of a filter; "" where there is nothing to filter.

    Args:
        where: Column to condition, or None.
        columns: The metadata columns of the dataset (name to type): the only ones allowed.
        longest: The most values that a list may have.

    Raises:
        BadInput: An unknown column or comparison, or a value of a kind that cannot be compared.
    """
    parts = []
    for column, condition in (where or {}).items():
        if column not in columns:
            known = ", ".join(columns) or "none: this dataset has no metadata"
            raise BadInput(f"No metadata column {_shown(column)} to filter by. Columns: {known}.")
        field = f"metadata[{_literal(column)}]"
        if condition == {}:
            raise BadInput(
                f"The condition for '{column}' is empty. Valid: {', '.join(VALID_COMPARISONS)}."
            )
        if not isinstance(condition, dict):
            condition = {IN if isinstance(condition, list) else "eq": condition}
        for name, value in condition.items():
            if name not in VALID_COMPARISONS:
                raise BadInput(
                    f"Unknown comparison {_shown(name)} for column '{column}'. "
                    f"Valid: {', '.join(VALID_COMPARISONS)}."
                )
            if isinstance(value, list) != (name == IN):
                raise BadInput(f"'{name}' for column '{column}' takes {_expected(name)}.")
            values = value if isinstance(value, list) else [value]
            typed = [_typed_value(column, columns[column], value) for value in values]
            if name == IN:
                if not 0 < len(typed) <= longest:
                    raise BadInput(
                        f"The list for column '{column}' has {len(typed)} values; give 1 to "
                        f"{longest:,}."
                    )
                parts.append(_any_of(field, typed))
            else:
                parts.append(f"{field} {COMPARISONS[name]} {_literal(typed[0])}")
    return " and ".join(parts)


def _expected(name: str) -> str:
    return "a list of values" if name == IN else f"one value; '{IN}' takes a list"


def _typed_value(column: str, kind: ColumnType, value: Scalar) -> Scalar:
    """The value as the column holds its values: "3" is 3 in a column of numbers."""
    if value is None:
        raise BadInput(f"Cannot filter '{column}' by null. Give a {kind}.")
    if isinstance(value, str) and NEVER_STORED.search(value):
        raise BadInput(
            f"'{column}': the value {_shown(value)} has a NUL or half a character in it, which no "
            "record has. Leave it out."
        )
    try:
        return PARSERS[kind](value)
    except OverflowError as error:
        raise BadInput(
            f"'{column}': {_shown(value)} lies outside of the years 1 to 9999 in UTC. Give a date "
            "within them."
        ) from error
    except ValueError as error:
        raise BadInput(f"'{column}' holds {kind}s; {_shown(value)} is none.") from error


def _any_of(field: str, values: list[Scalar]) -> str:
    if any(isinstance(value, float) for value in values):
        # A Milvus server takes a list of one type only; 3.0 is equal to 3 there.
        values = [float(value) if type(value) is int else value for value in values]
    return f"{field} in [{', '.join(map(_literal, values))}]"


def _shown(value: Scalar) -> str:
    """A value for a message; Python writes no integer of thousands of digits."""
    if isinstance(value, int) and value.bit_length() > LONG_BITS:
        return f"an integer of {value.bit_length()} bits"
    return shorten(repr(value), MOST_SHOWN)


def _literal(value: Scalar) -> str:
    """A value as Milvus writes it; BadInput for null and for numbers that are not finite."""
    match value:
        case bool():
            return "true" if value else "false"
        case int():
            return str(value)
        case float() if math.isfinite(value):
            return repr(value)
        case str():
            return '"' + value.encode(errors="replace").decode().translate(ESCAPES) + '"'
    raise BadInput(f"Cannot filter by {value!r}. Give a string, a finite number or true/false.")


def ids_expression(ids: list[str]) -> str:
    """The Milvus expression for records with one of these ids (our own hexadecimal ids)."""
    return "id in [" + ", ".join(map(_literal, ids)) + "]"

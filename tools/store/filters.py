"""Metadata filters as Milvus expressions.

A filter is an object from column to condition: a value (equals), a list of values (one of), or an
object of comparisons: `{"venue": "BBC", "score": {"gte": 3, "lt": 5}, "kind": ["a", "b"]}`.
All conditions hold together. Dates are ISO 8601 strings and compare as such.

Columns and comparisons must be known ones, and values are written as escaped literals of the
column's type: nothing that a client says becomes part of the expression as it is.
"""

import math
from collections.abc import Mapping
from typing import TypeAlias

from corpuscope.tools.core.errors import BadInput
from corpuscope.tools.core.schema import ColumnType, Scalar
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

MAX_LIST = 200
"""A longer list makes an expression that Milvus parses slowly; nobody types one."""


def filter_expression(where: Where | None, columns: Mapping[str, ColumnType]) -> str:
    """The Milvus expression of a filter; "" where there is nothing to filter.

    Args:
        where: Column to condition, or None.
        columns: The metadata columns of the dataset (name to type): the only ones allowed.

    Raises:
        BadInput: An unknown column or comparison, or a value of a kind that cannot be compared.
    """
    parts = []
    for column, condition in (where or {}).items():
        if column not in columns:
            known = ", ".join(columns) or "none: this dataset has no metadata"
            raise BadInput(f"No metadata column '{column}' to filter by. Columns: {known}.")
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
                    f"Unknown comparison '{name}' for column '{column}'. "
                    f"Valid: {', '.join(VALID_COMPARISONS)}."
                )
            if isinstance(value, list) != (name == IN):
                raise BadInput(f"'{name}' for column '{column}' takes {_expected(name)}.")
            values = value if isinstance(value, list) else [value]
            typed = [_typed_value(column, columns[column], value) for value in values]
            if name == IN:
                parts.append(_any_of(field, column, typed))
            else:
                parts.append(f"{field} {COMPARISONS[name]} {_literal(typed[0])}")
    return " and ".join(parts)


def _expected(name: str) -> str:
    return "a list of values" if name == IN else f"one value; '{IN}' takes a list"


def _typed_value(column: str, kind: ColumnType, value: Scalar) -> Scalar:
    """The value as the column holds its values: "3" is 3 in a column of numbers."""
    if value is None:
        raise BadInput(f"Cannot filter '{column}' by null. Give a {kind}.")
    try:
        return PARSERS[kind](value)
    except ValueError as error:
        raise BadInput(f"'{column}' holds {kind}s; {value!r} is none.") from error


def _any_of(field: str, column: str, values: list[Scalar]) -> str:
    if not 0 < len(values) <= MAX_LIST:
        raise BadInput(
            f"The list for column '{column}' has {len(values)} values; give 1 to {MAX_LIST}."
        )
    # Milvus Lite knows `in` for plain fields only, not for a key of a JSON field.
    return "(" + " or ".join(f"{field} == {_literal(value)}" for value in values) + ")"


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

"""Conditions as Milvus expressions, for searches by Milvus itself.

In: a condition; out: the expression, or None where Milvus cannot be asked so: what is not a few
comparisons that hold together, and what it evaluates otherwise than a table does.
Values are written as escaped literals: nothing that a client says becomes part of the expression
as it is.
"""

import math
from collections.abc import Iterable
from datetime import date, timedelta

from corpuscope.tools.core.errors import BadInput
from corpuscope.tools.core.schema import Scalar
from corpuscope.tools.tables.where import DAY, ColumnCondition, Condition, comparisons_in

COMPARISONS = {"eq": "==", "ne": "!=", "gt": ">", "gte": ">=", "lt": "<", "lte": "<="}

ESCAPES = str.maketrans(
    {"\\": "\\\\", '"': '\\"', "\n": "\\n", "\t": "\\t", "\r": "\\r", "\0": None}
)
"""Without them a value with a quote could end its literal, and the rest of it be an expression."""

MAX_CHAIN = 200
"""Values of a list where it becomes a chain of `or`, which takes seconds."""

LAST_DAY = date.max


def filter_expression(condition: Condition) -> str | None:
    """The Milvus expression of a condition; "" where all fit, None where there is none for it."""
    comparisons = comparisons_in(condition)
    if comparisons is None:
        return None
    parts = [_expression(one) for one in comparisons]
    return None if None in parts else " and ".join(part for part in parts if part)


def longest_list(condition: Condition) -> int:
    """The length of the longest list among comparisons that hold together."""
    lists = [one.value for one in comparisons_in(condition) or [] if isinstance(one.value, tuple)]
    return max(map(len, lists), default=0)


def _expression(one: ColumnCondition) -> str | None:
    if one.column is None or one.operator in ("contains", "is_null", "not_in"):
        return None
    field = f"metadata[{_literal(one.column)}]"
    if isinstance(one.value, tuple):
        if one.kind == "date" and any(DAY.fullmatch(str(value)) for value in one.value):
            return None
        return f"{field} in [{', '.join(map(_literal, _of_one_type(one.value)))}]"
    if one.kind == "date" and DAY.fullmatch(str(one.value)):
        return _of_day(field, one.operator, str(one.value))
    return f"{field} {COMPARISONS[one.operator]} {_literal(one.value)}"


def _of_day(field: str, operator: str, day: str) -> str | None:
    """A comparison with a whole day, whose moments come after its own name."""
    first = date.fromisoformat(day)
    if operator in ("gte", "lt"):
        return f"{field} {COMPARISONS[operator]} {_literal(day)}"
    if operator == "ne" or first == LAST_DAY:
        return None
    after = _literal((first + timedelta(days=1)).isoformat())
    if operator == "eq":
        return f"{field} >= {_literal(day)} and {field} < {after}"
    return f"{field} {'>=' if operator == 'gt' else '<'} {after}"


def _of_one_type(values: Iterable[Scalar]) -> list[Scalar]:
    """A Milvus server takes a list of one type only; 3.0 is equal to 3 there."""
    values = list(values)
    if any(isinstance(value, float) for value in values):
        return [float(value) if type(value) is int else value for value in values]
    return values


def _literal(value: object) -> str:
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


def ids_expression(ids: Iterable[str]) -> str:
    """The Milvus expression for records with one of these ids (our own hexadecimal ids)."""
    return "id in [" + ", ".join(map(_literal, ids)) + "]"

"""The filters that corpuscope writes, read back and evaluated over distinct values.

In: a Milvus expression, comparisons and lists joined by `and`; out: its conditions, or None where
it is of another kind, which Milvus Lite evaluates itself. A condition means what it means there,
so that a filter finds the same records wherever it is evaluated.
"""

import json
import operator
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

_FIELD = re.compile(r'\s*(?:metadata\[("(?:[^"\\]|\\.)*")\]|(id))\s*(==|!=|<=|>=|<|>|in)\s*')
_AND = re.compile(r"\s*and\s*")
_OPEN = re.compile(r"\s*\(")
_CLOSE = re.compile(r"\s*\)")
_VALUES = json.JSONDecoder()
"""Our literals are those of JSON."""

_COMPARISONS: dict[str, Callable[[Any, Any], bool]] = {
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
LIST = "in"


@dataclass(frozen=True, slots=True)
class FieldCondition:
    """One condition: of a column of the metadata, or of the id (None), with a value or a list."""

    column: str | None
    operator: str
    value: Any

    def fitting(self, values: Sequence[Any]) -> list[bool]:
        """Which of some values fit; None, that is no value, never does."""
        if self.operator == LIST:
            wanted = set(self.value)
            return [value is not None and value in wanted for value in values]
        compare, bound = _COMPARISONS[self.operator], self.value
        return [value is not None and _holds(compare, value, bound) for value in values]


def _holds(compare: Callable[[Any, Any], bool], value: Any, bound: Any) -> bool:
    try:
        return compare(value, bound)
    except TypeError:  # a number and a string are in no order
        return False


def parse_conditions(expression: str) -> list[FieldCondition] | None:
    """The conditions of an expression, which all hold together; None: it is not one of ours."""
    found = _conjunction(expression, 0)
    if found is None or expression[found[1] :].strip():
        return None
    return found[0]


def _conjunction(expression: str, at: int) -> tuple[list[FieldCondition], int] | None:
    """Conditions joined by `and` from a place on, and where they end."""
    conditions: list[FieldCondition] = []
    while True:
        opened = _OPEN.match(expression, at)
        found = _conjunction(expression, opened.end()) if opened else _one(expression, at)
        if found is None:
            return None
        conditions += found[0]
        at = found[1]
        if opened:
            closed = _CLOSE.match(expression, at)
            if closed is None:
                return None
            at = closed.end()
        joined = _AND.match(expression, at)
        if joined is None:
            return conditions, at
        at = joined.end()


def _one(expression: str, at: int) -> tuple[list[FieldCondition], int] | None:
    head = _FIELD.match(expression, at)
    if head is None:
        return None
    try:
        value, end = _VALUES.raw_decode(expression, head.end())
    except ValueError:
        return None
    values = value if isinstance(value, list) else [value]
    if isinstance(value, list) != (head[3] == LIST) or not all(map(_is_single, values)):
        return None
    column = None if head[2] else json.loads(head[1])
    return [FieldCondition(column, head[3], value)], end


def _is_single(value: object) -> bool:
    return isinstance(value, str | int | float)


def without_lists(expression: str) -> str:
    """The expression for a Milvus Lite by itself, which knows no list for a key of JSON: each
    becomes a chain of `or`, slow to evaluate. One that is not ours stays as it is."""
    conditions = parse_conditions(expression)
    if conditions is None or all(one.operator != LIST for one in conditions):
        return expression
    return " and ".join(map(_written, conditions))


def _written(condition: FieldCondition) -> str:
    field = "id" if condition.column is None else f"metadata[{_literal(condition.column)}]"
    if condition.operator != LIST or condition.column is None:
        return f"{field} {condition.operator} {_literal(condition.value)}"
    return f"({' or '.join(f'{field} == {_literal(value)}' for value in condition.value)})"


def _literal(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)

"""Filters: what a client writes as JSON, as conditions that are checked.

A filter is an object from column to condition: a value (equals), a list of values (one of), null
(missing), or an object of comparisons; `text` is the record's text. All of them hold together.
`and` and `or` take a list of filters, `not` one:
`{"venue": "BBC", "score": {"gte": 3, "lt": 5}, "or": [{"text": {"contains": "refund"}}, …]}`.

A missing value fits no comparison: only `is_null`, and what `not` leaves. A date without a time
means the whole day: `lte` holds until its end.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias, cast

from corpuscope.tools.core.errors import BadInput
from corpuscope.tools.core.schema import ColumnType, Scalar
from corpuscope.tools.core.text import shorten
from corpuscope.tools.core.values import PARSERS

Where: TypeAlias = dict[str, Any]
"""A filter as a client writes it; None in a dataclass or argument means none."""

Operator: TypeAlias = Literal[
    "eq", "ne", "gt", "gte", "lt", "lte", "in", "not_in", "contains", "is_null"
]
ORDERED = ("gt", "gte", "lt", "lte")
LISTS = ("in", "not_in")
OPERATORS: tuple[str, ...] = ("eq", "ne", *ORDERED, *LISTS, "contains", "is_null")
SYMBOLS = {"=": "eq", "==": "eq", "!=": "ne", ">": "gt", ">=": "gte", "<": "lt", "<=": "lte"}
"""What models write as well; `$gte`, of other stores, and `not in` are understood, too."""

AND, OR, NOT = "and", "or", "not"
TEXT = "text"
"""The record's text, unless a column is called so."""

MAX_LIST = 10_000
"""Values of a list. A longer one is no filter but a selection, whose ids belong into metadata."""

MAX_CONDITIONS, MAX_DEPTH = 500, 12
"""What a person or model means has a handful of conditions; more is a program, or an attack."""

NEVER_STORED = re.compile(r"[\x00\ud800-\udfff]")
DAY = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
LONG_BITS, MOST_SHOWN = 128, 60
"""What a message quotes of a value."""


@dataclass(frozen=True, slots=True)
class ColumnCondition:
    """One condition of a column, or of the text where `column` is None.

    `value` has the column's type, is a tuple of such for lists, True or False for `is_null`.
    """

    column: str | None
    kind: ColumnType
    operator: Operator
    value: Scalar | tuple[Scalar, ...]


@dataclass(frozen=True, slots=True)
class AllOf:
    """All parts hold; without parts it always does."""

    parts: tuple["Condition", ...]


@dataclass(frozen=True, slots=True)
class AnyOf:
    """One of the parts holds."""

    parts: tuple["Condition", ...]


@dataclass(frozen=True, slots=True)
class Not:
    """The part does not hold; it does not for a missing value."""

    part: "Condition"


Condition: TypeAlias = ColumnCondition | AllOf | AnyOf | Not


def parse_where(where: Where | None, columns: Mapping[str, ColumnType]) -> Condition:
    """The condition that a filter means; one that always holds where there is no filter.

    Args:
        where: As the module explains.
        columns: The metadata columns of the dataset (name to type).

    Raises:
        BadInput: An unknown column or comparison, or a value of another kind than the column's;
            says which there are.
    """
    parser = _Parser(columns)
    return parser.condition(where or {}, 0)


def comparisons_in(condition: Condition) -> list[ColumnCondition] | None:
    """The comparisons that hold together, where the condition is nothing else; else None."""
    if isinstance(condition, ColumnCondition):
        return [condition]
    if isinstance(condition, AllOf):
        below = [comparisons_in(part) for part in condition.parts]
        if all(part is not None for part in below):
            return [one for part in below if part is not None for one in part]
    return None


class _Parser:
    """Reads one filter, and counts its conditions."""

    def __init__(self, columns: Mapping[str, ColumnType]) -> None:
        self.columns = columns
        self.left = MAX_CONDITIONS

    def condition(self, where: object, depth: int) -> Condition:
        if not isinstance(where, dict):
            raise BadInput(
                f"A filter is an object from column to condition, not {_shown(where)}. {_EXAMPLE}"
            )
        if depth > MAX_DEPTH:
            raise BadInput(f"The filter is nested more than {MAX_DEPTH} deep. Say it flatter.")
        parts = [self._entry(str(name), value, depth) for name, value in where.items()]
        return parts[0] if len(parts) == 1 else AllOf(tuple(parts))

    def _entry(self, name: str, value: object, depth: int) -> Condition:
        word = name.removeprefix("$").casefold()
        if word in (AND, OR) and name not in self.columns:
            if not isinstance(value, list) or not value:
                raise BadInput(f"'{word}' takes a list of filters, not {_shown(value)}. {_EXAMPLE}")
            parts = tuple(self.condition(each, depth + 1) for each in value)
            return AllOf(parts) if word == AND else AnyOf(parts)
        if word == NOT and name not in self.columns:
            return Not(self.condition(value, depth + 1))
        column, kind = self._column(name)
        if not isinstance(value, dict):
            return self._comparison(column, kind, _plain(value))
        if not value:
            raise BadInput(f"The condition for '{name}' is empty. Valid: {', '.join(OPERATORS)}.")
        parts = tuple(self._named(column, kind, str(key), each) for key, each in value.items())
        return parts[0] if len(parts) == 1 else AllOf(parts)

    def _column(self, name: str) -> tuple[str | None, ColumnType]:
        if name in self.columns:
            return name, self.columns[name]
        if name == TEXT:
            return None, "string"
        known = ", ".join(f"{column} ({kind})" for column, kind in self.columns.items())
        raise BadInput(
            f"No metadata column {_shown(name)} to filter by. "
            f"Columns: {known or 'none: this dataset has no metadata'}; '{TEXT}' is the text."
        )

    def _named(self, column: str | None, kind: ColumnType, name: str, value: object) -> Condition:
        """A comparison by its name; `{"not": {…}}` below a column is what does not hold of it."""
        word = name.strip().removeprefix("$").casefold().replace(" ", "_")
        if word == NOT and isinstance(value, dict) and value:
            inner = [self._named(column, kind, str(key), each) for key, each in value.items()]
            return Not(inner[0] if len(inner) == 1 else AllOf(tuple(inner)))
        operator = SYMBOLS.get(word, "not_in" if word == "nin" else word)
        if operator not in OPERATORS:
            raise BadInput(
                f"Unknown comparison {_shown(name)} for column '{column or TEXT}'. "
                f"Valid: {', '.join(OPERATORS)}."
            )
        return self._comparison(column, kind, (cast(Operator, operator), value))

    def _comparison(
        self, column: str | None, kind: ColumnType, said: tuple[Operator, object]
    ) -> Condition:
        operator, value = said
        self.left -= 1
        if self.left < 0:
            raise BadInput(f"The filter has more than {MAX_CONDITIONS} conditions. Say it shorter.")
        name = column or TEXT
        if operator in ("eq", "ne") and value is None:
            return ColumnCondition(column, kind, "is_null", operator == "eq")
        if operator == "is_null":
            if not isinstance(value, bool):
                raise BadInput(f"'is_null' for column '{name}' takes true or false.")
            return ColumnCondition(column, kind, operator, value)
        if operator in LISTS:
            return ColumnCondition(column, kind, operator, _typed_list(name, kind, operator, value))
        if isinstance(value, list | dict):
            raise BadInput(f"'{operator}' for column '{name}' takes one value; 'in' takes a list.")
        if operator == "contains":
            return ColumnCondition(column, kind, operator, _part(name, kind, value))
        if operator in ORDERED and kind == "boolean":
            raise BadInput(f"'{name}' holds true or false, which have no order. Use eq.")
        return ColumnCondition(column, kind, operator, _typed(name, kind, value))


_EXAMPLE = 'Such as {"or": [{"venue": "BBC"}, {"score": {"gte": 3}}]}.'


def _plain(value: object) -> tuple[Operator, object]:
    """What a bare value means."""
    return ("in" if isinstance(value, list) else "eq"), value


def _typed_list(name: str, kind: ColumnType, operator: str, value: object) -> tuple[Scalar, ...]:
    if not isinstance(value, list):
        raise BadInput(f"'{operator}' for column '{name}' takes a list of values.")
    if not 0 < len(value) <= MAX_LIST:
        raise BadInput(
            f"The list for column '{name}' has {len(value)} values; give 1 to {MAX_LIST:,}."
        )
    return tuple(_typed(name, kind, each) for each in value)


def _part(name: str, kind: ColumnType, value: object) -> str:
    if kind not in ("string", "date"):
        raise BadInput(f"'{name}' holds {kind}s; 'contains' is for texts. Use eq, gte or lte.")
    if not isinstance(value, str) or not value.strip():
        raise BadInput(f"'contains' for column '{name}' takes a text, not {_shown(value)}.")
    return str(_typed(name, "string", value))


def _typed(name: str, kind: ColumnType, value: object) -> Scalar:
    """The value as the column holds its values: "3" is 3 in a column of numbers."""
    if value is None:
        raise BadInput(
            f"'{name}' cannot be compared with null. Give a {kind}, or {{'is_null': true}}."
        )
    if isinstance(value, str) and NEVER_STORED.search(value):
        raise BadInput(
            f"'{name}': the value {_shown(value)} has a NUL or half a character in it, which no "
            "record has. Leave it out."
        )
    try:
        return PARSERS[kind](value)
    except OverflowError as error:
        raise BadInput(
            f"'{name}': {_shown(value)} lies outside of the years 1 to 9999 in UTC. Give a date "
            "within them."
        ) from error
    except ValueError as error:
        raise BadInput(f"'{name}' holds {kind}s; {_shown(value)} is none.") from error


def _shown(value: object) -> str:
    """A value for a message; Python writes no integer of thousands of digits."""
    if isinstance(value, int) and value.bit_length() > LONG_BITS:
        return f"an integer of {value.bit_length()} bits"
    if isinstance(value, Sequence | Mapping) and not isinstance(value, str):
        return "a list" if isinstance(value, Sequence) else "an object"
    return shorten(repr(value), MOST_SHOWN)

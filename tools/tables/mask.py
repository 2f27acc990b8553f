"""Which records of a table fit a condition, worked out over the distinct values of its columns.

In: a table of n records and a condition; out: (n,) bool. A missing value fits no comparison; a
date without a time stands for its whole day.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from corpuscope.tools.tables.table import Column, RecordTable
from corpuscope.tools.tables.where import DAY, AllOf, AnyOf, ColumnCondition, Condition

Mask = NDArray[np.bool_]

ORDERS: dict[str, Callable[[Any, Any], Any]] = {
    "gt": np.greater,
    "gte": np.greater_equal,
    "lt": np.less,
    "lte": np.less_equal,
}
DAY_LENGTH = len("2024-04-01")


def fitting_rows(table: RecordTable, condition: Condition) -> Mask:
    """(n,) whether each record fits the condition."""
    if isinstance(condition, ColumnCondition):
        return _compared(table, condition)
    if isinstance(condition, AllOf | AnyOf):
        join, start = (
            (np.logical_and, True) if isinstance(condition, AllOf) else (np.logical_or, False)
        )
        fits = np.full(len(table), start)
        for part in condition.parts:
            join(fits, fitting_rows(table, part), out=fits)
        return fits
    return ~fitting_rows(table, condition.part)


def _compared(table: RecordTable, one: ColumnCondition) -> Mask:
    if one.column is None:
        return _text_compared(table, one)
    column = table.column(one.column)
    if one.operator == "is_null":
        return np.asarray((column.codes < 0) == one.value)
    # The last place is that of a missing value.
    return np.append(_value_fits(column, one), False)[column.codes]


def _text_compared(table: RecordTable, one: ColumnCondition) -> Mask:
    """A comparison of the texts, which are never missing."""
    if one.operator == "is_null":
        return np.full(len(table), not one.value)
    if one.operator == "contains":
        return table.with_part(str(one.value))
    texts = np.array(table.texts(np.arange(len(table))), dtype=object)
    return _fits(texts, one)


def _value_fits(column: Column, one: ColumnCondition) -> Mask:
    """(m,) which of the column's distinct values fit."""
    if not len(column.values):
        return np.zeros(0, bool)
    return _fits(column.values, one)


def _fits(values: NDArray[Any], one: ColumnCondition) -> Mask:
    if one.operator == "contains":
        part = str(one.value).casefold()
        return np.array([part in str(value).casefold() for value in values], dtype=bool)
    if one.operator in ORDERS:
        return _ordered(values, one)
    wanted = one.value if isinstance(one.value, tuple) else (one.value,)
    fits = _equal_to_one_of(values, set(wanted), dates=one.kind == "date")
    return ~fits if one.operator in ("ne", "not_in") else fits


def _equal_to_one_of(values: NDArray[Any], wanted: set[Any], *, dates: bool) -> Mask:
    fits = np.fromiter((value in wanted for value in values.tolist()), bool, len(values))
    if dates and any(DAY.fullmatch(str(value)) for value in wanted):
        days = (str(value)[:DAY_LENGTH] in wanted for value in values)
        fits |= np.fromiter(days, bool, len(values))
    return fits


def _ordered(values: NDArray[Any], one: ColumnCondition) -> Mask:
    bound = one.value
    if one.kind == "date" and DAY.fullmatch(str(bound)) and one.operator in ("gt", "lte"):
        # Until the end of the day: moments within it begin with its name.
        values = np.array([str(value)[:DAY_LENGTH] for value in values], dtype=object)
    if one.kind in ("string", "date"):
        values = values.astype(object)
    return np.asarray(ORDERS[one.operator](values, bound), dtype=bool)

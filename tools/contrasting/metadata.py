"""What the metadata of two sides differ in: values, blanks, days, months or years, and numbers.

In: two sides of tables with the same columns. Out: the differences, all tried together; columns
that a side was chosen by, ids and free texts are left out.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Self

import numpy as np
from numpy.typing import NDArray

from corpuscope.tools.analysis.metadata_profile import (
    DAYS_BY_DAY,
    DAYS_BY_MONTH,
    DISTINCT_SHARE,
    FEWEST_RECORDS,
    ID_NAME,
    MIDDLE_DATES,
)
from corpuscope.tools.analysis.rates import q_values
from corpuscope.tools.contrasting.differences import (
    SURE,
    ShareContrast,
    Shares,
    contrast_shares,
    q_in_words,
)
from corpuscope.tools.core.schema import Frozen, Verbatim
from corpuscope.tools.core.text import clean_text, shorten_middle
from corpuscope.tools.tables.mask import Mask
from corpuscope.tools.tables.table import MISSING, Column, RecordTable

VALUES_TOLD, VALUES_OF_A_COLUMN = 8, 3
"""Of each side."""

LEAST_SHARE = 0.02
"""Of one side, to be told: rarer values are those of a few people who write often."""

VALUES_TRIED = 60
"""Values of one column, the most frequent: the rest are too rare to differ surely."""

CLEAR_SHIFT = 0.147
"""Cliff's delta below which Romano and others (2006) call a difference negligible."""

VALUE_SHOWN = 60
"""Characters of a value."""

NO_VALUE_NAME = ""
"""Stands for a missing value, as which an empty one is read."""

DAY, MONTH, YEAR = len("2024-04-01"), len("2024-04"), len("2024")


class NumberDifference(Frozen):
    """A column of numbers that is higher on one side."""

    column: Verbatim
    mean_a: float
    mean_b: float
    median_a: float
    median_b: float
    n_a: int
    n_b: int
    delta: float
    """Cliff's: the share of pairs in which a is higher less that in which b is, -1 to 1."""
    q: float

    def with_q(self, q: float) -> Self:
        """The difference with the q that it has among all that were tried."""
        return self._with(q=float(f"{q:.3g}"))

    def line(self, labels: tuple[str, str]) -> str:
        """The difference in a line."""
        (first, second), side = labels, "higher" if self.delta > 0 else "lower"
        return (
            f"{self.column} is {side} in {first}: mean {self.mean_a:,.4g} against "
            f"{self.mean_b:,.4g} in {second}, median {self.median_a:,.4g} against "
            f"{self.median_b:,.4g} (Cliff's delta {self.delta:+.2f}, {q_in_words(self.q)})"
        )


class MetadataContrast(Frozen):
    """What the metadata differ in."""

    values: ShareContrast
    numbers: list[NumberDifference]
    same: list[Verbatim]
    """Columns that were compared and differ in nothing that is told."""
    left_out: list[Verbatim]
    """Columns that a side was chosen by."""

    def with_shown(
        self, names: Mapping[tuple[str, str], str], numbers: list[NumberDifference]
    ) -> Self:
        """The same, each value, by column and value, called as it may be shown, and of the numbers
        those that may be."""
        values = self.values.with_names(lambda one: names[one.id or "", one.name])
        return self._with(values=values, numbers=numbers)


@dataclass(eq=False)
class _Counted:
    """The values of all columns, and how many records of each side have each."""

    columns: list[str] = field(default_factory=list)
    values: list[str] = field(default_factory=list)
    a: list[int] = field(default_factory=list)
    b: list[int] = field(default_factory=list)


def contrast_metadata(
    tables: tuple[RecordTable, RecordTable],
    masks: tuple[Mask, Mask],
    columns: Sequence[str],
    chosen_by: frozenset[str],
) -> MetadataContrast:
    """The differences in these columns, which both tables have, but for those in `chosen_by`."""
    counted, numbers, compared = _Counted(), [], []
    for name in columns:
        if name in chosen_by:
            continue
        sides = [table.column(name) for table in tables]
        chosen = [side.codes[mask] for side, mask in zip(sides, masks, strict=True)]
        if all(2 * np.count_nonzero(codes == MISSING) > len(codes) for codes in chosen):
            continue  # mostly empty
        if sides[0].kind == "number":
            if ID_NAME.search(name) is None and (found := _numbers(name, sides, chosen)):
                numbers.append(found)
                compared.append(name)
        elif _count_values(counted, name, sides, chosen):
            compared.append(name)
    q = q_values([p for _, p in numbers]) if numbers else np.zeros(0)
    higher = [
        one.with_q(sure)
        for (one, _), sure in zip(numbers, q, strict=True)
        if sure < SURE and abs(one.delta) >= CLEAR_SHIFT
    ]
    values = contrast_shares(
        Shares(
            ids=counted.columns,
            names=counted.values,
            counts_a=np.array(counted.a, np.int64),
            total_a=int(masks[0].sum()),
            counts_b=np.array(counted.b, np.int64),
            total_b=int(masks[1].sum()),
            most=VALUES_TOLD,
            most_of_one=VALUES_OF_A_COLUMN,
            least_share=LEAST_SHARE,
        )
    )
    told = {one.id for one in [*values.more_in_a, *values.more_in_b]} | {n.column for n in higher}
    return MetadataContrast(
        values=values,
        numbers=higher,
        same=[name for name in compared if name not in told],
        left_out=[name for name in columns if name in chosen_by],
    )


def _count_values(
    counted: _Counted, name: str, sides: Sequence[Column], chosen: Sequence[NDArray[np.int32]]
) -> bool:
    """Count the values of a column, and those without; False for ids and free texts."""
    present = [codes[codes != MISSING] for codes in chosen]
    places, values = _common_values(sides)
    if sides[0].kind == "date":
        places, values = _binned(places, values, present)
    elif sides[0].kind == "string":
        distinct = sum(len(np.unique(codes)) for codes in present)
        if distinct >= DISTINCT_SHARE * max(1, sum(map(len, present))):
            return False
    counts = [
        np.bincount(place[codes], minlength=len(values))
        for place, codes in zip(places, present, strict=True)
    ]
    total = counts[0] + counts[1]
    often = np.argsort(-total, kind="stable")[:VALUES_TRIED]
    rows = [(str(values[at]), int(counts[0][at]), int(counts[1][at])) for at in often if total[at]]
    none = [len(codes) - len(there) for codes, there in zip(chosen, present, strict=True)]
    rows.append((NO_VALUE_NAME, none[0], none[1]))
    for value, a, b in rows:
        counted.columns.append(name)
        counted.values.append(value)
        counted.a.append(a)
        counted.b.append(b)
    return True


def _common_values(sides: Sequence[Column]) -> tuple[list[NDArray[np.int64]], NDArray[np.object_]]:
    """All values of a column, and where those of each side are among them."""
    first, second = (side.values for side in sides)
    if sides[0] is sides[1]:
        here = np.arange(len(first))
        return [here, here], first.astype(object)
    values, where = np.unique(
        np.concatenate([first.astype(str), second.astype(str)]), return_inverse=True
    )
    return [where[: len(first)], where[len(first) :]], values.astype(object)


def _binned(
    places: list[NDArray[np.int64]],
    values: NDArray[np.object_],
    present: Sequence[NDArray[np.int32]],
) -> tuple[list[NDArray[np.int64]], NDArray[np.object_]]:
    """Dates by day, month or year, whichever suits how far they reach."""
    counts = sum(
        np.bincount(place[codes], minlength=len(values))
        for place, codes in zip(places, present, strict=True)
    )
    # Values rise, so their counts, added up, say where the middle of the records lies.
    reached = np.cumsum(counts)
    if not len(reached) or not reached[-1]:
        return places, values
    ends = [values[np.searchsorted(reached, part * reached[-1])] for part in MIDDLE_DATES]
    first, last = (np.datetime64(str(end)[:DAY]) for end in ends)
    days = (last - first).astype(int)
    length = DAY if days <= DAYS_BY_DAY else MONTH if days <= DAYS_BY_MONTH else YEAR
    bins, bin_of = np.unique([str(value)[:length] for value in values], return_inverse=True)
    return [bin_of[place] for place in places], bins.astype(object)


def _numbers(
    name: str, sides: Sequence[Column], chosen: Sequence[NDArray[np.int32]]
) -> tuple[NumberDifference, float] | None:
    """A column of numbers of both sides with its p-value; None where there are too few."""
    from scipy import stats

    a, b = (
        np.append(side.values.astype(np.float64), np.nan)[codes]
        for side, codes in zip(sides, chosen, strict=True)
    )
    a, b = a[np.isfinite(a)], b[np.isfinite(b)]
    if min(len(a), len(b)) < FEWEST_RECORDS or min(a.min(), b.min()) == max(a.max(), b.max()):
        return None
    test = stats.mannwhitneyu(a, b, method="asymptotic")
    difference = NumberDifference(
        column=name,
        mean_a=float(a.mean()),
        mean_b=float(b.mean()),
        median_a=float(np.median(a)),
        median_b=float(np.median(b)),
        n_a=len(a),
        n_b=len(b),
        delta=round(float(2 * test.statistic / (len(a) * len(b)) - 1), 4),
        q=1.0,
    )
    return difference, float(test.pvalue)


def value_name(column: str, value: str) -> str:
    """A value as a line calls it."""
    shown = shorten_middle(clean_text(value), VALUE_SHOWN)
    return f"no {column}" if value == NO_VALUE_NAME else f"{column} = {shown}"

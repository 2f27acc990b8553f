"""The values of a dimension that an answer shows, in order, and all others as one.

In: a dimension and the records that are counted; out: slots, and which one each record is in.
"""

from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from corpuscope.tools.core.schema import Ints
from corpuscope.tools.counting.dimensions import Dimension, Kind

SlotKind: TypeAlias = Kind | Literal["other"]

MOST_TRIED = 1_000
"""Values of a dimension that are looked at for what stands out: the largest. Two columns of 50,000
values each would be more cells than there is memory for."""


GAPS_TO_A_PERIOD = 4
"""Periods without a record are shown unless most are such: one date years off makes thousands."""


@dataclass(frozen=True)
class Slot:
    """A row or column of an answer."""

    id: str
    """A cluster's id, a period; of a value nothing, for it is text of people."""
    label: str
    kind: SlotKind
    size: int
    sign: str = ""
    """What stands before it in a sentence: "on " a day, "in " a month or theme."""

    @property
    def name(self) -> str:
        """What it is called in a text."""
        return f"{self.id} {self.label}" if self.kind == "theme" else self.label

    @property
    def plain(self) -> bool:
        """Whether it is a theme, value or period of its own."""
        return self.kind in ("theme", "value", "period")


@dataclass(frozen=True, eq=False)
class Axis:
    """`slots` (s,) in order; `codes` (m,) the slot of each record that is counted."""

    slots: list[Slot]
    codes: Ints
    values: int
    """Values, themes or periods that there are among the records."""

    @property
    def plain(self) -> NDArray[np.bool_]:
        """(s,) which slots are a value of their own."""
        return np.array([slot.plain for slot in self.slots], bool)


def cut_axis(
    dimension: Dimension, codes: Ints, most: int, ranks: NDArray[np.float64] | None = None
) -> Axis:
    """A dimension cut to at most so many values; noise, missing and the rest stand behind them.

    Args:
        dimension: What is counted by.
        codes: (m,) the places of the records that are counted.
        most: Values that are shown.
        ranks: (k,) a number for each key, the lowest first; the largest values first where it is
            None, periods in their order.
    """
    sizes = np.bincount(codes, minlength=len(dimension.keys))
    # Themes and periods without a record are an answer; of other values there may be thousands.
    known = [at for at in dimension.plain if sizes[at]]
    spanned = max(known, default=0) - min(known, default=0) + 1
    sparse = dimension.bin is not None and spanned > GAPS_TO_A_PERIOD * len(known)
    there = [at for at in dimension.plain if dimension.kinds[at] != "value"]
    if sparse or len(there) < len(dimension.plain):
        there = known
    elif dimension.bin is not None and known:
        # Of a date far off that the filter leaves out, nobody asked for the years until then.
        there = [at for at in there if known[0] <= at <= known[-1]]
    by_size = sorted(there, key=lambda at: -sizes[at])
    if ranks is not None:
        shown = sorted(there, key=lambda at: ranks[at])[:most]
    else:
        shown = by_size[:most]
        if dimension.bin is not None:
            shown = sorted(shown)
    rest = len(there) - len(shown)
    kept = set(shown)
    special = [
        at
        for at, kind in enumerate(dimension.kinds)
        if kind not in ("theme", "value", "period") and sizes[at]
    ]
    places = [*shown, *special]
    slot_of = np.full(len(dimension.keys), len(places), np.int32)
    slot_of[places] = np.arange(len(places), dtype=np.int32)
    sign = {"day": "on ", "week": "in the week of "}.get(dimension.bin or "", "in ")
    slots = [
        Slot(
            "" if dimension.kinds[at] in ("value", "missing") else dimension.keys[at],
            label,
            dimension.kinds[at],
            int(sizes[at]),
            sign if dimension.kinds[at] in ("period", "theme") else "",
        )
        for at, label in zip(places, dimension.labels(places), strict=True)
    ]
    if rest:
        size = int(sum(sizes[at] for at in there if at not in kept))
        slots.append(Slot("", f"other ({rest:,} {_called(dimension)})", "other", size))
    return Axis(slots, slot_of[codes], len(there))


def _called(dimension: Dimension) -> str:
    if dimension.bin is not None:
        return f"{dimension.bin}s"
    return f"{dimension.name}s" if dimension.name in ("theme", "heading") else "values"

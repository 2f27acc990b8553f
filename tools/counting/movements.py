"""How each theme's share moves over the periods, in words: new, gone, burst, rising, falling.

In: counts by theme and period, and the totals of the periods; out: a line for each theme that
moves, the surest first.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from corpuscope.tools.analysis.cross_table import cross_table
from corpuscope.tools.analysis.rates import q_values
from corpuscope.tools.analysis.series import jumps, movement
from corpuscope.tools.core.schema import Result, Verbatim
from corpuscope.tools.counting.axis import Slot, SlotKind
from corpuscope.tools.counting.findings import CLEAR_LIFT, SURE_Q, TIMES, percent_text

Floats64 = NDArray[np.float64]

Verdict: TypeAlias = Literal[
    "new",
    "gone",
    "burst",
    "rising",
    "falling",
    "uneven",
    "more",
    "less",
    "unsure",
    "steady",
    "not tried",
]

FEWEST_RECORDS_OF_A_SERIES = 20
"""Of fewer records no series is made: any one of them is a jump."""

FEWEST_AWAITED = 5.0
"""Records that should be in the periods without any before a theme counts as new or gone: by
chance that happens once in 150."""

NEXT_TO_NOTHING = 0.05
"""Of what is awaited, the share up to which a theme is not there yet, or no more."""

CLEAR_BURST = 1.5
"""How many times its usual share a theme has in a burst."""

FEWEST_OF_A_BAR = 5
"""Records of a period whose share is drawn: one of one is 100 %."""

BARS = "▁▂▃▄▅▆▇█"


class TrendLine(Result):
    """How a theme, or another group, moves."""

    id: Verbatim | None
    label: str
    kind: SlotKind
    records: int
    counts: list[int]
    """Of each period."""
    verdict: Verdict
    first: Verbatim | None = None
    """The first period of the burst, of what is new or gone, or of the higher or lower level."""
    last: Verbatim | None = None
    share: float | None = None
    """Of all records of those periods; `usual` of the others'. Of a slope: in the second half, and
    in the first."""
    usual: float | None = None
    ratio: float | None = None
    slope: float
    """The score of a steady rise or fall, in standard deviations."""
    q: float | None
    sparkline: str
    text: str

    def as_text(self) -> str:
        """The group in a line."""
        return self.text


@dataclass(frozen=True, eq=False)
class SeriesTable:
    """`counts` (g, p) of the groups `slots` in the `periods`, parts of the `totals` (p,)."""

    by: str
    """What the groups are: `theme`, or the name of a column."""
    slots: list[Slot]
    periods: list[str]
    counts: NDArray[np.int64]
    totals: NDArray[np.int64]
    sign: str
    """What stands before a period in a sentence."""


@dataclass(frozen=True)
class _Stretch:
    """Periods `first` to `last`, both in it, and what is said of them."""

    verdict: Verdict
    first: int
    last: int


def trend_lines(table: SeriesTable) -> tuple[list[TrendLine], int]:
    """The groups in the order in which they are told, and how many were tried.

    First those that move, the surest first; then the steady ones, the largest first; then those
    that were not tried: noise, what is missing, what has too few records.
    """
    tried = _tried(table)
    moved = movement(table.counts[tried], table.totals)
    p, slope = np.full(len(tried), np.nan), np.zeros(len(tried))
    p[tried], slope[tried] = moved.p, moved.slope
    q = q_values(p)
    places = jumps(table.counts, table.totals.astype(np.float64), moved.dispersion)
    stretches = {}
    for at in np.flatnonzero(q <= SURE_Q).tolist():
        stretch = _stretch(table, at, places[at], float(slope[at]))
        share, usual = _shares(table, at, stretch)
        if max(share, usual) >= CLEAR_LIFT * min(share, usual):
            stretches[at] = stretch
    return _ordered(table, stretches, (slope, p, q)), int(np.isfinite(q).sum())


def window_lines(table: SeriesTable, inside: NDArray[np.bool_]) -> tuple[list[TrendLine], int]:
    """The same by how much more or less of each group there is within some periods (p,) than in the
    others."""
    counts = np.stack([table.counts[:, inside].sum(1), table.counts[:, ~inside].sum(1)], 1)
    tried = _tried(table)
    dispersion = movement(table.counts[tried], table.totals).dispersion
    cells = cross_table(counts, np.stack([tried, np.zeros(len(tried), bool)], 1), dispersion)
    q, evidence = cells.q[:, 0], cells.evidence[:, 0]
    first, last = (int(np.flatnonzero(inside)[end]) for end in (0, -1))
    words: dict[bool, Verdict] = {True: "more", False: "less"}
    stretches = {
        int(at): _Stretch(words[evidence[at] > 0] if q[at] <= SURE_Q else "unsure", first, last)
        for at in np.flatnonzero(np.isfinite(q))
    }
    return _ordered(table, stretches, (evidence, -np.abs(evidence), q)), cells.tried


def _tried(table: SeriesTable) -> NDArray[np.bool_]:
    enough = table.counts.sum(1) >= FEWEST_RECORDS_OF_A_SERIES
    return np.asarray(enough & np.array([slot.plain for slot in table.slots], bool))


def _ordered(
    table: SeriesTable, stretches: Mapping[int, _Stretch], figures: tuple[Floats64, ...]
) -> list[TrendLine]:
    """Lines of groups; `figures`: (g,) scores, what they are ordered by, the lowest first, q."""
    score, order, q = figures

    def rank(at: int) -> tuple[int, float]:
        if at in stretches:
            return 0, float(order[at])
        return (1 if np.isfinite(q[at]) else 2), -float(table.counts[at].sum())

    return [
        _line(table, at, stretches.get(at), (float(score[at]), float(q[at])))
        for at in sorted(range(len(table.slots)), key=rank)
    ]


def sparkline(shares: NDArray[np.float64]) -> str:
    """A bar for each share (p,), the highest of them full; a blank where there is nothing to share.

    Those above nothing have more than the lowest bar.
    """
    known = np.nan_to_num(shares)
    top = known.max(initial=0.0)
    if not top:
        return BARS[0] * len(shares)
    steps = np.ceil(known / top * (len(BARS) - 1)).astype(int)
    bars = [BARS[step] for step in steps]
    return "".join(
        bar if np.isfinite(share) else " " for bar, share in zip(bars, shares, strict=True)
    )


def _stretch(table: SeriesTable, at: int, places: list[int], slope: float) -> _Stretch:
    """What is said of a group that surely moves, and of which periods."""
    last = len(table.periods) - 1
    y, n = table.counts[at], table.totals
    edges = [0, *places, last + 1]
    rates = [_share(y[i:j], n[i:j]) for i, j in pairwise(edges)]
    top = int(np.argmax(rates))
    first, after = edges[top], edges[top + 1]
    usual = _share(np.delete(y, slice(first, after)), np.delete(n, slice(first, after)))
    burst = first > 0 and after <= last and rates[top] >= CLEAR_BURST * usual
    if burst and 2 * y[first:after].sum() >= y.sum():
        return _Stretch("burst", first, after - 1)
    absent, ended = _quiet_at_first(y, n), _quiet_at_first(y[::-1], n[::-1])
    if absent and not ended:
        return _Stretch("new", absent, last)
    if ended and not absent:
        return _Stretch("gone", last + 1 - ended, last)
    if not places:
        half = int(np.searchsorted(np.cumsum(n), n.sum() / 2)) + 1
        return _Stretch("rising" if slope > 0 else "falling", min(half, last), last)
    if after == last + 1:
        return _Stretch("rising", first, last)
    if first == 0:
        return _Stretch("falling", after, last)
    return _Stretch("burst" if burst else "uneven", first, after - 1)


def _quiet_at_first(y: NDArray[np.int64], n: NDArray[np.int64]) -> int:
    """How many periods at the beginning have next to nothing of what the group's share of all lets
    await; 0 where that is too little to tell."""
    awaited = y.sum() * np.cumsum(n) / n.sum()
    quiet = (np.cumsum(y) <= NEXT_TO_NOTHING * awaited) & (awaited >= FEWEST_AWAITED)
    return int(np.flatnonzero(quiet)[-1]) + 1 if quiet.any() else 0


def _share(y: NDArray[np.int64], n: NDArray[np.int64]) -> float:
    return float(y.sum() / max(1, n.sum()))


def _shares(table: SeriesTable, at: int, stretch: _Stretch) -> tuple[float, float]:
    """The group's share within the stretch, and in all other periods."""
    inside = np.zeros(len(table.periods), bool)
    inside[stretch.first : stretch.last + 1] = True
    y, n = table.counts[at], table.totals
    return _share(y[inside], n[inside]), _share(y[~inside], n[~inside])


def _line(
    table: SeriesTable, at: int, stretch: _Stretch | None, figures: tuple[float, float]
) -> TrendLine:
    slot, y, n = table.slots[at], table.counts[at], table.totals
    with np.errstate(divide="ignore", invalid="ignore"):
        bars = sparkline(np.where(n >= FEWEST_OF_A_BAR, y / n, np.nan))
    verdict: Verdict = "steady" if np.isfinite(figures[1]) else "not tried"
    share, usual, ratio, told = None, None, None, percent_text(_share(y, n))
    told = f"steady, {told}" if verdict == "steady" else f"{told} ({int(y.sum()):,} records)"
    if stretch is not None:
        share, usual = _shares(table, at, stretch)
        ratio = share / usual if usual else None
        told = _told(table, stretch, share, usual)
        there = int(y[stretch.first : stretch.last + 1].sum())
        told += f" ({there:,} of {int(y.sum()):,} records)"
    return TrendLine(
        id=slot.id or None,
        label=slot.label,
        kind=slot.kind,
        records=int(y.sum()),
        counts=y.tolist(),
        verdict=stretch.verdict if stretch else verdict,
        first=table.periods[stretch.first] if stretch else None,
        last=table.periods[stretch.last] if stretch else None,
        share=None if share is None else round(share, 5),
        usual=None if usual is None else round(usual, 5),
        ratio=None if ratio is None else round(ratio, 2),
        slope=round(figures[0], 2),
        q=float(f"{figures[1]:.3g}") if np.isfinite(figures[1]) else None,
        sparkline=bars,
        text=f"{slot.name}: {bars} {told}",
    )


def _told(table: SeriesTable, stretch: _Stretch, share: float, usual: float) -> str:
    first, last = table.periods[stretch.first], table.periods[stretch.last]
    against = f"{percent_text(share)} against {percent_text(usual)}"
    times = f", {share / usual:.{1 if share > usual else 2}f} {TIMES}" if usual else ""
    if stretch.verdict in ("more", "less", "unsure"):
        return f"{stretch.verdict}, {against} otherwise{times}"
    if stretch.verdict in ("new", "gone"):
        then = f"{percent_text(share)}, {percent_text(usual)} before"
        return f"{stretch.verdict} since {first}: {then}"
    at_end = stretch.last == len(table.periods) - 1
    when = f"since {first}" if at_end else f"{first} to {last}"
    if first == last:
        when = f"{table.sign}{first}"
    return f"{stretch.verdict} {when}: {against} {'before' if at_end else 'otherwise'}{times}"

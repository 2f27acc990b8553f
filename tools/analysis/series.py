"""Series of counts against their totals: which shares rise, fall, or jump, and when.

In: counts (g, p) of groups by period, and the totals (p,) that they are parts of; out: arrays over
the groups. Counts are Poisson about a share of the total, and spread more than that where most of
the series do. Sources: Cochran, "Some methods for strengthening the common chi-square tests"
(1954), and Armitage, "Tests for linear trends in proportions" (1955); Jackson and others, "An
algorithm for optimal partitioning of data on an interval" (2005).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats64 = NDArray[np.float64]

JUMP_COST = 1.5
"""With the logarithm of the number of periods what a jump must gain in log-likelihood: of steady
Poisson series of 8 to 100 periods 1 to 5 % then show one (2,000 drawn of each)."""

CHI2_MEDIAN = 0.4549
"""Of one degree of freedom."""

FEWEST_FREE = 3
"""Periods beyond the two of a line from which their spread about it says something."""


FEWEST_GROUPS = 10
"""From which the middle one says how those spread that do not move: of fewer it may itself move."""


@dataclass(frozen=True, eq=False)
class Movement:
    """Of each of g groups: `slope`, the score of a steady rise (positive) or fall in standard
    deviations; `p`, of moving at all, by the slope or by the spread about one share."""

    slope: Floats64
    p: Floats64
    dispersion: float
    """How many times the variance of Poisson counts most of the series have, at least 1."""


def movement(counts: NDArray[np.int64], totals: NDArray[np.int64]) -> Movement:
    """Whether each group's share of the totals moves.

    The slope is Cochran and Armitage's, the spread Pearson's chi-square; both are held against the
    dispersion that the middle one of the groups has: where all themes jump about, a jump is little.
    """
    from scipy import special  # heavy: not when the server starts

    periods = totals > 0
    y, n = counts[:, periods].astype(np.float64), totals[periods].astype(np.float64)
    free = len(n) - 1
    if free < 1 or not len(y):
        return Movement(np.zeros(len(y)), np.full(len(y), np.nan), 1.0)
    whole = y.sum(1, keepdims=True)
    share = whole / n.sum()
    expected = share * n
    time = np.flatnonzero(periods).astype(np.float64)
    time -= (time * n).sum() / n.sum()
    with np.errstate(divide="ignore", invalid="ignore"):
        chi2 = ((y - expected) ** 2 / (expected * (1 - share))).sum(1)
        slope = (y * time).sum(1) / np.sqrt((share * (1 - share))[:, 0] * (n * time**2).sum())
    spread = chi2[np.isfinite(chi2)] / free
    few = len(spread) < FEWEST_GROUPS
    dispersion = 1.0 if few else max(1.0, float(np.median(spread)))
    about = (chi2 - slope**2) / max(free - 1, 1) if free - 1 >= FEWEST_FREE else dispersion
    slope = slope / np.sqrt(np.maximum(dispersion, about))
    each = (2 * special.ndtr(-np.abs(slope)), special.chdtrc(free, chi2 / dispersion))
    # The smaller of two, told as such.
    return Movement(slope, np.minimum(1, 2 * np.fmin(*each)), dispersion)


def jumps(
    counts: NDArray[np.int64], totals: NDArray[np.float64], dispersion: float = 1.0
) -> list[list[int]]:
    """For each group the places, 1 to p - 1, at which its share jumps: the likeliest division into
    stretches of one share each, where every jump costs `JUMP_COST` + log p.

    Exact, in p² steps for all groups together; unlike least squares on rates it weighs a period by
    its total.

    Args:
        counts: (g, p)
        totals: (p,) what the counts are parts of, or how long the periods are.
        dispersion: How many times the variance of Poisson counts a series has.
    """
    groups, periods = counts.shape
    cost = dispersion * (JUMP_COST + np.log(max(periods, 1)))
    y = np.concatenate([np.zeros((groups, 1)), np.cumsum(counts, 1)], 1)
    n = np.concatenate([[0.0], np.cumsum(totals)])
    best = np.full((groups, periods + 1), -np.inf)
    best[:, 0] = cost
    before = np.zeros((groups, periods + 1), np.int64)
    for end in range(1, periods + 1):
        seen, of = y[:, [end]] - y[:, :end], n[end] - n[:end]
        with np.errstate(divide="ignore", invalid="ignore"):
            gain = np.where(seen > 0, seen * np.log(seen / of), 0.0)
        value = best[:, :end] + gain - cost
        before[:, end] = value.argmax(1)
        best[:, end] = value.max(1)
    found = []
    for group in range(groups):
        places, at = [], int(before[group, periods])
        while at > 0:
            places.append(at)
            at = int(before[group, at])
        found.append(places[::-1])
    return found


def rough_dispersion(counts: NDArray[np.int64]) -> float:
    """How many times the variance of Poisson counts a series (p,) has from one period to the next,
    at least 1: its rhythm is in it, a jump is not."""
    y = counts.astype(np.float64)
    sums = y[1:] + y[:-1]
    steps = (np.diff(y) ** 2)[sums > 0] / sums[sums > 0]
    return max(1.0, float(np.median(steps)) / CHI2_MEDIAN) if len(steps) else 1.0


def silent_stretch(
    own: NDArray[np.int64], totals: NDArray[np.int64], share: float, fewest: float
) -> tuple[int, int] | None:
    """The stretch of periods, first and last, in which a source says at most `share` of what the
    others let expect, and should have the most; None where that is less than `fewest` records."""
    others = totals - own
    if not others.sum():
        return None
    expected = own.sum() * others / others.sum()
    quiet = np.concatenate([[False], own <= share * expected, [False]])
    edges = np.flatnonzero(np.diff(quiet.astype(np.int8)))
    sums = [
        (float(expected[first:after].sum()), int(first), int(after) - 1)
        for first, after in zip(edges[::2], edges[1::2], strict=True)
    ]
    most = max(sums, default=(0.0, 0, 0))
    return (most[1], most[2]) if most[0] >= fewest else None

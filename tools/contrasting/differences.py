"""Shares of the two sides against each other: what is more in a, more in b, and the same in both.

In: how many records of each side have each thing. Out: those that differ beyond chance and by more
than is worth a word, those that are shown to be alike, and how many were tried.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from corpuscope.tools.analysis.rates import q_values
from corpuscope.tools.analysis.ratios import exact_p_values, ratio_interval, signed_surprise
from corpuscope.tools.core.schema import Frozen, Verbatim

SURE = 0.05
"""The q below which a difference is told: of those told one in twenty is chance."""

ALIKE = 1.25
"""Ratios whose whole interval lies within this, or one over it, are alike, however sure."""

ALIKE_SHARE = 0.02
"""Of each side at least, to be told as alike: that what is rare is equally rare tells nothing."""

FEWEST_TRIED = 5
"""Records of both sides together: with fewer nothing can be sure."""

TIMES = "\N{MULTIPLICATION SIGN}"

LARGE_RATIO = 100
"""A ratio above it is told as such: what stands behind it hangs on a handful of records."""


class ShareDifference(Frozen):
    """One thing that records of both sides have or have not."""

    id: Verbatim | None
    """A cluster, or the column of a value."""
    name: str
    count_a: int
    count_b: int
    share_a: float
    share_b: float
    ratio: float | None
    """Share in a over that in b; None where b has none."""
    low: float
    """Of the 95 % interval of the ratio."""
    high: float
    q: float

    def with_name(self, name: str) -> Self:
        """The same, called as it may be shown."""
        return self._with(name=name)

    @property
    def more_in_a(self) -> bool:
        """Whether a has more of it."""
        return self.share_a > self.share_b

    def line(self, labels: tuple[str, str]) -> str:
        """The difference in a line, the side that has more first."""
        shares = (percent(self.share_a), percent(self.share_b))
        ratio, low, high = self.ratio, self.low, self.high
        counts = (self.count_a, self.count_b)
        if not self.more_in_a:
            labels, shares, counts = labels[::-1], shares[::-1], counts[::-1]
            ratio = 1 / ratio if ratio else None
            low, high = 1 / high, 1 / low
        if ratio is None or ratio >= LARGE_RATIO:
            least = "" if low >= LARGE_RATIO else "at least "
            times = f"{least}{times_of(low)} {TIMES}"
        else:
            times = f"{times_of(ratio)} {TIMES} ({times_of(low)} to {times_of(high)})"
        return (
            f"{self.name}: {shares[0]} of {labels[0]} ({counts[0]:,}), "
            f"{shares[1]} of {labels[1]} ({counts[1]:,}): {times}, {q_in_words(self.q)}"
        )


class ShareContrast(Frozen):
    """What differs, what does not, and how many were tried."""

    tried: int
    more_in_a: list[ShareDifference]
    more_in_b: list[ShareDifference]
    alike: list[ShareDifference]
    left: int = 0
    """More that differ, of which nothing is told."""

    def with_names(self, name: Callable[[ShareDifference], str]) -> Self:
        """The same, each thing called as it may be shown."""
        return self._with(
            more_in_a=[one.with_name(name(one)) for one in self.more_in_a],
            more_in_b=[one.with_name(name(one)) for one in self.more_in_b],
            alike=[one.with_name(name(one)) for one in self.alike],
        )


@dataclass(frozen=True, eq=False)
class Shares:
    """Things, and how many records of each side have each: (k,) counts of so many records."""

    ids: Sequence[str | None]
    names: Sequence[str]
    counts_a: NDArray[np.int64]
    total_a: int
    counts_b: NDArray[np.int64]
    total_b: int
    most: int
    """Differences that are told of each side."""
    most_of_one: int
    """Of those as many as have the same id."""
    least_share: float = 0.0
    """What is rarer on both sides is tried, and not told."""


def contrast_shares(shares: Shares) -> ShareContrast:
    """What is more in a, in b, and alike; the q of each over all that were tried."""
    tried = np.flatnonzero(shares.counts_a + shares.counts_b >= FEWEST_TRIED)
    counts = shares.counts_a[tried], shares.total_a, shares.counts_b[tried], shares.total_b
    q = q_values(exact_p_values(*counts)) if len(tried) else np.zeros(0)
    ratio, low, high = ratio_interval(*counts)
    surprise = signed_surprise(*counts)
    alike = (low > 1 / ALIKE) & (high < ALIKE)

    def told(at: int) -> ShareDifference:
        return ShareDifference(
            id=shares.ids[tried[at]],
            name=shares.names[tried[at]],
            count_a=int(counts[0][at]),
            count_b=int(counts[2][at]),
            share_a=round(counts[0][at] / shares.total_a, 6),
            share_b=round(counts[2][at] / shares.total_b, 6),
            ratio=_in_figures(ratio[at]) if np.isfinite(ratio[at]) else None,
            low=_in_figures(low[at]),
            high=_in_figures(high[at]),
            q=_in_figures(q[at]),
        )

    larger, smaller = (
        of_two(counts[0] / shares.total_a, counts[2] / shares.total_b)
        for of_two in (np.maximum, np.minimum)
    )
    differs = (q < SURE) & ~alike & (larger >= shares.least_share)
    sides, left = [], 0
    for sign in (1, -1):
        sure = np.flatnonzero(differs & (sign * surprise > 0))
        ranked = sure[np.argsort(-sign * surprise[sure], kind="stable")]
        chosen = _first_of_each(
            ranked, [shares.ids[at] for at in tried.tolist()], shares.most_of_one
        )
        sides.append([told(at) for at in chosen[: shares.most]])
        left += len(ranked) - len(sides[-1])
    common = np.flatnonzero(alike & (smaller >= ALIKE_SHARE))
    largest = common[np.argsort(-counts[0][common], kind="stable")][: shares.most]
    return ShareContrast(
        tried=len(tried),
        more_in_a=sides[0],
        more_in_b=sides[1],
        alike=[told(at) for at in largest],
        left=left,
    )


def _in_figures(value: np.floating[Any]) -> float:
    """A number in five figures: of a small one nothing may be left of it after the point."""
    return float(f"{value:.5g}")


def percent(share: float) -> str:
    """A share with one decimal; what is there is never 0."""
    if 0 < share < 0.0005:
        return "under 0.1%"
    return f"{share:.1%}"


def times_of(ratio: float) -> str:
    """A ratio in two figures."""
    if ratio >= LARGE_RATIO:
        return f"over {LARGE_RATIO}"
    return f"{ratio:.0f}" if ratio >= 10 else f"{ratio:.1f}" if ratio >= 0.95 else f"{ratio:.2f}"


def q_in_words(q: float) -> str:
    """A q-value as it is read."""
    return "q < 0.001" if q < 0.001 else f"q = {q:.3f}"


def _first_of_each(ranked: NDArray[np.int64], ids: Sequence[str | None], most: int) -> list[int]:
    """The ranked ones, of each id so many at most."""
    seen: dict[str | None, int] = {}
    chosen = []
    for at in ranked.tolist():
        seen[ids[at]] = seen.get(ids[at], 0) + 1
        if seen[ids[at]] <= most:
            chosen.append(at)
    return chosen

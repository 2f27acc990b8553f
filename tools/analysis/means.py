"""Means of numbers by group, and what each group does to the mean of all.

In: (n,) numbers and codes of groups; out: arrays (g,). Intervals are Student's; groups are held
against all other numbers by Welch's t. Sources: Welch, "The generalization of Student's problem"
(1947); Kitagawa, "Components of a difference between two rates" (1955).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from corpuscope.tools.analysis.rates import LEVEL
from corpuscope.tools.core.schema import Ints

Floats64 = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Sums:
    """Of groups of numbers: how many, their sum, and the sum of squares, both about `centre`."""

    n: Floats64
    total: Floats64
    squares: Floats64
    centre: float

    @property
    def mean(self) -> Floats64:
        """NaN of a group without numbers."""
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.asarray(self.total / self.n + self.centre)

    @property
    def variance(self) -> Floats64:
        """Of each group, by n - 1; NaN of fewer than two numbers."""
        with np.errstate(divide="ignore", invalid="ignore"):
            spread = np.maximum(self.squares - self.total**2 / self.n, 0)
            return np.where(self.n > 1, spread / (self.n - 1), np.nan)

    def summed(self, axis: int | None = None) -> "Sums":
        """The groups of an axis, or all, as one; the axis is kept."""
        n, total, squares = (
            np.asarray(np.sum(each, axis=axis, keepdims=True))
            for each in (self.n, self.total, self.squares)
        )
        return Sums(n, total, squares, self.centre)

    def without(self, part: "Sums") -> "Sums":
        """What is left when a part is taken away; both about the same centre."""
        return Sums(
            self.n - part.n, self.total - part.total, self.squares - part.squares, self.centre
        )


@dataclass(frozen=True, eq=False)
class Shift:
    """A difference (g,), its interval, and the p-value of there being none; NaN where unknown."""

    size: Floats64
    low: Floats64
    high: Floats64
    p: Floats64


def group_sums(numbers: Floats64, codes: Ints, groups: int) -> Sums:
    """The sums of each group; NaN, of records without a number, count nowhere.

    Args:
        numbers: (n,)
        codes: (n,) 0 to `groups` - 1.
        groups: How many groups.
    """
    known = np.isfinite(numbers)
    codes, numbers = codes[known], numbers[known]
    centre = float(numbers.mean()) if len(numbers) else 0.0
    about = numbers - centre
    n, total, squares = (
        np.bincount(codes, weights=weights, minlength=groups).astype(np.float64)
        for weights in (None, about, about**2)
    )
    return Sums(n, total, squares, centre)


def mean_interval(sums: Sums, level: float = LEVEL) -> tuple[Floats64, Floats64]:
    """The interval of each mean by Student's t: (low, high); NaN of fewer than two numbers."""
    with np.errstate(divide="ignore", invalid="ignore"):
        half = _t(sums.n - 1, level) * np.sqrt(sums.variance / sums.n)
    return sums.mean - half, sums.mean + half


def mean_difference(one: Sums, other: Sums, level: float = LEVEL) -> Shift:
    """The mean of one less that of another, group by group, by Welch's t.

    The p-value is the larger one of Welch's and Student's: a few equal numbers have no spread by
    chance, and are nothing sure.
    """
    from scipy import special  # heavy: not when the server starts

    with np.errstate(divide="ignore", invalid="ignore"):
        parts = [each.variance / each.n for each in (one, other)]
        error = np.sqrt(parts[0] + parts[1])
        freedom = (parts[0] + parts[1]) ** 2 / (
            parts[0] ** 2 / (one.n - 1) + parts[1] ** 2 / (other.n - 1)
        )
        size = one.mean - other.mean
        half = _t(freedom, level) * error
        p = 2 * special.stdtr(freedom, -np.abs(size / error))
        spread = (one.n - 1) * one.variance + (other.n - 1) * other.variance
        both = one.n + other.n - 2
        pooled = np.sqrt(spread / both * (1 / one.n + 1 / other.n))
        p = np.fmax(p, 2 * special.stdtr(both, -np.abs(size / pooled)))
    return Shift(size, size - half, size + half, p)


def impact(groups: Sums) -> Shift:
    """How far the mean of all would move if each group were not there, its share being as it is.

    It is the group's share times what the others' mean is above the group's: negative of a group
    that lifts the mean.
    """
    everything = groups.summed()
    shift = mean_difference(everything.without(groups), groups)
    with np.errstate(divide="ignore", invalid="ignore"):
        share = groups.n / everything.n
    return Shift(share * shift.size, share * shift.low, share * shift.high, shift.p)


def mix_and_within(before: Sums, after: Sums) -> tuple[Floats64, Floats64]:
    """What each group adds to the change of the mean between two periods (Kitagawa): (g,) by its
    share having changed (mix), and (g,) by its own mean having changed (within).

    Both together, over all groups, are the change. A group that one period lacks has no mean there:
    its whole part is mix.
    """
    shares = [each.n / max(each.n.sum(), 1) for each in (before, after)]
    means = [each.mean for each in (before, after)]
    known = [np.where(np.isfinite(means[side]), means[side], means[1 - side]) for side in (0, 1)]
    known = [np.nan_to_num(each) for each in known]
    # About the mean of both periods, a group adds only by what sets it apart.
    middle = float(sum((share * mean).sum() for share, mean in zip(shares, known, strict=True)) / 2)
    mix = (shares[1] - shares[0]) * ((known[0] + known[1]) / 2 - middle)
    within = (shares[0] + shares[1]) / 2 * (known[1] - known[0])
    return mix, within


def _t(freedom: Floats64, level: float) -> Floats64:
    from scipy import special  # heavy: not when the server starts

    with np.errstate(invalid="ignore"):
        return np.asarray(special.stdtrit(np.where(freedom > 0, freedom, np.nan), 0.5 + level / 2))

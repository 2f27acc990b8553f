"""Two shares against each other: their ratio with an interval, and how surely they differ.

In: counts of k things among `total_a` and `total_b` records, as (k,) arrays; out: (k,) arrays.
Sources: Katz and others, "Confidence intervals for the risk ratio" (1978); Fisher, "The logic of
inductive inference" (1935); Dunning, "Accurate methods for the statistics of surprise" (1993).
"""

import numpy as np
from numpy.typing import NDArray

from corpuscope.tools.analysis.rates import LEVEL

Numbers = NDArray[np.float64]


def ratio_interval(
    counts_a: NDArray[np.int64], total_a: int, counts_b: NDArray[np.int64], total_b: int
) -> tuple[Numbers, Numbers, Numbers]:
    """The ratio of the shares, and its 95 % interval by its logarithm: (ratio, low, high).

    Where one of both counts is 0 the ratio is 0, infinite, or NaN, and the interval is that with a
    half more in every cell (Haldane 1956).
    """
    from scipy import special

    a, b = counts_a.astype(np.float64), counts_b.astype(np.float64)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = (a / total_a) / (b / total_b)
    half = np.where((a == 0) | (b == 0), 0.5, 0.0)
    a, b = a + half, b + half
    all_a, all_b = total_a + 2 * half, total_b + 2 * half
    middle = np.log(a / all_a) - np.log(b / all_b)
    wide = special.ndtri(0.5 + LEVEL / 2) * np.sqrt(1 / a - 1 / all_a + 1 / b - 1 / all_b)
    return ratio, np.exp(middle - wide), np.exp(middle + wide)


def exact_p_values(
    counts_a: NDArray[np.int64], total_a: int, counts_b: NDArray[np.int64], total_b: int
) -> Numbers:
    """Twice the smaller tail of Fisher's exact test, at most 1: sound for small counts, too."""
    from scipy import stats

    drawn = stats.hypergeom(total_a + total_b, counts_a + counts_b, total_a)
    tail = np.minimum(drawn.cdf(counts_a), drawn.sf(counts_a - 1))
    return np.asarray(np.minimum(1.0, 2 * tail))


def signed_surprise(
    counts_a: NDArray[np.int64], total_a: int, counts_b: NDArray[np.int64], total_b: int
) -> Numbers:
    """The signed root of the log-likelihood ratio: above 0 where the share is larger in a. What is
    common and differs comes before what is rare and differs as many times."""
    from scipy import special

    share = (counts_a + counts_b) / (total_a + total_b)
    ratio = np.zeros(len(share))
    for counts, total in ((counts_a, total_a), (counts_b, total_b)):
        for seen, expected in ((counts, total * share), (total - counts, total * (1 - share))):
            ratio += 2 * special.xlogy(seen, seen / np.maximum(expected, np.finfo(float).tiny))
    sign = np.sign(counts_a / total_a - counts_b / total_b)
    return np.asarray(sign * np.sqrt(np.maximum(ratio, 0)))

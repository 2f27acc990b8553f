"""Shares and what they are worth: intervals, ratios and q-values.

In: counts as arrays; out: arrays of the same shape. Sources: Wilson, "Probable inference" (1927);
Benjamini and Hochberg, "Controlling the false discovery rate" (1995).
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray

LEVEL = 0.95
"""Of every interval that is told."""


def wilson_interval(
    counts: ArrayLike, totals: ArrayLike, level: float = LEVEL
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The interval of a share, `counts` of `totals`, by Wilson's score: (low, high), each 0 to 1;
    NaN where the total is 0."""
    from scipy import special  # heavy: not when the server starts

    count, total = (np.asarray(each, np.float64) for each in (counts, totals))
    z = special.ndtri(0.5 + level / 2)
    with np.errstate(divide="ignore", invalid="ignore"):
        share = count / total
        middle = (share + z**2 / (2 * total)) / (1 + z**2 / total)
        half = z * np.sqrt(share * (1 - share) / total + z**2 / (4 * total**2)) / (1 + z**2 / total)
    return np.clip(middle - half, 0, 1), np.clip(middle + half, 0, 1)


def q_values(p_values: ArrayLike) -> NDArray[np.float64]:
    """The false discovery rates at which p-values (m,) count, by Benjamini-Hochberg; NaN, of what
    could not be tried, stays and does not count as tried."""
    given = np.asarray(p_values, np.float64)
    adjusted = np.full(given.shape, np.nan)
    tried = np.isfinite(given)
    p = np.sort(given[tried])
    # As scipy's false_discovery_control, whose module takes a second to load.
    steps = np.minimum.accumulate((p * len(p) / np.arange(1, len(p) + 1))[::-1])[::-1]
    places = np.empty(len(p), np.int64)
    places[np.argsort(given[tried], kind="stable")] = np.arange(len(p))
    adjusted[tried] = np.minimum(steps, 1)[places]
    return adjusted

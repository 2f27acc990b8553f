"""Records counted by two things at once: which cells hold more or fewer than they should.

In: (n,) codes of rows and columns; out: arrays (r, c). A cell should hold row total · column total
/ all. Sources: Haberman, "The analysis of residuals in cross-classified tables" (1973); Dunning,
"Accurate methods for the statistics of surprise and coincidence" (1993).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from corpuscope.tools.analysis.rates import q_values
from corpuscope.tools.core.schema import Ints

FEWEST_EXPECTED = 1.0
"""Of a cell that should hold less, nothing can be known but by a great surprise: it is not tried,
so that thousands of empty ones do not hide what is there."""

Floats64 = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class CrossTable:
    """Of (r, c) cells: `lift`, the share in the row against that of all; `residual`, adjusted, as
    standard deviations; `evidence`, the signed root of the log-likelihood ratio of the cell against
    all else, which holds for small counts too; `q` of that, NaN where a cell was not tried."""

    counts: NDArray[np.int64]
    lift: Floats64
    residual: Floats64
    evidence: Floats64
    q: Floats64

    @property
    def tried(self) -> int:
        """Cells whose evidence was looked at."""
        return int(np.isfinite(self.q).sum())


def pair_counts(rows: Ints, columns: Ints, shape: tuple[int, int]) -> NDArray[np.int64]:
    """(r, c) how many of n records have each pair of codes."""
    pairs = rows.astype(np.int64) * shape[1] + columns
    return np.bincount(pairs, minlength=shape[0] * shape[1]).reshape(shape)


def cross_table(
    counts: NDArray[np.int64], tried: NDArray[np.bool_], dispersion: float = 1.0
) -> CrossTable:
    """What a table of counts (r, c) shows.

    Args:
        counts: All records of the table, so that its margins are right.
        tried: (r, c) the cells that mean something: not those of noise, or of all other values.
        dispersion: How many times their variance by chance the counts have, at least 1.
    """
    from scipy import special  # heavy: not when the server starts

    a = counts.astype(np.float64)
    row, column, total = a.sum(1, keepdims=True), a.sum(0, keepdims=True), max(a.sum(), 1.0)
    expected = row * column / total
    with np.errstate(divide="ignore", invalid="ignore"):
        lift = a / expected
        residual = (a - expected) / np.sqrt(expected * (1 - row / total) * (1 - column / total))
    b, c = row - a, column - a
    d = total - row - column + a
    ratio = 2 * (
        _surprise(a, expected)
        + _surprise(b, row * (total - column) / total)
        + _surprise(c, column * (total - row) / total)
        + _surprise(d, (total - row) * (total - column) / total)
    )
    evidence = np.sign(a - expected) * np.sqrt(np.maximum(ratio, 0) / dispersion)
    p = np.where(tried & (expected >= FEWEST_EXPECTED), 2 * special.ndtr(-np.abs(evidence)), np.nan)
    return CrossTable(counts, lift, residual, evidence, q_values(p))


def _surprise(seen: Floats64, expected: Floats64) -> Floats64:
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(seen > 0, seen * np.log(seen / expected), 0.0)

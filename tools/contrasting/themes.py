"""Themes over and under: what share of either side is in each theme of a run, and in its noise.

In: two sides of one dataset, and which theme each record is in. Out: their differences, or None
where the sides are such that themes say nothing.
"""

import numpy as np

from corpuscope.tools.contrasting.differences import ShareContrast, Shares, contrast_shares
from corpuscope.tools.core.schema import NOISE
from corpuscope.tools.tables.mask import Mask
from corpuscope.tools.workspace.selection import Selection
from corpuscope.tools.workspace.slices import IN_NOISE, NOT_IN_RUN, ThemeColumn

THEMES_TOLD = 8
"""Of each side."""


def contrast_themes(
    selection: Selection, column: ThemeColumn, a: Mask, b: Mask
) -> ShareContrast | None:
    """The themes that are over and under in a; None where the sides have not two in common: then
    they were chosen by theme."""
    count = len(column.themes)
    in_a, in_b = (theme_counts(column, mask) for mask in (a, b))
    both = (in_a[1 : count + 1] > 0) & (in_b[1 : count + 1] > 0)
    if both.sum() < 2:
        return None
    themes = column.themes
    ids = [NOISE, *(theme.id for theme in themes)]
    names = [NOISE, *(f"{theme.id} {selection.label(theme)}" for theme in themes)]
    return contrast_shares(
        Shares(
            ids=ids,
            names=names,
            counts_a=in_a[: count + 1],
            total_a=int(a.sum()),
            counts_b=in_b[: count + 1],
            total_b=int(b.sum()),
            most=THEMES_TOLD,
            most_of_one=1,
        )
    )


def theme_counts(column: ThemeColumn, mask: Mask) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """(k + 1,) how many of the chosen records are in the noise, and then in each of the k themes.

    Those that the run does not know are in none."""
    assert IN_NOISE - 1 == NOT_IN_RUN
    counted = np.bincount(column.codes[mask] - NOT_IN_RUN, minlength=len(column.themes) + 2)
    return counted[1:].astype(np.int64)

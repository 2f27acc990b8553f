"""What makes a series misleading: a total that jumps, a source that is silent, a cut period.

In: the totals of the periods and the columns of strings; out: sentences that say what to look at.
"""

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from corpuscope.tools.analysis.cross_table import pair_counts
from corpuscope.tools.analysis.series import jumps, rough_dispersion, silent_stretch
from corpuscope.tools.core.schema import DatasetCard, Ints
from corpuscope.tools.counting.movements import SeriesTable
from corpuscope.tools.workspace.selection import shown_values
from corpuscope.tools.workspace.tables import record_table
from corpuscope.tools.workspace.workspace import Workspace

MOST_SOURCES, MOST_SOURCE_COLUMNS = 50, 8
"""Values of a column that is one of sources, and columns that are looked at."""

SILENT_SHARE, FEWEST_MISSING = 0.05, 20.0
"""Of what the others let expect, the share up to which a source counts as silent, and how many
records must be missing."""

CLEAR_JUMP = 1.5
"""How many times the records of a period become more or less where the total jumps."""

MOST_WARNINGS = 3


def total_jumps(periods: list[str], totals: NDArray[np.int64], bin_: str) -> list[str]:
    """Where the number of all records jumps, beside its rhythm; `bin_` is what a period is."""
    counts = totals[None, :]
    [places] = jumps(counts, np.ones(len(totals)), rough_dispersion(totals))
    edges = [0, *places, len(totals)]
    levels = [float(totals[i:j].mean()) for i, j in pairwise(edges)]
    told = []
    for place, (before, after) in zip(places, pairwise(levels), strict=True):
        if max(before, after) >= CLEAR_JUMP * min(before, after):
            more = "more" if after > before else "fewer"
            cut = (place == 1 and more == "more") or (place == len(totals) - 1 and more == "fewer")
            hint = f" The {bin_} at that end may be cut off." if cut and bin_ != "day" else ""
            told.append(
                f"from {periods[place]} on there are {more} records: {after:,.0f} a {bin_}, "
                f"{before:,.0f} before.{hint}"
            )
    return told[:MOST_WARNINGS]


def silent_sources(
    workspace: Workspace,
    card: DatasetCard,
    rows: NDArray[np.int64],
    codes: Ints,
    table: SeriesTable,
) -> list[str]:
    """Values of another column of strings that are silent for a time while the others are not.

    Args:
        workspace: What all tools share.
        card: The dataset.
        rows: (m,) the records of the dataset's table that are counted.
        codes: (m,) the period of each.
        table: The periods, and their totals.
    """
    told: list[str] = []
    strings = [
        name
        for name, kind in card.metadata_columns.items()
        if kind == "string" and name != table.by
    ]
    looked_at = 0
    for name in strings:
        column = record_table(workspace, card).column(name)
        if not 2 <= len(column.values) <= MOST_SOURCES or looked_at == MOST_SOURCE_COLUMNS:
            continue
        looked_at += 1
        values = np.where(column.codes[rows] < 0, len(column.values), column.codes[rows])
        shape = (len(column.values) + 1, len(table.periods))
        counts = pair_counts(values.astype(np.int32), codes, shape)[:-1]
        totals = counts.sum(0)
        there = [at for at in range(len(counts)) if counts[at].sum()]
        found = {
            at: stretch
            for at in there
            if (stretch := silent_stretch(counts[at], totals, SILENT_SHARE, FEWEST_MISSING))
        }
        # Where most values have their own time, it is what the column is about: versions.
        if 2 * len(found) > len(there):
            continue
        names = shown_values(workspace, name, [str(column.values[at]) for at in found])
        for at, (first, last) in found.items():
            value = names[str(column.values[at])]
            when = table.periods[first]
            when += f" to {table.periods[last]}" if last > first else ""
            told.append(
                f"next to nothing of '{value}' ({name}) {when}, while others go on: themes of it "
                f'move for that alone. Without it: where={{"{name}": {{"ne": "{value}"}}}}.'
            )
    return told[:MOST_WARNINGS]

"""What records are counted by: the themes of a run, their headings, a column, the time.

In: a name as a client writes it, `theme`, `heading`, `airline`, `date:week`; out: for each record
of the dataset's table the place of its value among all that there are.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np

from corpuscope.tools.core.errors import BadInput
from corpuscope.tools.core.schema import NOISE, DatasetCard, Ints
from corpuscope.tools.core.values import is_missing
from corpuscope.tools.tables.periods import BINS, Bin, date_periods, fitting_bin
from corpuscope.tools.tables.table import Column
from corpuscope.tools.workspace.headings import theme_groups
from corpuscope.tools.workspace.selection import Selection, select, shown_values
from corpuscope.tools.workspace.slices import theme_column
from corpuscope.tools.workspace.tables import record_table
from corpuscope.tools.workspace.workspace import Workspace

THEME, HEADING = "theme", "heading"
COLUMN_SIGN = "column:"
"""Before the name of a column that is called as a run's parts are, or holds a colon."""

Kind: TypeAlias = Literal[
    "theme", "value", "period", "noise", "no heading", "not in run", "missing"
]
"""What a place stands for; the last four are no value of their own."""

MISSING_LABEL = "(no value)"
NUMERIC = ("number", "boolean")
"""The types of columns that have a mean; of true and false it is the share of true."""


@dataclass(frozen=True, eq=False)
class Dimension:
    """`codes` (n,): the place of each record in `keys` (m,), which holds a cluster's id, a period's
    name, or a value; `kinds` (m,) says which. The order of `keys` is that of ids, time or value."""

    name: str
    codes: Ints
    keys: Sequence[str]
    kinds: Sequence[Kind]
    labels: Callable[[Sequence[int]], list[str]]
    """What to call some places, as it may be shown."""
    bin: Bin | None = None

    @property
    def plain(self) -> Sequence[int]:
        """The places that are values of their own."""
        return [at for at, kind in enumerate(self.kinds) if kind in ("theme", "value", "period")]


@dataclass(frozen=True)
class RunChoice:
    """The run that themes are of, as a client names it."""

    run: str | None = None
    layer: int | None = None
    needed: bool = False
    """Whether a run is needed for more than what is counted by."""


def dimension(
    workspace: Workspace, card: DatasetCard, selection: Selection | None, name: str
) -> Dimension:
    """The dimension of a name.

    Args:
        workspace: What all tools share.
        card: The dataset.
        selection: Where `name` is theme or heading, the run.
        name: As the module explains.

    Raises:
        BadInput: No such column, or a bin on what is no date; says what there is.
        NotReady: The run is of other records.
    """
    if name in (THEME, HEADING) and selection is not None:
        by_theme = _theme_dimension(workspace, selection)
        return by_theme if name == THEME else _heading_dimension(selection, by_theme)
    column, bin_ = column_and_bin(card, name, THEME, HEADING)
    values = record_table(workspace, card).column(column)
    if values.kind == "date":
        return _date_dimension(values, bin_ or fitting_bin(values))
    return _value_dimension(workspace, values)


def number_column(workspace: Workspace, card: DatasetCard, name: str) -> Column:
    """A column of numbers, or of true and false as 1 and 0.

    Raises:
        BadInput: There is none of this name, or it holds something else.
    """
    fitting = [each for each, kind in card.metadata_columns.items() if kind in NUMERIC]
    kind = card.metadata_columns.get(name)
    if kind not in NUMERIC:
        wrong = f"holds {kind}s" if kind else "is no column"
        raise BadInput(
            f"A mean needs numbers: '{name}' {wrong}. Columns of numbers: "
            f"{', '.join(fitting) or 'none; count records instead'}."
        )
    return record_table(workspace, card).column(name)


def _theme_dimension(workspace: Workspace, selection: Selection) -> Dimension:
    themes = theme_column(workspace, selection)
    count = len(themes.themes)
    names = [selection.label(theme) for theme in themes.themes]
    names += [NOISE, f"(not in run {selection.run.id})"]
    # -1 is noise and -2 not in the run: behind the themes.
    codes = np.where(themes.codes < 0, count - 1 - themes.codes, themes.codes).astype(np.int32)
    kinds: list[Kind] = [*(["theme"] * count), "noise", "not in run"]  # type: ignore[list-item]
    keys = [*(theme.id for theme in themes.themes), NOISE, ""]
    return Dimension(THEME, codes, keys, kinds, lambda places: [names[at] for at in places])


def _heading_dimension(selection: Selection, themes: Dimension) -> Dimension:
    try:
        groups = theme_groups(selection, True)
    except BadInput as error:
        raise BadInput(
            f"Run {selection.run.id} has no headings above its themes to count by. Count by "
            f"{THEME}, or by {THEME} with layer=0, the coarsest."
        ) from error
    headed = [group for group in groups if group.heading is not None]
    count = len(headed)
    place = {theme.id: at for at, group in enumerate(headed) for theme in group.themes}
    to_heading = [place.get(key, count) for key in themes.keys[:-2]] + [count + 1, count + 2]
    nodes = [group.heading for group in headed if group.heading is not None]
    names = [selection.label(node) for node in nodes]
    names += ["(under no heading)", NOISE, f"(not in run {selection.run.id})"]
    kinds: list[Kind] = ["theme"] * count
    kinds += ["no heading", "noise", "not in run"]
    keys = [*(node.id for node in nodes), "", NOISE, ""]
    codes = np.array(to_heading, np.int32)[themes.codes]
    return Dimension(HEADING, codes, keys, kinds, lambda places: [names[at] for at in places])


def _date_dimension(column: Column, bin_: Bin) -> Dimension:
    periods = date_periods(column, bin_)
    names = [*periods.names, MISSING_LABEL]
    kinds: list[Kind] = ["period"] * len(periods.names)
    kinds.append("missing")
    codes = np.where(periods.codes < 0, len(periods.names), periods.codes).astype(np.int32)
    name = f"{column.name}:{bin_}"
    return Dimension(name, codes, names, kinds, lambda places: [names[at] for at in places], bin_)


def _value_dimension(workspace: Workspace, column: Column) -> Dimension:
    values = column.values.tolist()
    keys = [_written(value) for value in values]
    kinds: list[Kind] = ["value"] * len(keys)
    kinds.append("missing")

    def labels(places: Sequence[int]) -> list[str]:
        asked = {keys[at] for at in places if at < len(keys)}
        shown = shown_values(workspace, column.name, asked)
        return [shown[keys[at]] if at < len(keys) else MISSING_LABEL for at in places]

    # Blanks say nothing; the last place is that of a missing value.
    place = [len(keys) if is_missing(key) else at for at, key in enumerate(keys)]
    codes = np.array([*place, len(keys)], np.int32)[column.codes]
    return Dimension(column.name, codes, [*keys, ""], kinds, labels)


def _written(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        return str(int(value))
    return str(value)


def column_and_bin(card: DatasetCard, name: str, *others: str) -> tuple[str, Bin | None]:
    """A column by its name, `airline`, `column:theme`, or with the bin of dates, `created:week`.

    Args:
        card: The dataset.
        name: What a client wrote.
        others: What else could have been asked for.

    Raises:
        BadInput: No such column, or a bin on what is no date; says what there is.
    """
    columns = card.metadata_columns
    said = name.removeprefix(COLUMN_SIGN)
    if said in columns:
        return said, None
    column, colon, wanted = said.rpartition(":")
    if not colon or column not in columns:
        known = ", ".join(f"{each} ({kind})" for each, kind in columns.items())
        dates = [each for each, kind in columns.items() if kind == "date"]
        binned = f"; {dates[0]}:{'|'.join(BINS)}" if dates else ""
        raise BadInput(
            f"Nothing called '{said}'. Valid: {', '.join(others)}, "
            f"{known or 'no column: this dataset has no metadata'}{binned}."
        )
    if columns[column] != "date":
        raise BadInput(
            f"'{column}' holds {columns[column]}s, not dates: it has no {wanted}s. "
            f"Take '{column}' itself{_other_dates(card)}. Dates are read as such at ingest "
            "where they are ISO 8601 (2024-04-01)."
        )
    for each in BINS:
        if wanted.casefold().removesuffix("s") == each:
            return column, each
    raise BadInput(f"Dates are binned by {', '.join(BINS)}, not by '{wanted}': {column}:week.")


def _other_dates(card: DatasetCard) -> str:
    dates = [each for each, kind in card.metadata_columns.items() if kind == "date"]
    return f", or a column of dates: {', '.join(dates)}" if dates else ""


def run_for(
    workspace: Workspace, card: DatasetCard, choice: RunChoice, names: Sequence[str]
) -> Selection | None:
    """The run that the dimensions need; None where they need none.

    Raises:
        NotFound: No such run, or the dataset has none.
        BadInput: No such layer.
    """
    of_run = choice.needed or any(name in (THEME, HEADING) for name in names)
    if not of_run and choice.run is None and choice.layer is None:
        return None
    return select(workspace, card.name, choice.run, choice.layer)

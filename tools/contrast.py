"""The tool `contrast`."""

from typing import Annotated

import numpy as np
from pydantic import BeforeValidator, Field

from corpuscope.tools.contrasting.differences import ShareContrast
from corpuscope.tools.contrasting.matches import ThemeMatches, match_themes
from corpuscope.tools.contrasting.metadata import MetadataContrast, contrast_metadata, value_name
from corpuscope.tools.contrasting.result import Differences, SideLine
from corpuscope.tools.contrasting.sides import (
    REST,
    Side,
    SideScope,
    SideSpec,
    read_sides,
    run_alone,
)
from corpuscope.tools.contrasting.themes import contrast_themes
from corpuscope.tools.contrasting.words import words_and_quotes
from corpuscope.tools.core.schema import Result
from corpuscope.tools.runs.comparison import RunComparison, compare_selected, run_before
from corpuscope.tools.workspace.arguments import DatasetName, LayerIndex, RunId, as_id
from corpuscope.tools.workspace.selection import select, shown_values
from corpuscope.tools.workspace.slices import NOT_IN_RUN, ThemeColumn, theme_column
from corpuscope.tools.workspace.tables import record_table
from corpuscope.tools.workspace.workspace import Workspace


class Contrast(Result):
    """What two sides differ in, or what changed between two runs."""

    differences: Differences | None = None
    changes: RunComparison | None = None

    def as_text(self) -> str:
        """Whichever there is."""
        said = self.differences or self.changes
        return said.as_text() if said else ""


def contrast(
    workspace: Workspace,
    a: Annotated[
        SideSpec,
        BeforeValidator(as_id),
        Field(
            description='Cluster id, list of ids, run, "rest", or filter, which may name cluster, '
            'run, dataset, too: "3.1", ["3", "noise"], "r2", {"airline": "United"}, {"cluster": '
            '"3", "date": {"gte": "2024-05-01"}}, {"dataset": "other"}.'
        ),
    ],
    b: Annotated[
        SideSpec,
        BeforeValidator(as_id),
        Field(description="The same; left out: all that is not a."),
    ] = REST,
    dataset: DatasetName = None,
    run: RunId = None,
    layer: LayerIndex = None,
) -> Contrast:
    """Say what sets one part of the texts apart from another: a against b.

    Themes over and under (shares, ratio with interval, q-value), telling words, metadata, what is
    alike, two quotes of each. Sides that share no collection: themes matched by meaning. Two runs
    of the same records: themes kept, new, gone, split, merged (b left out: the run before).
    """
    scope = SideScope(dataset, run, layer)
    alone = run_alone(a) if b == REST else None
    if alone is not None:
        later = select(workspace, dataset, alone)
        b = run_before(workspace, later.run).id
    sides = read_sides(workspace, scope, a, b)
    changes = _changes(workspace, *sides)
    if changes is not None:
        return Contrast(changes=changes)
    return Contrast(differences=_differences(workspace, *sides))


def _changes(workspace: Workspace, a: Side, b: Side) -> RunComparison | None:
    """What changed between two runs of one dataset; None where the sides are none, or have no
    record in common."""
    if not (a.wanted.is_run and b.wanted.is_run and a.card.name == b.card.name):
        return None
    assert a.selection is not None
    assert b.selection is not None
    return compare_selected(workspace, a.selection, b.selection)


def _differences(workspace: Workspace, a: Side, b: Side) -> Differences:
    first = _themes_of(workspace, a)
    same = a.selection and b.selection and a.selection.run.id == b.selection.run.id
    alike = same and a.card.collection == b.card.collection
    columns = first, first if alike else _themes_of(workspace, b)
    shared = _shared(a, b)
    apart = not a.shares_table_with(b) or (not shared and a.wanted.is_run and b.wanted.is_run)
    themes = matches = said = metadata = None
    if apart:
        matches = match_themes(workspace, (a, b), columns)
    elif a.selection and columns[0] and a.mask is not None and b.mask is not None:
        themes = contrast_themes(a.selection, columns[0], a.mask, b.mask)
    if a.mask is not None and b.mask is not None:
        said = words_and_quotes(workspace, (a, b), columns, _over(themes, matches))
        metadata = _metadata(workspace, a, b)
    return Differences(
        a=_line(a),
        b=_line(b),
        shared=shared,
        notes=_notes(a, b, columns, apart, themes is None),
        themes=themes,
        matches=matches,
        words=said.words if said else None,
        metadata=metadata,
        quotes_a=said.quotes_a if said else [],
        quotes_b=said.quotes_b if said else [],
    )


def _over(themes: ShareContrast | None, matches: ThemeMatches | None) -> tuple[set[str], set[str]]:
    """The themes that either side has more of, or alone."""
    if themes is not None:
        listed = themes.more_in_a, themes.more_in_b
        return {str(one.id) for one in listed[0]}, {str(one.id) for one in listed[1]}
    if matches is not None:
        return {one.theme.id for one in matches.only_a}, {one.theme.id for one in matches.only_b}
    return set(), set()


def _line(side: Side) -> SideLine:
    return SideLine(
        name=side.name,
        label=side.label,
        dataset=side.card.name,
        run=side.selection.run.id if side.selection else None,
        records=side.records,
    )


def _shared(a: Side, b: Side) -> int:
    if a.mask is None or b.mask is None or not a.shares_table_with(b):
        return 0
    return int(np.count_nonzero(a.mask & b.mask))


def _themes_of(workspace: Workspace, side: Side) -> ThemeColumn | None:
    """Which theme each record is in; None where there is no run of the records there are."""
    selection = side.selection
    if selection is None or selection.run.collection != side.card.collection:
        return None
    return theme_column(workspace, selection)


def _metadata(workspace: Workspace, a: Side, b: Side) -> MetadataContrast | None:
    """What the metadata differ in that both datasets have."""
    assert a.mask is not None
    assert b.mask is not None
    kinds = b.card.metadata_columns
    common = [name for name, kind in a.card.metadata_columns.items() if kinds.get(name) == kind]
    if not common:
        return None
    tables = record_table(workspace, a.card), record_table(workspace, b.card)
    found = contrast_metadata(tables, (a.mask, b.mask), common, a.columns | b.columns)
    told = {
        (one.id or "", one.name)
        for one in [*found.values.more_in_a, *found.values.more_in_b, *found.values.alike]
    }
    names = {
        (column, value): value_name(column, shown_values(workspace, column, [value])[value])
        for column, value in told
    }
    # The middle of a column of card numbers is one of them.
    harmless = [
        number
        for number in found.numbers
        if (medians := [f"{value:.0f}" for value in (number.median_a, number.median_b)])
        == [*map(shown_values(workspace, number.column, medians).get, medians)]
    ]
    return found.with_shown(names, harmless)


def _notes(
    a: Side,
    b: Side,
    columns: tuple[ThemeColumn | None, ThemeColumn | None],
    apart: bool,
    no_themes: bool,
) -> list[str]:
    """What to know before the numbers are read."""
    notes = []
    for side, column in ((a, columns[0]), (b, columns[1])):
        if side.mask is None:
            notes.append(
                f"The records of {side.label} are gone ('{side.card.name}' was replaced): only its "
                "themes can be compared."
            )
        elif column is not None and not apart:
            unknown = int(np.count_nonzero(column.codes[side.mask] == NOT_IN_RUN))
            if unknown:
                notes.append(
                    f"{unknown:,} records of {side.label} are not in the run, in no theme."
                )
    if not apart and a.selection is None:
        notes.append("Not clustered yet, so nothing is said of themes: `cluster` finds them.")
    elif not apart and no_themes:
        notes.append("Themes are left out: these sides are themes, or the dataset was replaced.")
    return notes

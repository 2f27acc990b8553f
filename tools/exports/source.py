"""What is exported: the records of a dataset, or some of them, with the theme of each.

In: a dataset, a run of it where there is one, and a filter; out: arrays over the k records chosen.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from corpuscope.tools.core.errors import BadInput
from corpuscope.tools.core.schema import DatasetCard, Floats, Ints, Members, Node
from corpuscope.tools.tables.table import RecordTable
from corpuscope.tools.tables.where import Where
from corpuscope.tools.workspace.headings import theme_groups
from corpuscope.tools.workspace.selection import Selection
from corpuscope.tools.workspace.slices import IN_NOISE, cluster_mask, theme_column
from corpuscope.tools.workspace.tables import record_table, where_rows
from corpuscope.tools.workspace.workspace import Workspace


@dataclass(frozen=True, eq=False)
class RunPlaces:
    """Where a run has the records chosen.

    `themes`: those that the run shows; `codes` (k,): the place of each record's theme in them,
    `IN_NOISE` or `NOT_IN_RUN`; `rows` (k,): its row of `members`, -1 where the run does not know
    it; `strengths` (k,) float32, NaN likewise; `headings`: the theme's id to the cluster that it
    stands under, without those that stand under none.
    """

    selection: Selection
    members: Members
    themes: Sequence[Node]
    headings: dict[str, Node]
    codes: Ints
    rows: NDArray[np.int64]
    strengths: Floats

    @property
    def sizes(self) -> NDArray[np.int64]:
        """(themes,) how many of the records chosen are in each theme."""
        there = self.codes[self.codes >= 0]
        return np.bincount(there, minlength=len(self.themes)).astype(np.int64)

    @property
    def noise(self) -> int:
        """How many of the records chosen are noise."""
        return int((self.codes == IN_NOISE).sum())

    @property
    def known(self) -> int:
        """How many of the records chosen the run knows."""
        return int((self.rows >= 0).sum())


@dataclass(frozen=True, eq=False)
class ExportSource:
    """The records to export: `rows` (k,), their rows of the dataset's table, rising.

    `whole`: whether they are all there are; `places`: where they are in the run; None where there
    is no run.
    """

    card: DatasetCard
    table: RecordTable
    rows: NDArray[np.int64]
    whole: bool
    places: RunPlaces | None

    def __len__(self) -> int:
        return len(self.rows)


def export_source(
    workspace: Workspace,
    card: DatasetCard,
    selection: Selection | None,
    where: Where | None,
    cluster: str | None = None,
) -> ExportSource:
    """The records of a dataset that fit a filter, or are in a cluster as well.

    Raises:
        BadInput: A filter that cannot be, or no record fits.
        NotFound: No such cluster.
        NotReady: The run is of other records: the dataset was replaced.
    """
    table = record_table(workspace, card)
    fits = where_rows(workspace, card, where)
    if cluster is not None and selection is not None:
        fits = fits & cluster_mask(workspace, selection, cluster)
    rows = np.flatnonzero(fits)
    if not len(rows):
        inside = f" in cluster {cluster}" if cluster is not None else ""
        raise BadInput(
            f"Nothing to export: none of the {len(table):,} records of '{card.name}' fits{inside}. "
            "Loosen `where`, or leave it out; `get-members` shows what values records have."
        )
    places = None
    if selection is not None:
        places = _run_places(workspace, selection, rows, len(table))
    return ExportSource(card, table, rows, len(rows) == len(table), places)


def _run_places(
    workspace: Workspace, selection: Selection, rows: NDArray[np.int64], count: int
) -> RunPlaces:
    column = theme_column(workspace, selection)
    members = workspace.runs.members(selection.run)
    at = record_table(workspace, selection.card).rows_of(members.ids)
    member_of = np.full(count, -1, np.int64)
    member_of[at[at >= 0]] = np.flatnonzero(at >= 0)
    chosen = member_of[rows]
    strengths = np.append(members.strengths, np.float32(np.nan))[chosen].astype(np.float32)
    return RunPlaces(
        selection=selection,
        members=members,
        themes=column.themes,
        headings=_headings(selection),
        codes=column.codes[rows],
        rows=chosen,
        strengths=strengths,
    )


def _headings(selection: Selection) -> dict[str, Node]:
    """The heading of each theme, where the themes are so many that they stand under some."""
    return {
        theme.id: group.heading
        for group in theme_groups(selection)
        if group.heading is not None
        for theme in group.themes
    }

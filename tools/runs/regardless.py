"""Columns that themes are found across: their values are read, and what groups share is taken off.

In come loaded records and columns, out come the same records with other vectors, and the offsets
that were taken off, which are kept with the run.
"""

from collections.abc import Sequence

from corpuscope.tools.clustering.nuisance import (
    FEWEST_IN_GROUP,
    Groups,
    find_offsets,
    group_records,
)
from corpuscope.tools.core.errors import BadInput
from corpuscope.tools.core.schema import DatasetCard, GroupOffsets, Scalar
from corpuscope.tools.store.store import MAX_FETCHED_BY_ID
from corpuscope.tools.workspace.reading import LoadedDataset, without_offsets
from corpuscope.tools.workspace.workspace import Workspace

LEAST_NAMED = 0.5
"""Share of the records whose value must be frequent enough to be a group: where most values are
rarer, a group's mean says nothing about most of the texts, and they would stay as they were."""


def check_columns(card: DatasetCard, columns: Sequence[str]) -> list[str]:
    """The columns, each once, if the dataset has them.

    Raises:
        BadInput: One is not there, or is the text itself; the message lists those there are.
    """
    listed = ", ".join(card.metadata_columns) or "none: ingest again with metadata_columns"
    for column in columns:
        if column in card.metadata_columns:
            continue
        if column in card.text_columns:
            raise BadInput(
                f"regardless_of names '{column}', which is the text itself. Give a column that "
                f"says where a text comes from. Columns: {listed}."
            )
        raise BadInput(f"No column '{column}' in '{card.name}'. Columns: {listed}.")
    return list(dict.fromkeys(columns))


def set_aside(
    workspace: Workspace,
    card: DatasetCard,
    loaded: LoadedDataset,
    columns: Sequence[str],
    *,
    part: bool = False,
) -> tuple[LoadedDataset, GroupOffsets]:
    """Loaded records with the means of the groups of these columns taken off their vectors.

    In a `part` of a run whose columns are good for the whole, values may be few or rare: then
    there is little or nothing to take off.

    Raises:
        BadInput: A column has one value only, or values too rare to be groups.
    """
    metadata = read_metadata(workspace, card, loaded.corpus.ids)
    groups = [group_records([row.get(column) for row in metadata]) for column in columns]
    if not part:
        groups = [_checked(*pair) for pair in zip(columns, groups, strict=True)]
    offsets = find_offsets(loaded.corpus, columns, groups)
    return without_offsets(loaded, offsets, offsets.codes), offsets


def read_metadata(
    workspace: Workspace, card: DatasetCard, ids: Sequence[str]
) -> list[dict[str, Scalar]]:
    """The metadata of records, in the order of their ids; nothing for one that is not there."""
    if len(ids) <= MAX_FETCHED_BY_ID:
        records = workspace.store.fetch(card, ids)
        found = {record_id: record.metadata for record_id, record in records.items()}
    else:
        found = {
            row["id"]: row["metadata"]
            for rows in workspace.store.scan(card, ["id", "metadata"])
            for row in rows
        }
    return [found.get(record_id) or {} for record_id in ids]


def _checked(column: str, groups: Groups) -> Groups:
    """The groups, if there is something to take off.

    Raises:
        BadInput: There is one value only, or most values are too rare.
    """
    if groups.values < 2:
        raise BadInput(
            f"All records have the same '{column}', so there is nothing to look past. "
            f"Leave it out of regardless_of."
        )
    if groups.named < LEAST_NAMED:
        raise BadInput(
            f"'{column}' has {groups.values:,} values, and only {groups.named:.0%} of the records "
            f"have one that at least {FEWEST_IN_GROUP} share: too few to know what such texts have "
            f"in common. Give a column with fewer values in regardless_of, or leave names and "
            f"handles out of the vectors: ingest(mode='replace', mask=['handles'])."
        )
    return groups

"""The table of a dataset, kept until its records change; and filters on it.

In: a dataset's card; out: the columns of all its records. It is read from the store once for each
revision of the dataset, into a file beside its other caches, which may be deleted at any time.
"""

import logging
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from corpuscope.tools.core.disk import spare_bytes
from corpuscope.tools.core.files import written_aside
from corpuscope.tools.core.schema import DatasetCard
from corpuscope.tools.tables.mask import Mask, fitting_rows
from corpuscope.tools.tables.table import RecordTable, build_table, read_table, write_table
from corpuscope.tools.tables.where import Where, parse_where
from corpuscope.tools.workspace.reading import folder_of
from corpuscope.tools.workspace.workspace import Workspace

FORMAT = 1
"""Goes up with every change of what a table is: older files do not hold."""

FIELDS = ("id", "text", "metadata")

logger = logging.getLogger(__name__)


def record_table(workspace: Workspace, card: DatasetCard) -> RecordTable:
    """The columns of all records of a dataset.

    Raises:
        Unavailable: Milvus cannot be reached.
        NotFound: The dataset was deleted meanwhile.
    """
    key = (card.collection, card.revision, tuple(card.metadata_columns.items()))
    if card.changing:
        return _from_store(workspace, card)
    return workspace.tables.of(key, lambda: _kept_table(workspace, card))


def where_rows(workspace: Workspace, card: DatasetCard, where: Where | None) -> Mask:
    """(n,) which records of the dataset's table fit a filter.

    Raises:
        BadInput: A column, comparison or value that cannot be filtered by.
    """
    condition = parse_where(where, card.metadata_columns)
    return fitting_rows(record_table(workspace, card), condition)


def where_ids(workspace: Workspace, card: DatasetCard, where: Where) -> set[str]:
    """The ids of the records that fit a filter; raises as `where_rows` does."""
    fits = where_rows(workspace, card, where)
    return set(record_table(workspace, card).ids[fits].astype(str).tolist())


def where_members(
    workspace: Workspace, card: DatasetCard, where: Where, ids: list[str]
) -> NDArray[np.bool_]:
    """(q,) which records, by id, are there and fit a filter; raises as `where_rows` does."""
    fits = where_rows(workspace, card, where)
    rows = record_table(workspace, card).rows_of(ids)
    return np.append(fits, False)[rows]


def _from_store(workspace: Workspace, card: DatasetCard) -> RecordTable:
    return build_table(workspace.store.scan(card, FIELDS), card.metadata_columns)


def _kept_table(workspace: Workspace, card: DatasetCard) -> RecordTable:
    """The table from its file, which is made where it is not there or not as it was written."""
    file = folder_of(workspace, card) / "table" / f"{FORMAT}-{card.revision}.arrow"
    with suppress(OSError, ValueError):
        return read_table(file, card.metadata_columns)
    table = _from_store(workspace, card)
    if spare_bytes(file.parent.parent) < table.arrow.nbytes:
        logger.warning("the table of '%s' is not kept: too little space", card.name)
        return table
    try:
        file.parent.mkdir(exist_ok=True)  # where the dataset's folder is gone, so is the dataset
        with written_aside(file, flushed=False) as draft:
            write_table(table, draft)
        _drop_others(file)
        return read_table(file, card.metadata_columns)
    except (OSError, ValueError) as error:
        logger.warning("the table of '%s' is not kept: %s", card.name, error)
        return table


def _drop_others(file: Path) -> None:
    """Delete the tables of older revisions."""
    others: Iterable[Path] = file.parent.iterdir()
    for other in others:
        if other.name != file.name:
            other.unlink(missing_ok=True)

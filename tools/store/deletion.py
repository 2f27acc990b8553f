"""Datasets that are being deleted: begun in one step, and finished whatever happens.

A deletion begins with one step that needs no room on the disk: `runs/<dataset>` is renamed to
`runs/<collection>.deleted`. From then on the dataset is in no list, whatever ends the process, and
whoever calls next finishes. A collection's name is never given again, so that a later dataset of
the same name is not meant.
"""

import errno
import logging
import re
from contextlib import suppress
from pathlib import Path

from corpuscope.tools.archive.run_folders import names_in, remove_tree
from corpuscope.tools.core.errors import CorpuscopeError, NotReady
from corpuscope.tools.core.files import flush_folder
from corpuscope.tools.core.schema import DatasetCard
from corpuscope.tools.store.collections import (
    CATALOGUE,
    COLLECTION_PREFIX,
    catalogue_rows,
    collection_in,
    drop_collections,
    is_collection_of,
)
from corpuscope.tools.store.connection import Connection
from corpuscope.tools.store.locks import dataset_lock
from corpuscope.tools.store.patience import endless

SUFFIX = ".deleted"
TOMBSTONE = re.compile(rf"({COLLECTION_PREFIX}(.+)__\d+){re.escape(SUFFIX)}")

NO_ROOM = (errno.ENOSPC, errno.EDQUOT)
"""How the system says that a disk is full, or that this user may not use more of it."""

logger = logging.getLogger(__name__)


def tombstones(home: Path) -> dict[str, str]:
    """The datasets that are being deleted, by collection."""
    found = (TOMBSTONE.fullmatch(name) for name in names_in(home / "runs"))
    return {stone[1]: stone[2] for stone in found if stone}


def begin_deletion(home: Path, card: DatasetCard) -> bool:
    """Set the tombstone of a dataset: its runs are gone. The caller holds its lock.

    False where there is no room on the disk for one, and nothing to make one of.

    Raises:
        OSError: The home cannot be written to.
    """
    runs = home / "runs"
    stone = _stone(home, card.collection)
    with suppress(FileNotFoundError):
        return _set(runs / card.name, stone)
    try:
        runs.mkdir(parents=True, exist_ok=True)
        with suppress(OSError):  # not there, or on another disk
            return _set(kept_folder(home, card.collection), stone)
        stone.mkdir()
    except OSError as error:
        if error.errno not in NO_ROOM:
            raise
        return False
    return True


def _set(folder: Path, stone: Path) -> bool:
    folder.rename(stone)
    flush_folder(stone.parent)
    return True


def _stone(home: Path, collection: str) -> Path:
    return home / "runs" / f"{collection}{SUFFIX}"


def kept_folder(home: Path, collection: str) -> Path:
    """Where a dataset keeps what is no record: the fit of its embedder, caches, answers."""
    return home / "datasets" / collection


def finish_deletions(connection: Connection) -> set[str]:
    """Finish the deletions that nobody is at; the collections of all that were being deleted."""
    home = connection.location.home
    begun = tombstones(home)
    # A read may have little patience, and its requests cannot write.
    connection = connection.within(endless())
    for collection, dataset in begun.items():
        try:
            with dataset_lock(home, dataset, seconds=0):
                finish_deletion(connection, collection, dataset)
        except NotReady:
            pass  # somebody is at it
        except (OSError, CorpuscopeError) as error:
            # Whoever only wants to read can: what is being deleted is seen by nobody.
            logger.warning("dataset '%s' is not quite deleted yet: %s", dataset, error)
    return set(begun)


def finish_deletion(connection: Connection, collection: str, dataset: str) -> None:
    """Delete what is left of a dataset, what frees room on the disk first, the tombstone last.

    The caller holds its lock. A later dataset of the same name stays.

    Raises:
        NotReady: There is a row of this name, and no telling whose it is.
    """
    home = connection.location.home
    _bury(home, collection)
    named = [collection_in(row) for row in catalogue_rows(connection) if row["id"] == dataset]
    present = named[0] if named else collection
    if present is None:
        raise NotReady(
            f"An earlier deletion of '{dataset}' cannot be finished: a damaged row of this name is "
            "in the catalogue, and may be that of a later dataset. Use another name."
        )
    keep = "" if present == collection else present
    drop_kept_folders(home, dataset, keep)
    drop_collections(connection, dataset, keep)
    if named and not keep:
        connection.call("delete", CATALOGUE, ids=[dataset])
    _end(_stone(home, collection))


def _bury(home: Path, collection: str) -> None:
    """Delete what a dataset that is being deleted has in the home, but for its tombstone."""
    stone, kept = _stone(home, collection), kept_folder(home, collection)
    # Renamed first, so that nobody who still works on it finds the place to write to.
    with suppress(OSError):
        kept.rename(stone / kept.name)
    for name in names_in(stone):
        remove_tree(stone / name)


def _end(stone: Path) -> None:
    try:
        stone.rmdir()
    except FileNotFoundError:
        pass  # there was no room for it
    except OSError as error:
        logger.warning("%s could not be deleted and is tried again: %s", stone, error.strerror)


def drop_kept_folders(home: Path, dataset: str, keep: str) -> None:
    """Delete the folders of a dataset's collections but for that of `keep`."""
    for name in names_in(home / "datasets"):
        if name != keep and is_collection_of(dataset, name):
            remove_tree(home / "datasets" / name)


def set_runs_aside(home: Path, dataset: str) -> None:
    """Move runs away that no dataset has, so that they are not taken for those of a new one.

    They are not deleted: the home may have been used with another Milvus, where the dataset is.
    """
    runs = home / "runs" / dataset
    if not runs.is_dir():
        return
    for number in range(1, 1_000_000):
        aside = runs.with_name(f"without-dataset-{dataset}-{number}")
        if not aside.exists():
            runs.rename(aside)
            logger.warning("no dataset '%s' had the runs that were now moved to %s", dataset, aside)
            return

"""Locks across processes, as files in the home: one writer per dataset, one editor per run.

The system lets go of them when a process ends, so that a kill leaves none behind.
"""

import contextlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from corpuscope.tools.core.errors import NotReady

WAIT_SECONDS = 10.0
"""Long enough for a short ingest before ours, short enough for a chat."""


@contextmanager
def dataset_lock(home: Path, dataset: str, seconds: float = WAIT_SECONDS) -> Iterator[None]:
    """Be the only one, across processes, who writes to a dataset.

    Raises:
        NotReady: Somebody else is still writing after `seconds`.
    """
    with _lock(home / "locks" / f"{dataset}.lock", seconds, f"Dataset '{dataset}'"):
        yield


@contextmanager
def map_lock(home: Path, dataset: str, run: str, seconds: float) -> Iterator[None]:
    """Be the only one who computes a run's map; waits for another one that does.

    Raises:
        NotReady: Somebody else is still computing it after `seconds`.
    """
    with _lock(home / "locks" / f"{dataset}.{run}.map", seconds, f"The map of {run}"):
        yield


@contextmanager
def edit_lock(home: Path, dataset: str, run: str) -> Iterator[None]:
    """Be the only one who edits a run: each edit is made of what the one before has left.

    Raises:
        NotReady: Somebody else is still at it after a short wait.
    """
    with _lock(home / "locks" / f"{dataset}.{run}.edits", WAIT_SECONDS, f"Run {run}"):
        yield


@contextmanager
def catalogue_lock(home: Path) -> Iterator[None]:
    """Be the only one who makes the catalogue of all datasets.

    Raises:
        NotReady: Somebody else is still making it after a short wait.
    """
    with _lock(home / "locks" / "catalogue", WAIT_SECONDS, "The catalogue of datasets"):
        yield


@contextmanager
def _lock(path: Path, seconds: float, what: str) -> Iterator[None]:
    from filelock import FileLock, Timeout

    path.parent.mkdir(parents=True, exist_ok=True)
    lock = FileLock(path)
    try:
        lock.acquire(timeout=seconds)
    except Timeout:
        raise NotReady(
            f"{what} is being written by another call or server. Wait for it (`get-job`), "
            "or cancel it (`cancel-job`), then call again."
        ) from None
    try:
        yield
    finally:
        # While it is held, so that nobody's own is taken away: who waits for a file that is gone
        # takes a new one. Windows removes no open file.
        with contextlib.suppress(OSError):
            path.unlink(missing_ok=True)
        lock.release()

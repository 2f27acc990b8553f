"""Servers whose workers start only when a job needs one."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from corpuscope.server.jobs import Jobs


@contextmanager
def no_worker_ahead() -> Iterator[None]:
    """Within the block no server starts a worker for a job that may come."""

    async def start_worker(jobs: Jobs) -> None:
        """Leave it to the next job."""

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Jobs, "start_worker", start_worker)
        yield

"""Servers in memory that start no worker beside the one that their first job starts."""

from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, asynccontextmanager, contextmanager
from typing import Any, Literal

import pytest
from mcp.client import Client
from support.calls import call

from corpuscope.server.jobs import Jobs


@contextmanager
def no_worker_ahead() -> Iterator[None]:
    """Within the block no server starts a worker for a job that may come."""

    async def start_worker(jobs: Jobs) -> None:
        """Leave it to the next job."""

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Jobs, "start_worker", start_worker)
        yield


@asynccontextmanager
async def connected_with_worker(
    server: Any, mode: Literal["auto", "legacy"] = "auto"
) -> AsyncIterator[Client]:
    """A client of a server that has a worker: a first job would not wait for one, and start two."""
    with ExitStack() as start:
        start.enter_context(no_worker_ahead())
        async with Client(server, mode=mode, raise_exceptions=True) as connected:
            await call(connected, "cluster", dataset="nothing", wait_seconds=45)
            start.close()
            yield connected

"""Calls that are no jobs: so many run at a time, so many wait, and reads end in time.

In: the work of a call, as a function for a thread. Out: what it returns. A read is told by its
`Patience` when its time is over or its client is gone; a write always goes on to its end, since
half of one is worse than one that nobody waits for.
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import anyio
import anyio.to_thread

from corpuscope.tools.core.errors import NotReady
from corpuscope.tools.store.patience import OutOfTime, Patience

T = TypeVar("T")

# Milvus Lite answers ten requests at a time, of which jobs want some too.
READS_AT_A_TIME = 8
WRITES_AT_A_TIME = 4
# Clients send as many as this at once; who sends more does not wait for the answers.
MOST_WAITING = 64
TOO_MANY = f"{MOST_WAITING} calls wait already, the most that may."


class Calls:
    """The calls that one server is at.

    A thread is in use until its work has ended, also where nobody waits for it any more, so that
    there are never more of them.
    """

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._pool = ThreadPoolExecutor(READS_AT_A_TIME, "corpuscope-read")
        self._writes = anyio.CapacityLimiter(WRITES_AT_A_TIME)
        self._reads_present = 0

    async def read(self, name: str, work: Callable[[Patience], T]) -> T:
        """Do it in a thread, in turn, within the time that a read may take from now on.

        `name` is what the client called. Raises as `work` does, and:

        Raises:
            NotReady: Too many wait already, or it took too long.
            RuntimeError: The system allows no further thread.
        """
        if self._reads_present >= READS_AT_A_TIME + MOST_WAITING:
            raise NotReady(f"{TOO_MANY} Call {name} again when some of them have been answered.")
        patience = Patience(self.seconds)
        begun: list[bool] = []

        def begin() -> T:
            begun.append(True)
            patience.left()
            return work(patience)

        future = None
        self._reads_present += 1
        try:
            future = self._pool.submit(begin)
            with anyio.move_on_after(self.seconds):
                return await asyncio.wrap_future(future)
        except OutOfTime:
            pass  # its thread noticed it first
        finally:
            patience.stop()
            if future is not None:
                future.cancel()
            self._reads_present -= 1
        raise NotReady(self._late(name, waited=not begun))

    async def write(self, work: Callable[[], T]) -> T:
        """Do it in a thread, in turn, to the end, whether or not somebody waits for it.

        Raises as `work` does, and NotReady where too many wait already.
        """
        if self._writes.statistics().tasks_waiting >= MOST_WAITING:
            raise NotReady(f"{TOO_MANY} Call again when some of them have been answered.")
        return await anyio.to_thread.run_sync(work, limiter=self._writes)

    def close(self) -> None:
        """Begin no more reads."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _late(self, name: str, waited: bool) -> str:
        what = (
            "it waited for its turn behind other calls; send fewer at a time"
            if waited
            else "ask for less (fewer values in `where`, a smaller `limit`, one cluster), or again "
            "when running jobs have ended"
        )
        return (
            f"{name} took longer than {self.seconds:g} s and was given up; nothing was changed. "
            f"CORPUSCOPE_READ_SECONDS is the limit: {what}."
        )

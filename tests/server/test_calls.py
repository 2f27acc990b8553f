"""Calls that are no jobs: in turn, in time, and given up when nobody waits for them."""

import threading
from collections.abc import AsyncIterator
from pathlib import Path

import anyio
import anyio.to_thread
import pytest

from corpuscope.server.calls import MOST_WAITING, READS_AT_A_TIME, WRITES_AT_A_TIME, Calls
from corpuscope.tools.core.disk import foreseen_failures
from corpuscope.tools.core.errors import NotReady, SystemFailure
from corpuscope.tools.store.patience import OutOfTime, Patience

pytestmark = pytest.mark.anyio

LONGEST = 30.0


@pytest.fixture
async def calls() -> AsyncIterator[Calls]:
    made = Calls(LONGEST)
    yield made
    made.close()


class Work:
    """Work that goes on until it is let go or given up, and counts both."""

    def __init__(self) -> None:
        self.begun = threading.Semaphore(0)
        self.given_up = threading.Semaphore(0)
        self.may_end = threading.Event()

    def __call__(self, patience: Patience) -> str:
        """What a read does."""
        self.begun.release()
        while not self.may_end.wait(0.01):
            try:
                patience.left()
            except OutOfTime:
                self.given_up.release()
                raise
        return "done"


async def wait_for(times: threading.Semaphore) -> None:
    assert await anyio.to_thread.run_sync(lambda: times.acquire(timeout=LONGEST))


async def test_so_many_reads_run_so_many_wait_and_one_more_is_refused_at_once(
    calls: Calls,
) -> None:
    work, done = Work(), []

    async def read() -> None:
        done.append(await calls.read("search", work))

    async with anyio.create_task_group() as group:
        for _ in range(READS_AT_A_TIME + MOST_WAITING):
            group.start_soon(read)
        for _ in range(READS_AT_A_TIME):
            await wait_for(work.begun)
        with pytest.raises(NotReady, match=f"^{MOST_WAITING} calls wait already"):
            await calls.read("search", work)
        assert not work.begun.acquire(blocking=False), "no more run than may"
        work.may_end.set()
    assert done == ["done"] * (READS_AT_A_TIME + MOST_WAITING)
    assert await calls.read("search", work) == "done", "there is room again"


async def test_a_read_that_takes_too_long_is_answered_and_its_work_ends() -> None:
    calls, work = Calls(0.05), Work()
    with pytest.raises(NotReady, match=r"^search took longer than 0.05 s .* ask for less"):
        await calls.read("search", work)
    await wait_for(work.given_up)
    calls.close()


async def test_a_read_that_did_not_get_its_turn_in_time_says_so_and_never_begins() -> None:
    calls, stuck = Calls(0.05), threading.Event()
    work = Work()
    with pytest.raises(ExceptionGroup):
        async with anyio.create_task_group() as group:
            for _ in range(READS_AT_A_TIME):
                group.start_soon(calls.read, "search", lambda patience: stuck.wait(LONGEST))
            await anyio.lowlevel.checkpoint()
            with pytest.raises(NotReady, match="waited for its turn"):
                await calls.read("get-members", work)
    stuck.set()
    calls.close()
    assert not work.begun.acquire(blocking=False)


async def test_the_work_of_a_read_whose_client_is_gone_ends(calls: Calls) -> None:
    work = Work()
    async with anyio.create_task_group() as group:
        group.start_soon(calls.read, "search", work)
        await wait_for(work.begun)
        group.cancel_scope.cancel()
    await wait_for(work.given_up)


async def test_reads_that_got_no_thread_are_told_so_and_take_no_place(
    calls: Calls, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def no_thread(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", no_thread)
        for _ in range(READS_AT_A_TIME + MOST_WAITING + 1):
            with (
                pytest.raises(SystemFailure, match="no further process or thread"),
                foreseen_failures(tmp_path),
            ):
                await calls.read("search", lambda patience: "never")
    assert await calls.read("search", lambda patience: "there are threads again")


async def test_a_write_goes_on_to_its_end_when_its_client_is_gone(calls: Calls) -> None:
    begun, may_end, written = threading.Semaphore(0), threading.Event(), []

    def write() -> None:
        begun.release()
        may_end.wait(LONGEST)
        written.append(True)

    async with anyio.create_task_group() as group:
        group.start_soon(calls.write, write)
        await wait_for(begun)
        group.cancel_scope.cancel()
        may_end.set()
    assert written


async def test_so_many_writes_wait_and_one_more_is_refused_at_once(calls: Calls) -> None:
    may_end, done = threading.Event(), []

    def write() -> None:
        may_end.wait(LONGEST)
        done.append(True)

    async with anyio.create_task_group() as group:
        for _ in range(WRITES_AT_A_TIME + MOST_WAITING):
            group.start_soon(calls.write, write)
        await anyio.wait_all_tasks_blocked()
        with pytest.raises(NotReady, match=f"^{MOST_WAITING} calls wait already"):
            await calls.write(write)
        may_end.set()
    assert len(done) == WRITES_AT_A_TIME + MOST_WAITING

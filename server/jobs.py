"""Long work in worker processes: started, watched, waited for, cancelled by killing."""

import contextlib
import itertools
import json
import logging
import os
import sys
import time
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

import anyio
import anyio.abc
import anyio.to_thread
from anyio.streams.buffered import BufferedByteReceiveStream

from corpuscope.tools.core.errors import BY_NAME, CorpuscopeError, NotFound, NotReady

State: TypeAlias = Literal["queued", "running", "done", "failed", "cancelled"]
OnProgress: TypeAlias = Callable[[float, str], Awaitable[None]]

logger = logging.getLogger(__name__)

# How reading from a worker fails when its process is gone.
GONE = (
    anyio.EndOfStream,
    anyio.IncompleteRead,
    anyio.BrokenResourceError,
    anyio.ClosedResourceError,
)
# One line is one message; a result has a few kB, never the points of a map.
LONGEST_LINE = 64 * 1024 * 1024
MOST_QUEUED = 16
# Finished jobs are kept this many, so that `get-job` can still tell how they ended.
MOST_FINISHED = 50
NEWEST_NAMED = 5
# A process that the system ended, for want of memory as a rule.
KILLED = -9
# Threads that spin while they wait cost the others up to ten times the time on a busy machine; a
# short while of it saves waking them up at every step, a third of the time on a quiet one.
PATIENT = {"OMP_WAIT_POLICY": "passive", "GOMP_SPINCOUNT": "10000"}
STAYS = "datasets and runs are as they were; rows that an ingest had added stay added"
# A process whose output ended is about to end itself.
EXIT_SECONDS = 5.0
# Below this share of the work its pace says nothing.
EARLY = 0.05
# How soon a change of progress reaches somebody who waits.
TICK_SECONDS = 0.25


@dataclass
class Job:
    """One call of a long tool. Changes as it goes; `ended` is set when it is over."""

    id: str
    tool: str
    arguments: dict[str, Any]
    state: State = "queued"
    fraction: float = 0.0
    message: str = "waiting for a worker"
    started: float = field(default_factory=time.monotonic)
    began: float = 0.0
    """When a worker took it, on the clock of `started`."""
    moved: float = 0.0
    """When `fraction` last rose."""
    seconds: float = 0.0
    result: dict[str, Any] | None = None
    """The result; while the job runs, one that can be shown before its end, where there is one."""
    error: CorpuscopeError | None = None
    readable: anyio.Event = field(default_factory=anyio.Event)
    ended: anyio.Event = field(default_factory=anyio.Event)
    stop: anyio.CancelScope = field(default_factory=anyio.CancelScope)

    @property
    def over(self) -> bool:
        """Whether it is done, failed or cancelled."""
        return self.state in ("done", "failed", "cancelled")

    def seconds_left(self, now: float) -> float | None:
        """About how long the rest takes at the pace so far; None where that cannot be said."""
        if self.state != "running" or self.fraction < EARLY or self.moved <= self.began:
            return None
        whole = (self.moved - self.began) / self.fraction
        left = self.began + whole - now
        return left if left > 0 else None  # slower than it began


@dataclass
class _Worker:
    process: anyio.abc.Process
    lines: BufferedByteReceiveStream
    busy: bool = False

    async def send(self, message: dict[str, Any]) -> None:
        assert self.process.stdin is not None
        await self.process.stdin.send(json.dumps(message).encode() + b"\n")

    async def receive(self) -> dict[str, Any]:
        line = await self.lines.receive_until(b"\n", LONGEST_LINE)
        message: dict[str, Any] = json.loads(line)
        return message

    async def take(self, job: Job) -> None:
        """Hand over a job; a worker that does not take it is gone, or is made to go."""
        try:
            await self.send({"tool": job.tool, "arguments": job.arguments})
            await self.receive()
            self.busy = True
        finally:
            if not self.busy:
                await self.kill()

    async def ended(self) -> int | None:
        """How the process ended by itself; None where it has not."""
        with anyio.move_on_after(EXIT_SECONDS):
            await self.process.wait()
        return self.process.returncode

    async def kill(self) -> None:
        with anyio.CancelScope(shield=True):
            if self.process.returncode is None:
                self.process.kill()
            await self.process.wait()
            await self.process.aclose()


class Jobs:
    """The jobs of one server and the worker processes that run them."""

    def __init__(self, hello: dict[str, Any], workers: int, group: anyio.abc.TaskGroup) -> None:
        self._hello = hello
        self._group = group
        self._slots = anyio.Semaphore(workers)
        self._idle: deque[_Worker] = deque()
        self._jobs: dict[str, Job] = {}
        self._numbers = itertools.count(1)
        self._prepared = anyio.Event()

    async def prepare(self, connect: Callable[[], None]) -> None:
        """Reach the store first, so that it belongs to the server and not to a worker that may be
        killed; then start a worker."""
        try:
            await anyio.to_thread.run_sync(connect, abandon_on_cancel=True)
        except CorpuscopeError as error:
            logger.error("%s", error)  # every call will say so too
        self._prepared.set()
        await self.start_worker()

    async def start_worker(self) -> None:
        """Start a worker and keep it for the next job, so that the job need not wait for it."""
        try:
            self._idle.append(await self._spawn())
        except GONE:
            logger.error("A worker ended while it started; its own messages stand above.")

    def start(self, tool: str, arguments: dict[str, Any]) -> Job:
        """Begin a job, or join the one that is doing exactly this already.

        Clients repeat a call after a lost connection: the same work must not be done twice.

        Raises:
            NotReady: Too many jobs wait already.
        """
        waiting = [job for job in self._jobs.values() if not job.over]
        for job in waiting:
            if (job.tool, job.arguments) == (tool, arguments):
                return job
        if len(waiting) >= MOST_QUEUED:
            raise NotReady(
                f"{len(waiting)} jobs are under way, the most there may be. "
                "Wait for one (`get-job`) or stop one (`cancel-job`)."
            )
        job = Job(f"j{next(self._numbers)}", tool, arguments)
        self._jobs[job.id] = job
        self._forget_old()
        self._group.start_soon(self._run, job)
        return job

    def job(self, job_id: str) -> Job:
        """A job by id.

        Raises:
            NotFound: No such job in this server; the message lists the present ones.
        """
        if job_id in self._jobs:
            return self._jobs[job_id]
        newest = list(self._jobs.values())[-NEWEST_NAMED:]
        known = ", ".join(f"{job.id} ({job.tool}, {job.state})" for job in newest) or "none yet"
        raise NotFound(
            f"No job '{job_id[:20]}' in this server. Newest: {known}. Finished runs outlive their "
            "job: see `list-datasets`."
        )

    async def wait(self, job: Job, seconds: float, on_progress: OnProgress) -> None:
        """Wait until the job is over or has something to show, at most `seconds`."""
        deadline = anyio.current_time() + seconds
        reported = -1.0
        while not job.readable.is_set() and anyio.current_time() < deadline:
            if job.fraction > reported:
                reported = job.fraction
                await on_progress(reported, job.message)
            with anyio.move_on_after(min(TICK_SECONDS, deadline - anyio.current_time())):
                await job.readable.wait()

    async def wait_for_end(self, job: Job, seconds: float) -> None:
        """Wait until the job is over, at most `seconds`."""
        with anyio.move_on_after(seconds):
            await job.ended.wait()

    async def cancel(self, job: Job) -> None:
        """Stop a job: its worker is killed. Does nothing to one that is over."""
        if not job.over:
            job.stop.cancel()
            await job.ended.wait()

    async def close(self) -> None:
        """Kill the idle workers."""
        while self._idle:
            await self._idle.pop().kill()

    async def _run(self, job: Job) -> None:
        try:
            with job.stop:
                await self._prepared.wait()
                async with self._slots:
                    await self._work(job)
            if job.stop.cancelled_caught:
                rest = "its run is saved, only the map is missing" if job.result else STAYS
                job.state, job.message = "cancelled", f"cancelled; {rest}"
        finally:
            job.seconds = time.monotonic() - job.started
            job.readable.set()
            job.ended.set()

    async def _work(self, job: Job) -> None:
        job.state, job.message = "running", "starting"
        worker = None
        try:
            worker = await self._idle_worker(job) or await self._spawn()
            if not worker.busy:
                await worker.take(job)
            job.began = time.monotonic()
            while not job.over:
                _take(job, await worker.receive())
            worker.busy = False
            self._idle.append(worker)
            worker = None
        except GONE:
            code = None if worker is None else await worker.ended()
            why = "the machine was short of memory" if code == KILLED else "that is a bug in it"
            job.error = CorpuscopeError(
                f"The worker of {job.id} ended by itself (exit code {code}): {why}, and no fault "
                "of your call. What was saved is not lost; the server's log has the details."
            )
            job.state, job.message = "failed", str(job.error)
        finally:
            if worker is not None:
                await worker.kill()
                # The next job should find a warm worker again.
                if not self._idle:
                    self._group.start_soon(self.start_worker)

    async def _idle_worker(self, job: Job) -> _Worker | None:
        """One that waited for work and has taken this job; those that died waiting are cleared."""
        while self._idle:
            worker = self._idle.popleft()
            with contextlib.suppress(*GONE):
                await worker.take(job)
                return worker
        return None

    async def _spawn(self) -> _Worker:
        # Shielded: a process whose start was cancelled would be nobody's to end.
        with anyio.CancelScope(shield=True):
            process = await anyio.open_process(
                [sys.executable, "-m", "corpuscope.server.worker"],
                stderr=None,
                env=os.environ | PATIENT,
            )
        assert process.stdout is not None
        worker = _Worker(process, BufferedByteReceiveStream(process.stdout))
        started = False
        try:
            await worker.send(self._hello)
            await worker.receive()
            started = True
        finally:
            if not started:
                await worker.kill()
        return worker

    def _forget_old(self) -> None:
        finished = [job.id for job in self._jobs.values() if job.over]
        for job_id in finished[:-MOST_FINISHED]:
            del self._jobs[job_id]


def _take(job: Job, message: dict[str, Any]) -> None:
    """Bring the job up to what its worker says."""
    match message:
        case {"progress": fraction, "message": text}:
            # Progress that falls back would be refused by the protocol.
            if fraction > job.fraction:
                job.fraction, job.moved = fraction, time.monotonic()
            job.message = text
        case {"early": result}:
            job.result = result
            job.readable.set()
        case {"result": result}:
            job.result, job.fraction, job.message = result, 1.0, "done"
            job.state = "done"
        case {"error": text, "kind": kind}:
            job.error = BY_NAME[kind](text)
            job.state, job.message = "failed", text


@asynccontextmanager
async def serving_jobs(
    hello: dict[str, Any], workers: int, connect: Callable[[], None]
) -> AsyncIterator[Jobs]:
    """The jobs of one server: a worker starts in the background; all end with the server.

    Args:
        hello: The first line for every worker: `settings`, and whether to `warm` up.
        workers: How many jobs may run at a time.
        connect: Reaches the store; called once, in a thread.
    """
    async with anyio.create_task_group() as group:
        jobs = Jobs(hello, workers, group)
        group.start_soon(jobs.prepare, connect)
        try:
            yield jobs
        finally:
            group.cancel_scope.cancel()
            with anyio.CancelScope(shield=True):
                await jobs.close()

"""Long work in worker processes: started, watched, waited for, cancelled by killing."""

import contextlib
import itertools
import logging
import math
import time
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

import anyio
import anyio.abc
import anyio.to_thread

from corpuscope.server.worker_process import (
    WorkerLost,
    WorkerProcess,
    nonsense,
    started_worker,
)
from corpuscope.tools.core.errors import BY_NAME, CorpuscopeError, NotFound, NotReady

State: TypeAlias = Literal["queued", "running", "done", "failed", "cancelled"]
OnProgress: TypeAlias = Callable[[float, str], Awaitable[None]]

logger = logging.getLogger(__name__)

MOST_QUEUED = 16
# Finished jobs are kept this many, so that `get-job` can still tell how they ended.
MOST_FINISHED = 50
NEWEST_NAMED = 5
BUG = "The server goes on; its log has the details."
KEPT = "What was saved is not lost: call again."
STAYS = "datasets and runs are as they were; rows that an ingest had added stay added"
# Below this share of the work its pace says nothing.
EARLY = 0.05
# How soon a change of progress reaches somebody who waits.
TICK_SECONDS = 0.25


def _as_it_comes(tool: str, result: dict[str, Any]) -> None:
    """The `check` of who takes every result."""


@dataclass(frozen=True)
class JobTerms:
    """How jobs are run.

    `hello` is the first line for every worker: `settings`, and whether to `warm` up; `workers`, how
    many jobs may run at a time; `memory_bytes`, what each may take; `check` raises where a result
    is not what its tool promises.
    """

    hello: dict[str, Any]
    workers: int = 1
    memory_bytes: float = math.inf
    check: Callable[[str, dict[str, Any]], object] = _as_it_comes


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


class Jobs:
    """The jobs of one server and the worker processes that run them."""

    def __init__(self, terms: JobTerms, group: anyio.abc.TaskGroup) -> None:
        self._terms = terms
        self._group = group
        self._slots = anyio.Semaphore(terms.workers)
        self._idle: deque[WorkerProcess] = deque()
        self._starting = self._awaited = 0
        self._started = anyio.Event()
        self._jobs: dict[str, Job] = {}
        self._numbers = itertools.count(1)
        self._prepared = anyio.Event()

    async def prepare(self, connect: Callable[[], None]) -> None:
        """Reach the store first, so that it belongs to the server and not to a worker that may be
        killed; then start a worker."""

        async def reach() -> None:
            try:
                await anyio.to_thread.run_sync(connect, abandon_on_cancel=True)
            except CorpuscopeError as error:
                logger.error("%s", error)  # every call will say so too

        await _went_well("reaching the store", reach)
        self._prepared.set()
        await self.start_worker()

    async def start_worker(self) -> None:
        """Start a worker and keep it for the next job, so that the job need not wait for it."""
        self._starting += 1
        try:
            self._idle.append(await self._new_worker())
        except WorkerLost as lost:
            logger.error("A worker %s.", lost)
        finally:
            self._starting -= 1
            self._started.set()
            self._started = anyio.Event()

    def start(self, tool: str, arguments: dict[str, Any]) -> Job:
        """Begin a job, or join the one that is doing exactly this already.

        Clients repeat a call after a lost connection: the same work must not be done twice.

        Raises:
            NotReady: Too many jobs wait already.
        """
        waiting = [job for job in self._jobs.values() if not job.over]
        for job in waiting:
            # One that is being cancelled does nothing any more.
            if (job.tool, job.arguments) == (tool, arguments) and not job.stop.cancel_called:
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
            if not await _went_well(f"{job.id} ({job.tool})", self._work_in_turn, job):
                _fail(job, CorpuscopeError(f"A bug of corpuscope's own ended {job.id}. {BUG}"))
        finally:
            job.seconds = time.monotonic() - job.started
            job.readable.set()
            job.ended.set()

    async def _work_in_turn(self, job: Job) -> None:
        with job.stop:
            await self._prepared.wait()
            async with self._slots:
                await self._work(job)
        if job.stop.cancelled_caught:
            rest = "its run is saved, only the map is missing" if job.result else STAYS
            job.state, job.message = "cancelled", f"cancelled; {rest}"

    async def _work(self, job: Job) -> None:
        job.state, job.message = "running", "starting"
        worker = None
        try:
            worker = await self._worker_with(job)
            job.began = time.monotonic()
            while not job.over:
                self._heed(job, await worker.receive())
            worker.busy = False
            self._idle.append(worker)
            worker = None
        except WorkerLost as lost:
            logger.error("The worker of %s (%s) %s.", job.id, job.tool, lost)
            _fail(job, CorpuscopeError(f"The worker of {job.id} ({job.tool}) {lost}. {KEPT}"))
        finally:
            if worker is not None:
                await worker.kill()
            # The next job should find a warm worker again.
            if not (self._idle or self._starting or self._group.cancel_scope.cancel_called):
                self._group.start_soon(_went_well, "starting a worker", self.start_worker)

    async def _worker_with(self, job: Job) -> WorkerProcess:
        """A worker that has taken the job: one that waits for work, else the one that is being
        started, else a new one. Those that died waiting are cleared."""
        while True:
            while not self._idle and self._awaited < self._starting:
                self._awaited += 1
                try:
                    await self._started.wait()
                finally:
                    self._awaited -= 1
            if not self._idle:
                worker = await self._new_worker()
                await worker.take(job.tool, job.arguments)
                return worker
            worker = self._idle.popleft()
            with contextlib.suppress(WorkerLost):
                await worker.take(job.tool, job.arguments)
                return worker

    async def _new_worker(self) -> WorkerProcess:
        worker = await started_worker(self._terms.hello)
        self._group.start_soon(_went_well, "watching", worker.watch, self._terms.memory_bytes)
        return worker

    def _heed(self, job: Job, message: dict[str, Any]) -> None:
        """Bring the job up to what its worker says."""
        match message:
            case {"progress": int() | float() as fraction, "message": str() as text}:
                # Progress that falls back would be refused by the protocol.
                if fraction > job.fraction:
                    job.fraction, job.moved = fraction, time.monotonic()
                job.message = text
            case {"early": dict() as result}:
                self._terms.check(job.tool, result)
                job.result = result
                job.readable.set()
            case {"result": dict() as result}:
                self._terms.check(job.tool, result)
                job.result, job.fraction, job.message = result, 1.0, "done"
                job.state = "done"
            case {"error": str() as text, "kind": str() as kind}:
                _fail(job, BY_NAME.get(kind, CorpuscopeError)(text))
            case _:
                raise WorkerLost(nonsense(", ".join(map(str, message)) or "an empty one"))

    def _forget_old(self) -> None:
        finished = [job.id for job in self._jobs.values() if job.over]
        for job_id in finished[:-MOST_FINISHED]:
            del self._jobs[job_id]


def _fail(job: Job, error: CorpuscopeError) -> None:
    job.error = error
    job.state, job.message = "failed", str(error)


async def _went_well(what: str, work: Callable[..., Awaitable[None]], *arguments: Any) -> bool:
    """Whether it ended without a bug; one is logged here, and ends nothing but this work.

    The tasks of all jobs are in one group, which an exception would end, and with it the server.
    """
    try:
        await work(*arguments)
    except Exception:
        logger.exception("A bug ended this: %s", what)
        return False
    return True


@asynccontextmanager
async def serving_jobs(terms: JobTerms, connect: Callable[[], None]) -> AsyncIterator[Jobs]:
    """The jobs of one server: a worker starts in the background; all end with the server.

    `connect` reaches the store; it is called once, in a thread.
    """
    async with anyio.create_task_group() as group:
        jobs = Jobs(terms, group)
        group.start_soon(_went_well, "preparing", jobs.prepare, connect)
        try:
            yield jobs
        finally:
            group.cancel_scope.cancel()
            with anyio.CancelScope(shield=True):
                await jobs.close()

"""A worker process as its server sees it: started, given jobs, watched, and how it ended.

In and out: the lines of JSON that `worker` tells about. Whatever makes a worker useless is raised
as `WorkerLost`, in words for the person whose job it had.
"""

import contextlib
import json
import os
import signal
import sys
from dataclasses import dataclass
from typing import Any

import anyio
import anyio.abc
import psutil
from anyio.streams.buffered import BufferedByteReceiveStream

# How reading from a worker fails when its process is gone.
GONE = (
    anyio.EndOfStream,
    anyio.IncompleteRead,
    anyio.BrokenResourceError,
    anyio.ClosedResourceError,
)
# One line is one message; a result has a few kB, never the points of a map.
LONGEST_LINE = 64 * 1024 * 1024
# Threads that spin while they wait cost the others up to ten times the time on a busy machine; a
# short while of it saves waking them up at every step, a third of the time on a quiet one.
PATIENT = {"OMP_WAIT_POLICY": "passive", "GOMP_SPINCOUNT": "10000"}
# A process whose output ended is about to end itself.
EXIT_SECONDS = 5.0
# What a worker takes in this time is little beside what a limit leaves to the machine.
LOOK_SECONDS = 0.5
GB = 1e9
# Signals by which somebody ends a process; by the others it ends itself.
FROM_OUTSIDE = ("SIGTERM", "SIGINT", "SIGHUP", "SIGQUIT")
# How psutil fails at a process that is gone or hidden, or where no more files may be open.
UNSEEN = (psutil.Error, OSError)


class WorkerLost(Exception):
    """A worker can do no more jobs; the message goes on after "The worker …"."""


@dataclass(frozen=True, slots=True)
class MemorySeen:
    """Bytes that a worker took, and that the machine had left, when it was last looked at."""

    used: int
    free: int


class WorkerProcess:
    """One worker. `busy` says whether it has a job."""

    def __init__(self, process: anyio.abc.Process) -> None:
        assert process.stdout is not None
        self.busy = False
        self._process = process
        self._lines = BufferedByteReceiveStream(process.stdout)
        self._seen: MemorySeen | None = None
        self._refused: float | None = None

    async def take(self, tool: str, arguments: dict[str, Any]) -> None:
        """Hand over a job; a worker that does not take it is gone, or is made to go.

        Raises:
            WorkerLost: It ended, or answered something else.
        """
        try:
            await self._send({"tool": tool, "arguments": arguments})
            await self.receive()
            self.busy = True
        finally:
            if not self.busy:
                await self.kill()

    async def greet(self, hello: dict[str, Any]) -> None:
        """Say hello and wait until it is ready; raises as `take` does."""
        ready = False
        try:
            await self._send(hello)
            await self.receive()
            ready = True
        finally:
            if not ready:
                await self.kill()

    async def receive(self) -> dict[str, Any]:
        """Its next message.

        Raises:
            WorkerLost: It ended, or what it said is no message.
        """
        try:
            line = await self._lines.receive_until(b"\n", LONGEST_LINE)
            message = json.loads(line)
        except GONE as error:
            raise WorkerLost(await self._end()) from error
        except (anyio.DelimiterNotFound, ValueError) as error:
            raise WorkerLost(nonsense(str(error))) from error
        if not isinstance(message, dict):
            raise WorkerLost(nonsense(f"a {type(message).__name__}"))
        return message

    async def watch(self, most_bytes: float) -> None:
        """Note what memory it takes, as long as it lives; end it where its job takes too much."""
        while self._process.returncode is None:
            await anyio.sleep(LOOK_SECONDS)
            try:
                used = psutil.Process(self._process.pid).memory_info().rss
                free = psutil.virtual_memory().available
            except psutil.NoSuchProcess:
                return
            except UNSEEN:
                continue  # one look less
            if self.busy:
                self._seen = MemorySeen(used, free)
                if used > most_bytes:
                    self._refused = most_bytes
                    self._end_family()

    async def kill(self) -> None:
        """End it, and what it started."""
        with anyio.CancelScope(shield=True):
            if self._process.returncode is None:
                self._end_family()
            await self._process.wait()
            await self._process.aclose()

    def _end_family(self) -> None:
        """Kill it and all that it started: a download would go on for minutes."""
        end_descendants(self._process.pid)
        with contextlib.suppress(ProcessLookupError):
            self._process.kill()

    async def _send(self, message: dict[str, Any]) -> None:
        assert self._process.stdin is not None
        try:
            await self._process.stdin.send(json.dumps(message).encode() + b"\n")
        except GONE as error:
            raise WorkerLost(await self._end()) from error

    async def _end(self) -> str:
        """How it ended, or that it should have."""
        with anyio.move_on_after(EXIT_SECONDS):
            await self._process.wait()
        if self._refused is not None:
            return (
                f"needed more than {self._refused / GB:.1f} GB of memory (CORPUSCOPE_MEMORY_GB) "
                "and was ended. Give it less (a smaller file, `limit`, `where`), or set "
                "CORPUSCOPE_MEMORY_GB higher where the machine has more"
            )
        return ending(self._process.returncode, self._seen)


async def started_worker(hello: dict[str, Any]) -> WorkerProcess:
    """A worker that is ready for a job; `hello` is the first line for it.

    Raises:
        WorkerLost: It could not be started, or ended at once.
    """
    # Shielded: a process whose start was cancelled would be nobody's to end.
    with anyio.CancelScope(shield=True):
        try:
            process = await anyio.open_process(
                [sys.executable, "-m", "corpuscope.server.worker"],
                stderr=None,
                env=os.environ | PATIENT,
                # Ctrl-C in a terminal is for the server, which ends its workers.
                start_new_session=True,
            )
        except OSError as error:
            raise WorkerLost(
                f"could not be started: {error.strerror or error}. Close what else runs, or "
                "restart this server, and call again"
            ) from error
    worker = WorkerProcess(process)
    await worker.greet(hello)
    return worker


def ending(code: int | None, seen: MemorySeen | None) -> str:
    """How a worker ended by itself, by its exit code (None: it goes on), in words."""
    bug = "that is a bug in it; the server's log has the details"
    if code is None:
        return f"closed its output and did not end: {bug}"
    if code >= 0:
        return f"ended by itself (exit code {code}): {bug}"
    known = {number.value: number.name for number in signal.Signals}
    name = known.get(-code, f"signal {-code}")
    if name in FROM_OUTSIDE:
        return f"was told to end by somebody ({name})"
    if name != "SIGKILL":
        return f"crashed ({name}): {bug}"
    who = "was killed (SIGKILL), by the system if memory ran out, else by somebody"
    if seen is None:
        return who
    total = psutil.virtual_memory().total
    return (
        f"{who}: it had {seen.used / GB:.1f} GB when last seen, and {seen.free / GB:.1f} of the "
        f"machine's {total / GB:.1f} GB were free"
    )


def nonsense(said: str) -> str:
    """What to tell of a worker that said something else than a message."""
    return f"said what is no message ({said}): that is a bug in it, or a library printed there"


def end_descendants(pid: int) -> None:
    """Kill what a process started, and what that started, as far as they can be seen."""
    with contextlib.suppress(*UNSEEN):
        for process in psutil.Process(pid).children(recursive=True):
            with contextlib.suppress(*UNSEEN):
                process.kill()

"""A set end to end: through a real MCP client and server over stdio, in a home of its own."""

import os
import re
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import anyio
from mcp import StdioServerParameters
from mcp.client import Client

from bench import processes
from bench.sets import VECTORS
from bench.table import markdown, section

LONGEST_WAIT = 45
CLUSTERINGS: dict[str, dict[str, int]] = {
    "`cluster`": {},
    "`cluster` with min_cluster_size=50": {"min_cluster_size": 50},
}
"""The calls of `cluster`, one after the other on one dataset."""

TICK_SECONDS = 0.1
WORKER = "corpuscope.server.worker"


@dataclass
class Memory:
    """The most that was resident, in MB, since it was last asked; grows while it is watched."""

    others: frozenset[int]
    """Processes that do not belong to the server."""
    tree: float = 0.0
    workers: dict[int, float] = field(default_factory=dict)

    def look(self) -> None:
        """Take note of what is resident now."""
        mine = processes.below(os.getpid()) - self.others
        sizes = {pid: processes.resident(pid) for pid in mine}
        self.tree = max(self.tree, sum(sizes.values()))
        for pid, size in sizes.items():
            if WORKER in processes.command(pid):
                self.workers[pid] = max(size, self.workers.get(pid, 0.0))

    def taken(self) -> list[str]:
        """The peak of all processes together and of the largest worker, to begin anew."""
        figures = [f"{self.tree:,.0f}", f"{max(self.workers.values(), default=0.0):,.0f}"]
        self.tree = 0.0
        self.workers.clear()
        return figures


def end_to_end(folder: Path, name: str) -> str:
    """The section: ingest a set with its vectors, cluster it, cluster it otherwise."""
    return anyio.run(_end_to_end, folder.resolve(), name)


async def _end_to_end(folder: Path, name: str) -> str:
    rows: list[list[str]] = []
    with tempfile.TemporaryDirectory(prefix="corpuscope-bench-") as home:
        memory = Memory(frozenset(processes.below(os.getpid())))

        def note(what: str, begun: float) -> float:
            seconds = time.perf_counter() - begun
            rows.append([what, f"{seconds:.1f}", *memory.taken()])
            print(rows[-1], flush=True)
            return seconds

        begun = time.perf_counter()
        async with _watched(memory), Client(server(Path(home), folder)) as client:
            note("start the server", begun)
            begun = time.perf_counter()
            files = {
                "path": str(folder / f"{name}.parquet"),
                "vector_column": str(folder / f"{name}{VECTORS}"),
            }
            await finish(client, await call(client, "ingest", {"dataset": name, **files}))
            note("`ingest` of parquet and vectors", begun)
            seconds = []
            answers = []
            for what, arguments in CLUSTERINGS.items():
                begun = time.perf_counter()
                answer = await readable(client, {"dataset": name, **arguments})
                seconds.append(note(f"{what}: clusters readable", begun))
                answers.append(f"> {answer['text'].splitlines()[0]}\n")
                await finish(client, answer)
                note(f"{what}: map ready, from the call", begun)
    head = ["step, over stdio", "seconds", "peak of all processes, MB", "of the largest worker"]
    return section(
        f"{name}: end to end, through the MCP client and Milvus Lite",
        markdown(head, rows),
        f"Second `cluster` / first, clusters readable: {seconds[1] / seconds[0]:.2f}.\n",
        *answers,
    )


def server(home: Path, *folders: Path) -> StdioServerParameters:
    """A server of its own on `home`, which may read these folders."""
    environment = {
        key: value for key, value in os.environ.items() if not key.startswith("CORPUSCOPE_")
    }
    allowed = os.pathsep.join(map(str, folders))
    environment |= {"CORPUSCOPE_HOME": str(home), "CORPUSCOPE_ALLOWED_DIRS": allowed}
    return StdioServerParameters(
        command=sys.executable, args=["-m", "corpuscope"], env=environment, cwd=str(home)
    )


@asynccontextmanager
async def _watched(memory: Memory) -> AsyncIterator[None]:
    async def watch() -> None:
        while True:
            memory.look()
            await anyio.sleep(TICK_SECONDS)

    async with anyio.create_task_group() as group:
        group.start_soon(watch)
        yield
        group.cancel_scope.cancel()


async def call(client: Client, tool: str, arguments: dict[str, Any]) -> dict[str, Any]:
    """What a tool answered: its data, and its `text`. What went wrong ends the benchmark."""
    result = await client.call_tool(tool, {**arguments, "wait_seconds": LONGEST_WAIT})
    text = "\n".join(block.text for block in result.content if block.type == "text")
    data = result.structured_content or {}
    if result.is_error or data.get("state") in ("failed", "cancelled"):
        raise SystemExit(f"{tool} failed: {text}")
    return {**data, "text": text}


async def readable(client: Client, arguments: dict[str, Any]) -> dict[str, Any]:
    """Call `cluster` until its clusters can be read; the map may still be missing."""
    answer = await call(client, "cluster", arguments)
    # The same call again joins the job and returns once there are clusters; `get-job` waits longer.
    while "run" not in answer:
        answer = await call(client, "cluster", arguments)
    return answer


async def finish(client: Client, answer: dict[str, Any]) -> None:
    """Wait until the job is over of which this is the first answer."""
    goes_on = re.search(r"Job (j\d+) goes on", answer["text"])
    job = goes_on[1] if goes_on else answer.get("job_id")
    state = "running" if job else "done"
    while state != "done":
        state = (await call(client, "get-job", {"job_id": job}))["state"]

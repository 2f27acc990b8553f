"""What reading costs on a large dataset, through a real MCP client and server over stdio."""

import os
import tempfile
import time
from pathlib import Path
from typing import Any, TypeAlias

import anyio
import numpy as np
from mcp import types
from mcp.client import Client
from pydantic import TypeAdapter

from bench import processes
from bench.made import mixture
from bench.store import call, finish, readable, server
from bench.table import markdown, section

RECORDS = 100_000
WORDS, WORDS_IN_A_TEXT = 20_000, 12
"""Words fall off by their rank, as those of real texts do; a component has some of its own."""

KINDS, PLACES = 500, 5_000
"""Distinct values of two columns."""

LISTED = 200
"""Values in the list of a filter."""

ROUNDS, AT_ONCE, FILTERS_AT_ONCE = 25, 64, 12
LITE = "corpuscope.tools.lite.server"
TARGETS = {
    "`list-datasets`": 50,
    "`list-clusters`": 30,
    "`get-members`": 60,
    "`search` by words": 150,
    "`search` by meaning": 150,
}
"""p95 in milliseconds, one client."""

ANSWER: TypeAdapter[types.CallToolResult] = TypeAdapter(types.CallToolResult)

Read: TypeAlias = tuple[str, dict[str, Any]]
"""A tool and its arguments."""


def write_made(folder: Path, rows: int) -> None:
    """Made texts with metadata and unit vectors of 384 numbers: `made.parquet`, `made.npy`."""
    import pyarrow as arrow
    from pyarrow import parquet

    made = mixture(rows)
    random = np.random.default_rng(1)
    labels = made.labels
    assert labels is not None
    ranks = np.minimum(random.zipf(1.3, (rows, WORDS_IN_A_TEXT)), WORDS)
    # Of each text a quarter is of its component: else there were no keywords.
    own = WORDS + 20 * (labels[:, None] + 1) + random.integers(0, 20, (rows, WORDS_IN_A_TEXT // 4))
    ranks[:, : own.shape[1]] = own
    texts = [" ".join(f"word{rank}" for rank in text) for text in ranks.tolist()]
    columns = {
        "text": texts,
        "n": np.arange(rows),
        "kind": [f"kind {at}" for at in random.integers(0, KINDS, rows)],
        "place": [f"place {at}" for at in random.integers(0, PLACES, rows)],
        "seen": [f"2025-{at % 12 + 1:02d}-{at % 28 + 1:02d}" for at in range(rows)],
    }
    parquet.write_table(arrow.table(columns), folder / "made.parquet")
    np.save(folder / "made.npy", made.vectors)


def quick_reads(model: Path, rows: int = RECORDS) -> str:
    """The section: p50 and p95 of each read by one client, and many at once."""
    with tempfile.TemporaryDirectory(prefix="corpuscope-bench-") as folder:
        write_made(Path(folder), rows)
        home = Path(folder) / "home"
        home.mkdir()
        anyio.run(prepare, Path(folder), home, model)
        return anyio.run(measure, home, model, rows)


async def prepare(folder: Path, home: Path, model: Path) -> None:
    """Ingest the made texts twice, for search by words and by meaning, and cluster both."""
    files = {"path": str(folder / "made.parquet"), "vector_column": str(folder / "made.npy")}
    async with Client(server(home, folder, model.resolve())) as client:
        for name in ("words", "meaning"):
            # The model is asked for queries alone: the vectors are given.
            named = {"embedding": f"onnx:{model.resolve()}"} if name == "meaning" else {}
            await finish(client, await call(client, "ingest", {"dataset": name, **files, **named}))
            await finish(client, await readable(client, {"dataset": name}))


async def measure(home: Path, model: Path, rows: int) -> str:
    """Read from a home that is prepared, by a server that was just started."""
    begun = time.perf_counter()
    async with Client(server(home, model.resolve())) as client:
        first: dict[str, float] = {}
        for name, read in read_calls(0).items():
            first[name] = await _timed(client, read)
            if len(first) == 1:
                first[name] = 1e3 * (time.perf_counter() - begun)
        lines = []
        for name in read_calls(0):
            times = [await _timed(client, read_calls(at)[name]) for at in range(1, ROUNDS + 1)]
            target = str(TARGETS.get(name, "-"))
            percentiles = np.percentile(times, [50, 95])
            lines.append([name, f"{first[name]:.0f}", *(f"{p:.0f}" for p in percentiles), target])
            print(lines[-1], flush=True)
        lite = [pid for pid in processes.below(os.getpid()) if LITE in processes.command(pid)]
        at_once = await _all_at_once(client, lite)
        memory = ", ".join(f"{processes.resident(pid):,.0f}" for pid in lite)
    head = ["read, over stdio", "the first, ms", "p50, ms", "p95, ms", "target, p95"]
    return section(
        f"Reads: {rows:,} records x 384, twice, through the MCP client and Milvus Lite",
        markdown(head, lines),
        "Until the answer is there; the SDK's own client then checks its form, which takes it "
        "40 ms for the 100 clusters of `list-clusters`. The first is that of a server just "
        "started; that of `list-datasets` counts from the start of the process.\n",
        markdown(["at once", "seconds", "target"], at_once),
        f"Milvus Lite's process holds {memory} MB afterwards.\n",
    )


def read_calls(at: int) -> dict[str, Read]:
    """The reads, each with other arguments each time."""
    words = {"dataset": "words"}
    query = f"word{7 * at + 3} word{3 * at + 40} word{11 * at + 900}"
    listed = {"place": [f"place {(at * 31 + value) % PLACES}" for value in range(LISTED)]}
    ranged = {"seen": {"gte": "2025-03-01", "lt": f"2025-05-{at % 28 + 1:02d}"}}
    return {
        "`list-datasets`": ("list-datasets", {}),
        "`list-clusters`": ("list-clusters", words),
        "`get-members`": ("get-members", {**words, "cluster": "1", "offset": at * 10}),
        "`search` by words": ("search", {**words, "query": query}),
        "`search` by meaning": ("search", {"dataset": "meaning", "query": query}),
        f"`search` by words, {LISTED} values": (
            "search",
            {**words, "query": query, "where": listed},
        ),
        "`search` by meaning, a range of dates": (
            "search",
            {"dataset": "meaning", "query": query, "where": ranged},
        ),
        f"`get-members`, {LISTED} values": (
            "get-members",
            {**words, "cluster": "1", "where": listed},
        ),
    }


async def _timed(client: Client, read: Read) -> float:
    """How long it takes until an answer is there, in milliseconds; an error ends the benchmark."""
    tool, arguments = read
    request = types.CallToolRequest(
        params=types.CallToolRequestParams(name=tool, arguments=arguments)
    )
    begun = time.perf_counter()
    # Not by `call_tool`, which goes on to check the answer's form, value by value in Python.
    result = await client.session.send_request(request, ANSWER)
    if result.is_error:
        raise SystemExit(f"{tool} failed: {result.content}")
    return 1e3 * (time.perf_counter() - begun)


async def _all_at_once(client: Client, lite: list[int]) -> list[list[str]]:
    """Many reads at the same time, and a list of datasets beside many filters."""
    plain = list(TARGETS)
    mixed = [read_calls(100 + at)[plain[at % len(plain)]] for at in range(AT_ONCE)]
    begun = time.perf_counter()
    async with anyio.create_task_group() as group:
        for read in mixed:
            group.start_soon(_timed, client, read)
    lines = [[f"{AT_ONCE} mixed reads", f"{time.perf_counter() - begun:.1f}", "5"]]
    print(lines[-1], flush=True)
    beside = 0.0
    begun = time.perf_counter()
    async with anyio.create_task_group() as group:
        for at in range(FILTERS_AT_ONCE):
            name = f"`get-members`, {LISTED} values"
            group.start_soon(_timed, client, read_calls(200 + at)[name])
        beside = await _timed(client, ("list-datasets", {}))
    seconds = time.perf_counter() - begun
    lines.append([f"{FILTERS_AT_ONCE} filters of {LISTED} values", f"{seconds:.1f}", "-"])
    lines.append(["`list-datasets` beside them", f"{beside / 1e3:.2f}", "-"])
    return lines

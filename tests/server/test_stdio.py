"""The server as hosts start it: over stdio, two on one home, one of them killed."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from mcp import MCPError, StdioServerParameters
from mcp.client import Client
from support.calls import call, finish
from support.texts import tickets
from support.worker_processes import wait_until_gone, workers_of

from corpuscope.tools.store.connection import MilvusLocation
from corpuscope.tools.store.rows import BATCH_ROWS
from corpuscope.tools.store.store import Store
from corpuscope.tools.workspace.reading import read_corpus

pytestmark = pytest.mark.anyio

# It notes its process id before it becomes the server, so that a test can kill it.
START = (
    "import os, sys; open(sys.argv[1], 'w').write(str(os.getpid())); "
    "os.execv(sys.executable, [sys.executable, '-m', 'corpuscope'])"
)
ROWS = tickets(each=5)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the servers: their home, their process ids, and the files they may read."""
    return tmp_path_factory.mktemp("stdio")


def server(place: Path, name: str) -> StdioServerParameters:
    environment = {
        "PATH": os.environ["PATH"],
        "CORPUSCOPE_HOME": str(place / "home"),
        "CORPUSCOPE_ALLOWED_DIRS": str(place),
        "CORPUSCOPE_EMBEDDING": "lexical",
    }
    arguments = ["-c", START, str(place / name)]
    return StdioServerParameters(
        command=sys.executable, args=arguments, env=environment, cwd=str(place)
    )


@pytest.fixture(scope="module")
async def first(place: Path, anyio_backend: str) -> AsyncIterator[Client]:
    """A client of the server that began the home, with most of the rows in it."""
    async with Client(server(place, "first.pid")) as connected:
        await finish(connected, "ingest", dataset="shop", rows=ROWS[:20])
        yield connected


@pytest.fixture(scope="module")
async def second(place: Path, first: Client) -> AsyncIterator[Client]:
    """A client of a server that started on the same home later."""
    async with Client(server(place, "second.pid")) as connected:
        yield connected


async def records_seen_by(client: Client) -> int:
    (dataset,) = (await call(client, "list-datasets")).data["datasets"]
    return int(dataset["records"])


def write_rows(file: Path, copies: int) -> int:
    """Write rows enough for several batches, each ticket in several wordings; how many."""
    rows = [
        {"id": f"{row['id']}-{copy}", "text": f"{row['text']} Case {copy}."}
        for copy in range(copies)
        for row in tickets()
    ]
    file.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return len(rows)


def stored(place: Path, dataset: str) -> tuple[list[str], list[str], Any]:
    """Everything an ingest leaves: ids, texts, vectors."""
    store = Store(MilvusLocation(place / "home"))
    try:
        card = store.find(dataset)
        assert card is not None
        corpus = read_corpus(store, card)
    finally:
        store.close()
    return corpus.ids, corpus.texts, corpus.vectors.tolist()


async def test_all_that_is_in_a_home_is_for_this_user_alone(first: Client, place: Path) -> None:
    paths = [place / "home", *(place / "home").rglob("*")]
    assert {"datasets", "milvus.db", "inbox"} <= {path.name for path in paths}
    assert [path for path in paths if path.lstat().st_mode & 0o077] == []


async def test_a_second_server_on_the_same_home_sees_and_extends_the_same_datasets(
    first: Client, second: Client
) -> None:
    assert await records_seen_by(second) == 20
    await finish(second, "ingest", dataset="shop", rows=ROWS)
    assert await records_seen_by(first) == 25


async def test_the_other_server_takes_over_when_the_owner_of_the_store_is_killed(
    first: Client, second: Client, place: Path
) -> None:
    # The first server started the store; the second one has only used it.
    owner = json.loads((place / "home" / "milvus.json").read_text(encoding="utf-8"))
    records = await records_seen_by(first)
    os.kill(owner["pid"], signal.SIGKILL)
    assert await records_seen_by(second) == records
    taken_over = json.loads((place / "home" / "milvus.json").read_text(encoding="utf-8"))
    assert taken_over["pid"] != owner["pid"]
    assert await records_seen_by(first) == records


async def test_an_ingest_killed_half_way_and_run_again_ends_as_if_run_once(
    first: Client, second: Client, place: Path
) -> None:
    file = place / "rows.jsonl"
    count = write_rows(file, copies=14)
    assert count > 2 * BATCH_ROWS
    seen: list[str] = []
    killed = int((place / "first.pid").read_text(encoding="utf-8"))
    workers = workers_of(killed)
    assert workers

    async def kill_at_the_first_batch(
        progress: float, total: float | None, message: str | None
    ) -> None:
        seen.append(message or "")
        if "rows/s" in (message or ""):
            os.kill(killed, signal.SIGKILL)

    arguments = {"path": str(file), "id_column": "id"}
    with pytest.raises(MCPError, match="closed"):
        await first.call_tool(
            "ingest",
            {"dataset": "killed", "wait_seconds": 45, **arguments},
            progress_callback=kill_at_the_first_batch,
        )
    assert "rows/s" in seen[-1]
    for worker in workers:  # they end with their server, in a moment
        wait_until_gone(worker)
    assert 0 < len(stored(place, "killed")[0]) < count, "it must have been killed half-way"

    again = await finish(second, "ingest", dataset="killed", **arguments)
    assert again.data["added"] > 0
    assert again.data["unchanged"] > 0
    once_more = await finish(second, "ingest", dataset="killed", **arguments)
    assert (once_more.data["added"], once_more.data["unchanged"]) == (0, count)
    await finish(second, "ingest", dataset="whole", **arguments)
    assert stored(place, "killed") == stored(place, "whole")


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such signal")
async def test_an_interrupt_ends_a_server_in_the_middle_of_a_job_with_its_children(
    second: Client, place: Path
) -> None:
    begun = await call(second, "cluster", dataset="whole", wait_seconds=0)
    assert begun.data["state"] in ("queued", "running")
    pid = int((place / "second.pid").read_text(encoding="utf-8"))
    store = json.loads((place / "home" / "milvus.json").read_text(encoding="utf-8"))["pid"]
    workers = workers_of(pid)
    assert workers
    os.kill(pid, signal.SIGINT)
    for process in (pid, store, *workers):
        wait_until_gone(process)


def test_importing_the_server_loads_no_heavy_library() -> None:
    heavy = "umap hdbscan fast_hdbscan evoc numba plotly pandas sklearn scipy onnxruntime"
    heavy += " faiss matplotlib openai pymilvus milvus_lite pyarrow torch tokenizers"
    code = (
        "import sys, corpuscope.server.app, corpuscope.server.cli; "
        f"print([name for name in '{heavy}'.split() if name in sys.modules])"
    )
    loaded = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert loaded.stdout.strip() == "[]"

"""The server as hosts start it: over stdio, several on one home, killed and started again."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from mcp import MCPError, StdioServerParameters
from mcp.client import Client
from support.calls import call, finish
from support.texts import tickets

from corpuscope.tools.store.connection import MilvusLocation
from corpuscope.tools.store.store import Store
from corpuscope.tools.workspace.reading import read_corpus

pytestmark = pytest.mark.anyio

# It notes its process id before it becomes the server, so that a test can kill it.
START = (
    "import os, sys; open(sys.argv[1], 'w').write(str(os.getpid())); "
    "os.execv(sys.executable, [sys.executable, '-m', 'corpuscope'])"
)


def server(home: Path, folder: Path) -> StdioServerParameters:
    environment = {
        "PATH": os.environ["PATH"],
        "CORPUSCOPE_HOME": str(home),
        "CORPUSCOPE_ALLOWED_DIRS": str(folder),
        "CORPUSCOPE_EMBEDDING": "lexical",
    }
    arguments = ["-c", START, str(folder / "pid")]
    return StdioServerParameters(
        command=sys.executable, args=arguments, env=environment, cwd=str(folder)
    )


def write_rows(file: Path, copies: int) -> None:
    """Rows enough for several batches: each ticket in several wordings."""
    with file.open("w", encoding="utf-8") as out:
        for copy in range(copies):
            for row in tickets():
                changed = {"id": f"{row['id']}-{copy}", "text": f"{row['text']} Case {copy}."}
                print(json.dumps(row | changed), file=out)


def kept(home: Path) -> tuple[list[str], list[str], Any]:
    """Everything an ingest leaves: ids, texts, vectors."""
    store = Store(MilvusLocation(home))
    try:
        card = store.find("shop")
        assert card is not None
        corpus = read_corpus(store, card)
    finally:
        store.close()
    return corpus.ids, corpus.texts, corpus.vectors.tolist()


async def test_a_second_server_on_the_same_home_sees_and_extends_the_same_datasets(
    tmp_path: Path,
) -> None:
    rows = tickets(each=5)
    async with Client(server(tmp_path / "home", tmp_path)) as first:
        await finish(first, "ingest", dataset="shop", rows=rows[:20])
        async with Client(server(tmp_path / "home", tmp_path)) as second:
            assert (await call(second, "list-datasets")).data["datasets"][0]["records"] == 20
            await finish(second, "ingest", dataset="shop", rows=rows)
            assert (await call(first, "list-datasets")).data["datasets"][0]["records"] == 25
    async with Client(server(tmp_path / "home", tmp_path)) as third:
        assert (await call(third, "list-datasets")).data["datasets"][0]["records"] == 25


async def test_the_other_server_takes_over_when_the_owner_of_the_store_is_killed(
    tmp_path: Path,
) -> None:
    async with Client(server(tmp_path / "home", tmp_path)) as survivor:
        # The one that starts second, and ingests, owns nothing; the first one owns the store.
        await finish(survivor, "ingest", dataset="shop", rows=tickets(each=5))
        owner = json.loads((tmp_path / "home" / "milvus.json").read_text(encoding="utf-8"))
        os.kill(owner["pid"], signal.SIGKILL)
        answer = await call(survivor, "list-datasets")
        assert answer.data["datasets"][0]["records"] == 25


async def test_an_ingest_killed_half_way_and_run_again_ends_as_if_run_once(
    tmp_path: Path,
) -> None:
    file = tmp_path / "rows.jsonl"
    write_rows(file, copies=20)
    killed, whole = tmp_path / "killed", tmp_path / "whole"
    seen: list[str] = []

    async def kill_at_the_first_batch(
        progress: float, total: float | None, message: str | None
    ) -> None:
        seen.append(message or "")
        if "rows/s" in (message or ""):
            os.kill(int((tmp_path / "pid").read_text(encoding="utf-8")), signal.SIGKILL)

    async with Client(server(killed, tmp_path)) as client:
        with pytest.raises(MCPError, match="closed"):
            await client.call_tool(
                "ingest",
                {"dataset": "shop", "path": str(file), "id_column": "id", "wait_seconds": 45},
                progress_callback=kill_at_the_first_batch,
            )
    assert "rows/s" in seen[-1]
    assert 0 < len(kept(killed)[0]) < 4_000, "it must have been killed half-way"

    async with Client(server(killed, tmp_path)) as client:
        again = await finish(client, "ingest", dataset="shop", path=str(file), id_column="id")
        assert again.data["added"] > 0
        assert again.data["unchanged"] > 0
        once_more = await finish(client, "ingest", dataset="shop", path=str(file), id_column="id")
        assert (once_more.data["added"], once_more.data["unchanged"]) == (0, 4_000)
    async with Client(server(whole, tmp_path)) as client:
        await finish(client, "ingest", dataset="shop", path=str(file), id_column="id")
    assert kept(killed) == kept(whole)


def test_importing_the_server_loads_no_heavy_library() -> None:
    heavy = "umap hdbscan fast_hdbscan evoc numba plotly pandas sklearn scipy onnxruntime"
    heavy += " faiss matplotlib openai pymilvus milvus_lite pyarrow torch tokenizers"
    code = (
        "import sys, corpuscope.server.app, corpuscope.server.cli; "
        f"print([name for name in '{heavy}'.split() if name in sys.modules])"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert said.stdout.strip() == "[]"

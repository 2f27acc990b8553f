"""The process that serves Milvus Lite: whom it serves, and when it ends."""

import contextlib
import json
import os
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from pymilvus import DataType, MilvusClient
from pymilvus.grpc_gen import milvus_pb2

from corpuscope.tools.lite.server import (
    ADDRESS_FILE,
    SOCKET,
    LiteServer,
    connect,
    drop_dead_folders,
    known_address,
)

LONGEST_END = 20
"""Seconds, on a busy machine, until a process has gone that ends within one."""

COLUMN, VALUES, ROWS = "n", 2_000, 10_000
"""A chain of so many `or`, each looked at row by row, takes minutes."""

needs_sockets = pytest.mark.skipif(not hasattr(socket, "AF_UNIX"), reason="needs Unix sockets")


@contextlib.contextmanager
def served(home: Path) -> Iterator[LiteServer]:
    server = connect(home)
    assert server.child is not None
    try:
        yield server
    finally:
        server.child.kill()
        server.close()


def filled(address: str) -> MilvusClient:
    """A client of it, and a collection of many rows."""
    client = MilvusClient(address)
    schema = client.create_schema()
    schema.add_field("id", DataType.VARCHAR, is_primary=True, max_length=64)
    schema.add_field("metadata", DataType.JSON)
    schema.add_field("vector", DataType.FLOAT_VECTOR, dim=2)
    index = client.prepare_index_params()
    index.add_index("vector", index_type="FLAT", metric_type="COSINE")
    client.create_collection("many", schema=schema)
    client.create_index("many", index, sync=False)
    client.load_collection("many")
    vector = np.ones(2, np.float32)
    rows = [{"id": f"{at:08x}", "metadata": {COLUMN: at}, "vector": vector} for at in range(ROWS)]
    client.upsert("many", rows)
    return client


def test_it_ends_with_its_owner_while_it_works_on_long_queries(tmp_path: Path) -> None:
    with served(tmp_path) as server:
        assert server.child is not None
        assert server.child.stdin is not None
        client = filled(server.address)
        chain = " or ".join(f'metadata["{COLUMN}"] == {-at - 1}' for at in range(VALUES))
        request = milvus_pb2.QueryRequest(collection_name="many", expr=chain, output_fields=["id"])
        query = client._get_connection()._stub.Query
        at_work = [query.future(request) for _ in range(4)]
        # Answered after those began, since each has a thread of its own.
        assert client.query("many", filter="", output_fields=["count(*)"])[0]["count(*)"] == ROWS
        server.child.stdin.close()
        server.child.wait(LONGEST_END)
        assert all(answer.exception() is not None for answer in at_work)
        client.close()


def test_it_ends_quietly_when_its_owner_is_gone_before_it_serves(tmp_path: Path) -> None:
    child = subprocess.Popen(
        [sys.executable, "-m", "corpuscope.tools.lite.server", str(tmp_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert child.stdin is not None
    assert child.stdout is not None
    child.stdin.close()
    child.stdout.close()
    assert child.stderr is not None
    with child.stderr:
        assert child.stderr.read() == b""
    assert child.wait(LONGEST_END) in (0, -14)


@pytest.mark.parametrize(
    "content",
    [
        b"[1]",
        b'{"address": 5}',
        b'{"address": "unix:"}',
        b'{"address": "http://example.org:80"}',
        b'{"address": "http://127.0.0.1:999999"}',
        b'{"other": "unix:/x"}',
        b"",
        b"null",
        b"\xff\xfe\x00\x80",
        b"[" * 4_000,
        b" " * 100_000 + b'{"address": "unix:/x"}',
    ],
    ids=repr,
)
def test_an_address_file_that_holds_something_else_is_passed_over(
    tmp_path: Path, content: bytes
) -> None:
    (tmp_path / ADDRESS_FILE).write_bytes(content[:200_000])
    assert known_address(tmp_path) is None


def test_a_damaged_address_file_is_written_anew(tmp_path: Path) -> None:
    (tmp_path / ADDRESS_FILE).write_text("[1]", encoding="utf-8")
    with served(tmp_path) as server:
        written = json.loads((tmp_path / ADDRESS_FILE).read_text(encoding="utf-8"))
        assert written["address"] == server.address == known_address(tmp_path)
        assert connect(tmp_path).child is None


@pytest.fixture
def dead() -> int:
    """The id of a process that has ended."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


@pytest.fixture
def temporary() -> Iterator[Path]:
    """A folder whose path is short enough for sockets."""
    with tempfile.TemporaryDirectory() as folder:
        yield Path(folder)


@needs_sockets
def test_the_folders_of_dead_servers_are_removed_and_no_others(temporary: Path, dead: int) -> None:
    def folder(name: str, *, listening: bool | None = None) -> Path:
        made = temporary / name
        made.mkdir()
        if listening is not None:
            left = socket.socket(socket.AF_UNIX)
            left.bind(str(made / SOCKET))
            sockets.append(left)
            if listening:
                left.listen()
        return made

    sockets: list[socket.socket] = []
    gone = [
        folder(f"corpuscope-lite-{dead}-ab12cd", listening=False),
        folder(f"corpuscope-lite-{dead}-empty_"),
        folder("corpuscope-k3j2h1", listening=False),
    ]
    kept = [
        folder(f"corpuscope-lite-{os.getpid()}-ab12cd", listening=False),
        folder("corpuscope-q9w8e7", listening=True),
        folder("corpuscope-bench-x"),
        folder("corpuscope-lite-notes"),
        folder("other"),
    ]
    (kept[2] / "file").write_text("mine", encoding="utf-8")
    linked = temporary / f"corpuscope-lite-{dead}-link"
    linked.symlink_to(kept[2])
    drop_dead_folders(temporary)
    assert not any(one.exists() for one in gone)
    assert all(one.exists() for one in [*kept, linked, kept[2] / "file"])
    for left in sockets:
        left.close()

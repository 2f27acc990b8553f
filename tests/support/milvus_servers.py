"""Servers of Milvus for the tests: started on a free port, and ended with the block."""

import os
import signal
import socket
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest
from pymilvus import MilvusClient
from pymilvus.exceptions import MilvusException

START_ATTEMPTS = 50
CONNECT_SECONDS = 2.0
PAUSE_SECONDS = 0.3
"""Between two attempts; with them about two minutes, and Milvus takes 20 s on a quiet machine."""

STOP_SECONDS = 20.0


@contextmanager
def milvus_server(command: Sequence[str], folder: Path) -> Iterator[str]:
    """Run a server whose port is the command's `{port}`; its URI, once it answers.

    Skips the test, with the end of the server's log, where the server does not start.
    """
    port = free_port()
    uri = f"http://127.0.0.1:{port}"
    log = folder / "server.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [part.format(port=port) for part in command],
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # so that all that it starts can be ended with it
        )
    try:
        if not answers(process, uri):
            end = log.read_text(encoding="utf-8", errors="replace")[-500:]
            pytest.skip(
                f"{command[0]} did not start in {START_ATTEMPTS} attempts (another Milvus on this "
                f"machine keeps Milvus from starting): {end}"
            )
        yield uri
    finally:
        stop(process)


def answers(process: "subprocess.Popen[bytes]", uri: str) -> bool:
    """Wait until the server lists its collections; False where it ends or takes too long."""
    for _ in range(START_ATTEMPTS):
        try:
            client = MilvusClient(uri, timeout=CONNECT_SECONDS)
            client.list_collections(timeout=5)
            client.close()
            return True
        except MilvusException:
            try:
                process.wait(PAUSE_SECONDS)
                return False
            except subprocess.TimeoutExpired:
                pass
    return False


def stop(process: "subprocess.Popen[bytes]") -> None:
    """End the server and whatever it started."""
    for ending in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(process.pid, ending)
            process.wait(STOP_SECONDS)
        except ProcessLookupError:
            break
        except subprocess.TimeoutExpired:
            continue
    process.wait()


def free_port() -> int:
    """A port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])

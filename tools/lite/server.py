"""Milvus Lite for several processes at once.

Milvus Lite lets one process own a folder. Here a child process owns it and serves it, and every
corpuscope process on the same home connects to that child. It lives as long as the process that
started it (it watches its standard input), so that nothing is left behind after a kill; whoever
calls next starts a new one. The address is a Unix socket in a folder that only this user can
enter, because Milvus Lite's port has no authentication; where there are no Unix sockets, it is a
loopback port.
"""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TextIO

from corpuscope.tools.core.disk import foreseen_failures
from corpuscope.tools.core.errors import SystemFailure, Unavailable
from corpuscope.tools.core.files import written_aside

FOLDER = "milvus.db"
ADDRESS_FILE = "milvus.json"
"""In the home: where the server listens, as JSON, and its process id."""

ADDRESS_BYTES = 256
"""What the file is filled up to, so that a later address takes no more room than an earlier one."""

TAKEOVER_SECONDS = 30.0
"""A predecessor that was just told to stop flushes its tables before it lets go of the folder."""

POLL_SECONDS = 0.05
STOP_GRACE_SECONDS = 2

MAX_SOCKET_PATH = 100
"""The system's limit on the path of a Unix socket; TMPDIR may be long."""

SERVER_THREADS = 10
"""Milvus Lite reads in Python threads: more of them than this only wait for one another."""

MESSAGE_BYTES = 256 * 1024 * 1024
"""gRPC takes 4 MiB otherwise, less than a page of a scan."""


class LiteServer:
    """A connection to the home's Milvus Lite; `child` is set where this process started it."""

    def __init__(self, address: str, child: subprocess.Popen[str] | None) -> None:
        self.address = address
        self.child = child

    def close(self) -> None:
        """Stop the server if this process started it, and wait until the folder is free."""
        if self.child is None:
            return
        if self.child.stdin is not None:
            self.child.stdin.close()
        self.child.wait()
        if self.child.stdout is not None:
            self.child.stdout.close()


def connect(home: Path) -> LiteServer:
    """Reach the Milvus Lite of a home, and start it where nobody serves it.

    Args:
        home: The folder that holds (or will hold) `milvus.db`.

    Raises:
        SystemFailure: The disk is full or cannot be written.
        Unavailable: The folder cannot be opened for another reason.
    """
    running = _known_address(home)
    if running is not None and _answers(running):
        return LiteServer(running, None)
    with foreseen_failures(home):
        home.mkdir(parents=True, exist_ok=True)
    # Its own session: Ctrl-C in a terminal must not stop it before its owner has finished.
    child = subprocess.Popen(
        [sys.executable, "-m", "corpuscope.tools.lite.server", str(home)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert child.stdout is not None
    # Its first line says whether it serves, or another process was quicker, or what is wrong.
    reply = child.stdout.readline().split(maxsplit=1)
    match reply:
        case ["serving", address]:
            return LiteServer(address.strip(), child)
        case ["taken", address]:
            LiteServer("", child).close()
            return LiteServer(address.strip(), None)
        case ["failed", why]:
            LiteServer("", child).close()
            raise SystemFailure(why.strip())
    LiteServer("", child).close()
    raise Unavailable(
        f"Milvus Lite did not start on {home / FOLDER}: {' '.join(reply) or 'it ended at once'}. "
        "Look into the server's log; `corpuscope doctor` tries it alone."
    )


def _known_address(home: Path) -> str | None:
    """The address that the last server wrote down; it need not run any more."""
    try:
        return str(json.loads((home / ADDRESS_FILE).read_text(encoding="utf-8"))["address"])
    except (OSError, ValueError, KeyError):
        return None


def _answers(address: str) -> bool:
    """Whether somebody listens there. A socket path is never reused, so it is the right one."""
    try:
        if address.startswith("unix:"):
            with socket.socket(socket.AF_UNIX) as probe:
                probe.connect(address.removeprefix("unix:"))
        else:
            host, _, port = address.removeprefix("http://").partition(":")
            socket.create_connection((host, int(port)), timeout=1).close()
    except OSError:
        return False
    return True


def serve_home(home: Path) -> int:
    """The child: own the folder, say where, and stop when standard input ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # The owner reads a line from standard output: what a library prints goes to the errors.
    owner = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    os.umask(0o077)  # what Milvus Lite writes is for this user alone
    try:
        with foreseen_failures(home):
            return _serve(home, owner)
    except SystemFailure as failure:
        print("failed", failure, file=owner, flush=True)
        return 1


def _serve(home: Path, owner: TextIO) -> int:
    import grpc
    from milvus_lite.exceptions import DataDirLockedError

    from corpuscope.tools.lite.failed_writes import open_database
    from corpuscope.tools.lite.scan import add_servicer

    deadline = time.monotonic() + TAKEOVER_SECONDS
    while True:
        try:
            database = open_database(home / FOLDER)
            break
        except DataDirLockedError:
            running = _known_address(home)
            if running is not None and _answers(running):
                print("taken", running, file=owner, flush=True)
                return 0
            if time.monotonic() > deadline:
                print(f"locked for {TAKEOVER_SECONDS:.0f} s", file=owner, flush=True)
                return 1
            time.sleep(POLL_SECONDS)

    from concurrent.futures import ThreadPoolExecutor

    options = [
        ("grpc.max_receive_message_length", MESSAGE_BYTES),
        ("grpc.max_send_message_length", MESSAGE_BYTES),
        # pymilvus pings an idle connection every 10 s, which gRPC takes for an attack.
        ("grpc.keepalive_permit_without_calls", 1),
        ("grpc.http2.max_ping_strikes", 0),
    ]
    server = grpc.server(ThreadPoolExecutor(SERVER_THREADS), options=options)
    add_servicer(server, database)
    private = Path(tempfile.mkdtemp(prefix="corpuscope-"))
    address = _listen(server, private)
    server.start()
    _write_address(home / ADDRESS_FILE, address)
    print("serving", address, file=owner, flush=True)

    sys.stdin.read()  # ends when the owner closes it, or is killed
    server.stop(STOP_GRACE_SECONDS).wait()
    database.close()
    shutil.rmtree(private, ignore_errors=True)
    return 0


def _write_address(file: Path, address: str) -> None:
    """Say where the server listens; on a full disk in the room of the file that is there."""
    said = json.dumps({"address": address, "pid": os.getpid()}).ljust(ADDRESS_BYTES)
    try:
        with written_aside(file) as draft:
            draft.write_text(said, encoding="utf-8")
    except OSError:
        if not file.is_file():
            raise
        with file.open("r+", encoding="utf-8") as present:
            present.write(said)


def _listen(server: "object", private: Path) -> str:
    """Let the server listen where this user alone can reach it; its address."""
    add_port = server.add_insecure_port  # type: ignore[attr-defined]  # grpc has no types
    address = f"unix:{private / 'milvus'}"
    if hasattr(socket, "AF_UNIX") and os.name == "posix" and len(address) < MAX_SOCKET_PATH:
        add_port(address)
        return address
    return f"http://127.0.0.1:{add_port('127.0.0.1:0')}"


if __name__ == "__main__":
    raise SystemExit(serve_home(Path(sys.argv[1])))

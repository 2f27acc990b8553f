"""Milvus Lite for several processes at once.

Milvus Lite lets one process own a folder. Here a child process owns it and serves it, and every
corpuscope process on the same home connects to that child. It lives as long as the process that
started it (it watches its standard input), and a second longer whatever it is doing, so that
nothing is left behind after a kill; whoever calls next starts a new one. The address is a Unix
socket in a folder that only this user can enter, because Milvus Lite's port has no authentication;
where there are no Unix sockets, it is a loopback port.
"""

import contextlib
import json
import os
import re
import shutil
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any, TextIO

from corpuscope.tools.core.disk import check_writable, foreseen_failures
from corpuscope.tools.core.errors import SystemFailure, Unavailable
from corpuscope.tools.core.files import write_privately, written_aside

FOLDER = "milvus.db"
ADDRESS_FILE = "milvus.json"
"""In the home: where the server listens, as JSON, and its process id."""

ADDRESS_BYTES = 256
"""What the file is filled up to, so that a later address takes no more room than an earlier one."""

TAKEOVER_SECONDS = 30.0
"""A predecessor that was just told to stop flushes its tables before it lets go of the folder."""

POLL_SECONDS = 0.05
STOP_GRACE_SECONDS = 0.2
"""For the requests that are at work when the owner is gone: nobody waits for their answers."""

END_SECONDS = 1.2
"""After its owner a server ends, at its latest: what it did not write to its tables by then is in
its log of writes, which the next one reads."""

ADDRESS = re.compile(r"unix:/[^\0]+|http://127\.0\.0\.1:\d{1,5}")
MOST_ADDRESS_BYTES = 4_096
"""Of the file with it: a larger one is none of ours."""

PRIVATE_FOLDER, SOCKET = "corpuscope-lite-{pid}-", "milvus"
"""How the name of the folder of a socket begins, and the socket in it."""

PRIVATE_NAME = re.compile(r"corpuscope-lite-(\d{1,9})-\w+")
EARLIER_PREFIX = "corpuscope-"

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
    running = known_address(home)
    if running is not None and _answers(running):
        return LiteServer(running, None)
    with foreseen_failures(home):
        home.mkdir(parents=True, exist_ok=True)
        check_writable(home)
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


def known_address(home: Path) -> str | None:
    """The address that the last server wrote down; it need not run any more.

    None also where the file holds anything else: the next server writes it anew.
    """
    try:
        with (home / ADDRESS_FILE).open("rb") as file:
            written = json.loads(file.read(MOST_ADDRESS_BYTES))
    except (OSError, ValueError, RecursionError):
        return None
    address = written.get("address") if isinstance(written, dict) else None
    return address if isinstance(address, str) and ADDRESS.fullmatch(address) else None


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
    """The child: own the folder, say where, and stop when standard input ends; its exit code."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if hasattr(signal, "SIGALRM"):
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
    # The owner reads a line from standard output: what a library prints goes to the errors.
    owner = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    alone = threading.Event()
    threading.Thread(target=_watch_owner, args=[alone], daemon=True).start()
    write_privately()  # also what Milvus Lite writes
    try:
        with foreseen_failures(home):
            return _serve(home, owner, alone)
    except SystemFailure as failure:
        _tell(owner, f"failed {failure}")
        return 1


def _serve(home: Path, owner: TextIO, alone: threading.Event) -> int:
    opened = _open_database(home)
    if isinstance(opened, str):
        _tell(owner, opened)
        return 0 if opened.startswith("taken") else 1
    drop_dead_folders(Path(tempfile.gettempdir()))
    private = Path(tempfile.mkdtemp(prefix=PRIVATE_FOLDER.format(pid=os.getpid())))
    server, address = _start(opened, private)
    _write_address(home / ADDRESS_FILE, address)
    _tell(owner, f"serving {address}")
    alone.wait()
    # First: what follows may be cut off.
    shutil.rmtree(private, ignore_errors=True)
    server.stop(STOP_GRACE_SECONDS).wait(2 * STOP_GRACE_SECONDS)
    opened.close()
    return 0


def _watch_owner(alone: threading.Event) -> None:
    """Wait until standard input ends: its owner closed it, or is gone. This process ends then, at
    its latest after `END_SECONDS`, whatever it is doing."""
    # Not sys.stdin, whose lock an interpreter that ends would wait for.
    while os.read(0, 4_096):
        pass
    if hasattr(signal, "setitimer"):
        # By the system, which does not wait for a thread that lets no other one work.
        signal.setitimer(signal.ITIMER_REAL, END_SECONDS)
    else:
        timer = threading.Timer(END_SECONDS, os._exit, [0])
        timer.daemon = True
        timer.start()
    alone.set()


def _tell(owner: TextIO, line: str) -> None:
    """Give the owner its line, unless it is gone: then this process is about to end."""
    with contextlib.suppress(BrokenPipeError):
        print(line, file=owner, flush=True)


def _open_database(home: Path) -> Any:
    """The home's Milvus Lite; or a line that says who has it already, or that it stays locked."""
    from milvus_lite.exceptions import DataDirLockedError

    from corpuscope.tools.lite.failed_writes import open_database

    deadline = time.monotonic() + TAKEOVER_SECONDS
    while True:
        try:
            return open_database(home / FOLDER)
        except DataDirLockedError:
            running = known_address(home)
            if running is not None and _answers(running):
                return f"taken {running}"
            if time.monotonic() > deadline:
                return f"locked for {TAKEOVER_SECONDS:.0f} s"
            time.sleep(POLL_SECONDS)


def _start(database: Any, private: Path) -> tuple[Any, str]:
    """A gRPC server for a database, which serves from now on, and its address."""
    from concurrent.futures import ThreadPoolExecutor

    import grpc

    from corpuscope.tools.lite.service import DropsForgotten, add_servicer

    options = [
        ("grpc.max_receive_message_length", MESSAGE_BYTES),
        ("grpc.max_send_message_length", MESSAGE_BYTES),
        # pymilvus pings an idle connection every 10 s, which gRPC takes for an attack.
        ("grpc.keepalive_permit_without_calls", 1),
        ("grpc.http2.max_ping_strikes", 0),
    ]
    server = grpc.server(
        ThreadPoolExecutor(SERVER_THREADS), interceptors=[DropsForgotten()], options=options
    )
    add_servicer(server, database)
    address = _listen(server, private)
    server.start()
    return server, address


def drop_dead_folders(parent: Path) -> None:
    """Remove the folders of sockets that killed servers left in a folder for temporary files."""
    import psutil

    for folder in parent.glob(f"{EARLIER_PREFIX}*"):
        named = PRIVATE_NAME.fullmatch(folder.name)
        # Another one may sweep at the same time, and the folder belong to somebody else.
        with contextlib.suppress(OSError):
            status = folder.lstat()
            if not stat.S_ISDIR(status.st_mode) or status.st_uid != _user():
                continue
            if named is not None:
                is_dead = not psutil.pid_exists(int(named[1]))
            else:  # of a version that did not name its process
                is_dead = os.listdir(folder) == [SOCKET] and not _answers(f"unix:{folder / SOCKET}")
            if is_dead:
                shutil.rmtree(folder, ignore_errors=True)


def _user() -> int:
    """The id of this user; 0, as files have it, where the system has none."""
    return os.getuid() if hasattr(os, "getuid") else 0


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
    address = f"unix:{private / SOCKET}"
    if hasattr(socket, "AF_UNIX") and os.name == "posix" and len(address) < MAX_SOCKET_PATH:
        add_port(address)
        return address
    return f"http://127.0.0.1:{add_port('127.0.0.1:0')}"


if __name__ == "__main__":
    code = serve_home(Path(sys.argv[1]))
    # Without waiting for threads: a request may still be at work, and nobody waits for it.
    os._exit(code)

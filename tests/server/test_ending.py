"""The end of a server, tried with one that holds on as hard as it can."""

import signal
import subprocess
import sys

import pytest
from support.worker_processes import wait_until_gone

# A thread that is waited for, and a child: each would outlive its client for minutes.
HOLDS_ON = """
import subprocess, sys, time
import anyio.to_thread
from corpuscope.server.ending import serve_to_the_end

async def serve():
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    print(child.pid, flush=True)
    await anyio.to_thread.run_sync(time.sleep, 600)

serve_to_the_end(serve)
"""
ENDS = """
import sys
from corpuscope.server.ending import serve_to_the_end

async def serve():
    if sys.argv[1] == "bug":
        raise KeyError("mistake")

serve_to_the_end(serve)
"""
LONGEST_WAIT = 30


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such signals and no poll")
@pytest.mark.parametrize(
    ("way", "code"), [("SIGINT", 130), ("SIGTERM", 143), ("stdin", 0), ("stdout", 0)]
)
def test_a_signal_or_a_client_that_goes_ends_the_server_and_what_it_started(
    way: str, code: int
) -> None:
    server = subprocess.Popen(
        [sys.executable, "-c", HOLDS_ON],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert server.stdin
    assert server.stdout
    assert server.stderr
    child = int(server.stdout.readline())
    match way:
        case "stdin":
            server.stdin.close()
        case "stdout":
            server.stdout.close()
        case _:
            server.send_signal(signal.Signals[way])
    assert server.wait(LONGEST_WAIT) == code
    assert server.stderr.read() == b"", "an end that was asked for is no bug"
    wait_until_gone(child)
    for pipe in (server.stdin, server.stdout, server.stderr):
        pipe.close()


@pytest.mark.parametrize(("how", "code"), [("well", 0), ("bug", 1)])
def test_a_server_that_ends_by_itself_says_whether_it_was_a_bug(how: str, code: int) -> None:
    ended = subprocess.run(
        [sys.executable, "-c", ENDS, how], stdin=subprocess.PIPE, capture_output=True, check=False
    )
    assert ended.returncode == code
    assert (b"KeyError: 'mistake'" in ended.stderr) is (how == "bug")


LATE = """
import os, signal
from corpuscope.server import ending

def end_descendants(pid):
    os.kill(pid, signal.SIGTERM)

async def serve():
    pass

ending.end_descendants = end_descendants
ending.serve_to_the_end(serve)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such signals")
def test_a_signal_at_the_very_end_disturbs_it_no_more() -> None:
    ended = subprocess.run(
        [sys.executable, "-c", LATE], stdin=subprocess.PIPE, capture_output=True, check=False
    )
    assert (ended.returncode, ended.stderr) == (0, b"")

"""A worker ends with its server, also in the middle of what no other thread can interrupt."""

import subprocess
import sys

import pytest
from support.worker_processes import wait_until_gone

# It never comes to an end, and no other thread of Python gets a turn.
HOLDS_ON = (
    "from corpuscope.server.worker import end_with_server; end_with_server(); "
    "print(flush=True); import re; re.match('(a*)*b', 'a' * 99)"
)
STARTS_IT = (
    "import subprocess, sys; "
    f"child = subprocess.Popen([sys.executable, '-c', {HOLDS_ON!r}], stdout=subprocess.PIPE); "
    "child.stdout.readline(); print(child.pid, flush=True); sys.stdin.read()"
)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a process in a long call")
def test_a_worker_in_a_call_that_nothing_interrupts_ends_with_its_server() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", STARTS_IT], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as parent:
        assert parent.stdout is not None
        worker = int(parent.stdout.readline())
        parent.kill()
    wait_until_gone(worker)

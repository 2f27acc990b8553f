"""Counts the servers that a test run starts, and fails a run that starts too many.

A pytest plugin: `tests/conftest.py` names it in `pytest_plugins`. Counted are the processes that
the tests start: servers over stdio, and workers, of which each server in memory starts its own.
"""

import re
import sys
from collections import Counter
from itertools import pairwise
from os import environ
from pathlib import Path
from typing import Any

import pytest

MOST = 14 + 3 * int(environ.get("LIVES", "1"))
"""Twelve that the tests of all else share, one more for each of two processes in which a test
comes after a worker was stopped, and three for each life in `tests/kills`."""
MODULES = ("corpuscope", "corpuscope.server.worker")

starts: list[str] = []
"""What was started, and by which test."""


def server_started(command: list[str]) -> str | None:
    """The module of a server or worker that a command line runs; None where it runs neither.

    Only what follows `-m` is looked at, also within code after `-c`: paths may hold the same name.
    """
    if Path(command[0]).stem == MODULES[0] or any("build_server(" in word for word in command):
        return MODULES[0]
    words = [word for argument in command for word in re.split(r"[\s'\",]+", argument)]
    modules = [module for option, module in pairwise(words) if option == "-m"]
    return next((module for module in modules if module in MODULES), None)


def watch(event: str, arguments: tuple[Any, ...]) -> None:
    """Note a server's start: asyncio, anyio and the MCP client all come by `subprocess.Popen`."""
    if event == "subprocess.Popen" and not isinstance(arguments[1], str | bytes):
        module = server_started([str(word) for word in arguments[1]])
        if module is not None:
            test = environ.get("PYTEST_CURRENT_TEST", "between tests").split(" (")[0]
            starts.append(f"{module} by {test}")


def pytest_configure() -> None:
    """Begin to count."""
    sys.addaudithook(watch)


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Fail a run that started too many; a process of pytest-xdist reports what it started."""
    report = getattr(session.config, "workeroutput", None)
    if report is not None:
        report["server_starts"] = list(starts)
    elif len(starts) > MOST:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """Add what a process of pytest-xdist started."""
    starts.extend(getattr(node, "workeroutput", {}).get("server_starts", ()))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say how many were started, and by whom where they are too many."""
    terminalreporter.write_line(f"{len(starts)} servers and workers started, at most {MOST}")
    if len(starts) > MOST:
        for start, times in Counter(starts).most_common():
            terminalreporter.write_line(f"  {times:3} {start}", red=True)

"""The worker processes of a server, as the system lists them."""

import os
import select
from contextlib import suppress
from pathlib import Path


def workers_of(parent: int) -> list[int]:
    """The ids of the worker processes that the process `parent` started."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            stat = (folder / "stat").read_text(encoding="utf-8").rpartition(")")[2].split()
            command = (folder / "cmdline").read_bytes()
        except (FileNotFoundError, ProcessLookupError):
            continue
        if int(stat[1]) == parent and b"corpuscope.server.worker" in command:
            found.append(int(folder.name))
    return found


def wait_until_gone(pid: int) -> None:
    """Return when the process has ended; its parent may not have taken note of it yet."""
    with suppress(ProcessLookupError), os.fdopen(os.pidfd_open(pid)) as handle:
        assert select.select([handle], [], [], 10)[0], "the process did not end"

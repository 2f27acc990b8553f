"""Lets a process of a server under test die at a step that the test names.

Python imports this by its name at the start of each process that has the folder on its PYTHONPATH:
a server, its worker, its Milvus Lite. A step is a file or folder of the home that is opened for
writing, made, renamed or removed, and in Milvus Lite each call into its storage. While there is a
file `order` in the folder that the variable names, steps are counted, and the process dies before
it takes the one that the order says: by SIGKILL, and so without any chance to tidy up.
"""

import json
import os
import signal
import sys
import threading
from pathlib import Path
from typing import Any

ROLES = {"corpuscope.server.worker": "worker", "corpuscope.tools.lite.server": "lite"}
"""By the module that a process runs."""

CHANGES = {"os.rename", "os.mkdir", "os.remove", "os.rmdir", "os.truncate"}
"""What Python says to those who listen, when files change; `open` is looked at more closely."""

STORAGE = os.sep + os.path.join("milvus_lite", "storage") + os.sep


def role() -> str | None:
    """What this process is to a server; None: it is another one."""
    words = sys.orig_argv
    if any("build_server" in word for word in words):
        return "server"
    return next((ROLES[word] for word in words if word in ROLES), None)


class Steps:
    """The steps of this process, counted while there is an order to die."""

    def __init__(self, mine: str, orders: Path) -> None:
        self.mine = mine
        self.home = str(orders.parent / "home")
        self.file = orders / "order"
        self.within = threading.local()
        self.taken = 0
        self.order: tuple[float, int] = (0.0, 0)

    def take(self) -> None:
        """One more step, or the end."""
        if getattr(self.within, "step", False):
            return
        self.within.step = True
        try:
            written = self.file.stat().st_mtime
            order = json.loads(self.file.read_text(encoding="utf-8"))
        except (FileNotFoundError, ValueError):
            return
        finally:
            self.within.step = False
        if order["dies"] != self.mine:
            return
        if self.order != (written, order["step"]):
            self.order, self.taken = (written, order["step"]), 0
        self.taken += 1
        if self.taken == order["step"]:
            self.within.step = True
            self.file.rename(self.file.with_name("obeyed"))
            if order["with_parent"]:
                os.kill(os.getppid(), signal.SIGKILL)
            os.kill(os.getpid(), signal.SIGKILL)

    def hear(self, event: str, arguments: tuple[Any, ...]) -> None:
        """Count what changes a file of the home."""
        if event == "open":
            path, _, flags = arguments
            if not isinstance(flags, int) or not flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT):
                return
        elif event in CHANGES:
            path = arguments[0]
        else:
            return
        if isinstance(path, str | bytes | os.PathLike) and os.fsdecode(path).startswith(self.home):
            self.take()

    def see(self, frame: Any, event: str, _: Any) -> None:
        """Count the calls of the storage of Milvus Lite."""
        if event == "call" and STORAGE in frame.f_code.co_filename:
            self.take()


if (who := role()) and (folder := os.environ.get("CORPUSCOPE_TEST_ORDERS")):
    steps = Steps(who, Path(folder))
    sys.addaudithook(steps.hear)
    if who == "lite":
        threading.setprofile(steps.see)

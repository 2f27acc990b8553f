"""A worker process: runs one job at a time, told by lines of JSON on standard input.

The first line holds the settings; each further one is a job, `{"tool": …, "arguments": …}`.
Answers go to standard output, a line each: `ready` once, then for a job `taken`, any number of
`progress` and `early`, and at the end one `result` or `error` (anticipated). A bug ends the
process, with its traceback on standard error. When the server is gone, so is the worker, whatever
it was doing: Linux sees to it; elsewhere the end of standard input tells, at the latest when a
library lets other threads of Python run.
"""

import importlib
import json
import os
import queue
import signal
import sys
import threading
from typing import Any, TextIO

from corpuscope.server.app import TOOLS
from corpuscope.server.settings import Settings, open_workspace
from corpuscope.tools.core.disk import foreseen_failures
from corpuscope.tools.core.errors import BY_NAME, CorpuscopeError
from corpuscope.tools.core.files import write_privately
from corpuscope.tools.core.schema import Result, Watch
from corpuscope.tools.workspace.workspace import Workspace

BEFORE_WARMING = ("pandas", "pyarrow.parquet", "sklearn.feature_extraction.text")
"""What a job and the warm-up both import. Two threads at once in a package whose modules import one
another in a circle find it half made, and the job would end with an ImportError."""

ON_PARENT_DEATH = 1
"""`PR_SET_PDEATHSIG` of Linux' prctl.h: which signal a process gets when its parent ends."""


def main() -> None:
    """Serve jobs until standard input ends."""
    end_with_server()
    # Libraries print: their words must not get between the lines of the protocol.
    wire = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    write_privately()
    hello = json.loads(sys.stdin.readline())
    settings = Settings.model_validate(hello["settings"])
    workspace = open_workspace(settings)
    jobs: queue.Queue[dict[str, Any]] = queue.Queue()
    threading.Thread(target=_listen, args=(jobs,), daemon=True).start()
    warming = threading.Thread(target=_warm, daemon=True)
    if hello["warm"]:
        for module in BEFORE_WARMING:
            importlib.import_module(module)
        warming.start()
    _say(wire, {"ready": True})
    while True:
        job = jobs.get()
        _say(wire, {"taken": True})
        tool = TOOLS[job["tool"]]
        # Two threads in numba's parallel code at once end the process: let the warm-up finish.
        if tool.uses_numba and hello["warm"]:
            warming.join()
        _say(wire, _run(wire, workspace, job))


def end_with_server() -> None:
    """Ask Linux to kill this process when the one that started it ends."""
    if sys.platform == "linux":
        import ctypes

        ctypes.CDLL(None).prctl(ON_PARENT_DEATH, signal.SIGKILL)


def _listen(jobs: "queue.Queue[dict[str, Any]]") -> None:
    for line in sys.stdin:
        jobs.put(json.loads(line))
    os._exit(0)


def _warm() -> None:
    from corpuscope.tools.analysis.language import language_of
    from corpuscope.tools.clustering.warm_up import warm_up

    language_of("The first ingest asks for the language of its texts.")
    warm_up()


def _run(wire: TextIO, workspace: Workspace, job: dict[str, Any]) -> dict[str, Any]:
    def report(fraction: float, message: str) -> None:
        _say(wire, {"progress": fraction, "message": message})

    def ready(result: Result) -> None:
        _say(wire, {"early": result.model_dump(mode="json")})

    watch, tool = Watch(report, ready), TOOLS[job["tool"]]
    try:
        with foreseen_failures(workspace.home):
            result = tool.function(workspace, watch, **job["arguments"])
    except CorpuscopeError as error:
        # A module's own error travels as the nearest one that every process knows.
        kind = next(base.__name__ for base in type(error).__mro__ if base.__name__ in BY_NAME)
        return {"error": str(error), "kind": kind}
    return {"result": result.model_dump(mode="json")}


def _say(wire: TextIO, message: dict[str, Any]) -> None:
    print(json.dumps(message), file=wire, flush=True)


if __name__ == "__main__":
    main()

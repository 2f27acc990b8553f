"""A worker process: runs one job at a time, told by lines of JSON on standard input.

The first line holds the settings; each further one is a job, `{"tool": …, "arguments": …}`.
Answers go to standard output, a line each: `ready` once, then for a job `taken`, any number of
`progress` and `early`, and at the end one `result` or `error` (anticipated). A bug ends the
process, with its traceback on standard error. When standard input ends, the server is gone, and so
is the worker, whatever it was doing.
"""

import json
import os
import queue
import sys
import threading
from typing import Any, TextIO

from corpuscope.server.app import TOOLS
from corpuscope.server.home import write_privately
from corpuscope.server.settings import Settings, open_workspace
from corpuscope.tools.core.errors import BY_NAME, CorpuscopeError
from corpuscope.tools.core.schema import Result, Watch
from corpuscope.tools.workspace.workspace import Workspace


def main() -> None:
    """Serve jobs until standard input ends."""
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

    try:
        result = TOOLS[job["tool"]].function(workspace, Watch(report, ready), **job["arguments"])
    except CorpuscopeError as error:
        # A module's own error travels as the nearest one that every process knows.
        kind = next(base.__name__ for base in type(error).__mro__ if base.__name__ in BY_NAME)
        return {"error": str(error), "kind": kind}
    return {"result": result.model_dump(mode="json")}


def _say(wire: TextIO, message: dict[str, Any]) -> None:
    print(json.dumps(message), file=wire, flush=True)


if __name__ == "__main__":
    main()

"""The end of the server: within two seconds, whatever it is doing, with all that it started.

It ends when its client closes its standard input, when nobody reads its standard output any more
(a client that died may leave the input open), and by SIGINT or SIGTERM. What is under way is
cancelled, workers and Milvus Lite are ended, and what is not done by then is cut off: the store is
made for that.
"""

import asyncio
import contextlib
import logging
import os
import select
import signal
import sys
import threading
import time
from collections.abc import Awaitable, Callable
from typing import NoReturn

import anyio

from corpuscope.server.worker_process import end_descendants

# Milvus Lite takes up to 1.2 s to write its tables; what it had to leave is in its log.
END_SECONDS = 1.5
# A shell's code of a command that a signal ended.
BY_SIGNAL = 128


class _End:
    """Begins once; from then on the process has `END_SECONDS`."""

    def __init__(self) -> None:
        self.code: int | None = None
        self.at_once = False
        self.cancel: Callable[[], object] = lambda: None
        self._begun = threading.Event()
        threading.Thread(target=self._cut_off, daemon=True).start()

    def begin(self, code: int) -> None:
        """Leave `END_SECONDS` for what is under way."""
        if self.code is None:
            self.code = code
            self._begun.set()

    def begin_at_once(self, code: int) -> None:
        """Cancel what is under way."""
        self.begin(code)
        self.at_once = True
        self.cancel()

    def _cut_off(self) -> None:
        self._begun.wait()
        time.sleep(END_SECONDS)
        end_process(self.code or 0)


def serve_to_the_end(serve: Callable[[], Awaitable[None]]) -> NoReturn:
    """Serve until the client goes or a signal comes; then end the process.

    Its exit code is 0 where the client went, 128 and the signal's number after a signal, 1 after a
    bug. Nothing is left to the interpreter, which would wait for every thread.
    """
    end = _End()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda number, _: end.begin_at_once(BY_SIGNAL + number))
    if hasattr(select, "poll"):
        ends = os.dup(0), os.dup(1)
        threading.Thread(target=_watch_client, args=[*ends, end], daemon=True).start()

    async def main() -> None:
        loop = asyncio.get_running_loop()
        with anyio.CancelScope() as scope:

            def cancel() -> None:
                with contextlib.suppress(RuntimeError):  # the loop has ended already
                    loop.call_soon_threadsafe(scope.cancel)

            end.cancel = cancel
            if end.at_once:  # before there was anything to cancel
                return
            await serve()

    code = 1
    try:
        anyio.run(main)
        code = end.code or 0
    except* BrokenPipeError:
        code = 0  # an answer that nobody reads any more
    finally:
        # A bug is told as the interpreter would.
        if (bug := sys.exception()) is not None:
            sys.excepthook(type(bug), bug, bug.__traceback__)
        end_process(code)


def end_process(code: int) -> NoReturn:
    """End at once, with all that this process started."""
    try:
        end_descendants(os.getpid())
        logging.shutdown()
        with contextlib.suppress(OSError, ValueError):  # nobody reads it
            sys.stderr.flush()
    finally:
        os._exit(code)


def _watch_client(wire_in: int, wire_out: int, end: _End) -> None:
    """Wait until the client closes one of the two. At its input's end the server ends by itself."""
    poller = select.poll()
    poller.register(wire_in, getattr(select, "POLLRDHUP", 0))
    poller.register(wire_out, 0)
    while True:
        for wire, event in poller.poll():
            poller.unregister(wire)
            if event & select.POLLNVAL:
                continue
            if wire == wire_out:
                end.begin_at_once(0)
            else:
                end.begin(0)

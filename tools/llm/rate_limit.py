"""One pause for all threads: when an endpoint asks one of them to wait, the others wait too.

The client waits by itself before it sends the same request again. Here the requests of other
threads are held back as well: each of them would only meet the limit too.
"""

import threading
import time
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING

from corpuscope.tools.llm.endpoint import LONGEST_PAUSE

if TYPE_CHECKING:
    import httpx2

FIRST_PAUSE = 0.5
"""Seconds of the first pause after a 429 that names none; the same as the client's own."""

GROWN_PAUSE = 8.0
"""Seconds that such pauses grow to, doubling while nothing succeeds."""


class RateLimit:
    """Holds requests back until the endpoint wants them. Two hooks of the HTTP client."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._opens = 0.0
        self._next_pause = FIRST_PAUSE

    def wait(self, request: "httpx2.Request") -> None:
        """Before each request: wait until nobody was asked to wait any longer."""
        # Again after each wait: meanwhile another thread may have been asked to wait on.
        while (left := self._left()) > 0:
            time.sleep(left)

    def hear(self, response: "httpx2.Response") -> None:
        """After each response: note that it asks to wait, or that the endpoint takes requests."""
        pause = pause_asked(response.headers)
        limited = response.status_code == 429 or (response.status_code >= 500 and pause is not None)
        now = time.monotonic()
        with self._lock:
            if not limited:
                # A failure of another kind says nothing about how much may be sent.
                if response.is_success:
                    self._next_pause = FIRST_PAUSE
            elif pause is None:
                # Answers to what was sent before the pause do not make the next one longer.
                if now >= self._opens:
                    self._opens = now + self._next_pause
                    self._next_pause = min(2 * self._next_pause, GROWN_PAUSE)
            elif pause <= LONGEST_PAUSE:
                self._opens = max(self._opens, now + pause)

    def _left(self) -> float:
        with self._lock:
            return self._opens - time.monotonic()


def pause_asked(headers: Mapping[str, str]) -> float | None:
    """How long an endpoint asks to wait, in seconds above 0; None where it names no such time.

    Read from `retry-after-ms`, or `retry-after` as seconds (also fractions) or as a date.
    """
    for name, unit in (("retry-after-ms", 1000.0), ("retry-after", 1.0)):
        try:
            seconds = float(headers.get(name, "")) / unit
        except ValueError:
            continue
        return seconds if seconds > 0 else None
    try:
        seconds = parsedate_to_datetime(headers.get("retry-after", "")).timestamp() - time.time()
    except (ValueError, OverflowError, OSError):
        return None
    return seconds if seconds > 0 else None

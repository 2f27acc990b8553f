"""What asking a model has used, and how much it may use.

A request reserves room before it is sent and gives back what it did not need, so that requests on
their way at the same time never use more calls than allowed. Tokens may go over their limit by
what the last answers were longer than expected: no endpoint says so beforehand.
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from corpuscope.tools.llm.endpoint import LimitReached

EXPECTED_ANSWER_TOKENS = 400
"""Room reserved for an answer: a description with its reasoning has 200 to 350 tokens."""

BYTES_PER_TOKEN = 4

TOKENS_SETTING = "CORPUSCOPE_LLM_MAX_TOKENS_TOTAL"


@dataclass(frozen=True, slots=True)
class Usage:
    """What was used: answered requests, tokens sent and received, answers from the cache.

    `estimated`: some of the tokens are a rule of thumb, since the endpoint did not count them.
    """

    calls: int = 0
    tokens_in: int = 0
    tokens_out: int = 0
    cached: int = 0
    estimated: bool = False

    @property
    def tokens(self) -> int:
        """Tokens in both directions."""
        return self.tokens_in + self.tokens_out

    def __add__(self, other: "Usage") -> "Usage":
        """Both together; estimated where either is."""
        return Usage(
            self.calls + other.calls,
            self.tokens_in + other.tokens_in,
            self.tokens_out + other.tokens_out,
            self.cached + other.cached,
            self.estimated or other.estimated,
        )


@dataclass(frozen=True, slots=True)
class Limits:
    """How much one piece of work may use at most. None is no limit."""

    max_calls: int | None = None
    max_tokens: int | None = None


class Budget:
    """Counts what one piece of work uses, from any number of threads, and keeps it in its limits.

    Only answered requests count: one that was refused, failed or timed out gives its room back.
    """

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._used = Usage()
        self._reserved = Usage()
        self._changed = threading.Condition()

    @property
    def usage(self) -> Usage:
        """What was used so far."""
        with self._changed:
            return self._used

    def add(self, usage: Usage) -> None:
        """Count what needed no room: an answer from the cache."""
        with self._changed:
            self._used += usage

    @contextmanager
    def room(self, expected: Usage) -> Iterator[Callable[[Usage], None]]:
        """Reserve room for one request while the block runs.

        Yields a function to call with what the request really used; without that call it used
        nothing. Where other requests have reserved the room that is left, this waits: they may
        give some back. No thread may ask for room while it has reserved some.

        Raises:
            LimitReached: What was used leaves no room for the request.
        """
        real_usage = Usage()

        def report(usage: Usage) -> None:
            nonlocal real_usage
            real_usage = usage

        with self._changed:
            while self._too_much(self._used + self._reserved + expected):
                over = self._too_much(self._used + expected)
                if over:
                    raise self._error(over, expected)
                self._changed.wait()
            self._reserved += expected
        try:
            yield report
        finally:
            with self._changed:
                self._reserved = _without(self._reserved, expected)
                self._used += real_usage
                self._changed.notify_all()

    def _too_much(self, usage: Usage) -> str:
        """The limit that this would break, as it is set; empty where none."""
        calls, tokens = self._limits.max_calls, self._limits.max_tokens
        if calls is not None and usage.calls > calls:
            return f"max_calls ({calls:,})"
        if tokens is not None and usage.tokens > tokens:
            return f"{TOKENS_SETTING} ({tokens:,})"
        return ""

    def _error(self, limit: str, expected: Usage) -> LimitReached:
        about = "about " if self._used.estimated else ""
        name = limit.split(" ")[0]
        no_room = f"{limit} leaves no room for a request of about {expected.tokens:,} tokens"
        if not self._used.calls:
            return LimitReached(f"{no_room}. Raise {name}.")
        return LimitReached(
            f"{no_room}: {self._used.calls:,} calls and {about}{self._used.tokens:,} tokens are "
            f"used. What was answered is kept. Call again for the rest, or raise {name}."
        )


def estimate_tokens(text: str) -> int:
    """About how many tokens a text is: its UTF-8 bytes / 4, rounded up.

    A rule of thumb for the common tokenizers, not the model's own: English comes out about right,
    other languages mostly as too many.
    """
    return -(-len(text.encode("utf-8", "replace")) // BYTES_PER_TOKEN)


def _without(whole: Usage, part: Usage) -> Usage:
    return Usage(
        whole.calls - part.calls,
        whole.tokens_in - part.tokens_in,
        whole.tokens_out - part.tokens_out,
    )

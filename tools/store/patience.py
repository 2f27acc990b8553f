"""How long a call may take, and whether anybody still waits for its answer.

It is passed to what the call uses, which asks it before each step that may take long.
"""

import math
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from corpuscope.tools.core.errors import NotReady


class OutOfTime(NotReady):
    """Work was given up: its time is over, or nobody waits for it any more."""


@dataclass(frozen=True)
class Patience:
    """That of one call: `seconds` from now on, unless it is stopped before."""

    seconds: float
    _until: float = field(init=False)
    _stopped: threading.Event = field(init=False, default_factory=threading.Event)
    _give_up: list[Callable[[], object]] = field(init=False, default_factory=list)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_until", time.monotonic() + self.seconds)

    def stop(self) -> None:
        """Have the work end now or at its next step; may come from any thread."""
        self._stopped.set()
        for give_up in list(self._give_up):
            give_up()

    @contextmanager
    def stopping(self, give_up: Callable[[], object]) -> Iterator[None]:
        """Within the block, `give_up` is called when it is stopped, perhaps twice."""
        self._give_up.append(give_up)
        try:
            if self._stopped.is_set():
                give_up()
            yield
        finally:
            self._give_up.remove(give_up)

    @property
    def over(self) -> bool:
        """Whether it was stopped, or no time is left."""
        return self._stopped.is_set() or time.monotonic() >= self._until

    def left(self) -> float | None:
        """The seconds that are left; None: as long as it takes.

        Raises:
            OutOfTime: None are left, or it was stopped.
        """
        if self.over:
            raise OutOfTime("The call took too long or was given up, and ended half-way.")
        return None if self.is_endless else self._until - time.monotonic()

    @property
    def is_endless(self) -> bool:
        """Whether nothing but the work itself ends it."""
        return math.isinf(self.seconds)


def endless() -> Patience:
    """That of work which nobody gives up half-way."""
    return Patience(math.inf)

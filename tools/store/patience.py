"""How long a call may take, and whether anybody still waits for its answer.

It is passed to what the call uses, which asks it before each step that may take long.
"""

import math
import threading
import time
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

    def __post_init__(self) -> None:
        object.__setattr__(self, "_until", time.monotonic() + self.seconds)

    def stop(self) -> None:
        """Have the work end at its next step; may come from any thread."""
        self._stopped.set()

    def left(self) -> float | None:
        """The seconds that are left; None: as long as it takes.

        Raises:
            OutOfTime: None are left, or it was stopped.
        """
        left = self._until - time.monotonic()
        if self._stopped.is_set() or left <= 0:
            raise OutOfTime("The call took too long or was given up, and ended half-way.")
        return None if math.isinf(left) else left


def endless() -> Patience:
    """That of work which nobody gives up half-way."""
    return Patience(math.inf)

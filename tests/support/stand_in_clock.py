"""A clock for tests of pauses, which nobody has to wait for."""


class Clock:
    """Stands in for the module `time`: a sleep takes no time and moves the clock on."""

    def __init__(self) -> None:
        self.now = 1_000.0
        self.slept: list[float] = []

    def monotonic(self) -> float:
        return self.now

    def time(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.slept.append(round(seconds, 6))
        self.now += seconds

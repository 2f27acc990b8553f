import pytest
from support.stand_in_clock import Clock

from corpuscope.tools.llm import rate_limit


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """The clock by which requests are held back: it stands still but for these pauses."""
    clock = Clock()
    monkeypatch.setattr(rate_limit, "time", clock)
    return clock

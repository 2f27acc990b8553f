"""One pause for all threads: the real client against an endpoint at its limit."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest
from support.endpoint_server import (
    Behaviour,
    EndpointServer,
    endpoint_server,
    fails,
    in_turn,
    rate_limited,
    says,
)
from support.stand_in_clock import Clock

from corpuscope.tools.core.errors import Unavailable
from corpuscope.tools.core.schema import Frozen
from corpuscope.tools.llm.budget import Budget, Limits
from corpuscope.tools.llm.completion import Session, open_session
from corpuscope.tools.llm.endpoint import EndpointDown
from corpuscope.tools.llm.rate_limit import pause_asked


class Word(Frozen):
    """The smallest answer."""

    word: str


GOOD = says('{"word": "yes"}')


def ask(session: Session) -> str:
    return session.complete("Answer.", "Well?", Word).word


@contextmanager
def session_with(
    behaviour: Behaviour, retries: int = 0
) -> Iterator[tuple[Session, EndpointServer]]:
    with (
        endpoint_server(behaviour) as server,
        open_session(server.options(retries=retries), "tiny", Budget(Limits())) as session,
    ):
        yield session, server


@pytest.mark.parametrize(
    "limited",
    [
        fails(429, Retry_After="0.2"),
        fails(429, Retry_After_ms="200", Retry_After="90"),
        fails(503, Retry_After="0.2"),
    ],
)
def test_what_one_thread_is_asked_to_wait_the_others_wait(limited: Behaviour, clock: Clock) -> None:
    with session_with(in_turn(limited, GOOD)) as (session, _):
        with pytest.raises(Unavailable):
            ask(session)
        assert clock.slept == []
        # The first to come waits, and meanwhile the time is over for all.
        with ThreadPoolExecutor(4) as pool:
            assert list(pool.map(ask, [session] * 4)) == ["yes"] * 4
    assert clock.slept[0] == 0.2
    assert clock.now >= 1_000.2


def test_a_limit_met_by_many_threads_is_waited_out_and_none_gives_up() -> None:
    with session_with(rate_limited(4, 0.2, GOOD), retries=4) as (session, server):
        with ThreadPoolExecutor(4) as pool:
            assert list(pool.map(ask, [session] * 12)) == ["yes"] * 12
        assert session.budget.usage.calls == 12
    assert len(server.requests) == 16


def test_pauses_that_the_endpoint_does_not_name_grow_until_something_succeeds(
    clock: Clock,
) -> None:
    limited = fails(429)
    with session_with(in_turn(limited, limited, GOOD, limited, GOOD)) as (session, _):
        for succeeds in (False, False, True, False, True):
            if succeeds:
                ask(session)
            else:
                with pytest.raises(Unavailable, match="Try again later"):
                    ask(session)
    assert clock.slept == [0.5, 1.0, 0.5]


@pytest.mark.parametrize("status", [429, 503])
def test_a_pause_beyond_two_minutes_is_not_waited_for_and_said(status: int, clock: Clock) -> None:
    with session_with(in_turn(fails(status, "full", Retry_After="3600"), GOOD), retries=3) as (
        session,
        server,
    ):
        with pytest.raises(EndpointDown, match="asks to wait 3600 s: more than the 120 s that are"):
            ask(session)
        assert ask(session) == "yes"
    assert len(server.requests) == 2
    assert clock.slept == []


def test_a_failure_that_names_no_pause_holds_nobody(clock: Clock) -> None:
    with session_with(in_turn(fails(500), GOOD)) as (session, _):
        with pytest.raises(Unavailable):
            ask(session)
        ask(session)
    assert clock.slept == []


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"retry-after": "7"}, 7.0),
        ({"retry-after": "0.25"}, 0.25),
        ({"retry-after-ms": "250", "retry-after": "9"}, 0.25),
        ({"retry-after-ms": "soon", "retry-after": "9"}, 9.0),
        ({"retry-after": "1e999"}, float("inf")),
        ({"retry-after": "0"}, None),
        ({"retry-after": "-3"}, None),
        ({"retry-after": "nan"}, None),
        ({"retry-after": "tomorrow"}, None),
        ({"retry-after": "Wed, 21 Oct 2015 07:28:00 GMT"}, None),
        ({"retry-after": "Wed, 99 Oct 2015 07:28:00 GMT"}, None),
    ],
)
def test_the_pause_is_read_from_what_endpoints_write(
    headers: dict[str, str], seconds: float | None
) -> None:
    assert pause_asked(headers) == seconds


def test_a_pause_until_a_date_is_counted_from_now(clock: Clock) -> None:
    clock.now = 1_000.0  # 16 minutes and 40 seconds into 1970
    assert pause_asked({"retry-after": "Thu, 01 Jan 1970 00:18:10 GMT"}) == 90

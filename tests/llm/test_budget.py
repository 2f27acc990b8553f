"""What was used is counted, from many threads, and never more calls than allowed."""

from concurrent.futures import ThreadPoolExecutor
from threading import Event

import pytest

from corpuscope.tools.core.errors import Unavailable
from corpuscope.tools.llm.budget import Budget, Limits, Usage, estimate_tokens
from corpuscope.tools.llm.endpoint import LimitReached

EXPECTED = Usage(1, 60, 40, estimated=True)


def spend(budget: Budget, used: Usage) -> None:
    with budget.room(EXPECTED) as tell:
        tell(used)


def test_usages_add_up_and_stay_estimated() -> None:
    both = Usage(1, 10, 5) + Usage(2, 20, 6, cached=3, estimated=True)
    assert both == Usage(3, 30, 11, 3, estimated=True)
    assert both.tokens == 41


def test_what_a_request_really_used_takes_the_place_of_what_was_expected() -> None:
    budget = Budget(Limits(max_calls=10, max_tokens=1000))
    spend(budget, Usage(1, 7, 3))
    spend(budget, Usage(1, 8, 2))
    assert budget.usage == Usage(2, 15, 5)


def test_a_request_that_failed_gives_its_room_back() -> None:
    budget = Budget(Limits(max_calls=1))
    with pytest.raises(ZeroDivisionError), budget.room(EXPECTED):
        raise ZeroDivisionError
    with budget.room(EXPECTED):
        pass  # refused: nothing was told
    spend(budget, Usage(1, 7, 3))
    assert budget.usage == Usage(1, 7, 3)


def test_a_limit_of_calls_says_what_was_used_and_what_to_do() -> None:
    budget = Budget(Limits(max_calls=2))
    spend(budget, Usage(1, 1000, 500, estimated=True))
    spend(budget, Usage(1, 7, 3))
    with pytest.raises(LimitReached) as caught:
        spend(budget, Usage(1))
    assert str(caught.value) == (
        "max_calls (2) leaves no room for a request of about 100 tokens: "
        "2 calls and about 1,510 tokens are used. "
        "What was answered is kept. Call again for the rest, or raise max_calls."
    )
    assert isinstance(caught.value, Unavailable)
    assert budget.usage.calls == 2


def test_a_limit_of_tokens_names_its_setting() -> None:
    budget = Budget(Limits(max_tokens=1_109))
    spend(budget, Usage(1, 1000, 10))
    with pytest.raises(
        LimitReached,
        match=r"^CORPUSCOPE_LLM_MAX_TOKENS_TOTAL \(1,109\) .*1,010 tokens are used.*"
        "or raise CORPUSCOPE_LLM_MAX_TOKENS_TOTAL",
    ):
        spend(budget, Usage(1))


def test_a_request_that_just_fits_is_let_through() -> None:
    budget = Budget(Limits(max_calls=2, max_tokens=200))
    spend(budget, Usage(1, 60, 40))
    spend(budget, Usage(1, 60, 40))
    assert budget.usage == Usage(2, 120, 80)


def test_a_limit_of_no_calls_lets_none_through() -> None:
    with pytest.raises(LimitReached, match=r"max_calls \(0\)"):
        spend(Budget(Limits(max_calls=0)), Usage(1))


def test_answers_from_the_cache_need_no_room() -> None:
    budget = Budget(Limits(max_calls=0, max_tokens=0))
    budget.add(Usage(cached=1))
    assert budget.usage == Usage(cached=1)


def test_many_threads_use_all_calls_that_are_allowed_and_not_one_more() -> None:
    budget = Budget(Limits(max_calls=50))

    def work(number: int) -> bool:
        try:
            # Every third request fails, and its room goes to another.
            spend(budget, Usage() if number % 3 == 0 else Usage(1, 1, 1))
        except LimitReached:
            return False
        return True

    with ThreadPoolExecutor(16) as pool:
        through = list(pool.map(work, range(300)))
    assert budget.usage == Usage(50, 50, 50)
    assert not all(through)


def test_a_request_waits_while_others_hold_room_that_they_may_give_back() -> None:
    budget = Budget(Limits(max_calls=1))
    holding, release = Event(), Event()

    def hold() -> None:
        with budget.room(EXPECTED):
            holding.set()
            release.wait(10)

    with ThreadPoolExecutor(2) as pool:
        held = pool.submit(hold)
        assert holding.wait(10)
        waiting = pool.submit(spend, budget, Usage(1, 7, 3))
        assert not waiting.done()
        release.set()
        held.result(10)
        waiting.result(10)
    assert budget.usage == Usage(1, 7, 3)


@pytest.mark.parametrize(
    ("text", "tokens"),
    [("", 0), ("a", 1), ("four", 1), ("fours", 2), ("é" * 4, 2), ("票" * 4, 3), ("\ud800", 1)],
)
def test_tokens_are_estimated_by_bytes(text: str, tokens: int) -> None:
    assert estimate_tokens(text) == tokens

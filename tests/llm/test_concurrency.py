"""Many pieces of work at once: nothing answered is lost, and what is in vain is not tried."""

import threading
from collections.abc import Callable, Iterable
from concurrent.futures import Future

import pytest

from corpuscope.tools.core.errors import Unavailable
from corpuscope.tools.llm import concurrency
from corpuscope.tools.llm.concurrency import FAILURES_IN_A_ROW, Failures, run_concurrently
from corpuscope.tools.llm.endpoint import EndpointDown, InvalidAnswer, LimitReached


def numbered(count: int) -> dict[str, int]:
    """Items 1, 2, … by name."""
    return {f"item {number}": number for number in range(1, count + 1)}


class Work:
    """Doubles a number, or raises what is to be raised for it; notes what was tried.

    `paced`: a piece of work ends only when the caller is done with those before the one before it,
    or has left the rest. Otherwise all would be done before the caller has looked at the first.
    """

    def __init__(self, errors: dict[int, Exception] | None = None, *, paced: bool = False) -> None:
        self.errors = errors or {}
        self.paced = paced
        self.tried: list[int] = []
        self.threads: set[int] = set()
        self.settled = 0
        self.left = False
        self.changed = threading.Condition()

    def __call__(self, number: int) -> int:
        with self.changed:
            self.tried.append(number)
            self.threads.add(threading.get_ident())
            if self.paced:
                self.changed.wait_for(lambda: self.left or self.settled >= number - 1)
        if number in self.errors:
            raise self.errors[number]
        return 2 * number

    def settle(self, count: int) -> None:
        with self.changed:
            self.settled = count
            self.changed.notify_all()

    def leave(self) -> None:
        with self.changed:
            self.left = True
            self.changed.notify_all()


@pytest.fixture
def leave_rest(monkeypatch: pytest.MonkeyPatch) -> Callable[[Work], None]:
    """Tells a paced work when the rest was cancelled."""
    cancel = concurrency._cancel

    def follow(work: Work) -> None:
        def cancel_and_tell(futures: Iterable[Future[int]]) -> None:
            cancel(futures)
            work.leave()

        monkeypatch.setattr(concurrency, "_cancel", cancel_and_tell)

    return follow


def run(work: Work, count: int, results: list[int], at_a_time: int = 1) -> Failures:
    return run_concurrently(work, numbered(count), at_a_time, results.append, work.settle)


def test_every_result_comes_in_the_callers_thread_with_the_number_settled() -> None:
    work, results, threads, settled = Work(), list[int](), set[int](), list[int]()

    def keep(result: int) -> None:
        results.append(result)
        threads.add(threading.get_ident())

    failures = run_concurrently(work, numbered(20), 3, keep, settled.append)
    assert failures == Failures([])
    assert sorted(results) == [2 * number for number in range(1, 21)]
    assert settled == list(range(1, 21))
    assert threads == {threading.get_ident()}
    assert threading.get_ident() not in work.threads


def test_as_many_are_done_at_a_time_as_asked_for_and_no_more() -> None:
    together = threading.Barrier(3)
    busy: list[int] = []
    lock = threading.Lock()
    busiest = 0

    def work(number: int) -> int:
        nonlocal busiest
        with lock:
            busy.append(number)
            busiest = max(busiest, len(busy))
        together.wait(10)  # only three at a time come by
        with lock:
            busy.remove(number)
        return number

    failures = run_concurrently(work, numbered(12), 3, lambda _: None, lambda _: None)
    assert failures == Failures([])
    assert busiest == 3


def test_no_items_and_no_concurrency_are_no_error() -> None:
    assert run(Work(), 0, []) == Failures([])
    results: list[int] = []
    assert run(Work(), 2, results, at_a_time=0) == Failures([])
    assert results == [2, 4]


def test_one_failure_is_named_and_never_loses_anothers_result() -> None:
    results: list[int] = []
    work = Work({3: Unavailable("too hot"), 5: InvalidAnswer("no JSON")})
    failures = run(work, 12, results, at_a_time=4)
    assert failures == Failures([("item 3", "too hot"), ("item 5", "no JSON")])
    assert len(results) == 10


@pytest.mark.parametrize("end", [EndpointDown("refused the key"), LimitReached("no room")])
def test_where_every_other_would_fail_alike_the_rest_is_not_tried(end: Unavailable) -> None:
    results: list[int] = []
    work = Work({4: end}, paced=True)
    failures = run(work, 60, results)
    # One more may have begun while the end was noticed: its own result or reason counts.
    assert work.tried in ([1, 2, 3, 4], [1, 2, 3, 4, 5])
    assert failures.stopped == str(end)
    assert dict(failures.by_name).keys() | {f"item {n // 2}" for n in results} == {*numbered(60)}
    assert {reason for _, reason in failures.by_name} == {str(end)}
    assert [name for name, _ in failures.by_name] == [
        name for name, number in numbered(60).items() if 2 * number not in results
    ]


def test_threads_that_meet_the_same_end_give_one_reason() -> None:
    together = threading.Barrier(2)

    def work(number: int) -> int:
        together.wait(10)
        raise LimitReached(f"no room for {number}")

    failures = run_concurrently(work, numbered(2), 2, lambda _: None, lambda _: None)
    assert {reason for _, reason in failures.by_name} == {failures.stopped}


def test_failures_in_a_row_stop_the_rest_and_keep_what_was_answered() -> None:
    results: list[int] = []
    work = Work({number: Unavailable(f"503 for {number}") for number in range(4, 41)}, paced=True)
    failures = run(work, 40, results)
    assert results == [2, 4, 6]
    assert failures.stopped == f"503 for {3 + FAILURES_IN_A_ROW}"
    assert len(work.tried) in (3 + FAILURES_IN_A_ROW, 4 + FAILURES_IN_A_ROW)
    assert failures.by_name[0] == ("item 4", "503 for 4")
    assert failures.by_name[-1] == ("item 40", failures.stopped)
    assert len(failures.by_name) == 37


def test_a_result_between_failures_begins_the_count_anew() -> None:
    results: list[int] = []
    failing = [number for number in range(1, 41) if number % FAILURES_IN_A_ROW]
    failures = run(
        Work({number: Unavailable("busy") for number in failing}, paced=True), 40, results
    )
    assert failures.stopped == ""
    assert len(results) == 5
    assert len(failures.by_name) == 35


@pytest.mark.parametrize("error", [Unavailable("the disk is full"), ZeroDivisionError()])
def test_an_error_in_the_callers_hands_is_not_taken_for_the_endpoints(
    error: Exception, leave_rest: Callable[[Work], None]
) -> None:
    work = Work(paced=True)
    leave_rest(work)

    def full(result: int) -> None:
        raise error

    with pytest.raises(type(error)):
        run_concurrently(work, numbered(60), 1, full, work.settle)
    assert len(work.tried) <= 2


def test_a_bug_in_the_work_is_raised_and_the_rest_left(leave_rest: Callable[[Work], None]) -> None:
    work = Work({1: ZeroDivisionError()}, paced=True)
    leave_rest(work)
    with pytest.raises(ZeroDivisionError):
        run(work, 60, [])
    assert len(work.tried) <= 2

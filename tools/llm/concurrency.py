"""Many pieces of work at a model, several at a time, until one says that the rest is in vain.

In: a function and its inputs by name. Out: each result in the caller's thread as it comes, and what
failed and why. Work that calls a model fails by `Unavailable`; all else is a bug and ends the call.
"""

from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from typing import TypeVar

from corpuscope.tools.core.errors import Unavailable
from corpuscope.tools.llm.endpoint import EndpointDown, LimitReached

ItemT = TypeVar("ItemT")
ResultT = TypeVar("ResultT")

FAILURES_IN_A_ROW = 8
"""After so many, each with its own retries, the endpoint is taken to be down."""


@dataclass(frozen=True)
class Failures:
    """(name, what went wrong) for each item without a result, in the order of the items.

    `stopped` says why the rest was not tried; empty where all was.
    """

    by_name: list[tuple[str, str]]
    stopped: str = ""


def run_concurrently(
    work: Callable[[ItemT], ResultT],
    items: Mapping[str, ItemT],
    concurrency: int,
    on_result: Callable[[ResultT], None],
    on_progress: Callable[[int], None],
) -> Failures:
    """Do a piece of work for each item; where the endpoint is down or a limit is reached, or after
    `FAILURES_IN_A_ROW`, the items that have not begun are not tried.

    Args:
        work: Does one item, in a thread of its own. Raises `Unavailable` where it fails.
        items: What to work on, by the names under which failures are reported.
        concurrency: The most at a time; at least one.
        on_result: Given each result as it comes, in the caller's thread, one at a time.
        on_progress: Given how many items are settled, results and failures, after each.
    """
    reasons: dict[str, str] = {}
    in_a_row = 0
    stopped = ""
    with ThreadPoolExecutor(max_workers=max(1, concurrency)) as pool:
        names = {pool.submit(work, item): name for name, item in items.items()}
        try:
            for settled, future in enumerate(as_completed(names), start=1):
                try:
                    result = future.result()
                except CancelledError:
                    reasons[names[future]] = stopped
                except Unavailable as error:
                    in_a_row += 1
                    is_end = isinstance(error, EndpointDown | LimitReached)
                    if is_end or in_a_row == FAILURES_IN_A_ROW:
                        stopped = stopped or str(error)
                        _cancel(names)
                    # Threads that meet the same end word it a little differently.
                    reasons[names[future]] = stopped if is_end else str(error)
                else:
                    in_a_row = 0
                    on_result(result)
                on_progress(settled)
        finally:
            # A bug in one thread, or in `on_result`, must not wait for all the rest.
            _cancel(names)
    return Failures([(name, reasons[name]) for name in items if name in reasons], stopped)


def _cancel(futures: Iterable[Future[ResultT]]) -> None:
    """Keep what has not begun from beginning.

    Not by `shutdown(cancel_futures=True)`: it never tells `as_completed`, which then waits on.
    """
    for future in futures:
        future.cancel()

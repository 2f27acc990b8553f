"""Jobs through the tools: waiting, joining, cancelling, failing."""

import errno
import os
import sys
from collections.abc import Callable
from typing import Any

import anyio
import anyio.lowlevel
import psutil
import pytest
from mcp.client import Client
from support.calls import call, finish
from support.idle_servers import no_worker_ahead
from support.texts import tickets

from corpuscope.server import worker_process
from corpuscope.server.jobs import Job, Jobs, JobTerms, serving_jobs
from corpuscope.server.worker_process import MemorySeen, ending

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module", autouse=True)
async def dataset(client: Client) -> None:
    await finish(client, "ingest", dataset="shop", rows=tickets())


async def test_a_call_that_does_not_wait_gets_a_job_to_ask_for(client: Client) -> None:
    ticket = await call(client, "cluster", dataset="shop", seed=1, wait_seconds=0)
    assert ticket.data["state"] in ("queued", "running")
    assert f"get-job with job_id={ticket.data['job_id']}" in ticket.text
    done = await call(client, "get-job", job_id=ticket.data["job_id"], wait_seconds=45)
    assert done.data["state"] == "done"
    assert done.data["progress"] == 1
    assert done.data["result"]["clusters"] >= 2
    assert "Run r" in done.text


async def test_the_same_call_again_joins_the_job_that_runs(client: Client) -> None:
    first = await call(client, "cluster", dataset="shop", seed=2, wait_seconds=0)
    again = await call(client, "cluster", dataset="shop", seed=2, wait_seconds=0)
    assert again.data["job_id"] == first.data["job_id"]
    await call(client, "get-job", job_id=first.data["job_id"], wait_seconds=45)


async def test_a_cancelled_first_ingest_leaves_no_dataset_and_can_be_taken_up(
    client: Client,
) -> None:
    before = await call(client, "list-datasets")
    rows = [{"text": f"{row['text']} {number}"} for number in range(8) for row in tickets()]
    ticket = await call(client, "ingest", dataset="large", rows=rows, wait_seconds=0)
    cancelled = await call(client, "cancel-job", job_id=ticket.data["job_id"])
    assert cancelled.data["state"] == "cancelled"
    assert (await call(client, "list-datasets")).data == before.data
    over = await call(client, "cancel-job", job_id=ticket.data["job_id"])
    assert over.is_error
    assert "over already (cancelled)" in over.text
    after = await finish(client, "ingest", dataset="large", rows=rows)
    assert not after.is_error, "the next job must find a worker again"
    assert after.data["records"] == len(rows)


async def test_a_running_job_is_stopped_in_the_middle_and_leaves_the_store_as_it_was(
    client: Client,
) -> None:
    before = await call(client, "list-datasets")
    in_the_middle = anyio.Event()

    async def note(progress: float, total: float | None, message: str | None) -> None:
        if progress >= 0.3:
            in_the_middle.set()

    arguments = {"dataset": "large", "seed": 1, "wait_seconds": 45}
    async with anyio.create_task_group() as group:

        async def cluster() -> None:
            await client.call_tool("cluster", arguments, progress_callback=note)
            in_the_middle.set()  # at the latest

        group.start_soon(cluster)
        await in_the_middle.wait()
        ticket = await call(client, "cluster", **arguments | {"wait_seconds": 0})
        assert ticket.data["state"] == "running", "it is the same call, and so the same job"
        cancelled = await call(client, "cancel-job", job_id=ticket.data["job_id"])
    assert cancelled.data["state"] == "cancelled"
    assert cancelled.data["progress"] < 1, "it was stopped and not waited for"
    assert (await call(client, "list-datasets")).data == before.data
    after = await finish(client, "cluster", dataset="shop", seed=3)
    assert not after.is_error, "the next job must find a worker again"


def test_the_time_left_follows_the_pace_once_there_is_one() -> None:
    job = Job("j1", "cluster", {}, state="running", began=100.0)
    assert job.seconds_left(103.0) is None
    job.fraction, job.moved = 0.25, 110.0
    assert job.seconds_left(110.0) == 30.0
    assert job.seconds_left(120.0) == 20.0
    assert job.seconds_left(200.0) is None, "it goes slower than it began"
    job.state = "done"
    assert job.seconds_left(120.0) is None


async def test_a_job_that_fails_says_why_when_asked(client: Client) -> None:
    answer = await finish(client, "cluster", dataset="nothing")
    assert answer.is_error
    assert "No dataset 'nothing'. Datasets: large, shop." in answer.text


READY = "import json, os, signal, sys; sys.stdin.readline(); print('{}', flush=True); "
TAKEN = READY + "sys.stdin.readline(); print('{}', flush=True); "
SOUND = TAKEN + "print(json.dumps({'result': {'clusters': 2}}), flush=True); sys.stdin.read()"
WAITS = "; sys.stdin.read()"


@pytest.fixture
def start_as(monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[str]]:
    """Have workers started as Python processes with these programs, the last one again and again;
    gives the list of those that were started."""
    open_process = anyio.open_process

    def set_programs(*programs: str) -> list[str]:
        started: list[str] = []

        async def open_stand_in(command: list[str], **options: Any) -> Any:
            program = programs[min(len(started), len(programs) - 1)]
            started.append(program)
            return await open_process([sys.executable, "-c", program], **options)

        monkeypatch.setattr(anyio, "open_process", open_stand_in)
        return started

    return set_programs


async def ended(jobs: Jobs, **arguments: Any) -> Job:
    job = jobs.start("cluster", arguments)
    await jobs.wait_for_end(job, 45)
    return job


def refuse_results(tool: str, result: dict[str, Any]) -> None:
    raise ValueError(f"no result of {tool}")


@pytest.mark.parametrize("answers", [0, 1, 2], ids=["starting", "waiting", "working"])
async def test_a_job_whose_worker_ends_by_itself_fails_and_says_why(
    answers: int, start_as: Callable[..., list[str]], caplog: pytest.LogCaptureFixture
) -> None:
    answer = "sys.stdin.readline(); print('{}', flush=True); "
    start_as(f"import sys; {answer * answers}sys.exit(3)")
    async with serving_jobs(JobTerms({}), lambda: None) as jobs:
        await jobs.start_worker()
        job = await ended(jobs)
    assert job.state == "failed"
    assert "The worker of j1 (cluster) ended by itself (exit code 3): that is a bug" in job.message
    assert ("A worker ended by itself" in caplog.text) is (answers == 0)


@pytest.mark.parametrize(
    ("odd", "said"),
    [
        (TAKEN + "print('Traceback', flush=True)" + WAITS, "said what is no message"),
        (TAKEN + "print('[1]', flush=True)" + WAITS, "said what is no message (a list)"),
        (TAKEN + "print(json.dumps({'odd': 1}), flush=True)" + WAITS, "no message (odd)"),
        (TAKEN + "print('x' * 9000, flush=True)" + WAITS, "said what is no message"),
        (TAKEN + "print('[' * 8000, flush=True)" + WAITS, "A bug of corpuscope's own ended j1"),
        (TAKEN + "os.close(1)" + WAITS, "closed its output and did not end"),
        (
            TAKEN + "os.kill(os.getpid(), 9)",
            "was killed (SIGKILL), by the system if memory ran out",
        ),
        (TAKEN + "os.kill(os.getpid(), 11)", "crashed (SIGSEGV): that is a bug"),
        (TAKEN + "os.kill(os.getpid(), 15)", "was told to end by somebody (SIGTERM)"),
        ("import os; os.kill(os.getpid(), 9)", "was killed (SIGKILL)"),
    ],
)
async def test_a_worker_that_does_what_none_should_fails_its_job_and_nothing_else(
    odd: str, said: str, start_as: Callable[..., list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker_process, "LONGEST_LINE", 8192)
    monkeypatch.setattr(worker_process, "EXIT_SECONDS", 0.5)
    start_as(odd, SOUND)
    with no_worker_ahead():
        async with serving_jobs(JobTerms({}), lambda: None) as jobs:
            job = await ended(jobs)
            assert job.state == "failed"
            assert said in job.message
            assert (await ended(jobs, seed=2)).state == "done", "the next job finds a new worker"


async def test_an_error_of_a_kind_that_nobody_knows_still_says_what_it_says(
    start_as: Callable[..., list[str]],
) -> None:
    start_as(TAKEN + "print(json.dumps({'error': 'No luck.', 'kind': 'Odd'}), flush=True)" + WAITS)
    async with serving_jobs(JobTerms({}), lambda: None) as jobs:
        assert (await ended(jobs)).message == "No luck."


async def test_a_result_that_is_not_what_its_tool_promises_fails_the_job_alone(
    start_as: Callable[..., list[str]], caplog: pytest.LogCaptureFixture
) -> None:
    start_as(SOUND)
    async with serving_jobs(JobTerms({}, check=refuse_results), lambda: None) as jobs:
        assert "A bug of corpuscope's own ended j1" in (await ended(jobs)).message
        assert "ended j2" in (await ended(jobs, seed=2)).message
    assert "ValueError: no result of cluster" in caplog.text, "the log has the traceback"


@pytest.mark.parametrize("number", [errno.EMFILE, errno.ENOMEM, errno.ENOENT])
async def test_a_worker_that_cannot_be_started_fails_the_job_and_the_next_one_starts(
    number: int, start_as: Callable[..., list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    start_as(SOUND)
    sound, failures = anyio.open_process, [OSError(number, os.strerror(number))]

    async def open_process(command: list[str], **options: Any) -> Any:
        if failures:
            raise failures.pop()
        return await sound(command, **options)

    monkeypatch.setattr(anyio, "open_process", open_process)
    with no_worker_ahead():
        async with serving_jobs(JobTerms({}), lambda: None) as jobs:
            job = await ended(jobs)
            assert f"could not be started: {os.strerror(number)}" in job.message
            assert (await ended(jobs, seed=2)).state == "done"


async def test_whatever_is_wrong_with_the_store_jobs_are_served(
    start_as: Callable[..., list[str]], caplog: pytest.LogCaptureFixture
) -> None:
    def connect() -> None:
        raise TypeError("list indices must be integers")

    start_as(SOUND)
    async with serving_jobs(JobTerms({}), connect) as jobs:
        assert (await ended(jobs)).state == "done"
    assert "list indices must be integers" in caplog.text


async def test_a_first_job_takes_the_worker_that_is_being_started(
    start_as: Callable[..., list[str]],
) -> None:
    started = start_as(SOUND)
    async with serving_jobs(JobTerms({}, workers=2), lambda: None) as jobs:
        assert (await ended(jobs)).state == "done"
        assert len(started) == 1


async def test_a_job_that_takes_more_memory_than_it_may_is_ended_and_says_so(
    start_as: Callable[..., list[str]],
) -> None:
    # One long call that gives nobody else a turn, as numba's and a regular expression's are.
    holds_on = "taken = bytearray(300_000_000); sum(range(10**12))"
    start_as(TAKEN + holds_on, SOUND)
    with no_worker_ahead():
        async with serving_jobs(JobTerms({}, memory_bytes=200e6), lambda: None) as jobs:
            job = await ended(jobs)
            assert "needed more than 0.2 GB of memory (CORPUSCOPE_MEMORY_GB)" in job.message
            assert (await ended(jobs, seed=2)).state == "done"


async def test_a_look_that_fails_ends_neither_the_watch_nor_a_kill(
    start_as: Callable[..., list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    blind = [True]
    look, children = psutil.Process.memory_info, psutil.Process.children

    def seen(see: Any) -> Any:
        def look_at(process: psutil.Process, **options: Any) -> Any:
            if blind[0]:
                raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))
            return see(process, **options)

        return look_at

    monkeypatch.setattr(worker_process, "LOOK_SECONDS", 0.05)
    monkeypatch.setattr(psutil.Process, "memory_info", seen(look))
    monkeypatch.setattr(psutil.Process, "children", seen(children))
    start_as(TAKEN + "taken = bytearray(300_000_000); sum(range(10**12))")
    with no_worker_ahead():
        async with serving_jobs(JobTerms({}, memory_bytes=200e6), lambda: None) as jobs:
            first = jobs.start("cluster", {})
            while first.began == 0:
                await anyio.lowlevel.checkpoint()
            await jobs.cancel(first)
            assert first.state == "cancelled"
            second = jobs.start("cluster", {})
            while second.began == 0:
                await anyio.lowlevel.checkpoint()
            blind[0] = False
            await jobs.wait_for_end(second, 45)
            assert "needed more than 0.2 GB" in second.message


async def test_a_call_repeated_while_its_job_is_cancelled_is_begun_anew(
    start_as: Callable[..., list[str]],
) -> None:
    start_as(TAKEN + "sys.stdin.read()", SOUND)
    with no_worker_ahead():
        async with serving_jobs(JobTerms({}), lambda: None) as jobs:
            first = jobs.start("cluster", {})
            while first.began == 0:
                await anyio.lowlevel.checkpoint()
            first.stop.cancel()
            again = await ended(jobs)
            assert again is not first
            assert (first.state, again.state) == ("cancelled", "done")


@pytest.mark.parametrize(
    ("code", "said"),
    [
        (
            -9,
            "was killed (SIGKILL), by the system if memory ran out, else by somebody: it had 3.0",
        ),
        (-6, "crashed (SIGABRT)"),
        (-99, "crashed (signal 99)"),
        (None, "did not end"),
    ],
)
def test_how_a_worker_ended_is_told_as_far_as_it_is_known(code: int | None, said: str) -> None:
    assert said in ending(code, MemorySeen(3_000_000_000, 1_000_000_000))


async def test_an_unknown_job_is_answered_with_the_known_ones(client: Client) -> None:
    answer = await call(client, "get-job", job_id="j999")
    assert answer.is_error
    assert "No job 'j999' in this server. Newest: j" in answer.text


async def test_progress_is_told_while_waiting_and_never_falls(client: Client) -> None:
    told: list[float] = []

    async def note(progress: float, total: float | None, message: str | None) -> None:
        assert total == 1
        assert message
        told.append(progress)

    await client.call_tool(
        "cluster",
        {"dataset": "shop", "seed": 4, "wait_seconds": 45},
        progress_callback=note,
    )
    assert told
    assert told == sorted(set(told))

"""Jobs through the tools: waiting, joining, cancelling, failing."""

import sys
from typing import Any

import anyio
import pytest
from mcp.client import Client
from support.calls import call, finish
from support.texts import tickets

from corpuscope.server.jobs import Job, serving_jobs

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


@pytest.mark.parametrize("answers", [0, 1, 2], ids=["starting", "waiting", "working"])
async def test_a_job_whose_worker_ends_by_itself_fails_and_says_why(
    answers: int, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    open_process = anyio.open_process
    answer = "sys.stdin.readline(); print('{}', flush=True); "

    async def short_lived(command: list[str], **options: Any) -> Any:
        code = f"import sys; {answer * answers}sys.exit(3)"
        return await open_process([sys.executable, "-c", code], **options)

    monkeypatch.setattr(anyio, "open_process", short_lived)
    async with serving_jobs({}, 1, lambda: None) as jobs:
        await jobs.start_worker()
        job = jobs.start("cluster", {})
        await jobs.wait_for_end(job, 45)
    assert job.state == "failed"
    assert "The worker of j1 ended by itself" in job.message
    if answers == 2:
        assert "(exit code 3): that is a bug in it" in job.message
    assert ("A worker ended while it started" in caplog.text) is (answers == 0)


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

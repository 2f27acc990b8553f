"""A tool made up here: the server redacts it without its author thinking of it."""

import threading
from collections.abc import AsyncIterator
from dataclasses import replace
from types import SimpleNamespace
from typing import Any, cast

import anyio
import anyio.to_thread
import pytest
from mcp.client import Client
from support.calls import answer_of, call
from support.changed_settings import changed_settings
from support.idle_servers import no_worker_ahead

from corpuscope.server.adapter import Serving, ToolSpec, told, wrapped
from corpuscope.server.app import build_server
from corpuscope.server.calls import Calls
from corpuscope.server.jobs import Job
from corpuscope.server.settings import Settings
from corpuscope.tools.core.errors import BadInput
from corpuscope.tools.core.schema import Result, Sentence, Verbatim
from corpuscope.tools.workspace.workspace import Workspace

pytestmark = pytest.mark.anyio

ADDRESS = "jane.doe@example.org"
CARD_LIKE = "4111111111111111"


class Quote(Result):
    """A text with its record."""

    id: Verbatim
    text: str

    def as_text(self) -> str:
        """The quote in a line."""
        return f"[{self.id}] {self.text}"


class Quotes(Result):
    """Texts in every place that a result has for one."""

    head: str
    quotes: list[Quote]
    by_theme: dict[str, str]
    summary: list[Sentence]
    note: str | None

    def as_text(self) -> str:
        """All of it."""
        lines = [self.head, *(quote.as_text() for quote in self.quotes), *self.by_theme.values()]
        return "\n".join([*lines, *(sentence.text for sentence in self.summary), self.note or ""])


def quote_people(workspace: Workspace, fail: bool = False) -> Quotes:
    """Quote what people wrote."""
    if fail:
        raise BadInput(f"There is no column {ADDRESS}. Columns: text.")
    return Quotes(
        head=f"By {ADDRESS}",
        quotes=[Quote(id=CARD_LIKE, text=f"Write to {ADDRESS}")],
        by_theme={"1": f"{ADDRESS} asks"},
        summary=[Sentence(text=f"{ADDRESS} pays with {CARD_LIKE}.", records=[CARD_LIKE])],
        note=f"from {ADDRESS}",
    )


class Attempt:
    """A read that goes on as long as somebody waits for it."""

    def __init__(self) -> None:
        self.begun, self.ended = threading.Event(), threading.Event()

    def look_again_and_again(self, workspace: Workspace) -> Quotes:
        """Ask the store without end."""
        self.begun.set()
        try:
            while True:
                workspace.store.cards()
        finally:
            self.ended.set()


@pytest.fixture(scope="module", params=[False, True], ids=["as it is", "redacted"])
def redact(request: pytest.FixtureRequest) -> bool:
    return bool(request.param)


@pytest.fixture(scope="module")
async def made_up(
    settings: Settings, redact: bool, running_lite: None, anyio_backend: str
) -> AsyncIterator[Client]:
    server = build_server(changed_settings(settings, redact=redact), warm=False)
    server.add_tool(wrapped(ToolSpec(quote_people, "Quote people")), name="quote-people")
    with no_worker_ahead():
        async with Client(server, raise_exceptions=True) as client:
            await call(client, "list-datasets")  # it has begun in earnest before it ends
            yield client


async def test_a_new_tool_is_redacted_in_text_and_data(made_up: Client, redact: bool) -> None:
    answer = await call(made_up, "quote-people")
    for said in (answer.text, str(answer.data)):
        assert (ADDRESS in said) is not redact
        assert said.count("[email]") == (5 if redact else 0)


async def test_ids_of_records_stay_whatever_their_digits_look_like(
    made_up: Client, redact: bool
) -> None:
    data = (await call(made_up, "quote-people")).data
    assert data["quotes"][0]["id"] == CARD_LIKE
    assert data["summary"][0]["records"] == [CARD_LIKE]
    assert (CARD_LIKE in data["summary"][0]["text"]) is not redact


async def test_what_a_new_tool_refuses_is_redacted_too(made_up: Client, redact: bool) -> None:
    answer = await call(made_up, "quote-people", fail=True)
    assert answer.is_error
    assert f"no column {'[email]' if redact else ADDRESS}. Columns: text." in answer.text


async def test_a_job_that_is_done_is_told_with_its_result_redacted_once(
    workspace: Workspace,
) -> None:
    seen: list[str] = []

    def note(text: str) -> str:
        seen.append(text)
        return text.replace(ADDRESS, "[email]")

    serving: Any = Serving(
        replace(workspace, redact=note),
        jobs=cast(Any, None),
        calls=Calls(30),
        tools={"quote-people": ToolSpec(quote_people, "Quote people")},
    )
    ctx: Any = SimpleNamespace(request_context=SimpleNamespace(lifespan_context=serving))
    job = Job("j1", "quote-people", {}, state="done", message="done")
    job.result = quote_people(workspace).model_dump(mode="json")
    answer = answer_of(await told(ctx, job))
    assert answer.text.count("[email]") == 5
    assert ADDRESS not in answer.text + str(answer.data["result"])
    assert seen.count(f"By {ADDRESS}") == 1
    serving.calls.close()


@pytest.mark.parametrize("seconds", [0.2, 30.0], ids=["too late", "cancelled"])
async def test_a_read_ends_with_its_time_or_when_its_client_cancels_it(
    seconds: float, settings: Settings, running_lite: None
) -> None:
    attempt = Attempt()
    server = build_server(changed_settings(settings, read_seconds=seconds), warm=False)
    looking = ToolSpec(attempt.look_again_and_again, "Look", read_only=True)
    server.add_tool(wrapped(looking), name="look")
    with no_worker_ahead():
        async with (
            Client(server, raise_exceptions=True) as client,
            anyio.create_task_group() as group,
        ):
            if seconds < 1:
                answer = await call(client, "look")
                assert answer.is_error
                assert "took longer than 0.2 s and was given up; nothing was" in answer.text
            else:
                group.start_soon(call, client, "look")
                await anyio.to_thread.run_sync(attempt.begun.wait, 30)
                group.cancel_scope.cancel()
            with anyio.CancelScope(shield=True):
                assert await anyio.to_thread.run_sync(attempt.ended.wait, 30)

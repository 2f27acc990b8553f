"""Processes of a server are killed in the middle of every operation; then nothing is lost.

A life is a home with a dozen kills: of workers, of Milvus Lite, and of the server, each at a step
drawn from the life's seed. After each, whoever is left, or the next server, must find what was
acknowledged before, the dataset of the call as it was before or as it is after, and must bring the
same call to its end. `make kills` runs many lives, `make test` one.
"""

import json
import os
import random
import signal
import sys
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal, TypeAlias

import pytest
from mcp import MCPError, StdioServerParameters
from mcp.client import Client
from support.calls import Answer, call, finish
from support.texts import odd_texts, tickets
from support.worker_processes import workers_of

from corpuscope.tools.archive.runs import Runs
from corpuscope.tools.core.schema import DatasetCard
from corpuscope.tools.store.connection import MilvusLocation
from corpuscope.tools.store.store import Store

pytestmark = pytest.mark.anyio

LIVES = int(os.environ.get("LIVES", "1"))
FIRST_LIFE = int(os.environ.get("FIRST_LIFE", "2"))
"""Of which seed: a life that failed is lived again by its number. Of the first five, 2 has the
fewest calls that take long."""

Role: TypeAlias = Literal["worker", "lite", "server"]

SERVERS = 2
KILLS: tuple[Role, ...] = ("worker", "lite", "worker", "lite", "lite", "server")
"""Who dies during the life of one server, in turn."""

DYING = Path(__file__).parent.parent / "support" / "dying"
MOST_STEPS: dict[Role, int] = {"worker": 40, "lite": 60, "server": 12}
"""About as many as the longest operations here take in a process; a call that takes fewer is over
by then, and the process is killed right after the answer."""

# It notes its process id, so that a test can kill it. Its workers compile nothing beforehand: most
# of them are killed before they could use it.
START = """
import os, sys
from corpuscope.server.app import build_server
from corpuscope.server.settings import read_settings
open(sys.argv[1], "w").write(str(os.getpid()))
build_server(read_settings(), warm=False).run("stdio")
"""
OLD, LATER = tickets(each=4), [{"id": "L1", "text": "My parcel is late."}]
NEW = [*OLD, *({**row, "id": f"N{row['id']}"} for row in tickets(each=5)[:8])]
OTHER = odd_texts(15)


@dataclass(frozen=True)
class Seen:
    """A dataset as it is found: what was said of it must be there."""

    records: dict[str, str]
    """Digest by id."""
    runs: dict[str, dict[str, str]]
    """For each run the title or first keywords of its clusters, by id."""
    default: str | None


Arguments: TypeAlias = Callable[[random.Random, Seen], dict[str, Any]]


@dataclass(frozen=True)
class Operation:
    """A call that a process is killed in: its arguments are drawn for the dataset as it is."""

    tool: str
    arguments: Arguments
    in_worker: bool = False


def ingesting(rows: list[dict[str, Any]], **more: Any) -> Arguments:
    """Arguments that ingest some rows, by their ids where they have one."""
    named = {"id_column": "id"} if "id" in rows[0] else {}
    return lambda *_: {"dataset": "shop", "rows": rows, **named, **more}


def labelling(draw: random.Random, shop: Seen) -> dict[str, Any]:
    """Arguments that give a cluster of the newest run another title."""
    run = [*shop.runs][-1]
    words = {"title": f"Given by a person, {draw.randrange(99)}", "summary": "What they wrote."}
    return {"dataset": "shop", "run": run, "cluster": "1", **words, "author": "person"}


OPERATIONS = (
    Operation("ingest", ingesting(NEW), in_worker=True),
    Operation("ingest", ingesting(OTHER, mode="replace"), in_worker=True),
    Operation("ingest", ingesting(OTHER, dataset="other"), in_worker=True),
    Operation("cluster", lambda r, _: {"dataset": "shop", "seed": r.randrange(99)}, in_worker=True),
    Operation("cluster", lambda *_: {"dataset": "shop", "assign": True}, in_worker=True),
    Operation("plot", lambda *_: {"dataset": "shop"}, in_worker=True),
    Operation("check-stability", lambda *_: {"dataset": "shop"}, in_worker=True),
    Operation("label-cluster", labelling),
    Operation("set-default", lambda _, s: {"dataset": "shop", "run": [*s.runs][-1]}),
    Operation(
        "delete", lambda r, s: {"dataset": "shop", "run": r.choice([*s.runs]), "confirm": True}
    ),
    Operation("delete", lambda *_: {"dataset": "shop", "confirm": True}),
    Operation("cancel-job", lambda r, _: {"dataset": "shop", "seed": r.randrange(99)}),
    Operation("search", lambda *_: {"dataset": "shop", "query": "my refund"}),
)


@dataclass(frozen=True)
class Place:
    """The folder of a life: its home, and the orders to die."""

    folder: Path

    @property
    def home(self) -> Path:
        return self.folder / "home"

    def server(self) -> StdioServerParameters:
        """How to start a server that obeys orders."""
        (self.folder / "orders").mkdir(exist_ok=True)
        environment = {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(DYING),
            "CORPUSCOPE_TEST_ORDERS": str(self.folder / "orders"),
            "CORPUSCOPE_HOME": str(self.home),
            "CORPUSCOPE_ALLOWED_DIRS": str(self.folder),
            "CORPUSCOPE_EMBEDDING": "lexical",
        }
        arguments = ["-c", START, str(self.folder / "server.pid")]
        return StdioServerParameters(
            command=sys.executable, args=arguments, env=environment, cwd=str(self.folder)
        )

    def order(self, dies: str, step: int, *, with_parent: bool) -> None:
        """Let a process die at a step of the call that comes next."""
        order = {"dies": dies, "step": step, "with_parent": with_parent}
        draft = self.folder / "orders" / "draft"
        draft.write_text(json.dumps(order), encoding="utf-8")
        draft.rename(draft.with_name("order"))

    def withdraw(self) -> bool:
        """Take the order back; whether nobody had obeyed it."""
        with suppress(FileNotFoundError):
            (self.folder / "orders" / "order").unlink()
            return True
        return False

    def kill(self, role: Role) -> None:
        """Kill the process of this role, or all of them."""
        server = int((self.folder / "server.pid").read_text(encoding="utf-8"))
        lite = json.loads((self.home / "milvus.json").read_text(encoding="utf-8"))["pid"]
        processes = {"server": [server], "lite": [lite], "worker": workers_of(server)}
        for process in processes[role]:
            os.kill(process, signal.SIGKILL)

    async def look(self, client: Client) -> dict[str, Seen]:
        """All datasets as the tools and the store show them; each of their calls must succeed."""
        listed = await call(client, "list-datasets")
        assert not listed.is_error, listed.text
        store = Store(MilvusLocation(self.home))
        runs = Runs(self.home / "runs")
        seen = {}
        try:
            for dataset in listed.data["datasets"]:
                name = dataset["name"]
                card = store.card(name)
                records = store.digests(card)
                assert len(records) == dataset["records"]
                shown = {}
                for run in runs.ids(name):
                    shown[run] = await themes(client, card, run)
                seen[name] = Seen(records, shown, dataset["default_run"])
        finally:
            store.close()
        return seen


async def themes(client: Client, card: DatasetCard, run: str) -> dict[str, str]:
    """The clusters of a run with what they are called; each must have its members."""
    clusters = await call(client, "list-clusters", dataset=card.name, run=run, limit=50)
    assert not clusters.is_error, clusters.text
    named = {row["id"]: row["title"] or str(row["keywords"]) for row in clusters.data["clusters"]}
    for cluster in [*named][:1]:
        members = await call(client, "get-members", dataset=card.name, run=run, cluster=cluster)
        stale = card.name in members.text and "replaced" in members.text
        assert not members.is_error or stale, members.text
    return named


@dataclass(frozen=True)
class Killed:
    """A call in which a process was killed."""

    tool: str
    arguments: dict[str, Any]
    answer: Answer | None
    """None where the server was killed before it answered."""

    @property
    def dataset(self) -> str:
        return str(self.arguments["dataset"])

    @property
    def acknowledged(self) -> bool:
        """Whether the client was told that it is done."""
        return self.answer is not None and not self.answer.is_error

    def __str__(self) -> str:
        said = "no answer" if self.answer is None else self.answer.text
        few = {name: value for name, value in self.arguments.items() if name != "rows"}
        return f"{self.tool}({few}): {said}"


async def make_call(client: Client, operation: Operation, arguments: dict[str, Any]) -> Answer:
    """Make the call, and wait for the job that it may be."""
    if operation.tool == "cancel-job":
        begun = await call(client, "cluster", wait_seconds=0, **arguments)
        return await call(client, "cancel-job", job_id=begun.data["job_id"])
    ask = finish if operation.in_worker else call
    return await ask(client, operation.tool, **arguments)


async def killed_call(
    place: Place, client: Client, shop: Seen, operation: Operation, role: Role, draw: random.Random
) -> Killed:
    """Make the call on the shop, and kill a process in it, or right after it."""
    arguments = operation.arguments(draw, shop)
    doer: Role = "worker" if role == "server" and operation.in_worker else role
    place.order(doer, draw.randint(1, MOST_STEPS[doer]), with_parent=doer != role)
    answer = None
    with suppress(MCPError):
        answer = await make_call(client, operation, arguments)
    if place.withdraw():
        place.kill(role)
    return Killed(operation.tool, arguments, answer)


def check_kept(killed: Killed, before: dict[str, Seen], after: dict[str, Seen]) -> None:
    """What the call did not mean is as it was; what it meant is as before, or further on."""
    assert {name: seen for name, seen in after.items() if name != killed.dataset} == {
        name: seen for name, seen in before.items() if name != killed.dataset
    }
    old, new = before.get(killed.dataset), after.get(killed.dataset)
    if old is None:
        return  # a dataset that was to be new
    if killed.tool == "delete":
        gone = killed.arguments.get("run")
        assert new in (None, old) if gone is None else new is not None
        if new is not None:
            assert new.records == old.records
            assert {*old.runs} - {*new.runs} <= {gone}
        return
    assert new is not None, "the dataset is gone"
    assert old.runs.keys() <= new.runs.keys()
    if killed.tool != "ingest":
        assert new.records == old.records
    elif old.records.keys() & new.records.keys():  # it was not replaced
        assert old.records.items() <= new.records.items()
    if killed.tool not in ("label-cluster", "ingest"):
        assert old.runs.items() <= new.runs.items()


def check_acknowledged(killed: Killed, after: dict[str, Seen]) -> None:
    """What the client was told is so."""
    assert killed.answer is not None
    data, seen = killed.answer.data, after.get(killed.dataset)
    match killed.tool:
        case "delete" if killed.arguments.get("run") is None:
            assert seen is None
        case "delete":
            assert seen is not None and killed.arguments["run"] not in seen.runs
        case "ingest":
            assert seen is not None and len(seen.records) == data["records"]
        case "cluster":
            assert seen is not None and data["run"] in seen.runs
        case "set-default":
            assert seen is not None and seen.default == killed.arguments["run"]
        case "label-cluster":
            assert seen is not None
            title = seen.runs[killed.arguments["run"]]["1"]
            assert title == killed.arguments["title"]


async def check_repeated(
    place: Place, client: Client, operation: Operation, killed: Killed
) -> None:
    """The same call again brings it to its end, and a name that is free has nothing of the past."""
    again = await make_call(client, operation, killed.arguments)
    found = await place.look(client)
    if killed.tool == "delete":
        assert not again.is_error or "No " in again.text, again.text
        run = killed.arguments.get("run")
        assert killed.dataset not in found if run is None else run not in found["shop"].runs
    else:
        fine = ("Nothing to assign", "over already")
        assert not again.is_error or any(text in again.text for text in fine), again.text
        if not again.is_error:
            check_acknowledged(Killed(killed.tool, killed.arguments, again), found)
    if "shop" not in found:
        await finish(client, "ingest", dataset="shop", rows=OTHER)
        assert (await place.look(client))["shop"].runs == {}


async def begin(place: Place, client: Client) -> dict[str, Seen]:
    """Give the shop its records, a run of them, and one record that came later, unless it has."""
    found = await place.look(client)
    if "shop" in found and found["shop"].runs and len(found["shop"].records) > len(OTHER):
        return found
    for tool, arguments in (
        ("ingest", {"rows": OLD, "id_column": "id", "mode": "replace"}),
        ("cluster", {}),
        ("ingest", {"rows": LATER, "id_column": "id"}),
    ):
        answer = await finish(client, tool, dataset="shop", **arguments)
        assert not answer.is_error, answer.text
    return await place.look(client)


@pytest.mark.parametrize("life", range(FIRST_LIFE, FIRST_LIFE + LIVES))
async def test_a_kill_in_the_middle_of_any_call_loses_nothing_that_was_said(
    life: int, tmp_path: Path
) -> None:
    draw = random.Random(life)
    place = Place(tmp_path)
    worker_calls = [operation for operation in OPERATIONS if operation.in_worker]
    check_last: Callable[[Client], Awaitable[None]] | None = None
    for _ in range(SERVERS):
        async with Client(place.server()) as client:
            for role in KILLS:
                if check_last:
                    await check_last(client)
                before = await begin(place, client)
                operation = draw.choice(worker_calls if role == "worker" else OPERATIONS)
                killed = await killed_call(place, client, before["shop"], operation, role, draw)
                check_last = partial(
                    check_life, place, operation=operation, killed=killed, before=before
                )
    assert check_last
    async with Client(place.server()) as successor:
        await check_last(successor)


async def check_life(
    place: Place, client: Client, operation: Operation, killed: Killed, before: dict[str, Seen]
) -> None:
    """All that must hold after a kill."""
    try:
        after = await place.look(client)
        check_kept(killed, before, after)
        if killed.acknowledged:
            check_acknowledged(killed, after)
        await check_repeated(place, client, operation, killed)
    except AssertionError as error:
        error.add_note(f"killed: {killed}")
        raise

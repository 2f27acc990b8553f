"""`edit-clusters` through the client: what was changed is seen everywhere, and can be undone."""

from dataclasses import replace
from typing import Any

import anyio
import anyio.to_thread
import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as at_most
from hypothesis import strategies as some
from mcp.client import Client
from support.calls import Answer, call, finish
from support.made_shop import FLAT, PATHS, SIZE, fill, made_run
from support.texts import tickets

from corpuscope.tools.core.errors import BadInput, NotReady
from corpuscope.tools.core.ids import is_within
from corpuscope.tools.core.schema import NOISE, Watch
from corpuscope.tools.edit_clusters import edit_clusters
from corpuscope.tools.list_clusters import list_clusters
from corpuscope.tools.workspace.selection import select
from corpuscope.tools.workspace.workspace import Workspace

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module")
def shop(client: Client, workspace: Workspace) -> Client:
    """A client of a server with runs that were made by hand: of `shop`, and of `flat`, which has a
    cluster for each theme."""
    fill(workspace)
    run = made_run(workspace, PATHS, telling=True).run
    places = np.random.default_rng(0).normal(size=(run.records, 2)).astype(np.float32)
    workspace.runs.save_map(run, places)
    fill(workspace, "flat")
    made_run(workspace, FLAT, dataset="flat", telling=True)
    return client


async def edit(client: Client, op: str, dataset: str = "shop", **arguments: object) -> Answer:
    return await finish(client, "edit-clusters", op=op, dataset=dataset, **arguments)


async def back(client: Client, dataset: str = "shop") -> None:
    """The run as it was found."""
    while not (await edit(client, "undo", dataset)).is_error:
        pass


async def listed(client: Client, dataset: str = "shop", **arguments: Any) -> dict[str, int]:
    page = await call(client, "list-clusters", dataset=dataset, **arguments)
    return {line["id"]: line["size"] for line in page.data["clusters"]}


async def read(client: Client, dataset: str = "shop") -> list[str]:
    """All that lists say of a run."""
    pages = [
        await call(client, "list-clusters", dataset=dataset, **asked)
        for asked in ({}, {"layer": 0}, {"parent": "1"}, {"parent": "2"})
    ]
    noise = await call(client, "get-members", dataset=dataset, cluster=NOISE, limit=100)
    return [page.text for page in (*pages, noise)]


async def test_what_was_merged_renamed_and_undone_is_what_it_was(shop: Client) -> None:
    before = await read(shop)
    said = await edit(shop, "merge", clusters=["1.1", "2.1"], title="Parcels, logins", by="person")
    assert not said.is_error, said.text
    assert "edit 1 by the person: merged 2.1 into 1.1 as 'Parcels, logins'." in said.text
    assert "1.1 Parcels, logins: 36 → 72 records" in said.text
    assert "2.1 password, login, account: gone (36 records before)" in said.text
    assert await listed(shop) == {"1.1": 72, "1.2": 36, "3": 36}
    page = await call(shop, "list-clusters", dataset="shop", parent="1.1")
    line = (await call(shop, "list-clusters", dataset="shop")).data["clusters"][0]
    assert (line["title"], line["author"], page.data["total"]) == ("Parcels, logins", "person", 0)
    words = {*" ".join(line["keywords"]).split()}
    assert words & {"log", "browser"} and words & {"delivery", "tracking"}, "of both"
    renamed = await edit(shop, "rename", clusters="1.1", title="All kinds")
    assert "1.1 All kinds (before: Parcels, logins)" in renamed.text
    after = await read(shop)
    for number in (2, 1):
        undone = await edit(shop, "undo", by="person")
        assert undone.data["edit"] == number
    assert await read(shop) == before
    for _ in range(2):
        await edit(shop, "redo")
    assert await read(shop) == after
    assert "Nothing to redo: no edit of run r1 was undone" in (await edit(shop, "redo")).text
    history = (await edit(shop, "history")).data["history"]
    assert [(one["number"], one["by"], one["state"]) for one in history] == [
        (1, "person", "active"),
        (2, "assistant", "active"),
    ]
    await back(shop)


async def test_all_tools_and_later_runs_follow_an_edit(shop: Client, workspace: Workspace) -> None:
    some_noise = await call(shop, "get-members", dataset="shop", cluster=NOISE, limit=4)
    ids = [member["id"] for member in some_noise.data["members"]]
    await edit(shop, "rename", clusters=["3"], title="Machines that fail", by="person")
    await edit(shop, "merge", clusters=["1.1"], into="3")
    moved = await edit(shop, "move", records=ids, into="3")
    assert "moved 4 records to 3." in moved.text
    assert "Titles of other records than now: 3. op='rename'" in moved.text
    line = next(
        line
        for line in (await call(shop, "list-clusters", dataset="shop")).data["clusters"]
        if line["id"] == "3"
    )
    assert (line["size"], line["title"], line["stale"]) == (76, "Machines that fail", "r1:3")
    assert line["changed"] == round(40 / 76, 3)
    for cluster, count in (("3", 76), (NOISE, SIZE - 4), ("1", 36)):
        members = await call(shop, "get-members", dataset="shop", cluster=cluster)
        assert members.data["total"] == count
    first = (await call(shop, "get-members", dataset="shop", cluster="3", sort="edge")).data
    assert {member["strength"] for member in first["members"]} == {1.0}
    drawn = await finish(shop, "plot", dataset="shop")
    assert "Machines that fail (76)" in drawn.data["largest"]
    hits = await call(shop, "search", dataset="shop", query="my parcel has not arrived", limit=3)
    assert {hit["cluster"] for hit in hits.data["hits"]} == {"3"}
    inside = await call(shop, "search", dataset="shop", query="garden lawn", cluster="3", limit=4)
    assert {hit["id"] for hit in inside.data["hits"]} <= {
        *ids, *(hit["id"] for hit in inside.data["hits"] if hit["cluster"] == "3")
    }  # fmt: skip
    evidence = await finish(shop, "describe-cluster", dataset="shop", cluster="3", refresh=True)
    assert "76 records" in (evidence.data["evidence"] or evidence.text)
    extra = [row | {"id": f"N{row['id']}", "text": f"{row['text']} Please."} for row in tickets(2)]
    await finish(shop, "ingest", dataset="shop", rows=extra, id_column="id")
    grown = await finish(shop, "cluster", dataset="shop", assign=True)
    top = next(line for line in grown.data["top"] if line["id"] == "3")
    assert (top["size"] >= 76, top["title"]) == (True, "Machines that fail")
    compared = await call(shop, "contrast", dataset="shop", a="r1", b="r2")
    assert compared.data["changes"]["clusters"]["kept"] == 3
    await call(shop, "delete", dataset="shop", run="r2", confirm=True)
    await back(shop)


async def test_a_dissolved_theme_is_noise_and_says_so(shop: Client) -> None:
    seen = await edit(shop, "dissolve", clusters=["3"], preview=True)
    assert seen.text.startswith("Preview, nothing was changed.")
    assert (await listed(shop))["3"] == 36
    await edit(shop, "dissolve", clusters=["3"])
    page = await call(shop, "get-members", dataset="shop", cluster=NOISE, limit=1)
    assert page.data["total"] == 2 * SIZE
    assert "Noise: 36 → 72 records" in seen.text
    await back(shop)


async def test_themes_stand_under_headings_made_by_hand(shop: Client) -> None:
    await edit(shop, "group", clusters=["1.2", "2.1"], title="Money and logins", by="person")
    page = await call(shop, "list-clusters", dataset="shop")
    assert [(one["id"], one["title"]) for one in page.data["headings"]] == [
        ("h1", "Money and logins"),
        (None, None),
    ]
    assert await listed(shop, parent="h1") == {"1.2": 36, "2.1": 36}
    members = await call(shop, "get-members", dataset="shop", cluster="h1")
    assert members.data["total"] == 72
    drawn = await finish(shop, "plot", dataset="shop")
    assert "Money and logins (72)" in drawn.data["largest"]
    await edit(shop, "rename", clusters="h1", title="Accounts")
    await edit(shop, "group", clusters=["2.1"], title="")
    page = await call(shop, "list-clusters", dataset="shop")
    assert "h1: Accounts (refund): 1 themes, 36 records" in page.text
    await back(shop)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"op": "merge", "clusters": ["1", "1.1"]}, "1.1 is a part of 1 already"),
        ({"op": "merge", "clusters": ["1.1"]}, "merge takes two clusters or more, not 1.1 alone"),
        ({"op": "merge", "clusters": ["1", "8", "9"]}, "no cluster '8' and '9'; nothing was"),
        ({"op": "merge", "clusters": ["1", NOISE]}, "noise is what belongs to no theme"),
        ({"op": "dissolve", "clusters": NOISE}, "noise is what belongs to no theme"),
        ({"op": "dissolve"}, "Give clusters: ids as list-clusters shows them"),
        ({"op": "move", "records": ["x", "y"], "into": "3"}, "no record 'x', 'y'; nothing was"),
        ({"op": "move", "records": ["x"]}, "needs records (their ids) and into"),
        ({"op": "rename", "clusters": "3", "title": "a b c d e f g h i"}, "9 words, at most 8"),
        ({"op": "rename", "clusters": "3", "title": ""}, "takes one cluster and a title"),
        ({"op": "rename", "clusters": "3", "title": "A", "into": "1"}, "leave out into"),
        ({"op": "group", "clusters": "3", "title": ""}, "No heading made by hand has 3 below it"),
        ({"op": "unfreeze", "clusters": "3"}, "3: not frozen; nothing was changed. None is."),
        ({"op": "undo"}, "Nothing to undo: "),
    ],
)
async def test_what_cannot_be_done_is_refused_with_what_can(
    shop: Client, arguments: dict[str, object], said: str
) -> None:
    before = await listed(shop)
    answer = await finish(shop, "edit-clusters", dataset="shop", **arguments)
    assert answer.is_error
    assert said in answer.text
    assert await listed(shop) == before


async def test_edits_made_by_two_processes_at_once_lose_nothing(
    shop: Client, workspace: Workspace
) -> None:
    async def by_the_server() -> None:
        for cluster in "12":
            answer = await edit(shop, "freeze", "flat", clusters=[cluster])
            assert not answer.is_error, answer.text

    def here() -> None:
        for cluster in "34":
            edit_clusters(workspace, Watch(), "freeze", clusters=[cluster], dataset="flat")

    async with anyio.create_task_group() as group:
        group.start_soon(by_the_server)
        group.start_soon(anyio.to_thread.run_sync, here)
    history = await edit(shop, "history", "flat")
    assert [one["number"] for one in history.data["history"]] == [1, 2, 3, 4]
    wrong = await edit(shop, "freeze", "flat", clusters=["1"])
    assert "frozen already; nothing was changed. Frozen: 1, 2, 3 and 4." in wrong.text
    await back(shop, "flat")


async def test_a_frozen_theme_survives_a_new_run_with_its_id_and_title(shop: Client) -> None:
    await edit(shop, "rename", "flat", clusters="5", title="Lawns and lattes", by="person")
    await edit(shop, "merge", "flat", clusters=["4", "5"], into="5")
    await edit(shop, "freeze", "flat", clusters=["5"])
    await edit(shop, "group", "flat", clusters=["1", "2"], title="Orders")
    mine = await call(shop, "get-members", dataset="flat", cluster="5", limit=100)
    before = {member["id"] for member in mine.data["members"]}
    assert len(before) == 2 * SIZE
    found = await finish(shop, "cluster", dataset="flat", seed=3)
    assert "Kept as frozen (1): 5." in found.text
    page = await call(shop, "get-members", dataset="flat", run="r2", cluster="5", limit=100)
    assert {member["id"] for member in page.data["members"]} == before
    lines = await call(shop, "list-clusters", dataset="flat", run="r2")
    line = next(line for line in lines.data["clusters"] if line["id"] == "5")
    assert (line["title"], line["size"]) == ("Lawns and lattes", 2 * SIZE)
    assert sum(one["size"] for one in lines.data["clusters"]) + lines.data["noise"] == 5 * SIZE
    assert lines.data["headings"][0]["title"] == "Orders"
    await back(shop, "flat")


OPS = some.lists(
    some.tuples(
        some.sampled_from(["merge", "move", "dissolve", "rename", "group", "freeze", "undo"]),
        some.lists(some.integers(0, 9), min_size=2, max_size=3),
    ),
    min_size=2,
    max_size=5,
)


@pytest.fixture(scope="module")
def small(workspace: Workspace) -> Workspace:
    fill(workspace, "small", tickets(each=5))
    made_run(workspace, dataset="small", telling=True)
    return workspace


def test_a_run_of_a_dataset_that_was_replaced_is_not_edited(small: Workspace) -> None:
    run = select(small, "small", None).run
    stale = replace(run, id="", collection="gone")
    saved = small.runs.save(stale, small.runs.members(run))
    with pytest.raises(NotReady, match=f"'small' was replaced after run {saved.id}"):
        edit_clusters(small, Watch(), "freeze", clusters=["3"], dataset="small", run=saved.id)
    small.runs.remove_run("small", saved.id)


@at_most(max_examples=6)
@given(OPS)
def test_whatever_is_edited_sizes_are_counts_and_undone_it_is_what_it_was(
    small: Workspace, ops: list[tuple[Any, list[int]]]
) -> None:
    before = list_clusters(small, "small")
    for op, picks in ops:
        run = select(small, "small", None).run
        ids = [node.id for node in run.nodes]
        arguments: dict[str, Any] = {"clusters": [ids[pick % len(ids)] for pick in picks if ids]}
        if op == "move":
            records = small.runs.members(run).ids
            into = [*ids, NOISE][picks[0] % (len(ids) + 1)]
            arguments = {"records": [records[pick] for pick in picks], "into": into}
        elif op == "rename":
            arguments = {"clusters": arguments["clusters"][:1], "title": f"Title {picks[0]}"}
        elif op == "group":
            arguments["title"] = f"Heading {picks[0] % 2}"
        elif op == "undo":
            arguments = {}
        try:
            edit_clusters(small, Watch(), op, dataset="small", **arguments)
        except BadInput:
            continue
        run = select(small, "small", None).run
        paths = [str(path) for path in small.runs.members(run).paths]
        for node in run.nodes:
            assert node.size == sum(is_within(path, node.id) for path in paths)
        assert {*paths} <= {NOISE, *(node.id for node in run.nodes)}
        themes = [node for node in run.nodes if node.layers and node.layers[1] == 1]
        assert run.noise == len(paths) - sum(node.size for node in themes)
    while True:
        try:
            edit_clusters(small, Watch(), "undo", dataset="small")
        except BadInput:
            break
    assert list_clusters(small, "small") == before

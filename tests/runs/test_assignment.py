"""How new records join clusters: the vote, and `cluster(assign=True)` through the client."""

from typing import Any

import numpy as np
import pytest
from mcp.client import Client
from mcp.types import TextResourceContents
from support.calls import call, finish
from support.texts import odd_texts, tickets

from corpuscope.server.settings import Settings
from corpuscope.tools.archive.runs import Runs
from corpuscope.tools.clustering.tree import Paths
from corpuscope.tools.core.schema import Floats
from corpuscope.tools.runs.assignment import vote

pytestmark = pytest.mark.anyio


def around(direction: list[float], count: int, seed: int, width: float = 0.1) -> Floats:
    """Unit vectors close to a direction."""
    spread = np.random.default_rng(seed).normal(scale=width, size=(count, len(direction)))
    vectors = np.array(direction) + spread
    unit: Floats = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)
    return unit


X, Y, Z, W = np.eye(4).tolist()


def known() -> tuple[Floats, Paths]:
    """Two clusters: 1, of two halves that lie close, and 2; and noise elsewhere."""
    near_x = [1.0, 0.0, 0.25, 0.0]
    groups = [around(X, 30, 0), around(near_x, 30, 1), around(Y, 40, 2), around(W, 30, 3)]
    paths = ["1.1"] * 30 + ["1.2"] * 30 + ["2"] * 40 + ["noise"] * 30
    return np.concatenate(groups), np.array(paths, dtype=object)


def test_a_text_goes_where_most_of_its_neighbours_are() -> None:
    votes = vote(*known(), np.concatenate([around(Y, 5, 9, 0.05), around(W, 5, 9, 0.05)]))
    assert list(votes.paths) == ["2"] * 5 + ["noise"] * 5
    assert (votes.strengths[:5] > 0.9).all()
    assert not votes.strengths[5:].any()


def test_a_text_between_two_parts_stays_in_what_holds_both() -> None:
    vectors = np.tile(np.array([X], np.float32), (20, 1))
    vectors[:, 1] = np.linspace(0, 0.01, 20)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    paths = np.array(["1.1", "1.2"] * 10, dtype=object)
    middle = vote(vectors, np.where(np.arange(20) < 4, "1", paths), vectors[9:10])
    assert middle.paths[0] == "1"
    assert middle.strengths[0] == pytest.approx(1.0)


def test_a_text_far_from_everything_is_noise() -> None:
    votes = vote(*known(), np.array([Z, [0.0, 0.7, 0.71, 0.0]], np.float32))
    assert list(votes.paths) == ["noise", "noise"]
    assert votes.far.all()


def test_a_vector_without_direction_and_no_texts_at_all_are_sound() -> None:
    vectors, paths = known()
    nothing = vote(vectors, paths, np.zeros((1, 4), np.float32))
    assert (nothing.paths[0], nothing.strengths[0]) == ("noise", 0.0)
    assert len(vote(vectors, paths, vectors[:0]).paths) == 0
    one = vote(vectors[:1], paths[:1], vectors[1:2])
    assert one.paths[0] == "1.1"


# Through the client


def some(each: int, leave: int = 0) -> list[dict[str, Any]]:
    rows = tickets(each=each)
    for row in rows:
        del row["id"]  # the number of a row means another text in each selection
    return rows[leave:]


@pytest.fixture(scope="module", autouse=True)
async def dataset(client: Client) -> None:
    await finish(client, "ingest", dataset="shop", rows=some(40))
    first = await finish(client, "cluster", dataset="shop")
    for top in first.data["top"]:
        page = await call(client, "get-members", dataset="shop", cluster=top["id"], limit=1)
        await call(
            client,
            "label-cluster",
            dataset="shop",
            cluster=top["id"],
            title=f"Theme {top['id']}",
            summary="Customers write about it. They want help.",
            records=[page.data["members"][0]["id"]],
        )


async def test_new_records_join_the_clusters_there_are(client: Client, settings: Settings) -> None:
    added = await finish(client, "ingest", dataset="shop", rows=some(60))
    count = added.data["added"]
    assert (added.data["in_no_run"], added.data["newest_run"]) == (count, "r1")
    assert f"{count} new records are in no run yet" in added.text
    assert "cluster(dataset='shop', assign=True) puts them into the clusters of r1" in added.text
    answer = await finish(client, "cluster", dataset="shop", assign=True)
    assert not answer.is_error, answer.text
    assert (answer.data["assigned"], answer.data["assigned_from"]) == (count, "r1")
    assert f"{count} new records were put into them" in answer.text
    assert answer.data["top"][0]["title"].startswith("Theme ")
    runs = Runs(settings.home / "runs")
    first, second = runs.load("shop", "r1"), runs.load("shop", answer.data["run"])
    assert {node.id for node in second.nodes} == {node.id for node in first.nodes}
    assert second.records == first.records + count == len(runs.members(second).ids)
    before = dict(zip(runs.members(first).ids, runs.members(first).paths, strict=True))
    after = dict(zip(runs.members(second).ids, runs.members(second).paths, strict=True))
    assert all(after[record] == before[record] for record in before)
    words = runs.descriptions(second)
    assert {word.carried_from for word in words.values()} == {f"r1:{cluster}" for cluster in words}
    places = runs.map(second)
    assert places is not None
    assert len(places) == second.records
    content = (await client.read_resource("corpuscope://dataset/shop")).contents[0]
    assert isinstance(content, TextResourceContents)
    assert f"{count} records assigned to the clusters of r1" in content.text
    page = await call(client, "list-clusters", dataset="shop")
    assert page.data["run"] == second.id
    assert sum(c["size"] for c in page.data["clusters"]) + page.data["noise"] == second.records


async def test_most_new_records_go_to_the_cluster_of_their_theme(client: Client) -> None:
    pure = total = 0
    page = await call(client, "list-clusters", dataset="shop")
    for line in page.data["clusters"]:
        got = await call(client, "get-members", dataset="shop", cluster=line["id"], limit=100)
        themes = [member["metadata"]["theme"] for member in got.data["members"]]
        pure += max(themes.count(theme) for theme in set(themes))
        total += len(themes)
    assert pure / total > 0.9


async def test_equal_texts_go_where_their_equal_went(client: Client, settings: Settings) -> None:
    runs = Runs(settings.home / "runs")
    again = [row | {"id": f"again{n}"} for n, row in enumerate(some(10))]
    await finish(client, "ingest", dataset="twice", rows=some(40))
    await finish(client, "cluster", dataset="twice")
    first = runs.members(runs.load("twice"))
    repeated = await finish(client, "ingest", dataset="twice", rows=again, id_column="id")
    assert repeated.data["added"] == 50
    await finish(client, "cluster", dataset="twice", assign=True)
    second = runs.members(runs.load("twice"))
    assert len(second.ids) == len(first.ids) + 50
    paths: dict[int, set[str]] = {}
    for copy, path in zip(second.copies_of, second.paths, strict=True):
        paths.setdefault(int(copy), set()).add(str(path))
    assert all(len(found) == 1 for found in paths.values())
    places = runs.map(runs.load("twice"))
    assert places is not None
    assert len(np.unique(places, axis=0)) <= len(first.ids)


async def test_strangers_are_noise_and_the_answer_says_so(client: Client) -> None:
    await finish(client, "ingest", dataset="strange", rows=some(40))
    await finish(client, "cluster", dataset="strange")
    await finish(client, "ingest", dataset="strange", rows=odd_texts(40))
    answer = await finish(client, "cluster", dataset="strange", assign=True)
    assert "cluster() may find new themes among them" in answer.text
    page = await call(client, "get-members", dataset="strange", cluster="noise", limit=100)
    odd = [member for member in page.data["members"] if member["metadata"]["theme"] == "odd"]
    assert len(odd) > 30


async def test_few_new_records_are_each_named_with_their_theme(client: Client) -> None:
    await finish(client, "ingest", dataset="few", rows=some(40))
    await finish(client, "cluster", dataset="few")
    known = {row["text"] for row in some(40)}
    rows = [row for row in [*some(42), *odd_texts(1)] if row["text"] not in known]
    await finish(client, "ingest", dataset="few", rows=rows)
    answer = await finish(client, "cluster", dataset="few", assign=True)
    listed = answer.data["assigned_records"]
    assert {record["text"] for record in listed} == {row["text"] for row in rows}
    assert len(listed) == answer.data["assigned"] == len(rows) <= 20
    assert "Each new record:" in answer.text
    for record in listed:
        line = next(line for line in answer.text.splitlines() if f"[{record['id']}]" in line)
        assert line.startswith(f"  {record['cluster']}")
        page = await call(
            client, "get-members", cluster=record["cluster"], dataset="few", limit=100
        )
        assert record["id"] in {member["id"] for member in page.data["members"]}
        assert (record["title"] is None) == (record["cluster"] == "noise")


async def refused(client: Client, **arguments: Any) -> str:
    answer = await finish(client, "cluster", assign=True, **arguments)
    assert answer.is_error, answer.text
    return answer.text


async def test_what_cannot_be_assigned_is_refused_with_the_next_step(client: Client) -> None:
    rows = some(12)
    await finish(client, "ingest", dataset="whole", rows=rows)
    assert "has no run yet" in await refused(client, dataset="whole")
    part = await finish(client, "cluster", dataset="whole", where={"theme": ["login", "garden"]})
    text = await refused(client, dataset="whole", run=part.data["run"])
    assert "is of a part of 'whole'" in text
    await finish(client, "cluster", dataset="whole")
    assert "knows all 60 records" in await refused(client, dataset="whole")
    assert "within and where cannot be given" in await refused(
        client, dataset="whole", within="1", where={"theme": "login"}
    )
    await finish(client, "ingest", dataset="whole", rows=rows, mode="replace")
    assert "was replaced after run" in await refused(client, dataset="whole")

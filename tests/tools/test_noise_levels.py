"""Themes found in the noise, and the noise put beside its nearest theme, through the client."""

from collections import Counter

import pytest
from mcp.client import Client
from support.calls import call, finish
from support.texts import odd_texts, tickets

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module", autouse=True)
async def dataset(client: Client) -> None:
    # Two themes are too small for the layer: they are noise there, and themes in the noise.
    kept = Counter({"coffee": 25, "garden": 25})
    rows = odd_texts(20)
    for row in tickets(each=60):
        if row["theme"] not in ("coffee", "garden") or kept[row["theme"]] > 0:
            kept[row["theme"]] -= 1
            rows.append(row)
    await finish(client, "ingest", dataset="mixed", rows=rows)


async def test_themes_found_in_the_noise_have_ids_like_all_others(client: Client) -> None:
    whole = (await finish(client, "cluster", dataset="mixed", min_cluster_size=45)).data
    assert whole["noise"] >= 30
    parts = await finish(
        client, "cluster", dataset="mixed", run=whole["run"], within="noise", min_cluster_size=8
    )
    assert not parts.is_error, parts.text
    ids = [top["id"] for top in parts.data["top"]]
    assert ids, parts.text
    assert all(id_.isdecimal() for id_ in ids)
    assert not {*ids} & {top["id"] for top in whole["top"]}
    run = parts.data["run"]
    listed = await call(client, "list-clusters", dataset="mixed", run=run)
    assert listed.data["noise"] == whole["noise"], "what was found in it stays noise of the layer"
    assert {*listed.data["found_in_noise"]} >= {*ids}
    assert listed.data["in_found"] <= listed.data["noise"]
    assert "found in it" in listed.text
    below = await call(client, "list-clusters", dataset="mixed", run=run, parent="noise")
    assert {line["id"] for line in below.data["clusters"]} == {*listed.data["found_in_noise"]}
    tasks = await finish(client, "describe-cluster", dataset="mixed", run=run, cluster=ids[0])
    assert not tasks.is_error, tasks.text
    page = await call(client, "get-members", dataset="mixed", run=run, cluster=ids[0])
    assert page.data["total"] == parts.data["top"][0]["size"]
    again = await finish(
        client, "cluster", dataset="mixed", run=run, within="noise", min_cluster_size=12
    )
    assert "take the place of the themes found in the noise before" in again.text
    later = {top["id"] for top in again.data["top"]}
    assert not later & {*ids}, "an id never means two things"


async def test_noise_is_kept_as_noise_and_its_nearest_theme_is_a_level_beside(
    client: Client,
) -> None:
    plain = await finish(client, "cluster", dataset="mixed", min_cluster_size=45)
    assigned = await finish(client, "cluster", dataset="mixed", min_cluster_size=45, noise="assign")
    assert not assigned.is_error, assigned.text
    assert plain.data["noise_assigned"] is None
    for field in ("noise", "noise_share", "clusters"):
        assert assigned.data[field] == plain.data[field], "the honest counts do not change"
    sizes = [[top["size"] for top in answer.data["top"]] for answer in (plain, assigned)]
    assert sizes[0] == sizes[1]
    beside = {top["id"]: top["beside"] for top in assigned.data["top"]}
    assert sum(beside.values()) == assigned.data["noise_assigned"] > 0
    assert "they are in no size or share" in assigned.text
    first = assigned.data["top"][0]
    alone = await call(client, "get-members", dataset="mixed", cluster=first["id"])
    both = await call(client, "get-members", dataset="mixed", cluster=first["id"], with_noise=True)
    assert alone.data["total"] == first["size"]
    assert both.data["total"] == first["size"] + beside[first["id"]]
    assert both.data["of_noise"] == beside[first["id"]]
    assert "and the noise beside it" in both.text
    noise = await call(client, "get-members", dataset="mixed", cluster="noise")
    assert noise.data["total"] == assigned.data["noise"]
    listed = await call(client, "list-clusters", dataset="mixed")
    assert listed.data["noise_assigned"] == assigned.data["noise_assigned"]


async def test_a_level_that_was_not_asked_for_is_not_made_up(client: Client) -> None:
    run = (await finish(client, "cluster", dataset="mixed", min_cluster_size=45)).data["run"]
    answer = await call(
        client, "get-members", dataset="mixed", run=run, cluster="1", with_noise=True
    )
    assert answer.is_error
    assert "Cluster again with noise='assign'" in answer.text
    part = await finish(client, "cluster", dataset="mixed", within="1", noise="assign")
    assert "needs a run of its own" in part.text

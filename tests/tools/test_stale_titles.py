"""Titles that clusters bring along while their records change, through the client."""

from typing import Any

import pytest
from mcp.client import Client
from support.calls import Answer, call, finish
from support.texts import tickets

pytestmark = pytest.mark.anyio


async def titled(client: Client, dataset: str, cluster: str) -> Answer:
    """A cluster's title, from its first record."""
    first = await call(client, "get-members", dataset=dataset, cluster=cluster, limit=1)
    record: dict[str, Any] = first.data["members"][0]
    return await finish(
        client,
        "label-cluster",
        dataset=dataset,
        cluster=cluster,
        title="A title of the first days",
        summary="It was written by the test. It was good then.",
        records=[record["id"]],
    )


async def test_a_title_is_stale_when_many_records_came_and_its_proof_is_measured_again(
    client: Client,
) -> None:
    rows = tickets(each=60)
    some = [row for number, row in enumerate(rows) if number % 5 < 3]
    await finish(client, "ingest", dataset="shop", rows=some, id_column="id")
    first = await finish(client, "cluster")
    top = first.data["top"][0]["id"]
    saved = await titled(client, "shop", top)
    assert saved.data["saved"][0]["cluster"] == top
    await finish(client, "ingest", dataset="shop", rows=rows, id_column="id")
    grown = await finish(client, "cluster", assign=True)
    assert grown.data["stale"] == [top]
    assert "Stale, as 30% or more of the records changed since they were written: " in grown.text
    listed = await call(client, "list-clusters")
    line = next(line for line in listed.data["clusters"] if line["id"] == top)
    assert (line["stale"], line["proof"]) == (f"r1:{top}", None)
    assert line["changed"] >= 0.3
    assert f"title from r1:{top}, {line['changed']:.0%} of its records changed" in listed.text
    page = await client.read_resource(f"corpuscope://dataset/shop/run/r2/cluster/{top}")
    assert "Stale: written for r1" in str(page.contents[0])
    again = await finish(client, "describe-cluster", cluster=top)
    words = again.data["descriptions"][0]
    assert words["title"] == "A title of the first days"
    assert words["proof"] is not None
    assert "With refresh it is written anew." in again.text
    after = await call(client, "list-clusters")
    line = next(line for line in after.data["clusters"] if line["id"] == top)
    assert (line["stale"], line["proof"]) == (f"r1:{top}", words["proof"]["auc"])
    mended = await titled(client, "shop", top)
    assert not mended.is_error, mended.text
    new = await call(client, "list-clusters")
    assert next(line for line in new.data["clusters"] if line["id"] == top)["stale"] is None

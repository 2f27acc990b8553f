"""The tools over the network: on Milvus itself, and on Milvus Lite as a server of its own.

Milvus is started from the command in the variable MILVUS_SERVER: `make test-milvus` installs it
and sets it.
"""

import os
import shutil
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import numpy as np
import pytest
from mcp.client import Client
from support.calls import call, finish
from support.endpoint_server import EndpointServer, describes, endpoint_server
from support.idle_servers import connected_with_worker
from support.milvus_servers import milvus_server
from support.record_columns import columns_of
from support.texts import tickets

from corpuscope.server.app import build_server
from corpuscope.server.settings import read_settings
from corpuscope.tools.core.schema import DatasetCard, Record
from corpuscope.tools.geometry.graph import neighbour_graph
from corpuscope.tools.store.connection import MilvusLocation
from corpuscope.tools.store.store import Store

pytestmark = pytest.mark.anyio

LITE = "milvus-lite"
MILVUS = "milvus"
DIM = 16


@pytest.fixture(scope="module", params=[LITE, pytest.param(MILVUS, marks=pytest.mark.milvus)])
def uri(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A server with nothing in it."""
    folder = tmp_path_factory.mktemp("server")
    data = str(folder / "data")
    if request.param == LITE:
        program = str(Path(sys.executable).with_name("milvus-lite"))
        command = [program, "server", "--data-dir", data, "--host", "127.0.0.1", "--port", "{port}"]
    else:
        program = os.environ.get("MILVUS_SERVER", "")
        if shutil.which(program) is None:
            pytest.skip("no milvus-server: `make test-milvus` installs it, where there is one")
        command = [program, "--data", data, "--proxy-port", "{port}"]
    with milvus_server(command, folder) as address:
        yield address


@pytest.fixture(scope="module")
def endpoint() -> Iterator[EndpointServer]:
    with endpoint_server(describes) as server:
        yield server


@pytest.fixture(scope="module")
async def shop(
    uri: str, endpoint: EndpointServer, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Client]:
    """A client of a corpuscope that keeps its records there."""
    settings = read_settings(
        _env_file=None,
        home=tmp_path_factory.mktemp("home"),
        milvus_uri=uri,
        embedding="lexical",
        llm_base_url=endpoint.url,
        llm_model="tiny",
    )
    async with connected_with_worker(build_server(settings, warm=False)) as connected:
        yield connected


@pytest.fixture(scope="module")
def store(uri: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    opened = Store(MilvusLocation(tmp_path_factory.mktemp("home"), uri))
    yield opened
    opened.close()


async def test_the_whole_way_from_ingest_to_delete(shop: Client) -> None:
    rows = tickets(each=20)
    for _ in range(2):  # the second time finds everything there
        made = await finish(shop, "ingest", dataset="shop", rows=rows, id_column="id")
        assert not made.is_error, made.text
    listed = await call(shop, "list-datasets")
    assert listed.data["datasets"][0]["records"] == 100

    run = await finish(shop, "cluster", dataset="shop")
    assert not run.is_error, run.text
    assert run.data["records"] == 100
    assert len(run.data["top"]) >= 3

    described = await finish(shop, "describe-cluster", cluster="all")
    assert not described.is_error, described.text
    assert described.data["descriptions"]

    found = await call(shop, "search", query="the refund never reached my bank account", limit=3)
    assert "refund" in " ".join(hit["text"] for hit in found.data["hits"])
    assert found.data["hits"][0]["cluster"]

    members = await call(shop, "get-members", cluster="1", where={"stars": {"gte": 4}}, limit=5)
    assert members.data["members"]
    assert all(member["metadata"]["stars"] >= 4 for member in members.data["members"])

    listed = await call(shop, "get-members", cluster="1", where={"stars": [4, 4.5, 5]}, limit=5)
    assert listed.data["members"] == members.data["members"]

    gone = await call(shop, "delete", dataset="shop", confirm=True)
    assert not gone.is_error, gone.text
    assert (await call(shop, "list-datasets")).data["datasets"] == []


def test_what_was_written_is_read_in_pages_and_searched(store: Store) -> None:
    vectors = np.random.default_rng(0).normal(size=(1_500, DIM)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    vectors[7] = vectors[8]
    ids = [f"{number:032x}" for number in range(len(vectors))]
    card = DatasetCard(
        name="pages",
        collection="corpuscope_pages__1",
        embedding="column",
        dim=DIM,
        text_columns=["text"],
        created="2026-01-01T00:00:00+00:00",
    )
    store.create(card)
    store.save_card(card)
    for text in ("older {}", "text {}"):
        records = [
            Record(record, text.format(record[-3:]), record, {}, vector)
            for record, vector in zip(ids, vectors, strict=True)
        ]
        store.upsert(card, columns_of(records))
    pages = list(store.pages(card))
    assert [record for page in pages for record in page.ids] == ids
    assert pages[-1].texts[-1] == "text 5db"
    np.testing.assert_array_equal(np.concatenate([page.vectors for page in pages]), vectors)

    _, cosines = store.neighbours(card, ids[:400], vectors[:400], 12)
    exact = neighbour_graph(vectors[:400], k=12).similarities
    near = exact > 0  # the graph holds none but those
    np.testing.assert_allclose(cosines[near], exact[near], atol=1e-4)
    store.drop(card)
    assert store.cards() == []

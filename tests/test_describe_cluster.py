"""`describe-cluster` and `label-cluster` through the client, with and without a model."""

from collections.abc import AsyncIterator, Iterator

import pytest
from calls import call, finish
from endpoint_server import EndpointServer, describes, endpoint_server, fails, in_turn, says
from mcp.client import Client
from texts import tickets

from corpuscope.server.app import build_server
from corpuscope.server.settings import Settings

pytestmark = pytest.mark.anyio

SENTENCES = "The texts complain about it. They say when it happened."


async def clustered(client: Client) -> Client:
    await finish(client, "ingest", dataset="shop", rows=tickets(each=36), id_column="id")
    answer = await finish(client, "cluster", dataset="shop")
    assert not answer.is_error, answer.text
    return client


@pytest.fixture(scope="module")
async def keyless(client: Client) -> Client:
    """A client of a server without a model, with a run."""
    return await clustered(client)


@pytest.fixture(scope="module")
def endpoint() -> Iterator[EndpointServer]:
    with endpoint_server(describes) as server:
        yield server


@pytest.fixture(scope="module")
async def writing(
    endpoint: EndpointServer, settings: Settings, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Client]:
    """A client of a server with a model, with a run."""
    own = settings.model_copy(
        update={
            "home": tmp_path_factory.mktemp("home"),
            "llm_base_url": endpoint.url,
            "llm_model": "tiny",
        }
    )
    async with Client(build_server(own, warm=False), raise_exceptions=True) as connected:
        yield await clustered(connected)


async def test_without_a_model_the_evidence_comes_with_the_way_to_answer(keyless: Client) -> None:
    answer = await finish(keyless, "describe-cluster", cluster="1")
    assert answer.data["to_write"] == ["1"]
    assert answer.data["descriptions"] == []
    assert "label-cluster" in answer.text
    assert "(central)" in answer.text
    assert "Beside it: 2 (" in answer.text


async def test_evidence_for_all_clusters_keeps_to_the_size_that_hosts_take(keyless: Client) -> None:
    answer = await finish(keyless, "describe-cluster", cluster="all")
    layer = await call(keyless, "list-clusters")
    asked = answer.data["to_write"] + answer.data["remaining"]
    assert sorted(asked) == sorted(line["id"] for line in layer.data["clusters"])
    assert len(answer.text) < 25_000


async def test_the_assistants_words_are_saved_and_shown_everywhere(keyless: Client) -> None:
    page = await call(keyless, "get-members", cluster="2", limit=2)
    ids = [member["id"] for member in page.data["members"]]
    saved = await call(
        keyless,
        "label-cluster",
        cluster="2",
        title="What people say here",
        summary=SENTENCES,
        records=ids,
    )
    assert not saved.is_error, saved.text
    assert "2" not in saved.data["undescribed"]
    assert "1" in saved.data["undescribed"]
    listed = await call(keyless, "list-clusters")
    assert "What people say here" in listed.text
    again = await finish(keyless, "describe-cluster", cluster="2", detail="detailed")
    assert again.data["descriptions"][0]["author"] == "assistant"
    assert f"[{ids[0]}]" in again.text
    assert again.data["evidence"] is None


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"title": "one two three four five six seven eight nine"}, "9 words"),
        ({"title": " "}, "title"),
        ({"summary": ""}, "summary"),
        ({"records": ["not-a-record"]}, "Not in this cluster: 'not-a-record'"),
        ({"cluster": "noise"}, "Noise"),
        ({"cluster": "77"}, "No cluster '77'"),
    ],
)
async def test_words_that_do_not_fit_are_refused_with_the_reason(
    keyless: Client, changes: dict[str, object], said: str
) -> None:
    page = await call(keyless, "get-members", cluster="1", limit=1)
    fine = {
        "cluster": "1",
        "title": "A fine title",
        "summary": SENTENCES,
        "records": [page.data["members"][0]["id"]],
    }
    answer = await call(keyless, "label-cluster", **(fine | changes))
    assert answer.is_error
    assert said in answer.text


async def test_noise_is_never_described(keyless: Client) -> None:
    answer = await finish(keyless, "describe-cluster", cluster="noise")
    assert answer.is_error
    assert "cluster(within='noise')" in answer.text


async def test_a_model_describes_all_clusters_and_is_asked_once(
    writing: Client, endpoint: EndpointServer
) -> None:
    answer = await finish(writing, "describe-cluster", cluster="all")
    assert not answer.is_error, answer.text
    layer = await call(writing, "list-clusters")
    assert len(answer.data["descriptions"]) == layer.data["total"]
    assert {one["author"] for one in answer.data["descriptions"]} == {"llm"}
    assert all(line["title"] for line in layer.data["clusters"])
    for one in answer.data["descriptions"]:
        page = await call(writing, "get-members", cluster=one["cluster"], limit=100)
        inside = {member["id"] for member in page.data["members"]}
        assert {record for sentence in one["summary"] for record in sentence["records"]} <= inside
    asked = len(endpoint.requests)
    again = await finish(writing, "describe-cluster", cluster="all")
    assert again.data["descriptions"] == answer.data["descriptions"]
    assert len(endpoint.requests) == asked, "the second time it is answered from the store"


async def test_a_list_of_clusters_is_described_anew_when_asked(
    writing: Client, endpoint: EndpointServer
) -> None:
    asked = len(endpoint.requests)
    answer = await finish(writing, "describe-cluster", cluster=["1", "2"], refresh=True)
    assert [one["cluster"] for one in answer.data["descriptions"]] == ["1", "2"]
    assert len(endpoint.requests) == asked + 2


async def with_endpoint(settings: Settings, url: str) -> Settings:
    return settings.model_copy(update={"llm_base_url": url, "llm_model": "tiny", "workers": 1})


async def test_an_endpoint_that_is_down_is_named_with_what_to_do(
    keyless: Client, settings: Settings
) -> None:
    own = await with_endpoint(settings, "http://127.0.0.1:9/v1")
    async with Client(build_server(own, warm=False)) as client:
        answer = await finish(client, "describe-cluster", cluster="1", refresh=True)
    assert answer.is_error
    assert "127.0.0.1:9" in answer.text
    assert "running" in answer.text


async def test_one_failure_never_loses_anothers_answer(keyless: Client, settings: Settings) -> None:
    behaviour = in_turn(describes, fails(400, "too much of it"), describes)
    with endpoint_server(behaviour) as server:
        own = (await with_endpoint(settings, server.url)).model_copy(update={"llm_concurrency": 1})
        async with Client(build_server(own, warm=False)) as client:
            answer = await finish(client, "describe-cluster", cluster=["1", "2", "3"], refresh=True)
    assert not answer.is_error, answer.text
    assert [one["cluster"] for one in answer.data["descriptions"]] == ["1", "3"]
    assert [one["cluster"] for one in answer.data["failures"]] == ["2"]
    assert "too much of it" in answer.text


async def test_an_unusable_answer_gives_the_keywords_and_says_so(
    keyless: Client, settings: Settings
) -> None:
    with endpoint_server(says("I would rather not.")) as server:
        own = await with_endpoint(settings, server.url)
        async with Client(build_server(own, warm=False)) as client:
            answer = await finish(client, "describe-cluster", cluster="1", refresh=True)
    assert answer.data["descriptions"][0]["author"] == "keywords"
    assert "by keywords" in answer.text

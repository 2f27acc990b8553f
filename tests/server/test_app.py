"""What a host sees of the server, in both eras of the protocol."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from mcp import MCPError
from mcp.client import Client
from mcp.types import PromptReference, ResourceTemplateReference, TextContent, TextResourceContents
from support.calls import call, finish
from support.idle_servers import no_worker_ahead
from support.texts import tickets

from corpuscope.server.app import build_server
from corpuscope.server.settings import Settings, read_settings

pytestmark = pytest.mark.anyio

MOST_TOKENS, CHARACTERS_PER_TOKEN = 9_000, 4
"""Of the definitions of all tools together, about."""

NAMES = {
    "ingest",
    "cluster",
    "list-clusters",
    "contrast",
    "describe-cluster",
    "label-cluster",
    "edit-clusters",
    "get-members",
    "check-stability",
    "search",
    "apply-themes",
    "count",
    "trend",
    "plot",
    "export",
    "list-datasets",
    "set-default",
    "delete",
    "get-job",
    "cancel-job",
}
# Hosts cut descriptions and instructions at 2 KB each.
MOST_BYTES = 2_048


@pytest.fixture(scope="module", autouse=True)
async def shop(client: Client) -> None:
    await finish(client, "ingest", dataset="shop", rows=tickets(), id_column="id")
    await finish(client, "cluster", dataset="shop")


@pytest.fixture(scope="module", params=["auto", "legacy"])
async def host(
    request: pytest.FixtureRequest, client: Client, shop: None, settings: Settings
) -> AsyncIterator[Client]:
    """A client of each era; that of the older one is of a server that found the data there."""
    if request.param == "auto":
        yield client
        return
    server = build_server(settings, warm=False)
    with no_worker_ahead():
        async with Client(server, mode="legacy", raise_exceptions=True) as connected:
            yield connected


async def test_every_tool_describes_itself_within_the_limits(host: Client) -> None:
    tools = (await host.list_tools()).tools
    assert {tool.name for tool in tools} == NAMES
    for tool in tools:
        assert tool.title
        assert 0 < len((tool.description or "").encode()) <= MOST_BYTES
        assert tool.output_schema is not None
        assert tool.output_schema["type"] == "object"
        assert tool.annotations is not None
        for name, schema in tool.input_schema["properties"].items():
            assert schema.get("description"), f"{tool.name} {name} has no description"


async def test_the_definitions_of_all_tools_leave_room_in_the_context_of_a_model(
    host: Client,
) -> None:
    tools = (await host.list_tools()).tools
    read = [tool.model_dump_json(exclude={"output_schema"}, exclude_none=True) for tool in tools]
    assert sum(map(len, read)) / CHARACTERS_PER_TOKEN < MOST_TOKENS


async def test_the_schemas_say_nothing_twice_and_null_still_means_left_out(host: Client) -> None:
    for tool in (await host.list_tools()).tools:
        written = tool.model_dump_json(include={"input_schema"})
        assert '"title":"' not in written
        assert '"null"' not in written
        assert ":null" not in written
    left_out = await call(host, "search", query="tea")
    assert await call(host, "search", query="tea", run=None, layer=None, where=None) == left_out


async def test_only_what_destroys_says_that_it_does(host: Client) -> None:
    tools = {tool.name: tool.annotations for tool in (await host.list_tools()).tools}
    destroying = {name for name, hints in tools.items() if hints and hints.destructive_hint}
    reading = {name for name, hints in tools.items() if hints and hints.read_only_hint}
    assert destroying == {"delete"}
    twice = {name for name, hints in tools.items() if hints and not hints.idempotent_hint}
    assert twice == {"edit-clusters"}, "an undo after an undo undoes more"
    assert reading == {
        "count",
        "trend",
        "list-clusters",
        "contrast",
        "get-members",
        "search",
        "apply-themes",
        "list-datasets",
        "get-job",
    }


async def test_the_instructions_tell_the_usual_way(host: Client) -> None:
    said = host.instructions or ""
    assert len(said.encode()) <= MOST_BYTES
    steps = ["`ingest`", "`cluster`", "`describe-cluster`", "`count`", "`contrast`", "Drill down"]
    steps += ["`edit-clusters`", "`export`"]
    assert [said.index(step) for step in steps] == sorted(said.index(step) for step in steps)


async def test_an_unknown_argument_is_refused_with_the_valid_ones(host: Client) -> None:
    answer = await call(host, "list-clusters", datset="shop")
    assert answer.is_error
    assert "list-clusters has no argument 'datset'. Valid: dataset, run, parent" in answer.text


async def test_a_value_out_of_range_is_refused_with_the_range(host: Client) -> None:
    answer = await call(host, "list-clusters", limit=1000)
    assert answer.is_error
    assert answer.text == "limit is 1000; it must be a whole number, 1 to 200."


async def test_pages_tell_about_datasets_runs_and_clusters(host: Client) -> None:
    for uri, said in (
        ("corpuscope://dataset/shop", "# shop"),
        ("corpuscope://dataset/shop/run/r1", "Run r1 of 'shop'"),
        ("corpuscope://dataset/shop/run/r1/cluster/1", "# 1: "),
    ):
        content = (await host.read_resource(uri)).contents[0]
        assert isinstance(content, TextResourceContents)
        assert said in content.text
        assert content.mime_type == "text/markdown"


@pytest.mark.parametrize(
    "uri",
    [
        "corpuscope://dataset/nothing",
        "corpuscope://dataset/shop/run/r99",
        "corpuscope://dataset/shop/run/r1/cluster/99",
        "corpuscope://dataset/..%2F..%2Fetc/run/r1",
    ],
)
async def test_a_page_that_is_not_there_is_refused(host: Client, uri: str) -> None:
    with pytest.raises(MCPError):
        await host.read_resource(uri)


async def test_prompts_for_people_name_what_was_asked_for(host: Client) -> None:
    assert {prompt.name for prompt in (await host.list_prompts()).prompts} == {
        "explore-dataset",
        "drill-down",
    }
    for name, arguments in (
        ("explore-dataset", {"source": "shop"}),
        ("drill-down", {"dataset": "shop", "cluster": "1"}),
    ):
        message = (await host.get_prompt(name, arguments)).messages[0]
        assert isinstance(message.content, TextContent)
        assert all(value in message.content.text for value in arguments.values())


async def test_datasets_runs_and_clusters_are_completed(host: Client) -> None:
    template = ResourceTemplateReference(
        uri="corpuscope://dataset/{dataset}/run/{run}/cluster/{cluster}"
    )
    prompt = PromptReference(name="drill-down")
    chosen = {"dataset": "shop"}

    async def offered(
        ref: ResourceTemplateReference | PromptReference, name: str, value: str
    ) -> list[str]:
        answer = await host.complete(ref, {"name": name, "value": value}, context_arguments=chosen)
        return answer.completion.values

    assert await offered(template, "dataset", "sh") == ["shop"]
    assert await offered(template, "run", "") == ["r1"]
    assert "1" in await offered(template, "cluster", "")
    assert all(v.startswith("2") for v in await offered(prompt, "cluster", "2"))
    assert await offered(prompt, "dataset", "x") == []


async def test_deleting_asks_first_and_then_forgets_everything(
    client: Client, host: Client
) -> None:
    await finish(client, "ingest", dataset="doomed", rows=tickets(each=2))
    asked = await call(host, "delete", dataset="doomed")
    assert asked.is_error
    assert "10 records" in asked.text
    assert "confirm=true" in asked.text
    done = await call(host, "delete", dataset="doomed", confirm=True)
    assert (done.data["dataset"], done.data["run"]) == ("doomed", None)
    assert (done.data["records"], done.data["runs"]) == (10, 0)
    gone = await call(host, "delete", dataset="doomed", confirm=True)
    assert "No dataset 'doomed'. Datasets: shop." in gone.text


async def test_a_search_names_the_cluster_of_each_hit(host: Client) -> None:
    answer = await call(host, "search", query="the refund never reached my bank account", limit=5)
    assert answer.data["by"] == "vectors"
    assert all(hit["metadata"]["theme"] == "refund" for hit in answer.data["hits"])
    assert "The vectors are lexical" in answer.text
    assert answer.data["hits"][0]["theme"] in answer.text
    places = {hit["cluster"].split(".")[0] for hit in answer.data["hits"]}
    inside = await call(host, "search", query="refund", cluster=sorted(places)[0], limit=3)
    assert all(hit["cluster"].split(".")[0] in places for hit in inside.data["hits"])
    filtered = await call(host, "search", query="refund", where={"theme": "garden"}, limit=3)
    assert all(hit["metadata"]["theme"] == "garden" for hit in filtered.data["hits"])
    strange = await call(host, "search", query="qqqq zzzz")
    assert not strange.is_error or "no word that the dataset knows" in strange.text


async def test_a_home_that_cannot_be_one_is_said_by_every_call_of_a_server_that_answers(
    tmp_path: Path,
) -> None:
    home = tmp_path / "home"
    home.write_text("a file", encoding="utf-8")
    server = build_server(read_settings(_env_file=None, home=home), warm=False)
    said = "is a file: nothing can be kept there; set CORPUSCOPE_HOME"
    with no_worker_ahead():
        async with Client(server, raise_exceptions=True) as connected:
            for tool, arguments in (
                ("list-datasets", {}),
                ("list-clusters", {"dataset": "x"}),
                ("get-members", {"dataset": "x", "cluster": "1"}),
                ("delete", {"dataset": "x", "confirm": True}),
            ):
                answer = await call(connected, tool, **arguments)
                assert answer.is_error
                assert said in answer.text
            with pytest.raises(MCPError, match="is a file"):
                await connected.read_resource("corpuscope://dataset/x")

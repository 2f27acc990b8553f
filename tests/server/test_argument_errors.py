"""Wrong arguments of tools and prompts: named, quoted, and told with what is valid."""

import random
import re
from pathlib import Path
from typing import Any

import pytest
from mcp import MCPError
from mcp.client import Client
from mcp.types import PromptReference, ResourceTemplateReference
from pydantic import TypeAdapter, ValidationError
from support.calls import call, finish

from corpuscope.server.argument_errors import RefusedCall, check_arguments
from corpuscope.tools.core.errors import BadInput
from corpuscope.tools.core.redaction import as_it_is, redact

pytestmark = pytest.mark.anyio

INVALID_PARAMS = -32602


def nested(levels: int) -> Any:
    value: Any = "x"
    for _ in range(levels):
        value = [value]
    return value


@pytest.mark.parametrize(
    ("tool", "arguments", "said"),
    [
        ("search", {"query": "a", "limit": 2**63}, f"limit is {2**63}; it must be a whole number"),
        ("search", {"query": "a", "limit": 1e308}, "limit is 1e+308; it must be a whole number, 1"),
        ("search", {"query": "a", "limit": 2.5}, "limit is 2.5; it must be a whole number, 1 to 1"),
        ("search", {"query": "a", "limit": -1}, "limit is -1; it must be a whole number, 1 to 100"),
        ("search", {"query": "a", "limit": "many"}, 'limit is "many"; it must be a whole number'),
        ("search", {"query": "a", "limit": 10**400}, "search: `limit` has about 400 digits; the m"),
        ("search", {"query": ""}, 'query is ""; it must be a text, one that is not empty, at most'),
        ("search", {"query": "a" * 2_001}, "query is"),
        ("search", {"query": "a" * 1_000_000}, "search: `query` has 1,000,000 characters; the mo"),
        ("search", {"query": 5}, "query is 5; it must be a text"),
        ("search", {}, "search needs `query`: What to look for."),
        ("search", {"query": "a", "where": nested(250)}, "search: `where` is nested deeper than 1"),
        ("search", {"query": "a", "where": [1]}, "where is [1]; it must be an object (Filter: {"),
        ("search", {"query": "a", "dataset": "\ud800"}, "search: `dataset` has half of a charact"),
        ("search", {"query": "a", "x" * 99: 1}, "search has no argument 'xxxxxxxxxxxxxxxxxxxxxxx"),
        ("list-clusters", {"sort": "best"}, "sort is \"best\"; it must be 'size' or 'id' or 'ti"),
        ("list-clusters", {"layer": -1}, "layer is -1; it must be a whole number, 0 or more."),
        ("plot", {"headings": "perhaps"}, 'headings is "perhaps"; it must be true or false.'),
        ("cluster", {"seed": 2**31}, "seed is 2147483648; it must be a whole number, 0 to 2147483"),
        ("cluster", {"regardless_of": 3, "noise": 3}, "regardless_of is 3; it must be a"),
        (
            "cluster",
            {"wait_seconds": 46},
            "wait_seconds is 46; it must be a whole number, 0 to 45.",
        ),
        ("ingest", {"rows": []}, "ingest needs `dataset`: Name to give it"),
        ("ingest", {"dataset": "a", "rows": [1]}, "ingest: `rows[0]` is 1: it should be"),
        ("ingest", {"dataset": "a", "rows": [{"b": nested(250)}]}, "ingest: `rows` is nested deep"),
        (
            "ingest",
            {"dataset": "a", "rows": [{"b": ["\udc00"]}]},
            "ingest: `rows[0].b[0]` has half",
        ),
        ("label-cluster", {"answers": [{"title": "1"}]}, "label-cluster: `answers[0]` needs `clus"),
        ("label-cluster", {"answers": [{}] * 101}, "answers is [{}, {}, {"),
        ("describe-cluster", {"cluster": {}}, "cluster is {}; it must be a text or a list, each a"),
        ("get-job", {"job_id": ["j1"]}, 'job_id is ["j1"]; it must be a text.'),
        ("nothing", {}, "No tool 'nothing'. Tools: ingest, cluster, list-clusters, contrast"),
    ],
)
async def test_a_wrong_argument_is_told_with_what_it_was_and_what_is_valid(
    client: Client, tool: str, arguments: dict[str, Any], said: str
) -> None:
    answer = await call(client, tool, **arguments)
    assert answer.is_error
    assert answer.text.startswith(said)
    assert len(answer.text) < 1_000


async def test_a_list_that_is_too_long_is_told_with_its_length(client: Client) -> None:
    answer = await call(client, "label-cluster", answers=[{}] * 101)
    assert "(101 items); it must be a list of at most 100" in answer.text


async def test_what_the_tool_itself_refuses_is_said_without_a_preface(client: Client) -> None:
    answer = await call(client, "get-job", job_id="j999")
    assert answer.text.startswith("No job 'j999' in this server.")


async def test_several_wrong_arguments_are_told_at_once(client: Client) -> None:
    answer = await call(client, "search", query="a", limit=0, layer="top")
    assert answer.text == (
        'layer is "top"; it must be a whole number, 0 or more. '
        "limit is 0; it must be a whole number, 1 to 100."
    )


def test_a_value_is_redacted_before_it_is_cut() -> None:
    schema = {"properties": {"limit": {"type": "integer"}}}
    with pytest.raises(ValidationError) as raised:
        TypeAdapter(dict[str, int]).validate_python({"limit": "x" * 70 + " jane@example.com"})
    for redaction, hidden in ((as_it_is, False), (redact, True)):
        arguments = {"limit": "x" * 70 + " jane@example.com"}
        said = RefusedCall("t", schema, arguments, redaction).reason(raised.value)
        assert ("jane@" not in said) == hidden


def test_no_value_is_too_large_to_be_looked_through() -> None:
    schema: dict[str, Any] = {"properties": {"rows": {}}}
    numbers = random.Random(1)
    rows = [{"a": numbers.random(), "b": "x" * 100, "c": [1, None]} for _ in range(2_000)]
    check_arguments("t", {"rows": rows}, schema)
    check_arguments("t", {"rows": ["é" * 1_000_000]}, schema)
    with pytest.raises(BadInput, match=r"t: `rows\[2000\]\.a key` has half of a character"):
        check_arguments("t", {"rows": [*rows, {"\ud800": 1}]}, schema)


@pytest.mark.parametrize(
    ("name", "arguments", "said"),
    [
        ("drill-down", {"dataset": "a"}, "The prompt needs cluster. Arguments of drill-down: dat"),
        ("drill-down", None, "The prompt needs dataset, cluster."),
        ("explore-dataset", {"source": "a", "sauce": "b"}, "No argument 'sauce'. Arguments of exp"),
        ("explore-dataset", {"source": "a" * 10_001}, "'source' has 10,001 characters; the most"),
        ("nothing", {}, "No prompt 'nothing'. Prompts: explore-dataset, drill-down."),
    ],
)
async def test_a_prompt_with_wrong_arguments_is_invalid_params(
    client: Client, name: str, arguments: dict[str, str] | None, said: str
) -> None:
    with pytest.raises(MCPError) as raised:
        await client.get_prompt(name, arguments)
    assert raised.value.error.code == INVALID_PARAMS
    assert raised.value.error.message.startswith(said)


@pytest.mark.parametrize("uri", ["corpuscope://nothing", "corpuscope://dataset/none", "file:///x"])
async def test_a_page_that_is_not_there_is_invalid_params(client: Client, uri: str) -> None:
    with pytest.raises(MCPError) as raised:
        await client.read_resource(uri)
    assert raised.value.error.code == INVALID_PARAMS
    assert re.search("nknown resource|o dataset", raised.value.error.message)


@pytest.mark.parametrize("dataset", ["", "..", "a\0b", "x" * 5_000, "../../etc", "none", "\ud800"])
@pytest.mark.parametrize("argument", ["cluster", "run", "dataset", "nothing"])
async def test_nothing_is_offered_where_nothing_is_there(
    client: Client, dataset: str, argument: str
) -> None:
    for ref in (
        PromptReference(name="nothing"),
        ResourceTemplateReference(uri="corpuscope://dataset/{dataset}/run/{run}"),
    ):
        answer = await client.complete(
            ref,
            {"name": argument, "value": dataset if argument == "dataset" else ""},
            context_arguments={"dataset": dataset, "run": dataset},
        )
        assert answer.completion.values == []


@pytest.mark.parametrize("spec", ["onnx:{}", "onnx:{}/..", "onnx:{}/../../../../../.."])
async def test_a_call_is_not_told_which_folders_exist(
    client: Client, tmp_path: Path, spec: str
) -> None:
    said = set()
    (tmp_path / "there").mkdir()
    for name in ("there", "none"):
        embedding = spec.format(tmp_path / name)
        answer = await finish(
            client, "ingest", dataset="a", rows=[{"text": "Some text"}], embedding=embedding
        )
        assert "outside the folders in which a model may lie" in answer.text
        said.add(answer.text.replace(embedding, "…"))
    assert len(said) == 1

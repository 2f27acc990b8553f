"""Every tool with arguments of every kind, through the client: a result, or an error in words."""

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from mcp.client import Client
from mcp.server.mcpserver.tools import Tool
from support.calls import answer_of, call, finish
from support.texts import tickets

from corpuscope.server.adapter import wrapped
from corpuscope.server.app import TOOLS
from corpuscope.server.job_tools import cancel_job, get_job
from corpuscope.server.protocol import lean_schema

pytestmark = pytest.mark.anyio

MOST_BYTES = 25_000
FORBIDDEN = re.compile(
    r"Error executing|pydantic|Traceback|\bbug\b|validation error", re.IGNORECASE
)

ROWS = tickets(each=4)

Schema = Mapping[str, Any]

SCHEMAS: dict[str, Schema] = {
    tool.name: tool.parameters
    for tool in (
        *(Tool.from_function(wrapped(spec), name) for name, spec in TOOLS.items()),
        Tool.from_function(get_job, "get-job"),
        Tool.from_function(cancel_job, "cancel-job"),
    )
}
JOBS = sorted(name for name, spec in TOOLS.items() if spec.is_job)
QUICK = sorted(SCHEMAS.keys() - set(JOBS))


@pytest.fixture(scope="module", autouse=True)
async def shop(client: Client) -> None:
    await finish(client, "ingest", dataset="shop", rows=ROWS, id_column="id")
    await finish(client, "cluster", dataset="shop")


def nested(levels: int) -> Any:
    value: Any = "x"
    for _ in range(levels):
        value = [value]
    return value


ODD_TEXTS = st.sampled_from(
    [
        *("", " ", "\0", "a\0b", "\ud800", "a\udfffb", "\u202eabc", "\N{ZERO WIDTH SPACE}", "\n"),
        *("x" * 10_001, "é" * 9_999, "x" * 1_000_000, "../../etc/passwd", "/etc", "~root", "."),
        *("null", "true", "[1]", "{}", '{"a": "\\ud800"}', "NaN", "1e999", "-1", "0", "1.0"),
        *("' or 1 == 1 --", '"; drop', "%s%n", "${jndi}", "r99", "j99", "99.99", "noise.1"),
        *("onnx:/etc", "onnx:~nobody/x", "openai:", "model2vec:/root", "column", "https://a/b.csv"),
    ]
)
NUMBERS = st.one_of(
    st.sampled_from([2**31, 2**63, -(2**63) - 1, 10**299, 10**400, 0, -1]),
    st.sampled_from([1e308, -1e308, float("inf"), float("nan"), 0.5, 1.0]),
)
HOSTILE = st.one_of(
    st.none(),
    st.booleans(),
    NUMBERS,
    ODD_TEXTS,
    st.text(max_size=20),
    st.sampled_from([[], {}, [[]], [None], [{}], {"": ""}, nested(99), nested(250)]),
    st.lists(ODD_TEXTS | NUMBERS, max_size=3),
    st.dictionaries(st.sampled_from(["theme", "hours", "gte", "in", "text", "title"]), ODD_TEXTS),
)
KNOWN_TEXTS = st.sampled_from(["theme", "stars", "date", "shop", "r1", "1", "noise", "refund"])
CLUSTERS = st.sampled_from(["1", "2", "3", "1.1", "noise", "99"])
# Of the dataset itself, so that more is met than the refusal of a name.
KNOWN: dict[str, st.SearchStrategy[Any]] = {
    "dataset": st.just("shop"),
    "run": st.sampled_from(["r1", "r1", "r2", "auto"]),
    "job_id": st.sampled_from(["j1", "j2", "j3"]),
    "cluster": CLUSTERS | st.lists(CLUSTERS, max_size=3) | st.just("all"),
    "within": CLUSTERS | st.lists(CLUSTERS, max_size=3),
    "parent": CLUSTERS,
    "embedding": st.sampled_from(["lexical", "wordllama"]),
    "rows": st.lists(
        st.fixed_dictionaries(
            {"text": st.text(max_size=50)},
            optional={"n": HOSTILE, "day": HOSTILE | st.just("2024-01-01"), "\0": HOSTILE},
        ),
        min_size=1,
        max_size=4,
    ),
    "where": st.dictionaries(
        st.sampled_from(["theme", "stars", "date", "id", "nothing"]),
        HOSTILE
        | st.sampled_from(["refund", 3, "2024-03-01", ["refund", "login"], {"gte": 2, "lt": "4"}])
        | st.dictionaries(st.sampled_from(["eq", "ne", "gt", "lte", "in", "like"]), HOSTILE),
        max_size=2,
    ),
}


def valid(part: Schema, whole: Schema) -> st.SearchStrategy[Any]:
    """Values of a JSON schema, mostly such as mean something here."""
    if "$ref" in part:
        return valid(whole["$defs"][part["$ref"].rsplit("/", 1)[-1]], whole)
    if "anyOf" in part:
        return st.one_of([valid(form, whole) for form in part["anyOf"]])
    if "enum" in part or "const" in part:
        return st.sampled_from(part.get("enum", [part.get("const")]))
    match part.get("type"):
        case "boolean":
            return st.booleans()
        case "integer" | "number":
            least = part.get("minimum", part.get("exclusiveMinimum", 0))
            return st.integers(least, min(part.get("maximum", least + 5), least + 5))
        case "string":
            return KNOWN_TEXTS
        case "array":
            return st.lists(valid(part.get("items", {}), whole), max_size=3)
        case "object":
            return objects(part, whole)
    return st.none()


def objects(part: Schema, whole: Schema) -> st.SearchStrategy[dict[str, Any]]:
    """Objects with the properties of a schema, one of them perhaps hostile; or with any."""
    fields = {
        name: valid(inner, whole) | HOSTILE for name, inner in part.get("properties", {}).items()
    }
    inner = part.get("additionalProperties")
    values = valid(inner, whole) | HOSTILE if isinstance(inner, dict) else HOSTILE
    return (
        st.fixed_dictionaries({}, optional=fields)
        if fields
        else st.dictionaries(
            st.sampled_from(["theme", "hours", "eq", "gte", "in", "nothing", "text"]),
            values,
            max_size=3,
        )
    )


SAFE: dict[str, dict[str, Any]] = {
    # What it would delete is looked at afterwards.
    "delete": {"confirm": False},
    "ingest": {"dataset": "fuzzed"},
}
"""Arguments that decide what is changed: they are not drawn."""


@st.composite
def arguments(draw: st.DrawFn, tool: str) -> dict[str, Any]:
    """The arguments of a call: valid ones, of which some are left out and some are hostile."""
    schema = SCHEMAS[tool]
    drawn: dict[str, Any] = {}
    properties = schema["properties"]
    hostile = draw(st.sets(st.sampled_from(sorted(properties)), max_size=2)) if properties else ()
    for name, part in properties.items():
        if name in hostile:
            drawn[name] = draw(HOSTILE)
        elif draw(st.booleans()) or (name in schema.get("required", []) and draw(MOSTLY)):
            drawn[name] = draw(KNOWN[name] if name in KNOWN else valid(part, schema))
    if not draw(MOSTLY):
        drawn[draw(st.sampled_from(["datset", "", "x" * 5_000]))] = 1
    return drawn | SAFE.get(tool, {})


MOSTLY = st.sampled_from([True] * 19 + [False])


def calls(tools: Sequence[str]) -> st.SearchStrategy[dict[str, dict[str, Any]]]:
    """A call of each tool: its name and its arguments."""
    return st.fixed_dictionaries({tool: arguments(tool) for tool in tools})


async def check(client: Client, tool: str, given_: dict[str, Any]) -> None:
    """Call a tool, and wait for the job that it may have become: the next call finds an idle
    worker. Every answer is one that can be read."""
    answer = answer_of(await client.call_tool(tool, given_))
    while True:
        assert answer.text.strip(), tool
        assert not FORBIDDEN.search(answer.text), f"{tool}: {answer.text[:500]}"
        assert len(answer.text.encode()) < MOST_BYTES, f"{tool}: {answer.text[:500]}"
        assert json.dumps(answer.data, ensure_ascii=False).encode(), tool
        if answer.data.get("state") not in ("queued", "running"):
            return
        answer = await call(client, "get-job", job_id=answer.data["job_id"], wait_seconds=45)


def test_every_tool_is_called() -> None:
    assert len(SCHEMAS) == len(TOOLS) + 2


@hypothesis_settings(max_examples=25, suppress_health_check=[HealthCheck.too_slow])
@given(drawn=calls(QUICK))
async def test_a_tool_answers_whatever_its_arguments_are(
    client: Client, drawn: dict[str, dict[str, Any]]
) -> None:
    for tool, given_ in drawn.items():
        await check(client, tool, given_)


@hypothesis_settings(max_examples=4, suppress_health_check=[HealthCheck.too_slow])
@given(drawn=calls(JOBS))
async def test_a_job_ends_in_words_whatever_its_arguments_are(
    client: Client, drawn: dict[str, dict[str, Any]]
) -> None:
    for tool, given_ in drawn.items():
        await check(client, tool, given_)


async def test_after_all_that_the_dataset_is_whole(client: Client) -> None:
    listed = (await client.list_tools()).tools
    told = {name: lean_schema(dict(schema)) for name, schema in SCHEMAS.items()}
    assert {tool.name: tool.input_schema for tool in listed} == told
    found = await call(client, "search", query="the", dataset="shop", limit=100)
    assert {hit["text"] for hit in found.data["hits"]} == {row["text"] for row in ROWS}
    assert not (await call(client, "list-clusters", dataset="shop")).is_error

"""What comes over the wire and is no message: each line is answered, and the server goes on."""

import json
import os
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import anyio
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from mcp.shared.message import SessionMessage
from mcp.types import JSONRPCResponse, jsonrpc_message_adapter
from support.idle_servers import no_worker_ahead

from corpuscope.server import stdio
from corpuscope.server.app import build_server
from corpuscope.server.settings import Settings
from corpuscope.server.stdio import Line, Unreadable, message_of, wire_streams

pytestmark = pytest.mark.anyio

PATIENCE = 20
"""Seconds until a test gives up on an answer."""

PARSE_ERROR, INVALID_REQUEST = -32700, -32600


class Wire:
    """The client's ends of two pipes."""

    def __init__(self, to_server: int, from_server: int) -> None:
        self.to_server, self.from_server = to_server, from_server
        self.read = bytearray()

    async def send(self, line: bytes) -> None:
        rest = memoryview(line + b"\n")
        while rest:
            await anyio.wait_writable(self.to_server)
            rest = rest[os.write(self.to_server, rest[: stdio.WRITE_BYTES]) :]

    async def receive(self) -> dict[str, Any]:
        with anyio.fail_after(PATIENCE):
            while b"\n" not in self.read:
                await anyio.wait_readable(self.from_server)
                self.read += os.read(self.from_server, 65_536)
        line, _, self.read = self.read.partition(b"\n")
        answer: dict[str, Any] = json.loads(line)
        return answer

    async def ask(self, line: bytes) -> dict[str, Any]:
        await self.send(line)
        return await self.receive()

    async def is_served(self) -> bool:
        answer = await self.ask(b'{"jsonrpc":"2.0","id":"still there?","method":"ping"}')
        return answer == {"jsonrpc": "2.0", "id": "still there?", "result": {}}


@contextmanager
def pipes() -> Iterator[tuple[int, int, Wire]]:
    """The server's two descriptors, and the client's ends of them."""
    wire_in, to_server = os.pipe()
    from_server, wire_out = os.pipe()
    yield wire_in, wire_out, Wire(to_server, from_server)
    for descriptor in (wire_in, to_server, from_server, wire_out):
        with suppress(OSError):  # a test has closed it
            os.close(descriptor)


@pytest.fixture(scope="module")
async def wire(settings: Settings, running_lite: None, anyio_backend: str) -> AsyncIterator[Wire]:
    """A server in this process, over pipes, after the handshake."""
    server = build_server(settings, warm=False)
    hello = {"protocolVersion": "2025-11-25", "capabilities": {}}
    hello["clientInfo"] = {"name": "test", "version": "1"}
    with pipes() as (wire_in, wire_out, client), no_worker_ahead():
        async with anyio.create_task_group() as group:
            group.start_soon(server.serve, wire_in, wire_out)
            await client.ask(request("initialize", hello))
            await client.send(b'{"jsonrpc":"2.0","method":"notifications/initialized"}')
            yield client
            os.close(client.to_server)  # which ends the server


def request(method: str, params: dict[str, Any], id_: object = 7) -> bytes:
    message = {"jsonrpc": "2.0", "id": id_, "method": method, "params": params}
    return json.dumps(message).encode()


def call(tool: bytes, arguments: bytes, id_: bytes = b"7") -> bytes:
    """A call, its arguments as they are written."""
    params = b'{"name":"%b","arguments":%b}' % (tool, arguments)
    return b'{"jsonrpc":"2.0","id":%b,"method":"tools/call","params":%b}' % (id_, params)


def nested(levels: int) -> bytes:
    return b"[" * levels + b"]" * levels


LONG_NUMBER = b"9" * 5_000
PING = b'"method":"ping"'


@pytest.mark.parametrize(
    ("line", "code", "id_", "words"),
    [
        (b"", PARSE_ERROR, None, "empty"),
        (b"   ", PARSE_ERROR, None, "empty"),
        (b'{"jsonrpc":"2.0","id":7,"method"', PARSE_ERROR, 7, "one message is one line"),
        (b'{"id":"a","method":"x"} {}', PARSE_ERROR, "a", "extra data at"),
        (call(b"search", b'{"query":"a\xff"}'), PARSE_ERROR, 7, "not UTF-8"),
        (call(b"search", b'{"query":"a","limit":NaN}'), PARSE_ERROR, 7, "NaN is no JSON"),
        (call(b"search", b'{"limit":-Infinity}'), PARSE_ERROR, 7, "write null"),
        (call(b"search", b'{"limit":%b}' % LONG_NUMBER), PARSE_ERROR, 7, "4,300 digits"),
        (call(b"search", b"{}", LONG_NUMBER), PARSE_ERROR, None, "4,300 digits"),
        (call(b"search", b'{"query":%b}' % nested(2_000)), PARSE_ERROR, 7, "nested too deep"),
        (nested(100_000), PARSE_ERROR, None, "nested too deep"),
        (call(b"search", b"{}", b'"\\ud800"'), PARSE_ERROR, None, "half of a character"),
        (call(b"se\\ud800", b"{}"), PARSE_ERROR, 7, "half of a character"),
        (b'{"jsonrpc":"2.0","id":7,"method":"\\udc00"}', PARSE_ERROR, 7, "half of a character"),
        (b"[]", INVALID_REQUEST, None, "no batches"),
        (b"[1]", INVALID_REQUEST, None, "no batches"),
        (b"5", INVALID_REQUEST, None, "a JSON object"),
        (b"null", INVALID_REQUEST, None, "a JSON object"),
        (b"{}", INVALID_REQUEST, None, '"jsonrpc": "2.0"'),
        (b'{"jsonrpc":"1.0","id":7,%b}' % PING, INVALID_REQUEST, 7, '"jsonrpc": "2.0"'),
        (b'{"jsonrpc":"2.0","id":7}', INVALID_REQUEST, 7, 'needs a "method"'),
        (b'{"jsonrpc":"2.0","id":7,"method":3}', INVALID_REQUEST, 7, "must be a string"),
        (b'{"jsonrpc":"2.0","id":null,%b}' % PING, INVALID_REQUEST, None, 'The "id" must'),
        (b'{"jsonrpc":"2.0","id":1.5,%b}' % PING, INVALID_REQUEST, None, 'The "id" must'),
        (b'{"jsonrpc":"2.0","id":true,%b}' % PING, INVALID_REQUEST, None, 'The "id" must'),
        (b'{"jsonrpc":"2.0","id":[1],%b}' % PING, INVALID_REQUEST, None, 'The "id" must'),
        (b'{"jsonrpc":"2.0",%b}' % PING, INVALID_REQUEST, None, 'needs an "id"'),
        (b'{"jsonrpc":"2.0","id":7,"params":[1],%b}' % PING, INVALID_REQUEST, 7, '"params"'),
        (b'{"jsonrpc":"2.0","id":7,"method":"nope"}', -32601, 7, "not found"),
        (call(b"search", b"[1]"), -32602, 7, "parameters"),
    ],
)
async def test_a_line_that_is_no_message_is_answered_and_the_server_goes_on(
    wire: Wire, line: bytes, code: int, id_: object, words: str
) -> None:
    answer = await wire.ask(line)
    assert (answer["id"], answer["error"]["code"]) == (id_, code)
    assert words in answer["error"]["message"]
    assert await wire.is_served()


async def test_each_request_of_a_batch_is_told_that_there_are_no_batches(wire: Wire) -> None:
    messages = [json.loads(request("ping", {}, id_)) for id_ in (3, "b")]
    await wire.send(json.dumps([*messages, 5]).encode())
    answers = [await wire.receive(), await wire.receive()]
    assert [answer["id"] for answer in answers] == [3, "b"]
    assert {answer["error"]["code"] for answer in answers} == {INVALID_REQUEST}
    assert await wire.is_served()


@pytest.mark.parametrize(
    ("tool", "arguments", "place"),
    [
        (b"search", b'{"query":"a\\ud800b"}', "search: `query`"),
        (b"get-members", b'{"cluster":"\\udfff"}', "get-members: `cluster`"),
        (b"ingest", b'{"dataset":"a","rows":[{"text":"\\ud800"}]}', "ingest: `rows[0].text`"),
        (b"search", b'{"query":"a","where":{"\\ud800":1}}', "search: `where"),
        (b"search", b'{"query":"a","where":"{\\"a\\": \\"\\\\ud800\\"}"}', "search: `where.a`"),
    ],
)
async def test_half_of_a_character_is_refused_with_the_name_of_the_argument(
    wire: Wire, tool: bytes, arguments: bytes, place: str
) -> None:
    answer = await wire.ask(call(tool, arguments))
    (content,) = answer["result"]["content"]
    assert answer["result"]["isError"]
    assert content["text"].startswith(place)
    assert "half of a character" in content["text"]


@pytest.mark.parametrize("lengths", [1, 3.5])
async def test_a_line_that_is_too_long_is_answered_and_never_held(
    wire: Wire, lengths: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stdio, "LONGEST_LINE", 20_000)
    monkeypatch.setattr(stdio, "READ_BYTES", 1_000)
    text = b"x" * int(20_000 * lengths)
    for line in (
        call(b"search", b'{"query":"%b"}' % text),
        b'{"method":"tools/call","params":{"id":[%b"%b"]},"jsonrpc":"2.0","id":7}' % (b"", text),
    ):
        answer = await wire.ask(line)
        assert (answer["id"], answer["error"]["code"]) == (7, INVALID_REQUEST)
        assert "the most is 20,000. Pass a large table as a file" in answer["error"]["message"]
    assert await wire.is_served()


async def test_a_byte_order_mark_and_the_line_ends_of_windows_are_no_fault(wire: Wire) -> None:
    answer = await wire.ask(b"\xef\xbb\xbf" + request("ping", {}) + b"\r")
    assert answer == {"jsonrpc": "2.0", "id": 7, "result": {}}


async def test_half_of_a_character_in_an_answer_does_not_end_the_server() -> None:
    with pipes() as (wire_in, wire_out, client):
        async with wire_streams(wire_in, wire_out) as (_, answers):
            for text in ("a\udcffb", "whole"):
                message = JSONRPCResponse(jsonrpc="2.0", id=7, result={"text": text})
                await answers.send(SessionMessage(message))
        assert (await client.receive())["result"] == {"text": "a?b"}
        assert (await client.receive())["result"] == {"text": "whole"}


async def test_the_server_ends_when_nobody_reads_its_answers(
    settings: Settings, running_lite: None
) -> None:
    ended = False
    with pipes() as (wire_in, wire_out, client), no_worker_ahead(), anyio.fail_after(PATIENCE):
        os.close(client.from_server)
        await client.send(request("ping", {}))
        try:
            await build_server(settings, warm=False).serve(wire_in, wire_out)
        except* BrokenPipeError:
            ended = True
    assert ended


KEYS = st.sampled_from(["jsonrpc", "id", "method", "params", "result", "error"])
JSON_TEXTS = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS | st.text(), inner),
    max_leaves=8,
).map(lambda value: json.dumps(value).encode())
MESSAGES = st.fixed_dictionaries(
    {"jsonrpc": st.sampled_from(["2.0", "2.0", "1.0", 2])},
    optional={
        "id": st.one_of(st.integers(), st.text(), st.none(), st.floats()),
        "method": st.sampled_from(["ping", "tools/call", "notifications/x", "", 3]),
        "params": st.one_of(st.dictionaries(st.text(), st.text()), st.lists(st.text())),
        "result": st.dictionaries(st.text(), st.text()),
    },
).map(lambda value: json.dumps(value).encode())


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    """A message of which a part is cut out or replaced."""
    message = draw(MESSAGES)
    start = draw(st.integers(0, len(message)))
    end = draw(st.integers(start, min(len(message), start + 5)))
    return message[:start] + draw(st.binary(max_size=3)) + message[end:]


@hypothesis_settings(max_examples=80)
@given(st.one_of(st.binary(), JSON_TEXTS, MESSAGES, damaged()))
def test_any_line_is_a_message_or_has_an_answer(line: bytes) -> None:
    try:
        message = message_of(Line(line))
    except Unreadable as unreadable:
        for answer in unreadable.answers():
            assert answer.model_dump_json()
            assert answer.error.message
        assert unreadable.ids
    else:
        content = json.loads(line.decode("utf-8-sig"))
        assert jsonrpc_message_adapter.validate_python(content) == message

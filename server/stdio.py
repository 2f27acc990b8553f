"""The protocol over two descriptors: each line that comes in is a message, or gets an error.

The transport of the SDK passes over in silence what it cannot read, so that a client waits for
ever; takes lines of any length; and reads in a thread that keeps the process from ending. Here a
line that is no message is answered by the codes of JSON-RPC 2.0, with the request's id where it can
be read, and no line takes more memory than `LONGEST_LINE`.
"""

import json
import logging
import os
import re
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any, NoReturn

import anyio
from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream
from mcp.shared.message import SessionMessage
from mcp.types import (
    INVALID_REQUEST,
    PARSE_ERROR,
    ErrorData,
    JSONRPCError,
    JSONRPCMessage,
    JSONRPCNotification,
    RequestId,
    jsonrpc_message_adapter,
)
from pydantic import ValidationError

logger = logging.getLogger(__name__)

LONGEST_LINE = 16 * 1024 * 1024
"""Bytes. Rows that a call brings along are some hundred kB; what is more belongs into a file."""

READ_BYTES = 1024 * 1024
WRITE_BYTES = 4_096
"""What a pipe that is ready takes without waiting, at least."""

DRAIN_SECONDS = 1.0
"""How long the last answers may take when the client has closed its end."""

ENDS = 4_096
"""Bytes of each end of a line that are searched for the request's id."""

MOST_ANSWERS = 100
"""Requests of one batch that are answered."""

# A string (to its end, or to that of the text), a bracket, or a run of anything else.
_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*+"?|[\[{]|[\]}]|[^"\[\]{}]+', re.DOTALL)
_ID = r'("(?:[^"\\]|\\[^u])*+"|-?\d{1,18})\s*'
_HEAD_ID = re.compile(rf"\s*:\s*{_ID}[,}}]")
# As the last field of the whole message: `…,"id":7}`.
_TAIL_ID = re.compile(rf'"id"\s*:\s*{_ID}\}}\s*$')

# Written out in JSON, half of a character or a whole one beyond U+FFFF.
_HALF = re.compile(r"\\u[dD][89a-fA-F]")


class Unreadable(ValueError):
    """A line that is no message: the code, the reason, and the ids of the requests in it."""

    def __init__(self, code: int, reason: str, ids: list[RequestId | None]) -> None:
        super().__init__(reason)
        self.code = code
        self.ids = ids

    def answers(self) -> list[JSONRPCError]:
        """An error for each request; one without an id where none can be read."""
        error = ErrorData(code=self.code, message=str(self))
        return [JSONRPCError(jsonrpc="2.0", id=id_, error=error) for id_ in self.ids]


@dataclass(frozen=True)
class Line:
    """A line as it came. Of one that is too long, `text` has both ends and `left_out` says how many
    bytes are not there."""

    text: bytes
    left_out: int = 0


def message_of(line: Line) -> JSONRPCMessage:
    """The message that a line is.

    Raises:
        Unreadable: It is none, or of a kind that MCP does not have.
    """
    content = _content(line)
    if isinstance(content, list):
        ids = [id_ for item in content if (id_ := _id_of(item)) is not None][:MOST_ANSWERS]
        reason = "MCP has no batches: send each message as a line of its own."
        raise Unreadable(INVALID_REQUEST, reason, [*ids] or [None])
    if not isinstance(content, dict):
        reason = 'A message is a JSON object: {"jsonrpc": "2.0", "id": 1, "method": …}.'
        raise Unreadable(INVALID_REQUEST, reason, [None])
    try:
        message = jsonrpc_message_adapter.validate_python(content, by_name=False)
    except ValidationError as error:
        raise Unreadable(INVALID_REQUEST, _invalid(content), [_id_of(content)]) from error
    # The models pass over a wrong id beside a method: they take it for a notification.
    if isinstance(message, JSONRPCNotification) and (
        "id" in content or not message.method.startswith("notifications/")
    ):
        raise Unreadable(INVALID_REQUEST, _invalid(content), [None])
    return message


def _content(line: Line) -> Any:
    """What the JSON of a line says."""
    length = len(line.text) + line.left_out
    if length > LONGEST_LINE:
        reason = (
            f"The message has {length:,} bytes; the most is {LONGEST_LINE:,}. "
            "Pass a large table as a file: ingest(path=…)."
        )
        raise Unreadable(INVALID_REQUEST, reason, [_id_in(line.text)])
    try:
        text = line.text.decode("utf-8-sig")
        if not text.strip():
            raise Unreadable(PARSE_ERROR, "The line is empty; a message is expected.", [None])
        content = json.loads(text, parse_constant=_refuse_constant)
        if _HALF.search(text):
            _check_halves(content)
    except Unreadable:
        raise
    except (ValueError, RecursionError) as error:
        reason = f"The line cannot be read as JSON: {_reason(error)}."
        raise Unreadable(PARSE_ERROR, reason, [_id_in(line.text)]) from error
    return content


def _refuse_constant(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is no JSON; write null")


def _check_halves(content: Any) -> None:
    """Refuse a half of a character (`\\ud800` alone) anywhere but in the arguments of a tool: there
    the check of the arguments says in which of them it stands."""
    match content:
        case {"method": "tools/call", "params": {"arguments": _}}:
            content = content | {"params": content["params"] | {"arguments": None}}
    json.dumps(content, ensure_ascii=False).encode()


def _reason(error: ValueError | RecursionError) -> str:
    match error:
        case UnicodeDecodeError():
            return f"byte {error.start + 1} is not UTF-8"
        case UnicodeEncodeError():
            return "it has half of a character (\\ud800 to \\udfff); write whole ones"
        case json.JSONDecodeError():
            said = error.msg[0].lower() + error.msg[1:]
            return f"{said} at character {error.pos + 1}; one message is one line"
        case RecursionError():
            return "it is nested too deep"
    long = "digits" in str(error)
    return "it has a number of more than 4,300 digits; write it as a string" if long else str(error)


def _invalid(content: dict[str, Any]) -> str:
    """What keeps a JSON object from being a message."""
    if content.get("jsonrpc") != "2.0":
        return 'The message needs "jsonrpc": "2.0".'
    method = content.get("method")
    if "method" in content and not isinstance(method, str):
        return 'The "method" must be a string, such as "tools/call".'
    if "id" in content and _id_of(content) is None:
        return 'The "id" must be a string or a whole number.'
    if isinstance(method, str) and "id" not in content and not method.startswith("notifications/"):
        return 'A request needs an "id"; only notifications/… have none.'
    if not isinstance(content.get("params", {}), dict):
        return 'The "params" must be an object.'
    return 'A message needs a "method", or the "result" or "error" of a request.'


def _id_of(content: Any) -> RequestId | None:
    """The id in a message; None where it has none that can be written into an answer."""
    found = content.get("id") if isinstance(content, dict) else None
    return found if isinstance(found, str | int) and not isinstance(found, bool) else None


def _id_in(text: bytes) -> RequestId | None:
    """The id of a message that cannot be parsed, from its first or its last characters."""
    head, depth = text[:ENDS].decode(errors="replace"), 0
    for token in _TOKEN.finditer(head):
        depth += (token[0] in "[{") - (token[0] in "]}") if len(token[0]) == 1 else 0
        if depth == 1 and token[0] == '"id"' and (found := _HEAD_ID.match(head, token.end())):
            return _id_of({"id": json.loads(found[1], strict=False)})
    last = _TAIL_ID.search(text[-ENDS:].decode(errors="replace"))
    return _id_of({"id": json.loads(last[1], strict=False)}) if last else None


@asynccontextmanager
async def wire_streams(
    wire_in: int, wire_out: int
) -> AsyncIterator[
    tuple[
        MemoryObjectReceiveStream[SessionMessage | Exception],
        MemoryObjectSendStream[SessionMessage],
    ]
]:
    """The streams that the SDK serves, over a descriptor to read from and one to write to.

    Raises:
        BrokenPipeError: In a group: nobody reads the answers any more.
    """
    messages, read_stream = anyio.create_memory_object_stream[SessionMessage | Exception](0)
    write_stream, answers = anyio.create_memory_object_stream[SessionMessage](0)
    streams = (messages, read_stream, write_stream, answers)
    written, reading = anyio.Event(), anyio.CancelScope()
    async with AsyncExitStack() as closing, anyio.create_task_group() as group:
        for stream in streams:
            closing.push_async_callback(stream.aclose)

        async def write() -> None:
            await _write(wire_out, answers)
            written.set()

        async def read() -> None:
            with reading:
                await _read(wire_in, messages, write_stream.clone())

        group.start_soon(read)
        group.start_soon(write)
        yield read_stream, write_stream
        reading.cancel()
        await write_stream.aclose()
        with anyio.move_on_after(DRAIN_SECONDS):
            await written.wait()
        group.cancel_scope.cancel()


async def _read(
    wire_in: int,
    messages: MemoryObjectSendStream[SessionMessage | Exception],
    answers: MemoryObjectSendStream[SessionMessage],
) -> None:
    """Hand on what comes in, and answer what is no message, until the input ends."""
    async with messages, answers:
        async for line in _lines(wire_in):
            try:
                await messages.send(SessionMessage(message_of(line)))
            except Unreadable as unreadable:
                logger.warning("%s", unreadable)
                for answer in unreadable.answers():
                    await answers.send(SessionMessage(answer))
            except anyio.BrokenResourceError:  # the server has ended
                return


async def _lines(wire_in: int) -> AsyncIterator[Line]:
    """The lines that come in. Of one that is too long only both ends are kept."""
    pending, left_out = bytearray(), 0
    while chunk := await _chunk(wire_in):
        *ended, rest = chunk.split(b"\n")
        for part in ended:
            yield Line(bytes(pending + part), left_out)
            pending.clear()
            left_out = 0
        pending += rest
        if len(pending) > LONGEST_LINE:
            left_out += len(pending) - 2 * ENDS
            del pending[ENDS:-ENDS]
            # The rest may add up to less than a whole line again: it stays too long all the same.
            left_out = max(left_out, LONGEST_LINE)
    if pending:
        yield Line(bytes(pending), left_out)


async def _chunk(wire_in: int) -> bytes:
    # Waiting for it here, and not for a read in a thread, leaves nothing behind at the end.
    try:
        await anyio.wait_readable(wire_in)
    except PermissionError:  # a file or /dev/null, from which nothing has to be waited for
        await anyio.lowlevel.checkpoint()
    return os.read(wire_in, READ_BYTES)


async def _write(wire_out: int, answers: MemoryObjectReceiveStream[SessionMessage]) -> None:
    """Write what goes out, a line each.

    Raises:
        BrokenPipeError: Nobody reads it.
    """
    async with answers:
        async for answer in answers:
            rest = memoryview(_encoded(answer.message))
            while rest:
                try:
                    await anyio.wait_writable(wire_out)
                except PermissionError:  # a file
                    await anyio.lowlevel.checkpoint()
                rest = rest[os.write(wire_out, rest[:WRITE_BYTES]) :]


def _encoded(message: JSONRPCMessage) -> bytes:
    try:
        return message.model_dump_json(by_alias=True, exclude_unset=True).encode() + b"\n"
    except ValueError:
        # Half of a character, as in the name of a file that is not UTF-8: told with a ? for it.
        content = message.model_dump(by_alias=True, exclude_unset=True)
        return json.dumps(content, ensure_ascii=False).encode(errors="replace") + b"\n"


def claim_standard_streams() -> tuple[int, int]:
    """Descriptors for the protocol alone: from then on what libraries print goes to standard error,
    and children find standard input empty."""
    wire_in, wire_out = os.dup(0), os.dup(1)
    empty = os.open(os.devnull, os.O_RDONLY)
    os.dup2(empty, 0)
    os.close(empty)
    os.dup2(2, 1)
    return wire_in, wire_out

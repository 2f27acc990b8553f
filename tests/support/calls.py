"""How the tests call tools: to the end, and with what came back at hand."""

import re
from dataclasses import dataclass
from typing import Any

from mcp.client import Client
from mcp.types import CallToolResult, ImageContent, TextContent


@dataclass(frozen=True)
class Answer:
    """What a tool said: `text` for models and people, `data` for scripts."""

    text: str
    data: dict[str, Any]
    images: list[ImageContent]
    is_error: bool


async def call(client: Client, tool: str, /, **arguments: Any) -> Answer:
    """Call a tool once."""
    return answer_of(await client.call_tool(tool, arguments))


async def finish(client: Client, tool: str, /, **arguments: Any) -> Answer:
    """Call a tool and wait for the job that it becomes; its data are the tool's own result."""
    answer = await call(client, tool, wait_seconds=45, **arguments)
    if goes_on := re.search(r"Job (j\d+) goes on", answer.text):
        answer = await call(client, "get-job", job_id=goes_on[1], wait_seconds=45)
    while not answer.is_error and answer.data.get("state") in ("queued", "running"):
        answer = await call(client, "get-job", job_id=answer.data["job_id"], wait_seconds=45)
    inner = answer.data.get("result") if "job_id" in answer.data else None
    return Answer(answer.text, inner or answer.data, answer.images, answer.is_error)


def answer_of(result: CallToolResult) -> Answer:
    """The parts of a tool's result."""
    return Answer(
        "\n".join(block.text for block in result.content if isinstance(block, TextContent)),
        dict(result.structured_content or {}),
        [block for block in result.content if isinstance(block, ImageContent)],
        bool(result.is_error),
    )


async def forget_datasets(client: Client) -> None:
    """Delete all datasets: who comes next finds a home without any."""
    for dataset in (await call(client, "list-datasets")).data["datasets"]:
        await call(client, "delete", dataset=dataset["name"], confirm=True)

"""The skills as a host gets them."""

import hashlib
import re
from typing import Any

import pytest
from mcp import MCPError
from mcp.client import Client
from mcp.types import Request, Result, TextResourceContents
from pydantic import ConfigDict

from corpuscope.server.skills import read_skills

pytestmark = pytest.mark.anyio


class Skills(Result):
    """What comes back, whatever it is."""

    model_config = ConfigDict(extra="allow")


async def asked(client: Client, method: str, **params: Any) -> dict[str, Any]:
    request = Request[Any, str](method=method, params=params or None)
    answer = await client.session.send_request(request, Skills)
    return answer.model_dump()


async def test_a_host_lists_a_skill_and_reads_its_file_as_it_was_promised(client: Client) -> None:
    listed = await asked(client, "skills/list")
    (skill,) = listed["skills"]
    assert skill["frontmatter"]["name"] == "theme-briefing"
    assert 20 < len(skill["frontmatter"]["description"]) <= 1024
    (content,) = (await client.read_resource(skill["uri"])).contents
    (file,) = skill["resources"]
    assert isinstance(content, TextResourceContents)
    written = content.text.encode()
    assert file["digest"] == f"sha256:{hashlib.sha256(written).hexdigest()}"
    assert file["size"] == len(written)
    assert (await asked(client, "skills/get", uri=skill["uri"]))["skill"] == skill
    with pytest.raises(MCPError, match="No skill 'skill://none'. Skills: skill://theme-briefing"):
        await asked(client, "skills/get", uri="skill://none")


async def test_a_skill_names_tools_and_arguments_that_there_are(client: Client) -> None:
    tools = (await client.list_tools()).tools
    known = {name for tool in tools for name in (tool.name, *tool.input_schema["properties"])}
    for skill in read_skills():
        named = set(re.findall(r"`([a-z]+(?:[-_][a-z]+)*)[`(=]", skill.text))
        assert named <= known | {"undo"}

"""The Agent Skills of this server, for hosts that ask for them (`io.modelcontextprotocol/skills`).

In: the folders of `skills/`; out: their list, and each `SKILL.md` as a resource.
"""

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

from mcp import MCPError
from mcp.server.extension import Extension, MethodBinding, ResourceBinding
from mcp.server.mcpserver.resources import TextResource
from mcp.types import INVALID_PARAMS, RequestParams

from corpuscope.server.argument_errors import named

FILE = "SKILL.md"
FRONT_MATTER = re.compile(r"---\n(.*?)\n---\n", re.DOTALL)
# They change with the version of the server alone.
FRESH_MS = 3_600_000
ENVELOPE = {"resultType": "complete", "ttlMs": FRESH_MS, "cacheScope": "public"}


@dataclass(frozen=True)
class Skill:
    """One skill: its name, its front matter (name and description), and the whole file."""

    name: str
    about: dict[str, str]
    text: str

    @property
    def uri(self) -> str:
        """Where its file is read."""
        return f"skill://{self.name}/{FILE}"

    def entry(self) -> dict[str, Any]:
        """The skill as lists show it."""
        content = self.text.encode()
        digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
        file = {"uri": self.uri, "digest": digest, "size": len(content)}
        return {"uri": self.uri, "frontmatter": self.about, "resources": [file]}


class SkillParams(RequestParams):
    """Which skill is asked for."""

    uri: str


def read_skills() -> list[Skill]:
    """The skills that come with this package, by name."""
    folders = sorted(files("corpuscope.skills").iterdir(), key=lambda folder: folder.name)
    texts = {
        folder.name: (folder / FILE).read_text(encoding="utf-8")
        for folder in folders
        if (folder / FILE).is_file()
    }
    return [Skill(name, _front_matter(text), text) for name, text in texts.items()]


def _front_matter(text: str) -> dict[str, str]:
    """The lines `name: value` that a skill begins with."""
    head = FRONT_MATTER.match(text)
    lines = head[1].splitlines() if head else []
    return {name: value.strip() for name, _, value in (line.partition(":") for line in lines)}


class SkillsExtension(Extension):
    """Lists the skills and gives them out."""

    identifier = "io.modelcontextprotocol/skills"

    def __init__(self, skills: Sequence[Skill]) -> None:
        self._skills = {skill.uri: skill for skill in skills}

    def settings(self) -> dict[str, Any]:
        """A skill here is one file: there are no folders to read."""
        return {"directoryRead": False}

    def resources(self) -> Sequence[ResourceBinding]:
        """The files of the skills."""
        return [
            ResourceBinding(
                TextResource(
                    uri=skill.uri,
                    name=skill.name,
                    description=skill.about["description"],
                    mime_type="text/markdown",
                    text=skill.text,
                )
            )
            for skill in self._skills.values()
        ]

    def methods(self) -> Sequence[MethodBinding]:
        """`skills/list` and `skills/get`."""
        return [
            MethodBinding("skills/list", RequestParams, self._list),
            MethodBinding("skills/get", SkillParams, self._get),
        ]

    async def _list(self, _: Any, __: RequestParams) -> dict[str, Any]:
        return {"skills": [skill.entry() for skill in self._skills.values()], **ENVELOPE}

    async def _get(self, _: Any, params: SkillParams) -> dict[str, Any]:
        skill = self._skills.get(params.uri)
        if skill is None:
            known = ", ".join(self._skills)
            raise MCPError(
                code=INVALID_PARAMS, message=f"No skill {named(params.uri)}. Skills: {known}."
            )
        return {"skill": skill.entry(), **ENVELOPE}

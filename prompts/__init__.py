"""The words sent to models and offered to people: Markdown templates beside this file.

`$name` in a template stands for a value; `$$` is a dollar sign.
"""

import hashlib
import itertools
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from string import Template

FENCE_LETTERS = 12
"""Hex digits in a fence: too many to be met by chance."""

KEY_LETTERS = 16
"""Hex digits of the hash that tells one version of templates from another."""


class BadTemplate(ValueError):
    """A template of the user's cannot be read, or has other places for values than it should."""


@dataclass(frozen=True)
class Templates:
    """The templates by name: those of the user's `folder`, and those beside this file where it has
    none of that name."""

    folder: Path | None = None

    def load(self, name: str) -> str:
        """The template `<name>.md` as it is written.

        Raises:
            BadTemplate: The user's cannot be read.
            FileNotFoundError: There is no such template.
        """
        override = self._override(name)
        if override is None:
            return (files("corpuscope.prompts") / f"{name}.md").read_text(encoding="utf-8").strip()
        try:
            # Editors on Windows put a byte order mark before the text.
            return override.read_text(encoding="utf-8-sig").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise BadTemplate(f"{override} cannot be read as UTF-8 text: {error}.") from error

    def render(self, name: str, /, **values: str) -> str:
        """The template `<name>.md` with its values filled in. A `$` within a value stays.

        Raises:
            BadTemplate: A value has no place in the template, or a place no value.
            FileNotFoundError: There is no such template.
        """
        template = Template(self.load(name))
        if not template.is_valid():
            raise BadTemplate(f"{self._where(name)} has a $ that stands for nothing; write $$.")
        places = set(template.get_identifiers())
        if places != values.keys():
            expected = ", ".join(f"${value}" for value in sorted(values)) or "none"
            actual = ", ".join(f"${place}" for place in sorted(places)) or "none"
            raise BadTemplate(f"{self._where(name)} has the places {actual}; expected: {expected}.")
        return template.substitute(values)

    def key(self, *names: str) -> str:
        """Hash of what these templates say: another version has another key."""
        text = "\0".join(self.load(name) for name in names)
        return hashlib.sha256(text.encode()).hexdigest()[:KEY_LETTERS]

    def overridden(self) -> list[str]:
        """The names of the templates that the user's folder replaces."""
        return [name for name in template_names() if self._override(name) is not None]

    def _override(self, name: str) -> Path | None:
        file = self.folder / f"{name}.md" if self.folder else None
        return file if file is not None and file.is_file() else None

    def _where(self, name: str) -> str:
        return str(self._override(name) or f"prompts/{name}.md")


def template_names() -> list[str]:
    """The names of all templates."""
    return sorted(
        file.name.removesuffix(".md")
        for file in files("corpuscope.prompts").iterdir()
        if file.name.endswith(".md")
    )


def fence(text: str, letters: int = FENCE_LETTERS) -> str:
    """The text as data between two marked lines, against texts that pretend to be instructions.

    The marks are the first `letters` hex digits of a SHA-256 of the text, such as do not occur in
    it: the same text gives the same fence, and whoever writes one of the texts cannot know what the
    hash of all will be.
    """
    for attempt in itertools.count():
        digest = hashlib.sha256(f"{attempt}\n{text}".encode("utf-8", "replace")).hexdigest()
        mark = digest[:letters]
        if mark not in text:
            return f"<<<DATA {mark}\n{text}\nDATA {mark}>>>"
    raise AssertionError("itertools.count never ends")

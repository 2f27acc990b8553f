"""The words sent to models and offered to people: Markdown templates beside this file.

`$name` in a template stands for a value; `$$` is a dollar sign.
"""

import hashlib
import itertools
from importlib.resources import files
from string import Template

FENCE_LETTERS = 12
"""Hex digits in a fence: too many to be met by chance."""


def load(name: str) -> str:
    """The template `<name>.md` as it is written.

    Raises:
        FileNotFoundError: There is no such template.
    """
    return (files("corpuscope.prompts") / f"{name}.md").read_text(encoding="utf-8").strip()


def render(name: str, /, **values: str) -> str:
    """The template `<name>.md` with its values filled in. A `$` within a value stays as it is.

    Raises:
        FileNotFoundError: There is no such template.
        ValueError: A value is missing, or the template has no place for it.
    """
    template = Template(load(name))
    wanted = set(template.get_identifiers())
    if wanted != values.keys():
        raise ValueError(
            f"prompts/{name}.md wants the values {sorted(wanted)}, got {sorted(values)}."
        )
    return template.substitute(values)


def fence(text: str, letters: int = FENCE_LETTERS) -> str:
    """The text as data between two lines, of which no copy can occur in the text.

    The lines carry the first `letters` digits of a hash of the text: the same text gives the
    same fence, and who writes one of the texts cannot know what the hash of all will be.
    """
    for attempt in itertools.count():
        digest = hashlib.sha256(f"{attempt}\n{text}".encode("utf-8", "replace")).hexdigest()
        mark = digest[:letters]
        if mark not in text:
            return f"<<<DATA {mark}\n{text}\nDATA {mark}>>>"
    raise AssertionError("itertools.count never ends")

"""What is wrong with the arguments of a call, in words: which, what it is, and what is valid."""

import json
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from pydantic import ValidationError

from corpuscope.tools.core.errors import BadInput
from corpuscope.tools.core.redaction import Redact
from corpuscope.tools.core.text import shorten

Schema: TypeAlias = Mapping[str, Any]
Path: TypeAlias = tuple[Any, ...]

MOST_CHARACTERS = 10_000
"""Of one argument. Whole texts come as `rows` or as a file, whose limits are those of a line."""

WHOLE_TEXTS = ("rows",)

DEEPEST = 100
"""Levels of a nested value: orjson stops at 254, the protocol's parser at 200."""

MOST_DIGITS = 300
"""Of an integer: what is larger is no number that Python's floats or JSON's readers know."""

DIGITS_PER_BIT = 0.30103

READ_CHARACTERS = 2_000
"""Of a value that is quoted: they are redacted before it is cut to what is shown."""

SHOWN_CHARACTERS = 80
SHOWN_NAME = 40
SHOWN_ERRORS = 4

_HALF = re.compile("[\\ud800-\\udfff]")


def named(name: str) -> str:
    """A name that a client gave, in quotes, as it can be shown."""
    return repr(shorten(name, SHOWN_NAME))


def check_arguments(tool: str, arguments: Mapping[str, Any], schema: Schema) -> None:
    """Refuse arguments that the tool does not know, and values that nothing can work with.

    Raises:
        BadInput: An unknown argument; a text with half of a character (which no answer can
            repeat), or too long a one; a value nested too deep; a number too long.
    """
    known = list(schema.get("properties", {}))
    if unknown := [name for name in arguments if name not in known]:
        names = ", ".join(map(named, unknown[:SHOWN_ERRORS]))
        raise BadInput(f"{tool} has no argument {names}. Valid: {', '.join(known) or 'none'}.")
    for name, value in arguments.items():
        most = None if name in WHOLE_TEXTS else MOST_CHARACTERS
        for path, fault in _faults((name,), value, most):
            raise BadInput(f"{tool}: {_written(path)} {fault}.")


def _faults(at: Path, value: Any, most: int | None) -> Iterator[tuple[Path, str]]:
    """Each place of a value, from `at` on, where nothing can work with it, and why not."""
    waiting = [(at, value)]
    while waiting:
        path, value = waiting.pop()
        match value:
            case str():
                if most is not None and len(value) > most:
                    yield path, f"has {len(value):,} characters; the most is {most:,}"
                # isascii is kept with the string: it settles most of them at once.
                elif not value.isascii() and _HALF.search(value):
                    yield path, "has half of a character (\\ud800 to \\udfff); write whole ones"
            case int():
                digits = int(value.bit_length() * DIGITS_PER_BIT)
                if digits > MOST_DIGITS:
                    yield path, f"has about {digits:,} digits; the most is {MOST_DIGITS}"
            case dict() | list() if len(path) > DEEPEST:
                yield path[:1], f"is nested deeper than {DEEPEST} levels"
            case dict():
                waiting += [((*path, "a key"), key) for key in value if not key.isascii()]
                waiting += [((*path, key), inner) for key, inner in value.items()]
            case list():
                waiting += [((*path, number), inner) for number, inner in enumerate(value)]


@dataclass(frozen=True)
class RefusedCall:
    """A call whose arguments did not fit: the tool, its schema, what came, and what is done to
    values before they are quoted."""

    tool: str
    schema: Schema
    arguments: Mapping[str, Any]
    redact: Redact

    def reason(self, error: ValidationError) -> str:
        """What pydantic found wrong with the arguments, a sentence for each."""
        found: dict[str, dict[Path, Any]] = defaultdict(dict)
        for problem in error.errors(include_url=False, include_input=False):
            path = self._path(problem["loc"])
            found[str(path[0])].setdefault(path, problem)
        sentences = []
        for name, problems in list(found.items())[:SHOWN_ERRORS]:
            # A nested value that has one fault, and no choice of forms, is told by its place.
            (path, problem), *others = problems.items()
            inside = "" if others else self._inside(path, problem)
            sentences.append(inside or self._outside(name))
        return " ".join(sentences)

    def _path(self, loc: Path) -> Path:
        """The place of an error: what pydantic says, without the forms that it tried."""
        path, value = loc[:1], self.arguments.get(loc[0])
        for part in loc[1:]:
            if (isinstance(value, dict) and part in value) or (
                isinstance(value, list) and isinstance(part, int) and part < len(value)
            ):
                path, value = (*path, part), value[part]
        return path

    def _inside(self, path: Path, problem: Any) -> str:
        """The sentence on a fault within an argument; empty where all of it is wrong."""
        if problem["type"] == "missing" and len(problem["loc"]) > 1:
            return f"{self.tool}: {_written(path)} needs `{problem['loc'][-1]}`."
        if len(path) == 1:
            return ""
        if problem["type"] == "extra_forbidden":
            return f"{self.tool}: {_written(path[:-1])} has no field {named(str(path[-1]))}."
        value: Any = self.arguments
        for part in path:
            value = value[part]
        says = problem["msg"].replace("Input", "it")
        return (
            f"{self.tool}: {_written(path)} is {self._shown(value)}: {says[0].lower()}{says[1:]}."
        )

    def _outside(self, name: str) -> str:
        part = self.schema.get("properties", {}).get(name, {})
        meaning, valid = part.get("description", "").rstrip("."), _valid(part, self.schema)
        if name not in self.arguments:
            return f"{self.tool} needs `{name}`: {meaning or valid}."
        # What is valid of an object is more than its kind.
        told = f" ({meaning})" if meaning and "object" in valid else ""
        return f"{name} is {self._shown(self.arguments[name])}; it must be {valid}{told}."

    def _shown(self, value: Any) -> str:
        """A value as JSON, cut after it is redacted."""
        written = json.dumps(value, ensure_ascii=False)
        shown = shorten(self.redact(written[:READ_CHARACTERS]), SHOWN_CHARACTERS)
        if len(written) <= SHOWN_CHARACTERS:
            return shown
        many = (
            f"{len(value):,} items" if isinstance(value, list) else f"{len(written):,} characters"
        )
        return f"{shown} ({many})"


def _valid(part: Schema, whole: Schema) -> str:
    """What a JSON schema allows, in words."""
    if "$ref" in part:
        return _valid(whole["$defs"][part["$ref"].rsplit("/", 1)[-1]], whole)
    if "anyOf" in part:
        forms = [_valid(form, whole) for form in part["anyOf"] if form.get("type") != "null"]
        return " or ".join(dict.fromkeys(forms))
    if "const" in part:
        return f"'{part['const']}'"
    if "enum" in part:
        return " or ".join(f"'{value}'" for value in part["enum"])
    match part.get("type"):
        case "boolean":
            return "true or false"
        case "integer" | "number":
            return _range(part)
        case "string":
            most = part.get("maxLength")
            least = "one that is not empty" if part.get("minLength") else ""
            limit = f"at most {most:,} characters" if most else ""
            return ", ".join(filter(None, ("a text", least, limit)))
        case "array":
            most = part.get("maxItems")
            limit = f" of at most {most}" if most else ""
            return f"a list{limit}, each {_valid(part.get('items', {}), whole)}"
        case "object":
            return "an object"
    return "a value"


def _range(part: Schema) -> str:
    kind = "a whole number" if part["type"] == "integer" else "a number"
    least = part.get("minimum", part.get("exclusiveMinimum"))
    most = part.get("maximum")
    if most is None and "exclusiveMaximum" in part:
        most = part["exclusiveMaximum"] - 1
    if least is not None and most is not None:
        return f"{kind}, {least} to {most}"
    return kind if least is None else f"{kind}, {least} or more"


def _written(path: Path) -> str:
    """A place in the arguments: `rows[3].text`."""
    inner = [f"[{part}]" if isinstance(part, int) else f".{part}" for part in path[1:]]
    whole = f"{path[0]}{''.join(inner)}".encode(errors="backslashreplace").decode()
    return f"`{shorten(whole, SHOWN_CHARACTERS)}`"

"""Themes as a codebook, by which people or programs sort texts: csv, Markdown, REFI-QDA.

In: the facts of each theme; out: an entry for each, and a file of them. The csv can be read again:
each entry has a title of its own, a definition, and examples by the line.
"""

import re
import uuid
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

from corpuscope.tools.core.text import UNSEEN, shorten
from corpuscope.tools.exports.cells import is_formula, writable_text
from corpuscope.tools.exports.theme_facts import QuotedText, ThemeFacts

COLUMNS_OF_CODEBOOK = (*("id", "heading", "title", "definition", "include", "exclude", "examples"),)

EXAMPLE_CHARACTERS = 500
"""Of one example: what a person reads of it."""

INCLUDED_WORDS = 12

NAMESPACE = "urn:QDA-XML:codebook:1.0"
"""REFI-QDA 1.5, codebook schema (http://schema.qdasoftware.org/versions/Codebook/v1.0)."""

GUIDS = uuid.UUID("6a0a5f0e-3b44-5d3c-9a41-0d8f2f3f9f1b")
"""The space of the ids of codes: the same theme of a run has the same one in each export."""

MARKDOWN_SIGNS = "\\`*_[]<>|~"
"""Those that mean something anywhere in a line."""


@dataclass(frozen=True, slots=True)
class CodebookEntry:
    """A theme as a rule: what it is, what belongs to it, what does not, and examples."""

    id: str
    heading: str | None
    title: str
    definition: str
    include: str
    exclude: str
    examples: tuple[str, ...]

    def row(self) -> list[str | None]:
        """The entry as `COLUMNS_OF_CODEBOOK` says."""
        examples = "\n".join(self.examples)
        words = (self.definition, self.include, self.exclude)
        return [self.id, self.heading, self.title, *words, examples]


def codebook_entries(themes: Sequence[ThemeFacts]) -> list[CodebookEntry]:
    """An entry for each theme, in their order; equal titles are told apart by their ids."""
    times = Counter(theme.title.casefold() for theme in themes)
    return [_entry(theme, times[theme.title.casefold()] > 1) for theme in themes]


def codebook_markdown(name: str, entries: Sequence[CodebookEntry]) -> str:
    """The codebook to read."""
    lines = [f"# Codebook of {escaped_markdown(name)}", ""]
    for entry in entries:
        lines += [f"## {entry.id}: {escaped_markdown(entry.title)}", ""]
        if entry.heading:
            lines += [f"Heading: {escaped_markdown(entry.heading)}", ""]
        lines += [escaped_markdown(entry.definition), ""]
        if entry.include:
            lines += [f"- **Include:** {escaped_markdown(entry.include)}"]
        if entry.exclude:
            lines += [f"- **Exclude:** {escaped_markdown(entry.exclude)}"]
        if entry.examples:
            lines += ["- **Examples:**"]
            lines += [f"    - {escaped_markdown(example)}" for example in entry.examples]
        lines.append("")
    return "\n".join(lines).rstrip() + "\n"


def escaped_markdown(text: str) -> str:
    """The text on one line, as Markdown shows it letter for letter: no mark-up, no link, no tag."""
    line = " ".join(UNSEEN.sub("", text).split())
    for sign in MARKDOWN_SIGNS:
        line = line.replace(sign, f"\\{sign}")
    # Addresses become links in some dialects; other signs mean something at the start of a line.
    line = line.replace("://", ":\\//").replace("www.", "www\\.")
    return re.sub(r"^(?=[-+=#])|^(?P<number>\d+)(?=[.)](\s|$))", r"\g<number>\\", line)


def write_qdc(space: str, entries: Sequence[CodebookEntry], origin: str, file: Path) -> None:
    """Write a codebook as REFI-QDA has it: headings are codes that cannot be given to a text.

    Args:
        space: What tells the themes from those of other runs, `shop:r1`.
        entries: The themes.
        origin: The program and its version.
        file: To write to.

    Raises:
        OSError: It cannot be written.
    """
    root = ElementTree.Element("CodeBook", {"xmlns": NAMESPACE, "origin": origin})
    codes = ElementTree.SubElement(root, "Codes")
    headings: dict[str, ElementTree.Element] = {}
    for entry in entries:
        above = codes
        if entry.heading:
            if entry.heading not in headings:
                guid = _guid(space, f"heading:{entry.heading}")
                headings[entry.heading] = _code(codes, guid, entry.heading, codable=False)
            above = headings[entry.heading]
        code = _code(above, _guid(space, entry.id), entry.title, codable=True)
        ElementTree.SubElement(code, "Description").text = writable_text(_described(entry))
    ElementTree.indent(root)
    ElementTree.ElementTree(root).write(file, encoding="utf-8", xml_declaration=True)


def _entry(theme: ThemeFacts, shared_title: bool) -> CodebookEntry:
    words = ", ".join(theme.keywords[:INCLUDED_WORDS])
    definition = theme.summary or f"Texts on: {words or theme.title}. Nobody has described it yet."
    return CodebookEntry(
        id=theme.id,
        heading=theme.heading,
        title=f"{theme.title} ({theme.id})" if shared_title else theme.title,
        definition=definition,
        include=f"Typical words: {words}" if words else "",
        exclude=theme.misfits,
        examples=_examples(theme.quotes),
    )


def _examples(quotes: Sequence[QuotedText]) -> tuple[str, ...]:
    """The quotes, without the bar that parts examples; first one that a csv may begin with."""
    texts = [shorten(quote.text.replace("|", "/"), EXAMPLE_CHARACTERS) for quote in quotes]
    return tuple(sorted(texts, key=is_formula))


def _described(entry: CodebookEntry) -> str:
    lines = [entry.definition, entry.include]
    if entry.exclude:
        lines.append(f"Does not belong: {entry.exclude}")
    return "\n".join([*filter(None, lines), *(f"Example: {text}" for text in entry.examples)])


def _code(
    above: ElementTree.Element, guid: str, name: str, *, codable: bool
) -> ElementTree.Element:
    said = {"guid": guid, "name": writable_text(name), "isCodable": str(codable).lower()}
    return ElementTree.SubElement(above, "Code", said)


def _guid(space: str, name: str) -> str:
    return str(uuid.uuid5(GUIDS, f"{space}:{name}"))

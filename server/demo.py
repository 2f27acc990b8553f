"""`corpuscope demo`: the whole way on real texts, as a real MCP client of the real server.

The texts are the docstrings of the Python standard library on this machine.
"""

import ast
import json
import os
import platform
import sys
import sysconfig
import textwrap
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

import anyio
from mcp import StdioServerParameters
from mcp.client import Client
from mcp.types import TextContent

from corpuscope.tools.embedding.spec import WORDLLAMA

FOLDER = "corpuscope-demo"
DATASET = "python_docs"
# Tests and vendored copies document themselves, not the library.
SKIPPED = frozenset(
    {"test", "tests", "idle_test", "site-packages", "lib2to3", "_vendor", "turtledemo", "idlelib"}
)
# Shorter docstrings ("Return self.") say nothing that could be a theme.
SHORTEST = 40
LONGEST = 1_500
PARTS_SHOWN = 8
QUOTED = 4
QUOTE_LINES = 2
WIDTH = 100

Node: TypeAlias = ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef


class DemoFailed(Exception):
    """A tool refused; its message says why."""


def run_demo() -> int:
    """Print the account of the whole way and return the exit code.

    Works in a folder of its own below the current one, so that it meets nobody's datasets.
    """
    folder = Path.cwd() / FOLDER
    folder.mkdir(exist_ok=True)
    file = folder / "stdlib_docstrings.jsonl"
    count = write_docstrings(file)
    if not count:
        print("This Python has no sources of its standard library to read.", file=sys.stderr)
        return 1
    # The same vectors everywhere, at once: with 'auto' a model on this machine might take a minute.
    environment = (
        {"CORPUSCOPE_EMBEDDING": WORDLLAMA}
        | os.environ
        | {
            "CORPUSCOPE_HOME": str(folder),
            "CORPUSCOPE_ALLOWED_DIRS": str(folder),
            "CORPUSCOPE_MILVUS_URI": "",
        }
    )
    server = StdioServerParameters(
        command=sys.executable, args=["-m", "corpuscope"], env=environment, cwd=str(folder)
    )
    print(f"corpuscope, tried on {count:,} docstrings of Python {platform.python_version()}.")
    return anyio.run(_run, server, file)


def write_docstrings(file: Path) -> int:
    """Write the standard library's docstrings as JSON lines, and return how many they are."""
    with file.open("w", encoding="utf-8") as out:
        count = 0
        for row in docstrings_of(Path(sysconfig.get_paths()["stdlib"])):
            print(json.dumps(row), file=out)
            count += 1
    return count


def docstrings_of(library: Path) -> Iterator[dict[str, str]]:
    """A row per documented module, class and function below a folder of sources."""
    for source in sorted(library.rglob("*.py")):
        inside = source.relative_to(library)
        if SKIPPED.intersection(inside.parts):
            continue
        try:
            tree = ast.parse(source.read_text(encoding="utf-8"))
        except (SyntaxError, UnicodeDecodeError):
            continue  # templates and files in odd encodings, which Python itself never imports
        module = ".".join(inside.with_suffix("").parts).removesuffix(".__init__")
        yield from _documented(tree, module, module)


def _documented(node: Node, module: str, name: str) -> Iterator[dict[str, str]]:
    # Examples of code are the same everywhere and hide what the words are about.
    text = (ast.get_docstring(node) or "").partition(">>>")[0].strip()
    if len(text) >= SHORTEST:
        kind = {"Module": "module", "ClassDef": "class"}.get(type(node).__name__, "function")
        package = module.partition(".")[0]
        yield {"name": name, "text": text[:LONGEST], "module": package, "kind": kind}
    for child in node.body:
        if isinstance(child, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            yield from _documented(child, module, f"{name}.{child.name}")


def keyword_line(words: list[str]) -> str:
    """As many of the words as fit into the rest of a line."""
    kept = words
    while len(line := ", ".join(kept)) > WIDTH - 20:
        kept = kept[:-1]
    return line


@dataclass
class _Tour:
    """The client, and how long each step took."""

    client: Client
    seconds: dict[str, float] = field(default_factory=dict)

    async def call(self, title: str, tool: str, **arguments: Any) -> dict[str, Any]:
        """Call a tool, wait for the job that it may become, and return its structured result."""
        begun = time.monotonic()
        print(f"\n{title}\n{_wrapped(f'{tool}({_listed(arguments)})')}")
        data = await self._ask(tool, arguments)
        if (goes_on := data.get("job_id")) is None and data.get("map") == "being drawn":
            # The clusters are there; the seconds of the map are counted where it is waited for.
            self.seconds[title] = time.monotonic() - begun
            return data
        while data.get("state") in ("queued", "running"):
            data = await self._ask("get-job", {"job_id": goes_on, "wait_seconds": 45})
        self.seconds[title] = time.monotonic() - begun
        result: dict[str, Any] = data.get("result") or data
        return result

    async def _ask(self, tool: str, arguments: dict[str, Any]) -> dict[str, Any]:
        answer = await self.client.call_tool(tool, arguments)
        if answer.is_error or answer.structured_content is None:
            texts = [block.text for block in answer.content if isinstance(block, TextContent)]
            raise DemoFailed("\n".join(texts))
        return dict(answer.structured_content)


async def _run(parameters: StdioServerParameters, file: Path) -> int:
    begun = time.monotonic()
    async with Client(parameters) as client:
        started = time.monotonic() - begun
        print(f"Its server answered over stdio after {started:.1f} s.")
        tour = _Tour(client)
        try:
            await _read(tour, file)
            largest = await _find(tour)
            if largest is not None:
                await _look_into(tour, largest)
            await _draw(tour)
        except DemoFailed as failure:
            print(failure, file=sys.stderr)
            return 1
    print("\nSeconds")
    for title, seconds in tour.seconds.items():
        print(f"  {title:<36} {seconds:6.1f}")
    print(f"  {'The whole way':<36} {time.monotonic() - begun:6.1f}")
    return 0


async def _read(tour: _Tour, file: Path) -> None:
    done = await tour.call(
        "Read the texts",
        "ingest",
        dataset=DATASET,
        path=str(file),
        text_columns=["name", "text"],
        id_column="name",
        metadata_columns=["module", "kind"],
    )
    counts = {
        "new": done["added"],
        "that were there": done["unchanged"] + done["updated"],
        "that repeat the text of another": done["repeated_texts"],
        "rows skipped": done["empty"] + done["bad"],
    }
    told = ", ".join(f"{count:,} {what}" for what, count in counts.items() if count)
    print(f"  {done['records']:,} records: {told}.")
    print(_wrapped(f"Vectors: {done['embedding']}. {done['embedding_note']}"))


async def _find(tour: _Tour) -> str | None:
    clustering = await tour.call("Find the themes", "cluster", dataset=DATASET)
    print(_wrapped(clustering["reason"]))
    noise = f"{clustering['noise']:,} records ({clustering['noise_share']:.0%})"
    print(f"  {noise} are noise: in no theme.")
    page = await tour.call("List them", "list-clusters", dataset=DATASET)
    print(f"  {'id':<8}{'records':>8}  keywords")
    for heading in page["headings"] or [None]:
        if heading is not None:
            name = ", ".join(heading["keywords"]) or "under no heading"
            count = f"{heading['themes']} themes: {name}"
            print(f"  {heading['id'] or '':<8}{heading['size']:>8,}  {count}"[:WIDTH])
        for line in page["clusters"]:
            if heading is None or line["heading"] == heading["id"]:
                words = keyword_line(line["keywords"])
                print(f"  {line['id']:<8}{line['size']:>8,}  {'  ' if heading else ''}{words}")
    if more := page["total"] - len(page["clusters"]):
        print(f"  … and {more} more.")
    largest = max(page["clusters"], key=lambda line: int(line["size"]), default=None)
    return None if largest is None else str(largest["id"])


async def _look_into(tour: _Tour, largest: str) -> None:
    answer = await tour.call("Say what the largest one is", "describe-cluster", cluster=largest)
    for words in answer["descriptions"]:
        summary = " ".join(sentence["text"] for sentence in words["summary"])
        print(_wrapped(f"{words['title']}: {summary}"))
    if answer["evidence"]:
        print(_wrapped("No model is set, so the assistant in the chat would write this one, from:"))
        excerpts = [line for line in answer["evidence"].splitlines() if " (central" in line]
        for excerpt in excerpts[:QUOTED]:
            print(_wrapped(f"- {excerpt.partition(': ')[2]}", QUOTE_LINES))
    parts = await tour.call("Split it further", "cluster", within=largest)
    for part in parts["top"][:PARTS_SHOWN]:
        print(f"  {part['id']:<10}{part['size']:>6,}  {keyword_line(part['keywords'])}")
    if parts["hint"]:
        print(_wrapped(parts["hint"]))
    hits = await tour.call("Search", "search", query="read a compressed file", limit=QUOTED)
    for hit in hits["hits"]:
        print(_wrapped(f"- in {hit['cluster']}: {hit['text']}", 1))


async def _draw(tour: _Tour) -> None:
    drawn = await tour.call("Draw the map", "plot", dataset=DATASET)
    print(f"  {drawn['points']:,} points, {drawn['groups']} colours. Open it in a browser:")
    print(f"  {drawn['html']}")
    print(f"  {drawn['png']}")


def _wrapped(text: str, lines: int = 9) -> str:
    """The text in indented lines, at most so many."""
    wrapped = textwrap.wrap(text, WIDTH - 2, max_lines=lines, placeholder=" …")
    return textwrap.indent("\n".join(wrapped), "  ")


def _listed(arguments: dict[str, Any]) -> str:
    """The arguments of a call; of a path its end."""
    texts = {name: json.dumps(value) for name, value in arguments.items()}
    return ", ".join(
        f"{name}={text if len(text) <= 48 else chr(34) + '…' + text[-36:]}"
        for name, text in texts.items()
    )

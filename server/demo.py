"""`corpuscope demo`: the whole way on real texts, as a real MCP client of the real server.

The texts are the docstrings of the Python standard library on this machine.
"""

import ast
import json
import os
import sys
import sysconfig
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TypeAlias

import anyio
from mcp import StdioServerParameters
from mcp.client import Client
from mcp.types import CallToolResult, TextContent

from corpuscope.server.settings import Settings

FOLDER = "corpuscope-demo"
DATASET = "python_docs"
# Tests and vendored copies document themselves, not the library.
SKIPPED = frozenset(
    {"test", "tests", "idle_test", "site-packages", "lib2to3", "_vendor", "turtledemo", "idlelib"}
)
# Shorter docstrings ("Return self.") say nothing that could be a theme.
SHORTEST = 40
LONGEST = 1_500
THEMES_SHOWN = 12
WIDTH = 96

Node: TypeAlias = ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef


def run_demo(settings: Settings) -> int:
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
    environment = os.environ | {
        "CORPUSCOPE_HOME": str(folder),
        "CORPUSCOPE_ALLOWED_DIRS": str(folder),
    }
    server = StdioServerParameters(
        command=sys.executable, args=["-m", "corpuscope"], env=environment, cwd=str(folder)
    )
    print(f"corpuscope demo: {count:,} docstrings of Python {sys.version.split()[0]}'s library\n")
    anyio.run(_tour, server, file, settings.llm_model)
    return 0


def write_docstrings(file: Path) -> int:
    """Write the standard library's docstrings as JSON lines, and return how many they are."""
    with file.open("w", encoding="utf-8") as out:
        count = 0
        for row in _docstrings(Path(sysconfig.get_paths()["stdlib"])):
            print(json.dumps(row), file=out)
            count += 1
    return count


def _docstrings(library: Path) -> Iterator[dict[str, str]]:
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


async def _tour(parameters: StdioServerParameters, file: Path, model: str | None) -> None:
    begun = time.monotonic()
    async with Client(parameters) as client:
        print(f"Server started over stdio in {time.monotonic() - begun:.1f} s.")
        await _step(
            client,
            "ingest",
            {
                "dataset": DATASET,
                "path": str(file),
                "text_columns": ["text"],
                "id_column": "name",
                "mode": "append",
            },
        )
        found = await _step(client, "cluster", {"dataset": DATASET})
        await _step(client, "list-clusters", {"dataset": DATASET, "limit": THEMES_SHOWN})
        largest = found["clusters"][0]["id"] if found["clusters"] else None
        if largest is not None:
            chosen = "all" if model else largest
            await _step(client, "describe-cluster", {"dataset": DATASET, "cluster": chosen})
            await _step(client, "get-members", {"dataset": DATASET, "cluster": largest, "limit": 3})
        await _step(client, "search", {"dataset": DATASET, "query": "read a compressed file"})
        await _step(client, "plot", {"dataset": DATASET})
    print(f"\nThe whole way took {time.monotonic() - begun:.0f} s.")


async def _step(client: Client, tool: str, arguments: dict[str, Any]) -> dict[str, Any]:
    """Call a tool to its end, print what it says, and return its structured result."""
    said = ", ".join(f"{name}={_short(value)}" for name, value in arguments.items())
    print(f"\n{'-' * WIDTH}\n{tool}({said})")
    begun = time.monotonic()
    answer = await client.call_tool(tool, arguments)
    data = _checked(answer)
    while data.get("job_id") and data["state"] in ("queued", "running"):
        print(f"  … {data['progress']:.0%} {data['message']}")
        answer = await client.call_tool("get-job", {"job_id": data["job_id"]})
        data = _checked(answer)
    print(f"  [{time.monotonic() - begun:.1f} s]")
    print("\n".join(_shown(answer)))
    result: dict[str, Any] = data.get("result") or data
    return result


def _checked(answer: CallToolResult) -> dict[str, Any]:
    if answer.is_error or answer.structured_content is None:
        raise SystemExit("\n".join(_shown(answer)))
    return dict(answer.structured_content)


def _shown(answer: CallToolResult) -> list[str]:
    texts = [block.text for block in answer.content if isinstance(block, TextContent)]
    lines = [line for text in texts for line in text.splitlines()]
    return ["  " + (line if len(line) <= WIDTH else line[: WIDTH - 1] + "…") for line in lines]


def _short(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) <= 40 else f'"…{text[-30:]}'

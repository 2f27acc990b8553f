"""Does the wheel serve every tool? `python .ci/try_wheel.py dist/*.whl`

The wheel is installed into an empty venv in a temporary folder, and its server is asked for its
tools over stdio, as an MCP host does. What must be there is read off the folders of this checkout.
"""

import os
import subprocess
import sys
import tempfile
import venv
import zipfile
from pathlib import Path

import anyio
from mcp import StdioServerParameters
from mcp.client import Client

ROOT = Path(__file__).resolve().parent.parent
JOB_TOOLS = {"get-job", "cancel-job"}
START_SECONDS = 120
"""How long the server may take to start and to answer."""


def main() -> None:
    """Try the wheel named on the command line.

    Raises:
        SystemExit: Files or tools are missing, or there are more of them than there should be.
    """
    wheel = Path(sys.argv[1]).resolve()
    refuse("The wheel lacks files", files_wanted() - set(zipfile.ZipFile(wheel).namelist()))
    with tempfile.TemporaryDirectory() as folder:
        command = install(wheel, Path(folder) / "venv")
        offered = anyio.run(tools_offered, command, Path(folder))
    wanted = JOB_TOOLS | {
        file.stem.replace("_", "-") for file in (ROOT / "tools").glob("*.py") if file.stem[0] != "_"
    }
    refuse("The installed server lacks tools", wanted - offered)
    refuse("The installed server offers what is no module of tools/", offered - wanted)
    sys.stdout.write(f"{wheel.name}: the installed server offers all {len(offered)} tools.\n")


def refuse(complaint: str, names: set[str]) -> None:
    """End with a complaint if there are names to complain about."""
    if names:
        raise SystemExit(f"{complaint}: {', '.join(sorted(names))}")


def files_wanted() -> set[str]:
    """Every module, template and marker, by its path in the wheel."""
    wanted = {
        f"corpuscope/{file.relative_to(ROOT).as_posix()}"
        for top in ("server", "tools", "prompts")
        for pattern in ("*.py", "*.md")
        for file in (ROOT / top).rglob(pattern)
    }
    return wanted | {f"corpuscope/{name}" for name in ("__init__.py", "__main__.py", "py.typed")}


def install(wheel: Path, folder: Path) -> Path:
    """Install the wheel into a new venv and return the command that it brings."""
    venv.create(folder, with_pip=True)
    scripts = folder / ("Scripts" if os.name == "nt" else "bin")
    pip = [str(scripts / "python"), "-m", "pip", "--disable-pip-version-check"]
    subprocess.run([*pip, "install", "--quiet", str(wheel)], check=True)
    return scripts / "corpuscope"


async def tools_offered(command: Path, folder: Path) -> set[str]:
    """The names of the tools that the installed server offers; it has to answer a call as well."""
    server = StdioServerParameters(
        command=str(command),
        env={"PATH": os.environ["PATH"], "CORPUSCOPE_HOME": str(folder / "home")},
        cwd=str(folder),
    )
    with anyio.fail_after(START_SECONDS):
        async with Client(server) as client:
            tools = (await client.list_tools()).tools
            answer = await client.call_tool("list-datasets", {})
            refuse("A tool fails", {str(answer.content)} if answer.is_error else set())
            return {tool.name for tool in tools}


if __name__ == "__main__":
    main()

"""What the tests share: one home, and one server in memory with its worker, for the whole run."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from mcp.client import Client
from support.calls import forget_datasets

from corpuscope.server.app import build_server
from corpuscope.server.settings import Settings, read_settings

pytest_plugins = ["support.server_starts"]


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that the server under test may read from and write to."""
    return tmp_path_factory.mktemp("files")


@pytest.fixture(scope="session")
def settings(tmp_path_factory: pytest.TempPathFactory, folder: Path) -> Settings:
    """Settings that meet nothing of the machine's own."""
    return read_settings(
        _env_file=None,
        home=tmp_path_factory.mktemp("home"),
        allowed_dirs=(folder,),
        embedding="lexical",
    )


@pytest.fixture(scope="session")
async def served(settings: Settings, anyio_backend: str) -> AsyncIterator[Client]:
    """A client of the one server in memory, its home as the modules before have left it."""
    async with Client(build_server(settings, warm=False), raise_exceptions=True) as connected:
        yield connected


@pytest.fixture(scope="module")
async def client(served: Client) -> AsyncIterator[Client]:
    """A client of a server without datasets; the tests of a module share those they make."""
    yield served
    await forget_datasets(served)

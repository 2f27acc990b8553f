"""What the tests share: one home, and one server in memory with its worker, for the whole run."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from hypothesis import settings as hypothesis_settings
from mcp.client import Client
from support.calls import forget_datasets
from support.idle_servers import connected_with_worker

from corpuscope.server.app import build_server
from corpuscope.server.settings import Settings, open_workspace, read_settings
from corpuscope.tools.delete import delete
from corpuscope.tools.store.connection import MilvusLocation
from corpuscope.tools.store.store import Store
from corpuscope.tools.workspace.workspace import Workspace

pytest_plugins = ["support.server_starts"]

# The same examples at each run, whatever the machine's pace; `--hypothesis-seed` tries others.
hypothesis_settings.register_profile("steady", derandomize=True, deadline=None, database=None)
hypothesis_settings.load_profile("steady")

SLOWEST = (
    "kills/",
    "tools/",
    "server/test_stdio",
    "milvus/",
    "server/",
    "bench/",
    "store/",
    "clustering/",
)
"""What begins first where two processes share the tests: at the end neither waits for the other."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the slowest files first; within a file, and among the others, the order stays."""
    top = Path(__file__).parent

    def rank(item: pytest.Item) -> int:
        place = item.path.relative_to(top).as_posix() if item.path.is_relative_to(top) else ""
        return next((at for at, name in enumerate(SLOWEST) if place.startswith(name)), len(SLOWEST))

    items.sort(key=rank)


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
def running_lite(settings: Settings) -> Iterator[None]:
    """The Milvus Lite of the home, which would begin anew with every module otherwise."""
    store = Store(MilvusLocation(settings.home))
    store.connect()
    yield
    store.close()


@pytest.fixture(scope="session")
async def served(
    settings: Settings, running_lite: None, anyio_backend: str
) -> AsyncIterator[Client]:
    """A client of the one server in memory, its home as the modules before have left it."""
    async with connected_with_worker(build_server(settings, warm=False)) as connected:
        yield connected


@pytest.fixture(scope="module")
async def client(served: Client) -> AsyncIterator[Client]:
    """A client of a server without datasets; the tests of a module share those they make."""
    yield served
    await forget_datasets(served)


@pytest.fixture(scope="module")
def workspace(settings: Settings, running_lite: None) -> Iterator[Workspace]:
    """The same home without a server; the datasets that a module makes go with it."""
    opened = open_workspace(settings)
    yield opened
    for card in opened.store.cards():
        delete(opened, card.name, confirm=True)
    opened.store.close()

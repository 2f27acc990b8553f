"""What the tests of the store share: a home of a module's own, and the store in it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from corpuscope.tools.store.connection import MilvusLocation
from corpuscope.tools.store.store import Store


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="module")
def store(home: Path) -> Iterator[Store]:
    opened = Store(MilvusLocation(home))
    yield opened
    opened.close()

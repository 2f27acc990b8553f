"""What the tools do where the disk has no room to spare: said before they begin, nothing lost."""

import shutil
from collections.abc import Callable
from typing import NamedTuple

import pytest
from support.made_shop import fill
from support.texts import tickets

from corpuscope.tools.cluster import cluster
from corpuscope.tools.core.disk import RESERVE_BYTES
from corpuscope.tools.core.errors import SystemFailure
from corpuscope.tools.core.schema import Watch
from corpuscope.tools.delete import delete
from corpuscope.tools.get_members import get_members
from corpuscope.tools.ingest import ingest
from corpuscope.tools.list_datasets import list_datasets
from corpuscope.tools.workspace.workspace import Workspace

SIZE = 100 * RESERVE_BYTES


class Usage(NamedTuple):
    """As the system tells of a disk."""

    total: int
    used: int
    free: int


@pytest.fixture
def set_free(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """Lets the system say that so many bytes of the disk are free."""

    def say(free: int) -> None:
        monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(SIZE, SIZE - free, free))

    return say


def names(workspace: Workspace) -> list[str]:
    return [card.name for card in workspace.store.cards()]


def test_a_new_dataset_that_does_not_fit_is_refused_with_the_figures_and_leaves_nothing(
    workspace: Workspace, set_free: Callable[[int], None]
) -> None:
    before = workspace.store.connection.call("list_collections")
    set_free(RESERVE_BYTES + 1024)
    said = r"for 180 records: it takes about \d+ kB, and 64 MB are kept in reserve; 64 MB are free"
    with pytest.raises(SystemFailure, match=said):
        ingest(workspace, Watch(), dataset="new", rows=tickets(each=36), id_column="id")
    assert workspace.store.find("new") is None
    left = set(workspace.store.connection.call("list_collections")) - set(before)
    assert left <= {"corpuscope_datasets"}
    assert not list((workspace.home / "datasets").glob("corpuscope_new__*"))
    set_free(SIZE // 2)
    made = ingest(workspace, Watch(), dataset="new", rows=tickets(each=36), id_column="id")
    assert made.added == 180


def test_at_a_full_disk_the_old_data_are_read_and_deleted_and_the_rest_goes_on_later(
    workspace: Workspace, set_free: Callable[[int], None]
) -> None:
    rows = tickets(each=36)
    fill(workspace, rows=rows[:150])
    run = cluster(workspace, Watch(), dataset="shop").run
    set_free(0)
    with pytest.raises(SystemFailure, match="Too little space on the disk for the next rows"):
        ingest(workspace, Watch(), dataset="shop", rows=rows, id_column="id")
    with pytest.raises(SystemFailure, match="Too little space on the disk for 180 records"):
        ingest(workspace, Watch(), dataset="shop", rows=rows, id_column="id", mode="replace")
    with pytest.raises(SystemFailure, match="Too little space on the disk for a run of 150"):
        cluster(workspace, Watch(), dataset="shop", seed=1)
    shop = next(one for one in list_datasets(workspace).datasets if one.name == "shop")
    assert (shop.records, shop.newest_run) == (150, run)
    assert get_members(workspace, dataset="shop", cluster="1").total
    set_free(SIZE // 2)
    grown = ingest(workspace, Watch(), dataset="shop", rows=rows, id_column="id")
    assert (grown.added, grown.unchanged) == (30, 150)
    set_free(0)
    assert delete(workspace, "shop", confirm=True).records == 180
    assert "shop" not in names(workspace)

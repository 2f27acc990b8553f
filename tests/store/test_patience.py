"""A call to the store ends when nobody waits for it any more."""

import json
import os
import signal
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace

import numpy as np
import pytest
from support.record_columns import columns_of

from corpuscope.tools.core.schema import DatasetCard, Record
from corpuscope.tools.store import scan
from corpuscope.tools.store.patience import OutOfTime, Patience, endless
from corpuscope.tools.workspace.workspace import Workspace

ROWS = 60


@pytest.fixture(scope="module")
def card(workspace: Workspace) -> Iterator[DatasetCard]:
    made = DatasetCard(
        name="waits",
        collection="corpuscope_waits__1",
        embedding="column",
        dim=2,
        text_columns=["text"],
        created="2026-01-01T00:00:00+00:00",
    )
    workspace.store.create(made)
    vector = np.array([1.0, 0.0], np.float32)
    rows = [Record(f"{number:016x}", "tea", "d", {}, vector) for number in range(ROWS)]
    workspace.store.upsert(made, columns_of(rows))
    workspace.store.save_card(made)
    yield made


def test_it_tells_what_is_left_until_it_is_stopped() -> None:
    patience = Patience(3600)
    left = patience.left()
    assert left is not None
    assert 3000 < left <= 3600
    patience.stop()
    with pytest.raises(OutOfTime):
        patience.left()
    assert endless().left() is None


def test_a_call_whose_time_is_over_does_not_reach_milvus(workspace: Workspace) -> None:
    bounded = workspace.within(Patience(0))
    with pytest.raises(OutOfTime):
        bounded.store.cards()
    assert workspace.store.cards() is not None, "others go on"


@pytest.mark.skipif(os.name != "posix", reason="Windows has no way to halt a process")
def test_a_request_that_milvus_does_not_answer_in_time_is_given_up(
    workspace: Workspace, card: DatasetCard
) -> None:
    assert workspace.store.count(card) == ROWS
    milvus = json.loads((workspace.home / "milvus.json").read_text(encoding="utf-8"))
    os.kill(milvus["pid"], signal.SIGSTOP)
    try:
        with pytest.raises(OutOfTime, match="did not answer in the time that was left"):
            workspace.store.within(Patience(0.2)).count(card)
        with pytest.raises(OutOfTime):
            list(workspace.store.within(Patience(0.2)).scan(card, ["id"]))
    finally:
        os.kill(milvus["pid"], signal.SIGCONT)
    assert workspace.store.count(card) == ROWS


@pytest.mark.skipif(os.name != "posix", reason="Windows has no way to halt a process")
def test_a_request_on_its_way_is_cancelled_when_nobody_waits_for_it(
    workspace: Workspace, card: DatasetCard, monkeypatch: pytest.MonkeyPatch
) -> None:
    milvus = json.loads((workspace.home / "milvus.json").read_text(encoding="utf-8"))
    patience, on_its_way, stopping = Patience(3600), threading.Event(), Patience.stopping

    @contextmanager
    def noted(patience: Patience, give_up: Callable[[], object]) -> Iterator[None]:
        with stopping(patience, give_up):
            on_its_way.set()
            yield

    monkeypatch.setattr(Patience, "stopping", noted)
    os.kill(milvus["pid"], signal.SIGSTOP)
    try:
        with ThreadPoolExecutor(1) as pool:
            counted = pool.submit(workspace.store.within(patience).count, card)
            assert on_its_way.wait(30)
            patience.stop()
            with pytest.raises(OutOfTime):
                counted.result(30)
    finally:
        os.kill(milvus["pid"], signal.SIGCONT)
    assert workspace.store.count(card) == ROWS


def test_a_scan_ends_at_the_page_where_nobody_waits_for_it(
    workspace: Workspace, card: DatasetCard, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scan, "FIRST_PAGE_ROWS", 5)
    monkeypatch.setattr(scan, "MAX_PAGE_ROWS", 5)
    patience = Patience(3600)
    batches = workspace.store.within(patience).scan(card, ["id"])
    assert next(batches)
    assert next(batches)
    patience.stop()
    with pytest.raises(OutOfTime):
        next(batches)
    assert sum(map(len, workspace.store.scan(card, ["id"]))) == ROWS


def test_a_bounded_workspace_is_the_same_but_for_its_patience(workspace: Workspace) -> None:
    bounded = workspace.within(endless())
    assert replace(bounded, store=workspace.store) == workspace
    assert bounded.store.connection.client() is workspace.store.connection.client()

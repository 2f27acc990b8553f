"""The connection where the disk gives out below Milvus Lite: said, and gone on from."""

import resource
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pymilvus.exceptions import MilvusException
from support.record_columns import columns_of

from corpuscope.tools.core.errors import SystemFailure
from corpuscope.tools.core.schema import DatasetCard, Record
from corpuscope.tools.store.connection import Connection, MilvusLocation
from corpuscope.tools.store.store import Store

DIM = 8


@pytest.fixture(scope="module")
def filled(store: Store) -> DatasetCard:
    made = card("filled")
    store.create(made)
    store.save_card(made)
    store.upsert(made, columns_of(records(0, 500)))
    return made


def card(name: str) -> DatasetCard:
    return DatasetCard(
        name=name,
        collection=f"corpuscope_{name}__1",
        embedding="column",
        dim=DIM,
        text_columns=["text"],
        metadata_columns={},
        created="2026-01-01T00:00:00+00:00",
    )


def records(first: int, last: int) -> list[Record]:
    vectors = np.random.default_rng(0).normal(size=(last, DIM)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return [Record(f"{n:032x}", f"text {n}", f"d{n}", {}, vectors[n]) for n in range(first, last)]


def limit_files(store: Store, size: int) -> None:
    """Let no file of the store's Milvus Lite grow beyond a size."""
    lite = store.connection.lite
    assert lite is not None
    assert lite.child is not None
    limits = (size, resource.RLIM_INFINITY)
    prlimit: Any = resource.prlimit  # not on every system
    prlimit(lite.child.pid, resource.RLIMIT_FSIZE, limits)


@pytest.mark.skipif(not hasattr(resource, "prlimit"), reason="limits another process")
def test_where_no_file_may_grow_it_is_said_reading_goes_on_and_so_does_writing_after(
    store: Store, filled: DatasetCard
) -> None:
    limit_files(store, 512)
    with pytest.raises(SystemFailure, match=r"would grow beyond .*Nothing that was saved is lost"):
        store.upsert(filled, columns_of(records(500, 900)))
    with pytest.raises(SystemFailure, match="would grow beyond"):
        store.create(card("other"))
    assert [known.name for known in store.cards()] == ["filled"]
    assert store.count(filled) == 500
    vector = records(0, 1)[0].vector
    assert vector is not None
    assert len(store.search_vectors(filled, vector, 3)) == 3
    limit_files(store, resource.RLIM_INFINITY)
    store.create(card("other"))
    store.upsert(filled, columns_of(records(500, 900)))
    assert store.count(filled) == 900


def test_a_home_that_was_taken_away_is_not_an_empty_one(
    home: Path, store: Store, filled: DatasetCard
) -> None:
    known = len(store.cards())
    away = home.rename(home.with_name("away"))
    with pytest.raises(SystemFailure, match=r"The home .* is gone"):
        store.cards()
    away.rename(home)
    assert len(store.cards()) == known


@pytest.mark.parametrize(
    ("said", "meaning"),
    [
        ("[Errno 28] No space left on device", "The disk is full"),
        ("[Errno 13] Permission denied: 'wal_data_000001.arrow'", "this user may not"),
        ("[Errno 30] Read-only file system: 'manifest.json.tmp'", "lies on a read-only disk"),
        ("[Errno 24] Too many open files: 'data.parquet'", "more files are open"),
        ("[Errno 5] Input/output error", "does not answer"),
    ],
)
def test_what_milvus_lite_says_of_the_disk_is_understood(
    said: str, meaning: str, tmp_path: Path
) -> None:
    failure = Connection(MilvusLocation(tmp_path)).meaning(MilvusException(code=1, message=said))
    assert isinstance(failure, SystemFailure)
    assert meaning in str(failure)


def test_words_of_a_filter_or_of_a_servers_own_disk_stay_milvus_errors(tmp_path: Path) -> None:
    filter_error = MilvusException(code=6, message="unknown field 'No space left on device'")
    assert Connection(MilvusLocation(tmp_path)).meaning(filter_error) is filter_error
    full = MilvusException(code=1, message="No space left on device")
    assert Connection(MilvusLocation(tmp_path, "http://there:19530")).meaning(full) is full

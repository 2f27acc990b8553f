"""What is kept between runs: used where it holds, dropped where it does not, never needed."""

import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from mcp.client import Client
from support.calls import Answer, finish
from support.texts import tickets

from corpuscope.server.settings import Settings
from corpuscope.tools.clustering.corpus import Corpus, collapse
from corpuscope.tools.core.schema import Floats
from corpuscope.tools.core.vectors import unit_rows
from corpuscope.tools.geometry.graph import neighbour_graph
from corpuscope.tools.store.connection import MilvusLocation
from corpuscope.tools.store.store import Store
from corpuscope.tools.workspace.cache import FORMAT, MOST_OTHER_VECTORS, Cache

pytestmark = pytest.mark.anyio


def unknown() -> Any:
    raise AssertionError("this had to be known")


def vectors(count: int) -> Floats:
    return unit_rows(np.random.default_rng(0).normal(size=(count, 12)))


@pytest.fixture
def corpus() -> Corpus:
    texts = [f"text {number % 50}, ünï\ud800" for number in range(60)]
    return collapse([f"id{n}" for n in range(60)], texts, vectors(60))


def test_a_corpus_comes_back_as_it_was(tmp_path: Path, corpus: Corpus) -> None:
    Cache(tmp_path, 3).keep_corpus(corpus)
    again = Cache(tmp_path, 3).corpus()
    assert again is not None
    assert (again.ids, again.texts) == (corpus.ids, corpus.texts)
    for name in ("copies_of", "vectors", "first", "weights"):
        np.testing.assert_array_equal(getattr(again, name), getattr(corpus, name))


def test_graphs_and_places_come_back_by_their_name(tmp_path: Path, corpus: Corpus) -> None:
    cache = Cache(tmp_path, 0)
    first = cache.graph(7, lambda: neighbour_graph(corpus.vectors, k=7))
    again = Cache(tmp_path, 0).graph(7, unknown)
    np.testing.assert_array_equal(again.indices, first.indices)
    assert again.provider == first.provider
    assert cache.known_graph(8) is None
    places = cache.points("map-7-0", lambda: vectors(50))
    np.testing.assert_array_equal(cache.points("map-7-0", unknown), places)


def test_a_newer_version_knows_nothing_and_drops_the_older(tmp_path: Path, corpus: Corpus) -> None:
    Cache(tmp_path, 1).keep_corpus(corpus)
    assert Cache(tmp_path, 2).corpus() is None
    Cache(tmp_path, 2).keep_corpus(corpus)
    assert [folder.name for folder in tmp_path.iterdir()] == [f"{FORMAT}-2"]


def test_what_is_known_of_other_vectors_is_kept_for_the_latest_alone(tmp_path: Path) -> None:
    cache = Cache(tmp_path, 1)
    for number in range(MOST_OTHER_VECTORS + 2):
        cache.of_other_vectors(f"{number}").points("map", lambda: vectors(3))
        os.utime(tmp_path / f"{FORMAT}-1" / f"vectors-{number}", (number, number))
        cache.of_other_vectors("0").points("map", lambda: vectors(3))
    kept = {folder.name for folder in (tmp_path / f"{FORMAT}-1").iterdir()}
    assert kept == {"vectors-0", *(f"vectors-{MOST_OTHER_VECTORS + 1 - at}" for at in (0, 1))}


def test_the_folder_of_a_deleted_dataset_is_not_made_anew(tmp_path: Path, corpus: Corpus) -> None:
    cache = Cache(tmp_path / "corpuscope_shop__1" / "cache", 0)
    cache.keep_corpus(corpus)
    assert cache.points("map", lambda: vectors(3)).shape == (3, 12)
    assert list(tmp_path.iterdir()) == []


@pytest.fixture(params=["a file in its place", "a damaged file"])
def broken(request: pytest.FixtureRequest, tmp_path: Path, corpus: Corpus) -> Iterator[Cache]:
    cache = Cache(tmp_path / "cache", 0)
    if request.param == "a damaged file":
        cache.keep_corpus(corpus)
        (tmp_path / "cache" / f"{FORMAT}-0" / "corpus" / "vectors.npy").write_bytes(b"\x93NUMPY")
    else:
        (tmp_path / "cache").write_text("")
    yield cache


def test_a_cache_that_cannot_be_used_costs_only_time(broken: Cache, corpus: Corpus) -> None:
    assert broken.corpus() is None
    broken.keep_corpus(corpus)
    assert broken.points("map", lambda: vectors(3)).shape == (3, 12)


def folders(settings: Settings) -> dict[str, int]:
    """The kept parts of the dataset, by version and name, and when they were written."""
    found = settings.home.glob("datasets/*_cached__*/cache/*/*")
    return {f"{path.parent.name}/{path.name}": path.stat().st_mtime_ns for path in found}


async def again(client: Client, **parameters: Any) -> Answer:
    answer = await finish(client, "cluster", **parameters)
    assert not answer.is_error, answer.text
    return answer


async def test_only_an_ingest_that_changes_texts_makes_a_run_search_anew(
    client: Client, settings: Settings
) -> None:
    rows = tickets(each=24)
    await finish(client, "ingest", dataset="cached", rows=rows, id_column="id")
    first = await again(client)
    kept = folders(settings)
    assert {name.split("/")[1].split("-")[0] for name in kept} == {
        *("corpus", "graph", "embedding", "map")
    }
    other = await again(client, min_cluster_size=10)
    assert other.data["records"] == first.data["records"]
    part = await again(client, where={"theme": ["garden", "coffee"]})
    assert part.data["records"] == 48
    await finish(
        client,
        "ingest",
        dataset="cached",
        rows=[row | {"stars": 0} for row in rows],
        id_column="id",
    )
    same = await again(client, where={"stars": 0})
    assert same.data["records"] == len(rows)
    assert folders(settings) == kept
    more = [{"id": f"X{row['id']}", "text": f"{row['text']} Now!"} for row in rows[:3]]
    await finish(client, "ingest", dataset="cached", rows=more)
    grown = await again(client)
    assert grown.data["records"] > first.data["records"]
    assert not set(folders(settings)) & set(kept)


async def test_other_neighbours_are_other_places(client: Client, settings: Settings) -> None:
    await finish(client, "ingest", dataset="cached", rows=tickets(each=24), mode="replace")
    usual = await again(client)
    fewer = await again(client, neighbours=6)
    assert fewer.data["run"] != usual.data["run"]
    names = {name.split("/")[1] for name in folders(settings)}
    assert {"graph-6", "embedding-6-0", "map-6-0", "graph-11", "embedding-11-0"} <= names


async def test_nothing_is_kept_of_a_dataset_whose_ingest_was_stopped(
    client: Client, settings: Settings
) -> None:
    rows = tickets(each=24)
    await finish(client, "ingest", dataset="cached", rows=rows, mode="replace")
    store = Store(MilvusLocation(settings.home))
    card = store.card("cached")
    before = folders(settings)
    store.save_card(replace(card, changing=True))
    half = await again(client)
    assert half.data["records"] == len(rows)
    assert folders(settings) == before
    assert list(before) == [f"{FORMAT}-0/corpus"], "what the first ingest had kept"
    await finish(client, "ingest", dataset="cached", rows=rows)
    ended = store.card("cached")
    assert (ended.changing, ended.version) == (False, card.version + 1)
    store.close()
    await again(client)
    assert not set(folders(settings)) & set(before)

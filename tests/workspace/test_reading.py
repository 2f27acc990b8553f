"""Who searches the neighbours, and the tutorial's way, held to references."""

from collections.abc import Iterator

import numpy as np
import pytest
from mcp.client import Client
from support.calls import finish
from support.texts import odd_texts, tickets

from corpuscope.server.settings import Settings
from corpuscope.tools.archive.runs import Runs
from corpuscope.tools.clustering.corpus import Corpus
from corpuscope.tools.geometry.graph import neighbour_graph
from corpuscope.tools.store.connection import MilvusLocation
from corpuscope.tools.store.store import Store
from corpuscope.tools.workspace.cache import Cache
from corpuscope.tools.workspace.reading import (
    MOST_BY_LITE,
    choose_search,
    read_corpus,
    search_by_milvus,
)

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module", autouse=True)
async def dataset(client: Client) -> None:
    """Stories told several times in other words, some to the letter, and texts of their own."""
    rows = tickets(each=60) + odd_texts(120)
    await finish(client, "ingest", dataset="news", rows=rows + [{"text": rows[0]["text"]}] * 4)


@pytest.fixture
def store(settings: Settings) -> Iterator[Store]:
    opened = Store(MilvusLocation(settings.home))
    yield opened
    opened.close()


@pytest.fixture
def corpus(store: Store) -> Corpus:
    return read_corpus(store, store.card("news"))


def test_what_an_ingest_keeps_is_what_reading_the_store_gives(
    settings: Settings, store: Store, corpus: Corpus
) -> None:
    card = store.card("news")
    kept = Cache(settings.home / "datasets" / card.collection / "cache", card.version).corpus()
    assert kept is not None
    assert (kept.ids, kept.texts) == (corpus.ids, corpus.texts)
    assert len(kept.texts) < len(kept.ids), "some are equal"
    for name in ("copies_of", "vectors", "first", "weights"):
        np.testing.assert_array_equal(getattr(kept, name), getattr(corpus, name))


def test_milvus_and_this_process_find_the_same_neighbours(store: Store, corpus: Corpus) -> None:
    searched = search_by_milvus(store, store.card("news"), corpus)(20, lambda done, said: None)
    here = neighbour_graph(corpus.vectors, k=20)
    assert searched.provider == "Milvus search, recall@15 1.000"
    np.testing.assert_allclose(searched.similarities, here.similarities, atol=1e-5)
    same = searched.indices == here.indices
    ties = np.isclose(searched.similarities, np.roll(searched.similarities, 1, axis=1), atol=1e-6)
    ties |= np.roll(ties, -1, axis=1)
    assert (same | ties | (searched.similarities == searched.similarities[:, -1:])).all()


def test_milvus_is_asked_only_for_clusters_among_raw_vectors(store: Store, corpus: Corpus) -> None:
    card = store.card("news")
    assert len(corpus.texts) <= MOST_BY_LITE
    for raw, provider in ((True, "Milvus search, recall@9 1.000"), (False, "exact (faiss)")):
        graph = choose_search(store, card, corpus, raw=raw)(10, lambda done, said: None)
        assert graph.provider == provider


async def test_the_tutorials_way_gives_what_hdbscan_gives_on_the_raw_vectors(
    client: Client, settings: Settings, corpus: Corpus
) -> None:
    from hdbscan import HDBSCAN
    from sklearn.metrics import adjusted_mutual_info_score

    answer = await finish(
        client,
        "cluster",
        space="embedding",
        neighbours=50,
        min_samples=3,
        min_cluster_size=3,
    )
    assert not answer.is_error, answer.text
    runs = Runs(settings.home / "runs")
    run = runs.load("news", answer.data["run"])
    assert run.parameters["search"] == "Milvus search, recall@15 1.000"
    assert (run.parameters["neighbours"], run.parameters["min_samples"]) == (50, 3)
    path_of = dict(zip(runs.members(run).ids, runs.members(run).paths, strict=True))
    ours = [path_of[corpus.ids[at]] for at in corpus.first]
    raw = HDBSCAN(min_samples=3, min_cluster_size=3).fit(corpus.vectors.astype(np.float64)).labels_
    assert raw.max() > 5
    assert adjusted_mutual_info_score(raw, ours) > 0.9
    assert np.mean((raw < 0) == (np.array(ours) == "noise")) > 0.9

"""Datasets and records, written to and read from Milvus Lite."""

import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.record_columns import columns_of

from corpuscope.tools.core.errors import NotFound, Unavailable
from corpuscope.tools.core.schema import DatasetCard, Record
from corpuscope.tools.geometry.graph import neighbour_graph
from corpuscope.tools.store import scan
from corpuscope.tools.store.connection import MilvusLocation
from corpuscope.tools.store.store import Store
from corpuscope.tools.tables.where import Where, parse_where
from corpuscope.tools.workspace.reading import read_corpus

DIM = 8


def card(name: str, **changes: Any) -> DatasetCard:
    fields: dict[str, Any] = {
        "name": name,
        "collection": f"corpuscope_{name}__1",
        "embedding": "column",
        "dim": DIM,
        "text_columns": ["text"],
        "metadata_columns": {"n": "number", "kind": "string"},
        "full_text": True,
        "created": "2026-01-01T00:00:00+00:00",
    }
    return replace(DatasetCard(**fields), **changes)


def records(count: int, text: str = "tea number {}") -> list[Record]:
    vectors = np.random.default_rng(0).normal(size=(count, DIM)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return [
        Record(f"{n:032x}", text.format(n), f"d{n}", {"n": n, "kind": 'a"b\n'}, vectors[n])
        for n in range(count)
    ]


@pytest.fixture(scope="module")
def filled(store: Store) -> DatasetCard:
    made = card("filled")
    store.create(made)
    store.save_card(made)
    store.upsert(made, columns_of(records(2_500)))
    return made


def test_what_was_written_is_read_back(store: Store, filled: DatasetCard) -> None:
    written = records(2_500)
    assert store.count(filled) == 2_500
    assert store.card("filled") == filled
    fetched = store.fetch(filled, [written[7].id, "f" * 32])
    assert list(fetched) == [written[7].id]
    assert fetched[written[7].id].metadata == {"n": 7, "kind": 'a"b\n'}
    assert store.digests(filled)[written[9].id] == "d9"


def test_writing_the_same_records_again_adds_nothing(store: Store, filled: DatasetCard) -> None:
    store.upsert(filled, columns_of(records(1_200)))
    assert store.count(filled) == 2_500


def test_a_scan_gives_every_record_once_in_the_order_of_ids(
    store: Store, filled: DatasetCard
) -> None:
    ids = [row["id"] for rows in store.scan(filled, ["id"]) for row in rows]
    assert ids == sorted(ids)
    assert len(set(ids)) == len(ids) == 2_500


def test_pages_bring_ids_texts_and_vectors_as_they_were_written(
    store: Store, filled: DatasetCard
) -> None:
    written = records(2_500)
    pages = list(store.pages(filled))
    assert len(pages) > 1
    assert [record_id for page in pages for record_id in page.ids] == [
        record.id for record in written
    ]
    assert [text for page in pages for text in page.texts] == [record.text for record in written]
    vectors = np.concatenate([page.vectors for page in pages])
    assert vectors.dtype == np.float32
    expected = [record.vector for record in written if record.vector is not None]
    np.testing.assert_array_equal(vectors, np.stack(expected))


def test_pages_bring_only_what_was_asked_for(store: Store, filled: DatasetCard) -> None:
    expression = 'metadata["n"] >= 10 and metadata["n"] < 13 or metadata["n"] == 2000'
    (page,) = store.pages(filled, fields=["text"], expression=expression)
    assert page.texts == [f"tea number {n}" for n in (10, 11, 12, 2000)]
    assert page.vectors.shape == (0, DIM)
    assert list(store.pages(filled, expression='metadata["n"] < 0')) == []


def test_long_texts_are_read_in_smaller_pages(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scan, "FIRST_PAGE_ROWS", 100)
    monkeypatch.setattr(scan, "PAGE_BYTES", 20 * 60_000)
    long = card("long", full_text=False)
    store.create(long)
    store.upsert(long, columns_of(records(170, text="{:05} " + "é" * 30_000)))
    sizes = [len(page.ids) for page in store.pages(long, fields=["text"])]
    assert sizes[0] == 100
    assert sum(sizes) == 170
    assert max(sizes[1:]) == 19
    store.drop(long)


def test_a_scan_that_nobody_reads_to_the_end_leaves_no_thread(
    store: Store, filled: DatasetCard
) -> None:
    pages = store.pages(filled)
    next(pages)
    next(pages)
    pages.close()  # type: ignore[attr-defined]
    assert not [t.name for t in threading.enumerate() if t.name.startswith("corpuscope-reads")]


def test_the_neighbours_are_those_of_the_exact_graph(store: Store, filled: DatasetCard) -> None:
    written = records(2_500)
    vectors = np.stack([record.vector for record in written if record.vector is not None])
    fractions: list[float] = []
    rows, cosines = store.neighbours(
        filled,
        [record.id for record in written],
        vectors,
        12,
        lambda fraction, _: fractions.append(fraction),
    )
    graph = neighbour_graph(vectors, k=12)
    np.testing.assert_allclose(cosines, graph.similarities, atol=1e-5)
    np.testing.assert_array_equal(rows[:, 0], np.arange(2_500))
    same = rows == graph.indices
    assert same.mean() > 0.999, "all but ties"
    np.testing.assert_allclose(cosines[~same], graph.similarities[~same], atol=1e-5)
    assert fractions == sorted(fractions)
    assert fractions[-1] == 1


def test_neighbours_are_found_behind_any_number_of_copies(store: Store) -> None:
    copied = card("copied")
    store.create(copied)
    others = records(8)
    copies = [replace(others[0], id=f"{100 + n:032x}") for n in range(60)]
    store.upsert(copied, columns_of([*others, *copies]))
    ids = [record.id for record in others]
    vectors = np.stack([record.vector for record in others if record.vector is not None])
    rows, cosines = store.neighbours(copied, ids, vectors, 10)
    np.testing.assert_array_equal(np.sort(rows[:, :8], axis=1), np.tile(np.arange(8), (8, 1)))
    np.testing.assert_array_equal(rows[:, 8:], -1)
    np.testing.assert_array_equal(cosines[:, 8:], 0)
    expected = -np.sort(-(vectors @ vectors.T), axis=1)
    np.testing.assert_allclose(cosines[:, :8], expected, atol=1e-5)
    store.drop(copied)


def expression(store: Store, card: DatasetCard, where: Where) -> str:
    written = store.expression(parse_where(where, card.metadata_columns))
    assert written is not None
    return written


def test_filters_choose_by_number_text_and_list(store: Store, filled: DatasetCard) -> None:
    for where, expected in (
        ({"n": {"lt": 3}}, 3),
        ({"kind": 'a"b\n'}, 2_500),
        ({"n": [1, 2, 99_999]}, 2),
    ):
        pages = store.scan(filled, ["id"], expression(store, filled, where))
        assert sum(map(len, pages)) == expected


def test_the_nearest_record_is_the_one_with_that_vector(store: Store, filled: DatasetCard) -> None:
    wanted = records(2_500)[41]
    assert wanted.vector is not None
    hits = store.search_vectors(filled, wanted.vector, 3)
    assert hits[0].record.id == wanted.id
    assert hits[0].score == pytest.approx(1, abs=1e-4)
    assert hits[0].score >= hits[1].score >= hits[2].score
    between = expression(store, filled, {"n": {"gt": 41, "lt": 44}})
    inside = store.search_vectors(filled, wanted.vector, 5, between)
    assert {hit.record.metadata["n"] for hit in inside} == {42, 43}


def test_words_find_the_records_that_share_them(store: Store, filled: DatasetCard) -> None:
    best = store.search_words(filled, "number 17", 2)[0]
    assert best.record.text == "tea number 17"
    assert best.score > 0


def test_equal_texts_are_one_point_of_the_corpus(store: Store) -> None:
    twice = card("twice")
    store.create(twice)
    store.save_card(twice)
    store.upsert(twice, columns_of(records(6, text="the same")))
    corpus = read_corpus(store, twice)
    assert corpus.texts == ["the same"]
    assert corpus.weights.tolist() == [6]
    assert corpus.copies_of.tolist() == [0] * 6
    np.testing.assert_allclose(corpus.vectors[0], records(6)[0].vector, atol=1e-6)  # type: ignore[arg-type]
    store.drop(twice)
    assert "twice" not in [there.name for there in store.cards()]


def test_leftovers_of_a_killed_ingest_are_dropped_and_other_datasets_stay(store: Store) -> None:
    kept, leftover = card("own"), card("own", collection="corpuscope_own__2")
    neighbour = card("own_more", collection="corpuscope_own_more__1")
    for made in (kept, leftover, neighbour):
        store.create(made)
    store.save_card(kept)
    store.save_card(neighbour)
    store.upsert(kept, columns_of(records(3)))
    store.upsert(neighbour, columns_of(records(4)))
    store.drop_collections_of("own", keep=kept.collection)
    assert store.count(kept) == 3
    assert store.count(neighbour) == 4
    with pytest.raises(Exception, match="deleted or replaced"):
        store.count(leftover)


def test_an_unknown_dataset_is_answered_with_the_known_ones(
    store: Store, filled: DatasetCard
) -> None:
    with pytest.raises(NotFound, match="No dataset 'nothing'. Datasets: filled"):
        store.card("nothing")


def test_a_second_process_reads_while_the_first_runs_and_takes_over_after(
    home: Path, store: Store, filled: DatasetCard
) -> None:
    second = Store(MilvusLocation(home))
    assert second.count(filled) == 2_500
    assert second.connection.lite is not None
    assert second.connection.lite.child is None, "it must use the server that runs already"
    store.close()
    assert second.count(filled) == 2_500
    assert second.connection.lite is not None
    assert second.connection.lite.child is not None, "it must have started a server of its own"
    assert store.count(filled) == 2_500
    second.close()


def test_a_server_that_does_not_answer_is_named(tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match="does not answer at http://127.0.0.1:9.*MILVUS_URI"):
        Store(MilvusLocation(tmp_path, "http://127.0.0.1:9")).cards()

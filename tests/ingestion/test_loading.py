"""New rows for a dataset that is there, and an ingest that is stopped in the middle."""

import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.made_shop import FLAT, fill, made_run
from support.texts import tickets

from corpuscope.tools.core.schema import DatasetCard, Watch
from corpuscope.tools.ingest import ingest
from corpuscope.tools.ingestion import survey
from corpuscope.tools.ingestion.loading import IngestOutcome, ingest_records
from corpuscope.tools.ingestion.request import IngestRequest
from corpuscope.tools.store.rows import RecordColumns
from corpuscope.tools.store.store import Store
from corpuscope.tools.workspace.reading import load_dataset, read_corpus
from corpuscope.tools.workspace.workspace import Workspace

ROWS = 3_500
"""Four batches."""


def test_a_dataset_grows_with_its_own_embedder_and_counts_what_is_in_no_run(
    workspace: Workspace,
) -> None:
    rows = tickets(each=36)
    fill(workspace, rows=rows[:150])
    before = workspace.store.card("shop")
    run = made_run(workspace, FLAT).run.id
    grown = ingest(workspace, Watch(), dataset="shop", rows=rows, id_column="id")
    assert (grown.added, grown.unchanged, grown.records) == (30, 150, 180)
    assert (grown.in_no_run, grown.newest_run) == (30, run)
    after = workspace.store.card("shop")
    assert (after.collection, after.embedding) == (before.collection, before.embedding)
    assert after.version > before.version


def request(**changes: Any) -> IngestRequest:
    """3,500 rows of which some repeat a text and a thousand, a batch, have none."""
    vectors = np.random.default_rng(0).normal(size=(ROWS, 6)).astype(np.float16)
    rows = [
        {
            "key": f"K{number}",
            "text": "" if 1_000 <= number < 2_000 else f"text {number % 1_200}",
            "n": number,
        }
        for number in range(ROWS)
    ]
    whole = IngestRequest(rows, ["text"], "key", None, None, "auto", None, vectors)
    return replace(whole, **changes)


def load(workspace: Workspace, name: str, asked: IngestRequest) -> IngestOutcome:
    return ingest_records(workspace, Watch(), name, asked, anew=False)


def counts(outcome: IngestOutcome) -> tuple[int, int, int]:
    return (outcome.added, outcome.updated, outcome.unchanged)


class Stopped(Exception):
    pass


def stop_at(batch: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the ingest end as a kill ends it, when this batch was to be written."""
    upsert, calls = Store.upsert, iter(range(1, 100))

    def write(self: Store, card: DatasetCard, records: RecordColumns) -> None:
        if next(calls) == batch:
            raise Stopped
        upsert(self, card, records)

    monkeypatch.setattr(Store, "upsert", write)


@pytest.fixture(params=["kept in memory", "read twice"])
def size(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    if request.param == "read twice":
        monkeypatch.setattr(survey, "KEPT_BYTES", 50_000)
    yield request.param


def test_a_first_ingest_that_was_stopped_goes_on_where_it_was(
    workspace: Workspace, size: str
) -> None:
    name = f"stopped_{size[:4]}"
    with pytest.MonkeyPatch.context() as patch, pytest.raises(Stopped):
        stop_at(2, patch)
        load(workspace, name, request())
    assert name not in [card.name for card in workspace.store.cards()]
    again = load(workspace, name, request())
    assert counts(again) == (1_500, 0, 1_000)
    assert (again.count, again.tally.empty, again.card.pending) == (2_500, 1_000, False)
    assert counts(load(workspace, name, request())) == (0, 0, 2_500)
    whole = load(workspace, f"{name}_whole", request())
    assert workspace.store.digests(again.card) == workspace.store.digests(whole.card)


def test_an_ingest_that_adds_and_was_stopped_leaves_the_dataset_marked(
    workspace: Workspace,
) -> None:
    first = request()
    assert isinstance(first.source, list) and first.vectors is not None
    part = replace(first, source=first.source[:500], vectors=first.vectors[:500])
    before = load(workspace, "marked", part).card
    with pytest.MonkeyPatch.context() as patch, pytest.raises(Stopped):
        stop_at(2, patch)
        load(workspace, "marked", request())
    card = workspace.store.card("marked")
    assert (card.changing, card.version) == (True, before.version + 1)
    again = load(workspace, "marked", request())
    assert counts(again) == (1_500, 0, 1_000)
    assert not again.card.changing and again.card.version > card.version


def test_only_a_changed_text_or_vector_raises_the_version(workspace: Workspace) -> None:
    first = request()
    assert isinstance(first.source, list) and first.vectors is not None
    card = load(workspace, "versions", first).card
    other_numbers = [
        row | {"n": row["n"] + 1} if row["n"] % 7 == 0 else row for row in first.source
    ]
    metadata = load(workspace, "versions", replace(first, source=other_numbers))
    changed = sum(bool(row["text"]) and row["n"] % 7 == 0 for row in first.source)
    assert (metadata.updated, metadata.added) == (changed, 0)
    assert metadata.card.version == card.version
    other_texts = [row | {"text": "other"} if row["n"] == 3_000 else row for row in other_numbers]
    text = load(workspace, "versions", replace(first, source=other_texts))
    assert (text.updated, text.added) == (1, 0)
    assert text.card.version == card.version + 2
    vectors = first.vectors.copy()
    vectors[9] = 1
    vector = load(workspace, "versions", replace(first, source=other_texts, vectors=vectors))
    assert (vector.updated, vector.card.version) == (1, card.version + 4)


def test_what_an_ingest_kept_in_memory_or_read_twice_is_the_same(
    workspace: Workspace, size: str
) -> None:
    name = f"same_{size[:4]}"
    card = load(workspace, name, request()).card
    corpus = read_corpus(workspace.store, card)
    cached = (workspace.dataset_folder(card) / "cache").exists()
    assert cached == (size == "kept in memory")
    loaded = load_dataset(workspace, card).corpus
    assert (loaded.ids, loaded.texts) == (corpus.ids, corpus.texts)
    np.testing.assert_array_equal(loaded.vectors, corpus.vectors)


def test_one_batch_is_written_while_the_next_one_is_made(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    upsert, at_work, threads = Store.upsert, threading.Lock(), set()

    def write(self: Store, card: DatasetCard, records: RecordColumns) -> None:
        assert at_work.acquire(blocking=False), "writes to a collection come one after the other"
        threads.add(threading.current_thread())
        upsert(self, card, records)
        at_work.release()

    monkeypatch.setattr(Store, "upsert", write)
    assert load(workspace, "beside", request()).count == 2_500
    assert threading.main_thread() not in threads
    assert not any(thread.is_alive() for thread in threads)


def test_a_fault_of_the_embedder_ends_the_ingest_and_keeps_what_was_written(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    from corpuscope.tools.embedding.lexical import LexicalEmbedder

    asked = request(vectors=None, embedding="lexical")
    embed, calls = LexicalEmbedder.embed, iter(range(1, 100))

    def fail_later(self: LexicalEmbedder, texts: Any) -> Any:
        if next(calls) == 2:
            raise Stopped
        return embed(self, texts)

    with monkeypatch.context() as patch, pytest.raises(Stopped):
        patch.setattr(LexicalEmbedder, "embed", fail_later)
        load(workspace, "fault", asked)
    assert counts(load(workspace, "fault", asked)) == (1_500, 0, 1_000)


def test_a_fault_of_the_last_write_is_not_lost(workspace: Workspace) -> None:
    with pytest.MonkeyPatch.context() as patch, pytest.raises(Stopped):
        stop_at(3, patch)
        load(workspace, "last", request())
    assert "last" not in [card.name for card in workspace.store.cards()]


def test_a_file_that_is_read_twice_gives_the_same_records(
    workspace: Workspace, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = [f'{number},"text, {number % 300}"' for number in range(2_200)]
    (folder / "twice.csv").write_text("\n".join(["key,text", *lines]), encoding="utf-8")
    path = folder / "twice.csv"
    asked = request(source=path, vectors=None, embedding="lexical")
    whole = load(workspace, "once", asked)
    monkeypatch.setattr(survey, "KEPT_BYTES", 1)
    again = load(workspace, "twice", asked)
    assert again.tally == whole.tally
    assert workspace.store.digests(again.card) == workspace.store.digests(whole.card)

"""What a user has who sets nothing and has no network: `ingest` to `search` through the client."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from mcp.client import Client
from support.calls import Answer, call, finish, forget_datasets
from support.changed_settings import changed_settings
from support.idle_servers import connected_with_worker
from support.texts import tickets

from corpuscope.server.app import build_server
from corpuscope.server.settings import Settings

pytestmark = pytest.mark.anyio

GERMAN = [
    f"Mein {thing} {what}, und niemand kann mir sagen, wann es besser wird."
    for thing in ("Paket", "Konto", "Zugang", "Fahrrad", "Telefon")
    for what in ("ist noch immer nicht angekommen", "wurde letzte Woche gesperrt", "ist kaputt")
]


@pytest.fixture(scope="module")
async def client(
    settings: Settings, running_lite: None, anyio_backend: str
) -> AsyncIterator[Client]:
    """A client of a server that was told nothing of embeddings, and that reaches no hub."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HF_HUB_OFFLINE", "1")
        patch.setenv("HF_HOME", str(settings.home / "huggingface"))
        server = build_server(changed_settings(settings, embedding="auto"), warm=False)
        async with connected_with_worker(server) as connected:
            yield connected
            await forget_datasets(connected)


async def ingested(client: Client, dataset: str, **arguments: Any) -> Answer:
    answer = await finish(client, "ingest", dataset=dataset, **arguments)
    assert not answer.is_error, answer.text
    return answer


async def test_english_texts_get_word_vectors_and_themes_of_meaning(client: Client) -> None:
    done = await ingested(client, "shop", rows=tickets(40), text_columns=["text"])
    assert done.data["embedding"] == "wordllama"
    assert "Vectors: wordllama. English word vectors that came with corpuscope" in done.text
    assert "was not fetched (fetching is switched off)" in done.text
    found = await finish(client, "cluster", dataset="shop")
    assert len(found.data["top"]) >= 4
    assert "lexical" not in found.text
    hits = await call(client, "search", dataset="shop", query="hand over my cash again", limit=5)
    theme_of = {row["text"]: row["theme"] for row in tickets(40)}
    assert {theme_of[hit["text"]] for hit in hits.data["hits"]} == {"refund"}


async def test_more_rows_are_embedded_as_those_that_are_there(client: Client) -> None:
    row = {"text": "My refund took a month to reach my bank account.", "theme": "refund"}
    done = await ingested(client, "shop", rows=[row])
    assert (done.data["added"], done.data["embedding"]) == (1, "wordllama")
    other = await finish(client, "ingest", dataset="shop", rows=[row], embedding="lexical")
    assert other.is_error
    assert "'shop' has vectors by wordllama, not lexical" in other.text


async def test_german_texts_are_compared_by_their_words(client: Client) -> None:
    rows = [{"text": text} for text in GERMAN]
    done = await ingested(client, "brief", rows=rows)
    assert done.data["embedding"] == "lexical"
    assert "Most texts are in German, which the models of 'auto' do not know" in done.text


async def test_word_vectors_of_german_texts_are_to_be_had_by_name(client: Client) -> None:
    rows = [{"text": text} for text in GERMAN]
    done = await ingested(client, "brief_2", rows=rows, embedding="wordllama")
    assert done.data["embedding"] == "wordllama"
    assert "Vectors: wordllama. As asked: English word vectors" in done.text


async def test_an_embedder_that_is_none_is_refused_with_those_that_are(client: Client) -> None:
    answer = await finish(client, "ingest", dataset="no", rows=[{"text": "a"}], embedding="llama")
    assert answer.is_error
    assert "'llama' names no embedder. Valid: auto, wordllama, lexical, onnx:" in answer.text

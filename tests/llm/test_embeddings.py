"""Vectors from the real `openai` client against a server over loopback."""

import numpy as np
import pytest
from support.endpoint_server import (
    DIM,
    Behaviour,
    Reply,
    Request,
    embeds,
    endpoint_server,
    fails,
    rate_limited,
    says,
    word_vector,
)
from support.stand_in_clock import Clock

from corpuscope.tools.core.errors import Unavailable
from corpuscope.tools.llm import embeddings
from corpuscope.tools.llm.embeddings import embed_texts
from corpuscope.tools.llm.endpoint import EndpointDown, EndpointOptions


def test_vectors_come_in_the_order_of_the_texts_at_unit_length() -> None:
    texts = [f"text number {number} about {'cards' * (number % 3)}" for number in range(300)]
    with endpoint_server(embeds) as server:
        vectors = embed_texts(server.options(), "small", texts)
    assert vectors.shape == (300, DIM)
    assert vectors.dtype == np.float32
    expected = np.array([word_vector(text) for text in texts])
    expected /= np.linalg.norm(expected, axis=1, keepdims=True)
    np.testing.assert_allclose(vectors, expected, atol=1e-6)
    assert sorted(len(request.body["input"]) for request in server.requests) == [44, 128, 128]
    assert server.busiest <= 4


def test_long_texts_are_cut_and_batches_bounded_in_characters() -> None:
    texts = ["x" * 50_000, "lone \ud800 surrogate", *["y" * 5_000] * 50]
    with endpoint_server(embeds) as server:
        assert embed_texts(server.options(), "small", texts).shape == (52, DIM)
    sizes = [sum(len(text) for text in request.body["input"]) for request in server.requests]
    assert len(sizes) == 2
    assert max(sizes) <= embeddings.EMBED_CHARACTERS
    assert sum(sizes) == embeddings.EMBED_CUT + len(texts[1]) + 50 * 5_000


def test_no_texts_give_no_vectors_and_ask_nobody() -> None:
    assert embed_texts(EndpointOptions("http://127.0.0.1:1/v1", ""), "small", []).shape == (0, 0)


def test_a_message_names_the_settings_that_lead_to_its_endpoint() -> None:
    with (
        endpoint_server(fails(401)) as server,
        pytest.raises(EndpointDown, match="Set CORPUSCOPE_EMBEDDING_API_KEY"),
    ):
        embed_texts(server.options(setting="CORPUSCOPE_EMBEDDING"), "small", ["one"])


def vectors_of(*rows: list[float]) -> Behaviour:
    data = [{"index": index, "embedding": row} for index, row in enumerate(rows)]
    return lambda request: Reply({"data": data})


@pytest.mark.parametrize(
    ("behaviour", "message"),
    [
        (vectors_of(), "answered 0 vectors for 2 texts"),
        (vectors_of([1.0]), "answered 1 vectors for 2 texts"),
        (vectors_of([1.0], [1.0, 2.0]), "vectors of different lengths"),
        (vectors_of([1.0], [0.0]), "empty, all zero or not finite"),
        (vectors_of([], []), "empty, all zero or not finite"),
        (vectors_of([1.0], [1e300]), "empty, all zero or not finite"),
        (says("a chat model"), "no embeddings: .*Check CORPUSCOPE_LLM_BASE_URL"),
        (fails(404, "who?"), "does not know the model 'small'.*`openai:<model>`"),
    ],
)
def test_vectors_that_cannot_be_used_are_refused(behaviour: Behaviour, message: str) -> None:
    with endpoint_server(behaviour) as server, pytest.raises(Unavailable, match=message):
        embed_texts(server.options(), "small", ["one", "two"])


def test_vectors_whose_length_changes_between_requests_are_refused() -> None:
    def behaviour(request: Request) -> Reply:
        width = 2 + request.number
        rows = [{"index": i, "embedding": [1.0] * width} for i in range(len(request.body["input"]))]
        return Reply({"data": rows})

    with (
        endpoint_server(behaviour) as server,
        pytest.raises(Unavailable, match=r"different lengths for small: \[2, 3\]"),
    ):
        embed_texts(server.options(), "small", ["text"] * 200)


def test_a_rate_limit_that_one_batch_meets_is_waited_out_and_no_text_is_lost(
    clock: Clock,
) -> None:
    texts = [f"text {number}" for number in range(300)]
    with endpoint_server(rate_limited(1, 0.2, embeds)) as server:
        vectors = embed_texts(server.options(retries=1), "small", texts)
    assert vectors.shape == (300, DIM)
    assert len(server.requests) == 4
    assert clock.slept[0] == 0.2

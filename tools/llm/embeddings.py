"""Vectors of texts from an OpenAI-compatible endpoint, asked for in batches, several at a time."""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import numpy as np
from pydantic import BaseModel, ValidationError

from corpuscope.tools.core.errors import Unavailable
from corpuscope.tools.core.schema import Floats
from corpuscope.tools.llm.client import explain_errors, open_client, sendable_text
from corpuscope.tools.llm.endpoint import Call, EndpointOptions, quote

if TYPE_CHECKING:
    from openai import OpenAI

EMBED_TEXTS = 128
"""Texts in one request: past this, a request only gets slower, not cheaper."""

EMBED_CHARACTERS = 200_000
"""Characters in one request: OpenAI takes 300,000 tokens, and a character may be more than one."""

EMBED_CUT = 6_000
"""Characters kept of one text: the common models take 8,192 tokens and refuse what is longer."""


class _Vector(BaseModel):
    index: int
    embedding: list[float]


class _Embeddings(BaseModel):
    data: list[_Vector]


def embed_texts(endpoint: EndpointOptions, model: str, texts: Sequence[str]) -> Floats:
    """Vectors of texts, in their order: (len(texts), dim) float32 with rows of unit length.

    Of a text, the first `EMBED_CUT` characters count. No texts give an array of shape (0, 0).

    Raises:
        Unavailable: The endpoint cannot be reached, refuses, or answers other than one usable
            vector of one length for each text.
    """
    if not texts:
        return np.zeros((0, 0), np.float32)
    call = Call(endpoint, model, "the model in the embedding spec `openai:<model>`")
    with (
        open_client(endpoint) as client,
        ThreadPoolExecutor(max_workers=max(1, endpoint.concurrency)) as pool,
    ):
        parts = list(pool.map(lambda batch: _embed_batch(client, call, batch), _batches(texts)))
    widths = sorted({part.shape[1] for part in parts})
    if len(widths) > 1:
        raise Unavailable(
            f"{endpoint.host} answered vectors of different lengths for {model}: {widths}. "
            "Check that one model serves all requests."
        )
    return np.concatenate(parts)


def _batches(texts: Sequence[str]) -> Iterator[list[str]]:
    """The texts in order, cut, in batches of bounded number and size."""
    batch: list[str] = []
    characters = 0
    for text in texts:
        sendable = sendable_text(text[:EMBED_CUT])
        if batch and (len(batch) == EMBED_TEXTS or characters + len(sendable) > EMBED_CHARACTERS):
            yield batch
            batch, characters = [], 0
        batch.append(sendable)
        characters += len(sendable)
    yield batch


def _embed_batch(client: "OpenAI", call: Call, batch: list[str]) -> Floats:
    """The unit vectors of one batch: (len(batch), dim) float32."""
    host = call.endpoint.host
    with explain_errors(call):
        raw = client.embeddings.with_raw_response.create(
            model=call.model, input=batch, encoding_format="float"
        )
    try:
        rows = sorted(_Embeddings.model_validate_json(raw.text).data, key=lambda row: row.index)
    except ValidationError:
        raise Unavailable(
            f"{host} answered, but with no embeddings: '{quote(raw.text, call.endpoint)}'. "
            f"Check {call.endpoint.setting}_BASE_URL (it mostly ends with /v1), and that "
            f"{call.model} is an embedding model."
        ) from None
    if [row.index for row in rows] != list(range(len(batch))):
        raise Unavailable(f"{host} answered {len(rows)} vectors for {len(batch)} texts.")
    if len({len(row.embedding) for row in rows}) > 1:
        raise Unavailable(f"{host} answered vectors of different lengths for {call.model}.")
    vectors = np.array([row.embedding for row in rows])
    with np.errstate(over="ignore"):  # what overflows is refused below, as not finite
        lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    if not vectors.size or not np.isfinite(lengths).all() or (lengths == 0).any():
        raise Unavailable(
            f"{host} answered a vector that is empty, all zero or not finite. "
            f"Check that {call.model} is an embedding model."
        )
    return np.asarray(vectors / lengths, np.float32)

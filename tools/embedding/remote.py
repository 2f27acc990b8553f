"""Vectors from an OpenAI-compatible endpoint: OpenAI, Ollama, vLLM and the like."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from corpuscope.tools.core.errors import Unavailable
from corpuscope.tools.core.redaction import Redact, as_it_is
from corpuscope.tools.core.schema import Floats
from corpuscope.tools.embedding.spec import EmbeddingOptions, Spec
from corpuscope.tools.llm.endpoint import EndpointOptions


@dataclass(frozen=True, eq=False)
class EndpointEmbedder:
    """A model behind an endpoint. Every method raises Unavailable where it does not answer."""

    spec: str
    endpoint: EndpointOptions
    model: str
    redact: Redact = as_it_is

    @cached_property
    def dim(self) -> int:
        """Numbers per vector: asked of the endpoint once, by embedding one word."""
        return len(self.embed_query("dimension"))

    def embed(self, texts: Sequence[str]) -> Floats:
        """(n, dim) float32, rows of unit length. The texts are sent to the endpoint."""
        from corpuscope.tools.llm.embeddings import embed_texts

        if not texts:
            return np.zeros((0, self.dim), np.float32)
        sent = [self.redact(text) for text in texts]
        return embed_texts(self.endpoint, self.model, sent)

    def embed_query(self, text: str) -> Floats:
        """(dim,) float32 of unit length. The text is sent to the endpoint."""
        row: Floats = self.embed([text])[0]
        return row


def open_remote(spec: Spec, options: EmbeddingOptions) -> EndpointEmbedder:
    """The embedder of `openai:<model>`; sends nothing yet. Raises Unavailable without endpoint."""
    if options.openai is None:
        raise Unavailable(
            f"{spec} needs an endpoint. Set CORPUSCOPE_EMBEDDING_BASE_URL, or OPENAI_API_KEY "
            "for OpenAI itself."
        )
    return EndpointEmbedder(str(spec), options.openai, spec.name, options.redact)

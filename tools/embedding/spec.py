"""What an embedder is, and the spec string that names one."""

import importlib.util
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from corpuscope.tools.core.disk import system_failure
from corpuscope.tools.core.errors import BadInput, Unavailable
from corpuscope.tools.core.redaction import Redact, as_it_is
from corpuscope.tools.core.schema import Floats
from corpuscope.tools.core.vectors import unit_rows
from corpuscope.tools.llm.endpoint import EndpointOptions

AUTO = "auto"
WORDLLAMA = "wordllama"
LEXICAL = "lexical"
BGE_M3 = "bge-m3"
ONNX = "onnx"
SENTENCE_TRANSFORMERS = "sentence-transformers"
MODEL2VEC = "model2vec"
OPENAI = "openai"

NAMED = (ONNX, SENTENCE_TRANSFORMERS, MODEL2VEC, OPENAI)
"""Kinds whose specs have to name a model."""

SPEC_FORMS = (
    "auto, wordllama, lexical, onnx:<hub id or folder>, sentence-transformers:<hub id or folder>, "
    "bge-m3 or bge-m3:<folder>, model2vec:<hub id or folder>, openai:<model>"
)


class Embedder(Protocol):
    """Makes vectors of texts, all by one model."""

    @property
    def spec(self) -> str:
        """The resolved spec, written down with the dataset: never `auto`, folders absolute."""

    @property
    def dim(self) -> int:
        """Numbers per vector."""

    def embed(self, texts: Sequence[str]) -> Floats:
        """Vectors of texts: (n, dim) float32, rows of unit length in the order of the texts.

        `lexical` and `model2vec` give a zero row for a text in which they know nothing, `wordllama`
        for a blank one.
        """

    def embed_query(self, text: str) -> Floats:
        """The vector (dim,) of a query, to compare with those of `embed`."""


@dataclass(frozen=True, eq=False)
class ModelEmbedder:
    """An embedder by a model in memory.

    `encode` and `encode_query` give the model's own (n, dim) vectors of n texts and queries, n at
    least 1, of any length: they differ where a model was trained with prompts.
    """

    spec: str
    dim: int
    encode: Callable[[list[str]], NDArray[np.floating]]
    encode_query: Callable[[list[str]], NDArray[np.floating]]

    def embed(self, texts: Sequence[str]) -> Floats:
        """(n, dim) float32, rows of unit length; a zero row stays zero."""
        if not texts:
            return np.zeros((0, self.dim), np.float32)
        return unit_rows(self.encode(list(texts)))

    def embed_query(self, text: str) -> Floats:
        """(dim,) float32 of unit length, or zero."""
        row: Floats = unit_rows(self.encode_query([text]))[0]
        return row


@dataclass(frozen=True)
class EmbeddingOptions:
    """What embedders may use of the machine and the network.

    `models_dir` is where models lie and where fetched ones are put. `fetch_seconds` is how long
    `auto` may take to look for its default model outside of that folder; 0: no `onnx` model is
    ever fetched. `openai` is the endpoint of `openai:<model>`; None: there is none. `redact` is
    done to every text before it is sent there.
    """

    models_dir: Path
    fetch_seconds: float = 5.0
    openai: EndpointOptions | None = None
    redact: Redact = as_it_is


@dataclass(frozen=True)
class TextFacts:
    """What is known of all the texts that are to be embedded, of which an embedder is fitted on
    some: how many they are, and the English name of the language that most are in, where that is
    known and not English."""

    count: int
    foreign_language: str | None = None


@dataclass(frozen=True)
class Fitted:
    """An embedder for a new dataset, and one sentence on why it is this one."""

    embedder: Embedder
    note: str


@dataclass(frozen=True)
class Spec:
    """A spec string taken apart: `onnx:acme/small` has the kind `onnx` and the name `acme/small`.

    `name` is empty for `auto`, `wordllama` and `lexical`.
    """

    kind: str
    name: str

    def __str__(self) -> str:
        return f"{self.kind}:{self.name}" if self.name else self.kind


def parse_spec(text: str) -> Spec:
    """The parts of a spec string; raises BadInput for what names no embedder."""
    kind, colon, name = text.strip().partition(":")
    if kind in NAMED and name:
        return Spec(kind, name)
    if kind == BGE_M3 and bool(colon) == bool(name):
        return Spec(kind, name)
    if kind in (AUTO, WORDLLAMA, LEXICAL) and not colon:
        return Spec(kind, "")
    raise BadInput(f"'{text[:80]}' names no embedder. Valid: {SPEC_FORMS}.")


def require_packages(kind: str, needs: str, packages: Sequence[str]) -> None:
    """Refuse to go on without the optional packages of a kind.

    `packages` are import names, `needs` says in words what to have. Raises Unavailable.
    """
    if any(importlib.util.find_spec(package) is None for package in packages):
        raise Unavailable(f'{kind} needs {needs}: pip install "corpuscope[{kind}]"')


def missing_model_error(spec: Spec, options: EmbeddingOptions, error: OSError) -> Unavailable:
    """The error for a model that its library found neither here nor on the hub."""
    if failure := system_failure(error, options.models_dir.parent):
        return failure
    reason = (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(".")[:200]
    return Unavailable(
        f"{spec} is neither in {options.models_dir} nor to be had from the Hugging Face hub: "
        f"{reason}. Put the model into {options.models_dir / spec.name}, or give its folder."
    )

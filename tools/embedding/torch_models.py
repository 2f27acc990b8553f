"""Models that need torch: sentence-transformers, and BGE-M3 by FlagEmbedding.

Both are optional installs. sentence-transformers is called directly: the function of
pymilvus.model leaves out the prompts that a model was trained with. Of pymilvus.model, what is
missing is asked for here first: it would run pip by itself and print to standard output.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from corpuscope.tools.core.schema import Floats
from corpuscope.tools.core.vectors import unit_rows
from corpuscope.tools.embedding.model_files import absolute_spec, find_folder
from corpuscope.tools.embedding.spec import (
    BGE_M3,
    EmbeddingOptions,
    Spec,
    missing_model_error,
    require_packages,
)

if TYPE_CHECKING:
    from pymilvus.model.hybrid import BGEM3EmbeddingFunction
    from sentence_transformers import SentenceTransformer

BGE_M3_ID = "BAAI/bge-m3"


@dataclass(frozen=True, eq=False)
class SentenceTransformerEmbedder:
    """A sentence-transformers model in memory, with its own prompts for queries and texts."""

    spec: str
    dim: int
    model: "SentenceTransformer"

    def embed(self, texts: Sequence[str]) -> Floats:
        """(n, dim) float32, rows of unit length; what the model does not read is cut off."""
        if not texts:
            return np.zeros((0, self.dim), np.float32)
        return unit_rows(self.model.encode_document(list(texts), show_progress_bar=False))

    def embed_query(self, text: str) -> Floats:
        """(dim,) float32 of unit length."""
        row: Floats = unit_rows(self.model.encode_query([text], show_progress_bar=False))[0]
        return row


@dataclass(frozen=True, eq=False)
class BgeM3Embedder:
    """The dense vectors of BGE-M3 (Chen et al. 2024), which wants no prompts."""

    spec: str
    dim: int
    model: "BGEM3EmbeddingFunction"

    def embed(self, texts: Sequence[str]) -> Floats:
        """(n, dim) float32, rows of unit length; of each text the first 512 tokens."""
        if not texts:
            return np.zeros((0, self.dim), np.float32)
        return unit_rows(np.stack(self.model.encode_documents(list(texts))["dense"]))

    def embed_query(self, text: str) -> Floats:
        """(dim,) float32 of unit length."""
        row: Floats = unit_rows(np.stack(self.model.encode_queries([text])["dense"]))[0]
        return row


def open_sentence_transformers(
    spec: Spec, options: EmbeddingOptions
) -> SentenceTransformerEmbedder:
    """A model from a folder, or by its hub id from the Hugging Face cache or the hub.

    Raises Unavailable where the package or the model is missing.
    """
    require_packages(
        spec.kind, "sentence-transformers and torch", ("sentence_transformers", "torch")
    )
    folder = find_folder(spec, options.models_dir, _holds_model)
    from sentence_transformers import SentenceTransformer

    try:
        model = SentenceTransformer(str(folder or spec.name))
    except OSError as error:
        raise missing_model_error(spec, options, error) from error
    dim = model.encode_query(["dimension"], show_progress_bar=False).shape[1]
    return SentenceTransformerEmbedder(absolute_spec(spec, folder), dim, model)


def open_bge_m3(spec: Spec, options: EmbeddingOptions) -> BgeM3Embedder:
    """BGE-M3 from a folder, or from the Hugging Face cache or the hub.

    Raises Unavailable where the packages or the model are missing.
    """
    needed = ("FlagEmbedding", "torch", "peft", "datasets")
    require_packages(spec.kind, "FlagEmbedding and torch", needed)
    source = Spec(BGE_M3, spec.name or BGE_M3_ID)
    folder = find_folder(source, options.models_dir, _holds_model)
    from pymilvus.model.hybrid import BGEM3EmbeddingFunction

    try:
        model = BGEM3EmbeddingFunction(
            str(folder or source.name), device=_device(), return_sparse=False
        )
    except OSError as error:
        raise missing_model_error(source, options, error) from error
    return BgeM3Embedder(absolute_spec(spec, folder), model.dim["dense"], model)


def _holds_model(folder: Path) -> bool:
    return (folder / "config.json").is_file()


def _device() -> str:
    """One device: of several, FlagEmbedding would start a process for each."""
    import torch

    accelerator = torch.accelerator.current_accelerator(check_available=True)
    return "cpu" if accelerator is None else accelerator.type

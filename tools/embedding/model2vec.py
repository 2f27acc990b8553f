"""Static models by model2vec: one vector per token, averaged. No torch, and very fast."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from corpuscope.tools.core.schema import Floats
from corpuscope.tools.core.vectors import unit_rows
from corpuscope.tools.embedding.model_files import absolute_spec, find_folder
from corpuscope.tools.embedding.spec import (
    EmbeddingOptions,
    Spec,
    missing_model_error,
    require_packages,
)

if TYPE_CHECKING:
    from model2vec import StaticModel


@dataclass(frozen=True, eq=False)
class StaticEmbedder:
    """A static model in memory."""

    spec: str
    dim: int
    model: "StaticModel"

    def embed(self, texts: Sequence[str]) -> Floats:
        """(n, dim) float32, rows of unit length; a zero row for a text with no known token."""
        if not texts:
            return np.zeros((0, self.dim), np.float32)
        # Its own threads start above 10,000 texts and set a variable of the environment.
        return unit_rows(self.model.encode(list(texts), use_multiprocessing=False))

    def embed_query(self, text: str) -> Floats:
        """(dim,) float32 of unit length, or zero where no token is known."""
        row: Floats = self.embed([text])[0]
        return row


def open_model2vec(spec: Spec, options: EmbeddingOptions) -> StaticEmbedder:
    """A model from a folder, or by its hub id from the Hugging Face cache or the hub.

    Raises Unavailable where the package or the model is missing.
    """
    require_packages(spec.kind, "the package model2vec", ("model2vec",))
    folder = find_folder(spec, options.models_dir, _holds_model)
    from model2vec import StaticModel

    try:
        model = StaticModel.from_pretrained(str(folder or spec.name), force_download=False)
    except OSError as error:
        raise missing_model_error(spec, options, error) from error
    return StaticEmbedder(absolute_spec(spec, folder), model.dim, model)


def _holds_model(folder: Path) -> bool:
    return (folder / "model.safetensors").is_file()

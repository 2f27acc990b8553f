"""Models that need torch: sentence-transformers, and BGE-M3 by FlagEmbedding.

Both are optional installs. sentence-transformers is called directly: the function of
pymilvus.model leaves out the prompts that a model was trained with. Packages that pymilvus.model
needs are looked for here first: where one is missing, it would run pip and print to standard
output.
"""

from functools import partial
from pathlib import Path

import numpy as np

from corpuscope.tools.embedding.model_files import absolute_spec, find_folder
from corpuscope.tools.embedding.spec import (
    BGE_M3,
    EmbeddingOptions,
    ModelEmbedder,
    Spec,
    missing_model_error,
    require_packages,
)

BGE_M3_ID = "BAAI/bge-m3"


def open_sentence_transformers(spec: Spec, options: EmbeddingOptions) -> ModelEmbedder:
    """A model with its own prompts for queries and texts.

    From a folder, or by its hub id from the Hugging Face cache or the hub.

    Raises Unavailable where the package or the model is missing.
    """
    require_packages(
        spec.kind, "sentence-transformers and torch", ("sentence_transformers", "torch")
    )
    folder = find_folder(spec, options, _holds_model)
    from sentence_transformers import SentenceTransformer

    try:
        model = SentenceTransformer(str(folder or spec.name))
    except OSError as error:
        raise missing_model_error(spec, options, error) from error
    encode = partial(model.encode_document, show_progress_bar=False)
    encode_query = partial(model.encode_query, show_progress_bar=False)
    dim = encode_query(["dimension"]).shape[1]
    return ModelEmbedder(absolute_spec(spec, folder), dim, encode, encode_query)


def open_bge_m3(spec: Spec, options: EmbeddingOptions) -> ModelEmbedder:
    """The dense vectors of BGE-M3 (Chen et al. 2024), of each text the first 512 tokens.

    From a folder, or from the Hugging Face cache or the hub. It wants no prompts.

    Raises Unavailable where the packages or the model are missing.
    """
    needed = ("FlagEmbedding", "torch", "peft", "datasets")
    require_packages(spec.kind, "FlagEmbedding and torch", needed)
    source = Spec(BGE_M3, spec.name or BGE_M3_ID)
    folder = find_folder(source, options, _holds_model)
    from pymilvus.model.hybrid import BGEM3EmbeddingFunction

    try:
        model = BGEM3EmbeddingFunction(
            str(folder or source.name), device=_device(), return_sparse=False
        )
    except OSError as error:
        raise missing_model_error(source, options, error) from error
    return ModelEmbedder(
        absolute_spec(spec, folder),
        model.dim["dense"],
        lambda texts: np.stack(model.encode_documents(texts)["dense"]),
        lambda texts: np.stack(model.encode_queries(texts)["dense"]),
    )


def _holds_model(folder: Path) -> bool:
    return (folder / "config.json").is_file()


def _device() -> str:
    """One device: of several, FlagEmbedding would start a process for each."""
    import torch

    accelerator = torch.accelerator.current_accelerator(check_available=True)
    return "cpu" if accelerator is None else accelerator.type

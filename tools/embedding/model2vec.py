"""Static models by model2vec: one vector per token, averaged. No torch, and very fast."""

from functools import partial
from pathlib import Path

from corpuscope.tools.embedding.model_files import absolute_spec, find_folder
from corpuscope.tools.embedding.spec import (
    EmbeddingOptions,
    ModelEmbedder,
    Spec,
    missing_model_error,
    require_packages,
)


def open_model2vec(spec: Spec, options: EmbeddingOptions) -> ModelEmbedder:
    """A static model from a folder, or by its hub id from the Hugging Face cache or the hub.

    A text with no known token has a zero row. Raises Unavailable where the package or the model is
    missing.
    """
    require_packages(spec.kind, "the package model2vec", ("model2vec",))
    folder = find_folder(spec, options, _holds_model)
    from model2vec import StaticModel

    try:
        model = StaticModel.from_pretrained(str(folder or spec.name), force_download=False)
    except OSError as error:
        raise missing_model_error(spec, options, error) from error
    # Its own threads start above 10,000 texts and set a variable of the environment.
    encode = partial(model.encode, use_multiprocessing=False)
    return ModelEmbedder(absolute_spec(spec, folder), model.dim, encode, encode)


def _holds_model(folder: Path) -> bool:
    return (folder / "model.safetensors").is_file()

"""From a spec string to an embedder: opened for a dataset that is there, or fitted for a new one.

Each kind of spec has its module; here is only the choice between them, and what `auto` becomes.
"""

from collections.abc import Callable, Sequence
from pathlib import Path

from corpuscope.tools.core.errors import BadInput
from corpuscope.tools.embedding.lexical import fit_lexical, open_lexical
from corpuscope.tools.embedding.model2vec import open_model2vec
from corpuscope.tools.embedding.model_files import FetchFailed, fetch_model, find_folder
from corpuscope.tools.embedding.onnx import (
    ONNX_FILES,
    holds_onnx_model,
    open_onnx,
    open_onnx_folder,
)
from corpuscope.tools.embedding.remote import open_remote
from corpuscope.tools.embedding.spec import (
    AUTO,
    BGE_M3,
    LEXICAL,
    MODEL2VEC,
    ONNX,
    OPENAI,
    SENTENCE_TRANSFORMERS,
    Embedder,
    EmbeddingOptions,
    Fitted,
    Spec,
    parse_spec,
)
from corpuscope.tools.embedding.torch_models import open_bge_m3, open_sentence_transformers

DEFAULT_MODEL = Spec(ONNX, "sentence-transformers/all-MiniLM-L6-v2")

OPENERS: dict[str, Callable[[Spec, EmbeddingOptions], Embedder]] = {
    ONNX: open_onnx,
    SENTENCE_TRANSFORMERS: open_sentence_transformers,
    BGE_M3: open_bge_m3,
    MODEL2VEC: open_model2vec,
    OPENAI: open_remote,
}


def open_embedder(spec: str, options: EmbeddingOptions, saved: Path) -> Embedder:
    """The embedder of a dataset that is there. Loading may take seconds: keep it.

    `spec` is a resolved one, as `Embedder.spec` gives it; `saved` is the dataset's folder, with
    the fit of `lexical`.

    Raises:
        BadInput: `spec` names no embedder, or is `auto`, which is settled when it is fitted.
        Unavailable: A package, a model, an endpoint or the fit is missing.
    """
    parsed = parse_spec(spec)
    if parsed.kind == AUTO:
        raise BadInput("'auto' is settled when a dataset is made; name what it was settled to.")
    if parsed.kind == LEXICAL:
        return open_lexical(saved)
    return OPENERS[parsed.kind](parsed, options)


def fit_embedder(spec: str, texts: Sequence[str], options: EmbeddingOptions, saved: Path) -> Fitted:
    """The embedder for a new dataset of these texts, and why it is this one.

    `lexical` is fitted on the texts and saved in the folder `saved`. `auto` is the default model
    if it is on this machine or comes within `options.fetch_seconds`, else `lexical`.

    Raises:
        BadInput: `spec` names no embedder, or the texts are all blank.
        Unavailable: A package, a model or an endpoint is missing.
    """
    parsed = parse_spec(spec)
    if parsed.kind == AUTO:
        return _fit_default(texts, options, saved)
    if parsed.kind == LEXICAL:
        return Fitted(fit_lexical(texts, saved), "As asked, fitted on these texts.")
    return Fitted(OPENERS[parsed.kind](parsed, options), "As asked.")


def _fit_default(texts: Sequence[str], options: EmbeddingOptions, saved: Path) -> Fitted:
    folder = find_folder(DEFAULT_MODEL, options.models_dir, holds_onnx_model)
    if folder is None:
        try:
            folder = fetch_model(
                DEFAULT_MODEL.name, ONNX_FILES, options, max(0, options.fetch_seconds)
            )
        except FetchFailed as error:
            return Fitted(
                fit_lexical(texts, saved),
                "It compares words and not meaning, because the default model "
                f"{DEFAULT_MODEL} is not on this machine and was not fetched ({error}).",
            )
    embedder = open_onnx_folder(folder, str(DEFAULT_MODEL))
    return Fitted(embedder, f"It is the default model, from {folder}.")

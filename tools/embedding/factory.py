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
    WORDLLAMA,
    Embedder,
    EmbeddingOptions,
    Fitted,
    Spec,
    TextFacts,
    parse_spec,
)
from corpuscope.tools.embedding.torch_models import open_bge_m3, open_sentence_transformers
from corpuscope.tools.embedding.word_vectors import open_wordllama

DEFAULT_MODEL = Spec(ONNX, "sentence-transformers/all-MiniLM-L6-v2")

PATIENT_SECONDS = 120.0
"""What the default model may take with `auto`: about as long as one waits for a first answer. Its
themes are better than those of word vectors on some texts and worse on others, so that it is worth
minutes to nobody who did not ask for it."""

CHARACTERS_PER_SECOND = 50_000
"""What the default model reads on two cores: 1,000 titles of 50 characters. The rate is the same
for texts of 50, 235 and 1,200 characters, and higher on larger machines."""

CHARACTERS_READ = 1_200
"""Of one text: the default model stops at 256 tokens."""

WORD_VECTORS = "English word vectors that came with corpuscope"

OPENERS: dict[str, Callable[[Spec, EmbeddingOptions], Embedder]] = {
    WORDLLAMA: open_wordllama,
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


def fit_embedder(
    spec: str,
    texts: Sequence[str],
    options: EmbeddingOptions,
    saved: Path,
    facts: TextFacts | None = None,
) -> Fitted:
    """The embedder for a new dataset of which these are texts, and why it is this one.

    `facts` are of all its texts; None: these are all, in English. `lexical` is fitted on the texts
    and saved in the folder `saved`. `auto` becomes `lexical` where most texts are in a language
    that the default models do not know; else the transformer `DEFAULT_MODEL`, where it takes no
    longer than `PATIENT_SECONDS` and is on this machine or comes within `options.fetch_seconds`;
    else `wordllama`.

    Raises:
        BadInput: `spec` names no embedder, or the texts are all blank.
        Unavailable: A package, a model or an endpoint is missing.
    """
    parsed = parse_spec(spec)
    if parsed.kind == AUTO:
        return _fit_default(texts, options, saved, facts or TextFacts(len(texts)))
    if parsed.kind == LEXICAL:
        return Fitted(fit_lexical(texts, saved), "As asked, fitted on these texts.")
    if parsed.kind == WORDLLAMA:
        return Fitted(open_wordllama(parsed, options), f"As asked: {WORD_VECTORS}.")
    return Fitted(OPENERS[parsed.kind](parsed, options), "As asked.")


def transformer_seconds(texts: Sequence[str], count: int) -> float:
    """About how long the default model takes on two cores for `count` texts such as these."""
    characters = sum(min(len(text), CHARACTERS_READ) for text in texts) / max(1, len(texts))
    return count * characters / CHARACTERS_PER_SECOND


def _fit_default(
    texts: Sequence[str], options: EmbeddingOptions, saved: Path, facts: TextFacts
) -> Fitted:
    if facts.foreign_language:
        return Fitted(
            fit_lexical(texts, saved),
            f"Most texts are in {facts.foreign_language}, which the models of 'auto' do not know: "
            "so words and parts of words are compared, not meanings. For meanings, name a "
            "multilingual model: mode='replace', embedding='onnx:<its folder or hub id>'.",
        )
    seconds = transformer_seconds(texts, facts.count)
    if seconds > PATIENT_SECONDS:
        return _fit_word_vectors(
            options,
            f"the small transformer would take about {seconds / 60:.0f} minutes for "
            f"{facts.count:,} texts. To have it all the same,",
        )
    folder = find_folder(DEFAULT_MODEL, options, holds_onnx_model)
    if folder is None:
        try:
            folder = fetch_model(
                DEFAULT_MODEL.name, ONNX_FILES, options, max(0, options.fetch_seconds)
            )
        except FetchFailed as error:
            return _fit_word_vectors(
                options,
                f"the small transformer is not on this machine and was not fetched ({error}). "
                f"To have it, put it into {options.models_dir / DEFAULT_MODEL.name} or go online, "
                "and",
            )
    embedder = open_onnx_folder(folder, str(DEFAULT_MODEL))
    return Fitted(
        embedder,
        f"It is the small transformer, from {folder}, because it is on this machine and takes no "
        f"more than {PATIENT_SECONDS / 60:.0f} minutes. In seconds: embedding='{WORDLLAMA}'.",
    )


def _fit_word_vectors(options: EmbeddingOptions, because: str) -> Fitted:
    """What needs nothing more; `because` ends before the call that has the transformer."""
    return Fitted(
        open_wordllama(Spec(WORDLLAMA, ""), options),
        f"{WORD_VECTORS}, because {because} ingest with "
        f"mode='replace' and embedding='{DEFAULT_MODEL}'.",
    )

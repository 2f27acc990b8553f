"""Transformer models as ONNX files, run by onnxruntime with the tokenizer of `tokenizers`.

pymilvus.model has such an embedder too; it runs one text at a time, padded to 512 tokens. The
files are read as sentence-transformers lays them out: pooling from `1_Pooling/config.json`,
prompts from `config_sentence_transformers.json`.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from corpuscope.tools.core.errors import Unavailable
from corpuscope.tools.core.schema import Floats
from corpuscope.tools.embedding.model_files import (
    FetchFailed,
    WantedFiles,
    absolute_spec,
    fetch_model,
    find_folder,
)
from corpuscope.tools.embedding.spec import EmbeddingOptions, ModelEmbedder, Spec

if TYPE_CHECKING:
    from onnxruntime import InferenceSession
    from tokenizers import Tokenizer

TOKENIZER = "tokenizer.json"
POOLING = "1_Pooling/config.json"
PROMPTS = "config_sentence_transformers.json"
LENGTH = "sentence_bert_config.json"

MODEL_FILES = (
    "model.onnx",
    "onnx/model.onnx",
    "model_int8.onnx",
    "onnx/model_int8.onnx",
    "model_quantized.onnx",
    "onnx/model_quantized.onnx",
    "onnx/model_quint8_avx2.onnx",
)
"""Where a folder holds its model, best first: the full model before the quantised ones."""

ONNX_FILES = WantedFiles(
    # A quarter of the bytes of the full model, at a cosine to it of 0.99; the last one listed
    # above is what sentence-transformers' own models have, and runs on every processor.
    models=tuple(reversed(MODEL_FILES)),
    also=(
        TOKENIZER,
        "config.json",
        "tokenizer_config.json",
        "modules.json",
        POOLING,
        PROMPTS,
        LENGTH,
    ),
)

POOLED_OUTPUTS = ("sentence_embedding", "sentence_embeddings", "text_embeds")
"""Outputs with a vector per text. Not `pooler_output`: embedding models are not trained on it."""

TOKEN_OUTPUTS = ("last_hidden_state", "token_embeddings")

POOLING_KEYS = {
    "pooling_mode_mean_tokens": "mean",
    "pooling_mode_cls_token": "cls",
    "pooling_mode_max_tokens": "max",
    "pooling_mode_mean_sqrt_len_tokens": "mean_sqrt_len_tokens",
    "pooling_mode_weightedmean_tokens": "weightedmean",
    "pooling_mode_lasttoken": "lasttoken",
}
"""How configurations before sentence-transformers 5.4 say it; later ones have `pooling_mode`."""

POOLINGS = ("mean", "cls")
MODULES = {"Transformer", "Pooling", "Normalize"}

TEXT_PROMPTS = ("document", "passage", "corpus")
"""Names of the prompt for texts, in the order in which sentence-transformers looks for them."""

INPUTS = ("input_ids", "attention_mask", "token_type_ids")

BATCH_TOKENS = 1_024
"""Tokens per batch, padding included: larger batches fall out of the processor's cache."""

TOKENISED_TEXTS = 4_096
"""Texts that are tokenised and sorted by length at a time, so that memory does not grow."""

MAX_TOKENS = 512
"""Longest input where neither sentence-transformers nor the tokenizer set one: BERT's."""

TOKEN_CHARACTERS = 20
"""Far more characters than a token of running text has: the rest would be cut off anyway, and a
text of 64 KB takes longer to tokenise than to embed."""

PATIENCE = 600.0
"""Seconds for a model that was named and has to be fetched: 100 MB on a slow line."""


class Prompts(NamedTuple):
    """What is put before a query and before a text, as the model was trained."""

    query: str
    text: str


@dataclass(frozen=True, eq=False)
class _Model:
    """A model in memory. `pooling` is None where its output is one vector per text already.

    A model that was quantised dynamically (most int8 files) scales each batch by its largest
    value: there the vector of a text changes a little with the texts beside it (cosine 0.99).
    """

    dim: int
    session: "InferenceSession"
    tokenizer: "Tokenizer"
    padding: int
    max_tokens: int
    output: str
    pooling: str | None

    def encode(self, texts: Sequence[str], *, prompt: str) -> Floats:
        """(n, dim) float32 of any length; of each text the first `max_tokens` tokens."""
        vectors = np.zeros((len(texts), self.dim), np.float32)
        for start in range(0, len(texts), TOKENISED_TEXTS):
            window = [prompt + text for text in texts[start : start + TOKENISED_TEXTS]]
            for rows, row_vectors in _encode_by_length(self, window):
                vectors[start + rows] = row_vectors
        return vectors


def open_onnx(spec: Spec, options: EmbeddingOptions) -> ModelEmbedder:
    """The model of a spec: from a folder, the Hugging Face cache, or fetched from the hub.

    Raises Unavailable where it is not to be had or not usable, BadInput for a name that is
    neither a folder nor a hub id.
    """
    folder = find_folder(spec, options, holds_onnx_model)
    if folder is None:
        seconds = PATIENCE if options.fetch_seconds > 0 else 0
        try:
            folder = fetch_model(spec.name, ONNX_FILES, options, seconds)
        except FetchFailed as error:
            raise Unavailable(
                f"{spec} is neither in {options.models_dir} nor in the Hugging Face cache, and "
                f"was not fetched: {error}. Put {MODEL_FILES[0]} and {TOKENIZER} into "
                f"{options.models_dir / spec.name}, or use embedding='wordllama'."
            ) from error
    return open_onnx_folder(folder, absolute_spec(spec, folder))


def holds_onnx_model(folder: Path) -> bool:
    """Whether a folder has a model file and a tokenizer."""
    return (folder / TOKENIZER).is_file() and _model_file(folder) is not None


def open_onnx_folder(folder: Path, spec: str) -> ModelEmbedder:
    """The model in a folder. Raises Unavailable where a file is missing or not usable."""
    from tokenizers import Tokenizer

    session = _session(folder, spec)
    if not (folder / TOKENIZER).is_file():
        raise Unavailable(f"{spec}: {folder} has no {TOKENIZER}. Copy it from where the model is.")
    tokenizer = Tokenizer.from_file(str(folder / TOKENIZER))
    padding = (tokenizer.padding or {}).get("pad_id", 0)  # masked: any token would do
    max_tokens = _max_tokens(folder, tokenizer)
    tokenizer.no_padding()
    tokenizer.enable_truncation(max_tokens)
    output = _output(session)
    probe = session.run([output], _inputs(session, np.zeros((1, 1)), np.ones((1, 1))))[0]
    model = _Model(
        dim=probe.shape[-1],
        session=session,
        tokenizer=tokenizer,
        padding=padding,
        max_tokens=max_tokens,
        output=output,
        pooling=None if probe.ndim == 2 else _pooling(folder, spec),
    )
    prompts = _prompts(folder)
    return ModelEmbedder(
        spec,
        model.dim,
        partial(model.encode, prompt=prompts.text),
        partial(model.encode, prompt=prompts.query),
    )


def _session(folder: Path, spec: str) -> "InferenceSession":
    from onnxruntime import InferenceSession
    from onnxruntime.capi import onnxruntime_pybind11_state as states

    file = _model_file(folder)
    if file is None:
        raise Unavailable(f"{spec}: {folder} has none of {', '.join(MODEL_FILES)}.")
    try:
        session = InferenceSession(file, providers=["CPUExecutionProvider"])
    except (states.InvalidProtobuf, states.InvalidGraph, states.Fail) as error:
        raise Unavailable(f"{spec}: {file} is no complete ONNX model: {error}") from error
    unknown = {entry.name for entry in session.get_inputs()} - set(INPUTS)
    if unknown:
        raise Unavailable(f"{spec}: its inputs {sorted(unknown)} are not known, only {INPUTS}.")
    return session


def _model_file(folder: Path) -> Path | None:
    files = (folder / name for name in MODEL_FILES)
    return next((file for file in files if file.is_file()), None)


def _read(folder: Path, name: str) -> Any:
    """A JSON file of the folder; {} where there is none."""
    path = folder / name
    return json.loads(path.read_text("utf-8")) if path.is_file() else {}


def _max_tokens(folder: Path, tokenizer: "Tokenizer") -> int:
    set_length = _read(folder, LENGTH).get("max_seq_length")
    if set_length:
        return int(set_length)
    if tokenizer.truncation:
        return int(tokenizer.truncation["max_length"])
    limits = (
        _read(folder, "tokenizer_config.json").get("model_max_length"),
        _read(folder, "config.json").get("max_position_embeddings"),
    )
    return int(min([MAX_TOKENS, *filter(None, limits)]))


def _output(session: "InferenceSession") -> str:
    names = [entry.name for entry in session.get_outputs()]
    known = [name for name in POOLED_OUTPUTS + TOKEN_OUTPUTS if name in names]
    return str([*known, *names][0])


def _pooling(folder: Path, spec: str) -> str:
    """How the vectors of tokens become one: by their mean, unless the folder says otherwise."""
    config = _read(folder, POOLING)
    declared = config.get("pooling_mode") or [
        POOLING_KEYS[key] for key in POOLING_KEYS if config.get(key)
    ]
    modes = [declared] if isinstance(declared, str) else list(declared) or ["mean"]
    kinds = {str(module["type"]).rpartition(".")[2] for module in _read(folder, "modules.json")}
    if modes not in [[mode] for mode in POOLINGS] or kinds - MODULES:
        steps = ", ".join([*modes, *sorted(kinds - MODULES)])
        raise Unavailable(
            f"{spec}: its vectors are made by {steps}; 'onnx' does only {' or '.join(POOLINGS)}. "
            f"Use sentence-transformers:{folder}."
        )
    return str(modes[0])


def _prompts(folder: Path) -> Prompts:
    config = _read(folder, PROMPTS)
    prompts = config.get("prompts") or {}
    default = prompts.get(config.get("default_prompt_name")) or ""
    for_texts = (prompts[name] for name in TEXT_PROMPTS if name in prompts)
    return Prompts(prompts.get("query", default), next(for_texts, default))


def _encode_by_length(
    model: _Model, texts: Sequence[str]
) -> Iterator[tuple[NDArray[np.int64], Floats]]:
    """The rows of texts alike in length, with their vectors, batch by batch."""
    cut = model.max_tokens * TOKEN_CHARACTERS
    encoded = model.tokenizer.encode_batch_fast([text[:cut] for text in texts])
    tokens = [encoding.ids for encoding in encoded]
    lengths = np.array([len(ids) for ids in tokens])
    for rows in _batches(lengths):
        ids = np.full((len(rows), max(1, lengths[rows].max())), model.padding)
        mask = np.arange(ids.shape[1]) < lengths[rows, None]
        ids[mask] = np.concatenate([tokens[row] for row in rows])
        raw = model.session.run([model.output], _inputs(model.session, ids, mask))[0]
        yield rows, _pooled(raw.astype(np.float32), mask, model.pooling)


def _batches(lengths: NDArray[np.int64]) -> Iterator[NDArray[np.int64]]:
    """Rows in the order of length, as many as fit into `BATCH_TOKENS` when padded."""
    order = np.argsort(lengths, kind="stable")
    start = 0
    for end in range(1, len(order) + 1):
        last = end == len(order)
        if last or (end + 1 - start) * lengths[order[end]] > BATCH_TOKENS:
            yield order[start:end]
            start = end


def _inputs(
    session: "InferenceSession", ids: NDArray[Any], mask: NDArray[Any]
) -> dict[str, NDArray[np.integer]]:
    """Token ids and mask (texts, longest) as those inputs that the model declares."""
    given = dict(zip(INPUTS, (ids, mask, np.zeros_like(ids)), strict=True))
    return {
        entry.name: given[entry.name].astype(np.int32 if "int32" in entry.type else np.int64)
        for entry in session.get_inputs()
    }


def _pooled(raw: Floats, mask: NDArray[np.bool_], pooling: str | None) -> Floats:
    """One vector per text, of (texts, dim) or of (texts, longest, dim)."""
    if pooling is None:
        return raw
    if pooling == "cls":
        first: Floats = raw[:, 0]
        return first
    summed: Floats = np.einsum("ntd,nt->nd", raw, mask.astype(np.float32))
    summed /= np.maximum(mask.sum(axis=1, keepdims=True), 1).astype(np.float32)
    return summed

"""The embedders that need an extra, on tiny models made here: run by `make test-extras`.

In a virtual environment without the extras all of it is skipped; nothing heavy is imported
before a test runs.
"""

import multiprocessing
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from corpuscope.tools.core.errors import Unavailable
from corpuscope.tools.embedding.factory import fit_embedder, open_embedder
from corpuscope.tools.embedding.spec import Embedder, EmbeddingOptions

if find_spec("torch") is None:
    pytest.skip("the extras are not installed; run: make test-extras", allow_module_level=True)

# What the libraries of the extras warn about among themselves is not ours to mend.
pytestmark = [pytest.mark.extras, pytest.mark.filterwarnings("default")]

WORDS = [f"w{number}" for number in range(60)]
TEXTS = [" ".join(WORDS[start : start + 1 + start % 7]) for start in range(50)]
HIDDEN = 32


@pytest.fixture(autouse=True)
def same_weights() -> None:
    import torch

    torch.manual_seed(0)


@pytest.fixture(autouse=True)
def no_worker_processes() -> Iterator[None]:
    """Fails a test that leaves processes behind, as a pool over several devices would."""
    yield
    assert not multiprocessing.active_children()


@pytest.fixture
def options(tmp_path: Path) -> EmbeddingOptions:
    return EmbeddingOptions(tmp_path / "models", (tmp_path,), fetch_seconds=0)


def small_transformer(**more: int) -> dict[str, int]:
    """The sizes of a transformer that is made in no time."""
    return {
        "hidden_size": HIDDEN,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "intermediate_size": 64,
        **more,
    }


def unit(rows: Any) -> Any:
    return rows / np.linalg.norm(rows, axis=-1, keepdims=True)


def check_vectors(embedder: Embedder, expected: Any) -> None:
    """The vectors of `TEXTS` are those expected, whichever texts are beside them."""
    vectors = embedder.embed(TEXTS)
    assert vectors.dtype == np.float32
    assert vectors.shape == (len(TEXTS), embedder.dim)
    np.testing.assert_allclose(vectors, expected, atol=1e-5)
    np.testing.assert_allclose(embedder.embed(TEXTS[::-1]), vectors[::-1], atol=1e-5)
    assert embedder.embed([]).shape == (0, embedder.dim)
    assert len(np.unique(vectors.round(4), axis=0)) == len(TEXTS)


# BGE-M3


@pytest.fixture
def bge_m3(tmp_path: Path) -> Path:
    """A folder as BAAI/bge-m3 has it: XLM-RoBERTa, its tokenizer, and the two linear layers."""
    import torch
    from transformers import XLMRobertaConfig, XLMRobertaModel, XLMRobertaTokenizer

    folder = tmp_path / "bge"
    special = ["<s>", "<pad>", "</s>", "<unk>"]
    letters = ["▁", *"w0123456789"]
    pieces = [*special, *(f"▁{word}" for word in WORDS), *letters, "<mask>"]
    scores = [(piece, 0.0 if piece in special else -2.0) for piece in pieces]
    XLMRobertaTokenizer(vocab=scores).save_pretrained(folder)
    sizes = small_transformer(vocab_size=len(pieces), max_position_embeddings=600)
    model = XLMRobertaModel(XLMRobertaConfig(**sizes))
    model.save_pretrained(folder)
    torch.save(torch.nn.Linear(HIDDEN, HIDDEN).state_dict(), folder / "colbert_linear.pt")
    torch.save(torch.nn.Linear(HIDDEN, 1).state_dict(), folder / "sparse_linear.pt")
    return folder


def first_token_states(folder: Path, texts: list[str]) -> Any:
    """What a transformers model itself says of the first token, text by text."""
    import torch
    from transformers import AutoModel, AutoTokenizer

    tokenizer, model = AutoTokenizer.from_pretrained(folder), AutoModel.from_pretrained(folder)
    model.eval()
    with torch.no_grad():
        rows = [
            model(**tokenizer(text, return_tensors="pt")).last_hidden_state[0, 0] for text in texts
        ]
    return torch.stack(rows).numpy()


def test_bge_m3_gives_its_dense_vectors(
    bge_m3: Path, options: EmbeddingOptions, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    fitted = fit_embedder(f"bge-m3:{bge_m3}", TEXTS, options, tmp_path)
    assert fitted.embedder.spec == f"bge-m3:{bge_m3}"
    assert fitted.embedder.dim == HIDDEN
    check_vectors(fitted.embedder, unit(first_token_states(bge_m3, TEXTS)))
    query = fitted.embedder.embed_query(TEXTS[3])
    np.testing.assert_allclose(query, fitted.embedder.embed([TEXTS[3]])[0], atol=1e-6)
    assert fitted.embedder.embed(["w1 " * 20_000]).any()  # cut, or the positions run out
    assert capfd.readouterr().out == ""


def test_bge_m3_is_found_in_the_models_folder(
    bge_m3: Path, options: EmbeddingOptions, tmp_path: Path
) -> None:
    options.models_dir.mkdir()
    bge_m3.rename(options.models_dir / "bge-m3")
    embedder = open_embedder("bge-m3", options, tmp_path)
    assert embedder.spec == "bge-m3"
    assert embedder.embed(["w1 w2"]).shape == (1, HIDDEN)


# sentence-transformers


@pytest.fixture
def sentence_model(tmp_path: Path) -> Path:
    """A tiny BERT with mean pooling and prompts, saved by sentence-transformers itself."""
    from sentence_transformers import SentenceTransformer
    from transformers import BertConfig, BertModel, BertTokenizer

    plain = tmp_path / "plain"
    vocabulary = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "query", "text", ":", *WORDS]
    ids = {token: number for number, token in enumerate(vocabulary)}
    BertTokenizer(vocab=ids).save_pretrained(plain)
    sizes = small_transformer(vocab_size=len(vocabulary), max_position_embeddings=64)
    BertModel(BertConfig(**sizes)).save_pretrained(plain)
    prompts = {"query": "query: ", "document": "text: "}
    folder = tmp_path / "sentence"
    SentenceTransformer(str(plain), prompts=prompts, device="cpu").save(str(folder))
    return folder


def mean_states(folder: Path, texts: list[str]) -> Any:
    """The mean over the tokens of each text, by transformers alone."""
    import torch
    from transformers import AutoModel, AutoTokenizer

    tokenizer, model = AutoTokenizer.from_pretrained(folder), AutoModel.from_pretrained(folder)
    model.eval()
    with torch.no_grad():
        rows = [
            model(**tokenizer(text, return_tensors="pt")).last_hidden_state[0].mean(dim=0)
            for text in texts
        ]
    return torch.stack(rows).numpy()


def test_sentence_transformers_gives_unit_rows_with_the_models_prompts(
    sentence_model: Path,
    options: EmbeddingOptions,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
) -> None:
    spec = f"sentence-transformers:{sentence_model}"
    embedder = fit_embedder(spec, TEXTS, options, tmp_path).embedder
    assert embedder.spec == spec
    assert embedder.dim == HIDDEN
    check_vectors(embedder, unit(mean_states(sentence_model, [f"text: {t}" for t in TEXTS])))
    query = unit(mean_states(sentence_model, [f"query: {TEXTS[3]}"]))[0]
    np.testing.assert_allclose(embedder.embed_query(TEXTS[3]), query, atol=1e-5)
    assert capfd.readouterr().out == ""


# model2vec


@pytest.fixture
def static_model(tmp_path: Path) -> Path:
    from model2vec import StaticModel
    from tokenizers import Tokenizer
    from tokenizers.models import WordLevel
    from tokenizers.pre_tokenizers import Whitespace

    ids = {token: number for number, token in enumerate(["[PAD]", "[UNK]", *WORDS])}
    tokenizer = Tokenizer(WordLevel(ids, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = Whitespace()
    StaticModel(table(), tokenizer, normalize=False).save_pretrained(tmp_path / "static")
    return tmp_path / "static"


def table() -> Any:
    """A vector for each token of the static model."""
    return np.random.default_rng(0).normal(size=(len(WORDS) + 2, 12)).astype(np.float32)


def test_model2vec_gives_the_mean_of_its_token_vectors_at_unit_length(
    static_model: Path, options: EmbeddingOptions, tmp_path: Path
) -> None:
    spec = f"model2vec:{static_model}"
    embedder = fit_embedder(spec, TEXTS, options, tmp_path).embedder
    assert embedder.spec == spec
    rows = [[2 + WORDS.index(word) for word in text.split()] for text in TEXTS]
    check_vectors(embedder, unit(np.stack([table()[tokens].mean(axis=0) for tokens in rows])))
    np.testing.assert_allclose(embedder.embed_query("w5"), unit(table()[7]), atol=1e-6)
    assert not embedder.embed(["nothing known"]).any()


# What is missing


@pytest.mark.parametrize("kind", ["bge-m3", "sentence-transformers", "model2vec"])
def test_a_model_that_is_not_there_says_where_it_was_looked_for(
    kind: str, options: EmbeddingOptions, tmp_path: Path
) -> None:
    with pytest.raises(Unavailable, match="there is no such folder"):
        open_embedder(f"{kind}:{tmp_path / 'none'}", options, tmp_path)
    # `make test-extras` runs with HF_HUB_OFFLINE=1, so that nobody is asked.
    with pytest.raises(Unavailable, match=r"neither in .*models nor to be had"):
        open_embedder(f"{kind}:acme/none", options, tmp_path)

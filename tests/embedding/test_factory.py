import re
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from support.endpoint_server import embeds, endpoint_server
from support.model_files import (
    model_hub,
    write_folder,
)
from support.texts import tickets

from corpuscope.tools.core.errors import BadInput, Unavailable
from corpuscope.tools.embedding.factory import DEFAULT_MODEL, fit_embedder, open_embedder
from corpuscope.tools.embedding.lexical import SAMPLE_CHARACTERS, SAMPLE_TEXTS, sample_for_fit
from corpuscope.tools.embedding.spec import Embedder, EmbeddingOptions

TEXTS = [str(row["text"]) for row in tickets(20)]
THEMES = [str(row["theme"]) for row in tickets(20)]


@pytest.fixture
def options(tmp_path: Path) -> EmbeddingOptions:
    return EmbeddingOptions(models_dir=tmp_path / "models", fetch_seconds=0)


def fit_lexical(texts: list[str], folder: Path) -> Embedder:
    nowhere = EmbeddingOptions(models_dir=folder / "models", fetch_seconds=0)
    return fit_embedder("lexical", texts, nowhere, folder).embedder


# Specs


@pytest.mark.parametrize(
    "spec", ["glove", "", "onnx", "onnx:", "openai:", "lexical:x", "auto:", "bge-m3:", "column"]
)
def test_an_unknown_spec_is_refused_with_the_valid_forms(
    spec: str, options: EmbeddingOptions, tmp_path: Path
) -> None:
    with pytest.raises(BadInput, match=r"names no embedder.*lexical, onnx:<hub id or folder>"):
        fit_embedder(spec, TEXTS, options, tmp_path)


def test_auto_names_no_embedder_of_a_dataset_that_is_there(
    options: EmbeddingOptions, tmp_path: Path
) -> None:
    with pytest.raises(BadInput, match="'auto' is settled when a dataset is made"):
        open_embedder("auto", options, tmp_path)


@pytest.mark.parametrize(
    ("spec", "package", "says"),
    [
        ("bge-m3", "FlagEmbedding", 'FlagEmbedding and torch: pip install "corpuscope[bge-m3]"'),
        ("sentence-transformers:a/b", "sentence_transformers", "[sentence-transformers]"),
        (
            "model2vec:a/b",
            "model2vec",
            'the package model2vec: pip install "corpuscope[model2vec]"',
        ),
    ],
)
def test_a_missing_extra_gives_one_sentence_that_says_what_to_install(
    spec: str, package: str, says: str, options: EmbeddingOptions, tmp_path: Path
) -> None:
    if find_spec(package):
        pytest.skip(f"{package} is installed")
    with pytest.raises(Unavailable, match=re.escape(says)) as raised:
        open_embedder(spec, options, tmp_path)
    assert "\n" not in str(raised.value)


def test_openai_without_an_endpoint_says_what_to_set(
    options: EmbeddingOptions, tmp_path: Path
) -> None:
    with pytest.raises(Unavailable, match="CORPUSCOPE_EMBEDDING_BASE_URL"):
        open_embedder("openai:small", options, tmp_path)


def test_openai_vectors_come_from_the_endpoint(tmp_path: Path) -> None:
    with endpoint_server(embeds) as server:
        options = EmbeddingOptions(tmp_path, openai=server.options())
        embedder = open_embedder("openai:small", options, tmp_path)
        vectors = embedder.embed(TEXTS[:3])
        assert embedder.spec == "openai:small"
        assert vectors.shape == (3, embedder.dim)
        np.testing.assert_allclose(embedder.embed_query(TEXTS[1]), vectors[1], atol=1e-6)
        assert embedder.embed([]).shape == (0, embedder.dim)
    assert {request.body["model"] for request in server.requests} == {"small"}


# Lexical


def test_lexical_vectors_are_unit_rows_and_neighbours_share_a_theme(tmp_path: Path) -> None:
    embedder = fit_lexical(TEXTS, tmp_path)
    vectors = embedder.embed(TEXTS)
    assert vectors.shape == (len(TEXTS), embedder.dim)
    assert vectors.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    nearest = (vectors @ vectors.T - 2 * np.eye(len(TEXTS))).argmax(axis=1)
    assert np.mean([THEMES[a] == THEMES[b] for a, b in enumerate(nearest)]) > 0.95


def test_a_lexical_query_finds_the_text_with_its_words(tmp_path: Path) -> None:
    embedder = fit_lexical(TEXTS, tmp_path)
    nearest = int((embedder.embed(TEXTS) @ embedder.embed_query("espressos grinding")).argmax())
    assert THEMES[nearest] == "coffee"


def test_a_loaded_lexical_fit_gives_the_same_bits(
    options: EmbeddingOptions, tmp_path: Path
) -> None:
    before = fit_lexical(TEXTS, tmp_path)
    after = open_embedder("lexical", options, tmp_path)
    more = [*TEXTS, "something that was not there: naïve 東京 42"]
    np.testing.assert_array_equal(before.embed(more), after.embed(more))
    np.testing.assert_array_equal(before.embed_query(TEXTS[0]), after.embed([TEXTS[0]])[0])


def test_a_lexical_fit_is_one_file_without_pickle(tmp_path: Path) -> None:
    fit_lexical(TEXTS, tmp_path)
    [path] = tmp_path.iterdir()
    with np.load(path, allow_pickle=False) as arrays:
        assert all(arrays[name].dtype != object for name in arrays.files)


def test_the_same_texts_give_the_same_lexical_fit(tmp_path: Path) -> None:
    first, second = (fit_lexical(TEXTS, tmp_path / name) for name in "ab")
    np.testing.assert_array_equal(first.embed(TEXTS), second.embed(TEXTS))


def test_a_lexical_vector_does_not_depend_on_the_texts_beside_it(tmp_path: Path) -> None:
    embedder = fit_lexical(TEXTS, tmp_path)
    together = embedder.embed(TEXTS)
    np.testing.assert_array_equal(np.stack([embedder.embed([t])[0] for t in TEXTS]), together)


@pytest.mark.parametrize(
    "texts",
    [["one text"], ["red cars", "blue boats"], ["the same text"] * 50, ["the", "a"], ["?", "🙂"]],
)
def test_few_or_equal_texts_are_enough_for_a_lexical_fit(texts: list[str], tmp_path: Path) -> None:
    embedder = fit_lexical(texts, tmp_path)
    vectors = embedder.embed(texts)
    assert 2 <= embedder.dim <= max(2, len(set(texts)))
    for (text, vector), (other, after) in pairwise(zip(texts, vectors, strict=True)):
        assert (vector @ after > 0.999) == (text == other)


def test_a_text_with_nothing_known_gets_a_zero_row(tmp_path: Path) -> None:
    embedder = fit_lexical(TEXTS, tmp_path)
    vectors = embedder.embed([TEXTS[0], "東京", "", "  "])
    assert vectors.any(axis=1).tolist() == [True, False, False, False]
    assert not embedder.embed_query("東京").any()
    assert embedder.embed([]).shape == (0, embedder.dim)


def test_blank_texts_alone_are_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="2 texts: they are empty or blank"):
        fit_lexical(["", " \n"], tmp_path)
    assert not list(tmp_path.iterdir())


def test_the_lexical_fit_is_bounded_and_repeatable() -> None:
    many = sample_for_fit([f"text {number}" for number in range(SAMPLE_TEXTS + 500)])
    assert len(many) == SAMPLE_TEXTS
    assert many == sample_for_fit([f"text {number}" for number in range(SAMPLE_TEXTS + 500)])
    assert sum(map(len, sample_for_fit(["long " * 13_000] * 10_000))) <= SAMPLE_CHARACTERS
    assert sorted(sample_for_fit(TEXTS)) == sorted(TEXTS)


def test_a_lexical_fit_that_is_gone_says_where_it_should_be(
    options: EmbeddingOptions, tmp_path: Path
) -> None:
    with pytest.raises(Unavailable, match=r"no .*lexical\.npz.*mode='replace'"):
        open_embedder("lexical", options, tmp_path)


# The hub


@pytest.fixture
def hub_settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> pytest.MonkeyPatch:
    """Environment in which huggingface_hub finds an empty cache and asks nobody yet."""
    for name in ("HF_HUB_OFFLINE", "HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE", "HF_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HF_HOME", str(tmp_path / "huggingface"))
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:1")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    return monkeypatch


def test_a_model_that_cannot_be_had_says_where_it_was_looked_for(
    hub_settings: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for seconds, why in ((0, "fetching is switched off"), (5, r"ConnectError.*refused")):
        options = EmbeddingOptions(tmp_path / "models", fetch_seconds=seconds)
        with pytest.raises(Unavailable, match=rf"neither in .*models nor .*: .*{why}.*") as raised:
            open_embedder("onnx:acme/small", options, tmp_path)
        assert f"model.onnx and tokenizer.json into {tmp_path / 'models'}" in str(raised.value)


def test_auto_takes_the_default_model_from_the_models_folder(
    options: EmbeddingOptions, tmp_path: Path
) -> None:
    folder = write_folder(options.models_dir / "all-MiniLM-L6-v2-onnx")
    fitted = fit_embedder("auto", TEXTS, options, tmp_path)
    assert fitted.embedder.spec == str(DEFAULT_MODEL)
    assert fitted.note == f"It is the default model, from {folder.resolve()}."


def test_auto_without_network_is_lexical_and_says_why(
    hub_settings: pytest.MonkeyPatch, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    options = EmbeddingOptions(tmp_path / "models", fetch_seconds=20)
    fitted = fit_embedder("auto", TEXTS, options, tmp_path / "saved")
    assert fitted.embedder.spec == "lexical"
    assert fitted.note.startswith("It compares words and not meaning, because the default model")
    assert "refused" in fitted.note
    assert capfd.readouterr().out == ""


def test_auto_fetches_the_default_model_once(
    hub_settings: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    options = EmbeddingOptions(tmp_path / "models", fetch_seconds=20)
    files = write_folder(tmp_path / "files", config_sentence_transformers={"prompts": {}})
    (files / "README.md").write_text("not needed", encoding="utf-8")
    with model_hub(files) as url:
        hub_settings.setenv("HF_ENDPOINT", url)
        fitted = fit_embedder("auto", TEXTS, options, tmp_path / "saved")
    assert fitted.embedder.spec == str(DEFAULT_MODEL)
    folder = options.models_dir / DEFAULT_MODEL.name
    assert {path.name for path in folder.rglob("*")} == {
        "model.onnx",
        "tokenizer.json",
        "config_sentence_transformers.json",
    }
    again = open_embedder(fitted.embedder.spec, options, tmp_path / "saved")
    np.testing.assert_array_equal(again.embed(["w1"]), fitted.embedder.embed(["w1"]))


def test_a_fetch_that_stalls_ends_in_time_and_leaves_nothing(
    hub_settings: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    options = EmbeddingOptions(tmp_path / "models", fetch_seconds=2)
    files = write_folder(tmp_path / "files")
    with model_hub(files, stalls=True) as url:
        hub_settings.setenv("HF_ENDPOINT", url)
        fitted = fit_embedder("auto", TEXTS[:2], options, tmp_path / "saved")
    assert fitted.embedder.spec == "lexical"
    assert "it did not come within 2 s" in fitted.note
    assert not list(options.models_dir.iterdir())


def test_a_model_in_the_huggingface_cache_is_used_without_network(
    hub_settings: pytest.MonkeyPatch, options: EmbeddingOptions, tmp_path: Path
) -> None:
    repo = tmp_path / "huggingface/hub/models--acme--small"
    write_folder(repo / "snapshots" / ("0" * 40))
    (repo / "refs").mkdir()
    (repo / "refs/main").write_text("0" * 40, encoding="utf-8")
    embedder = open_embedder("onnx:acme/small", options, tmp_path)
    assert embedder.spec == "onnx:acme/small"
    assert embedder.embed(["w1"]).any()


def test_a_folder_in_the_way_of_a_fetch_is_named(
    hub_settings: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    options = EmbeddingOptions(tmp_path / "models", fetch_seconds=5)
    (options.models_dir / "acme/small").mkdir(parents=True)
    with pytest.raises(Unavailable, match=r"acme.small is in the way"):
        open_embedder("onnx:acme/small", options, tmp_path)

import re
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from support.endpoint_server import embeds, endpoint_server
from support.model_files import model_hub, write_folder
from support.texts import tickets

from corpuscope.tools.core.errors import BadInput, Unavailable
from corpuscope.tools.embedding.factory import (
    DEFAULT_MODEL,
    PATIENT_SECONDS,
    fit_embedder,
    open_embedder,
    transformer_seconds,
)
from corpuscope.tools.embedding.spec import EmbeddingOptions, TextFacts

TEXTS = [str(row["text"]) for row in tickets(20)]


@pytest.mark.parametrize(
    "spec",
    [
        "glove",
        "",
        "wordllama:",
        "wordllama:x",
        "onnx",
        "onnx:",
        "openai:",
        "lexical:x",
        "auto:",
        "bge-m3:",
        "column",
    ],
)
def test_an_unknown_spec_is_refused_with_the_valid_forms(
    spec: str, options: EmbeddingOptions, tmp_path: Path
) -> None:
    with pytest.raises(BadInput, match=r"names no embedder.*wordllama, lexical, onnx:<hub"):
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


def test_auto_takes_the_default_model_from_the_models_folder(
    options: EmbeddingOptions, tmp_path: Path
) -> None:
    folder = write_folder(options.models_dir / "all-MiniLM-L6-v2-onnx")
    fitted = fit_embedder("auto", TEXTS, options, tmp_path)
    assert fitted.embedder.spec == str(DEFAULT_MODEL)
    assert fitted.note.startswith(f"It is the small transformer, from {folder.resolve()}, because")


def test_auto_without_network_is_wordllama_and_says_why(
    hub_settings: pytest.MonkeyPatch, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    options = EmbeddingOptions(tmp_path / "models", fetch_seconds=20)
    fitted = fit_embedder("auto", TEXTS, options, tmp_path / "saved")
    assert fitted.embedder.spec == "wordllama"
    assert fitted.note.startswith("English word vectors that came with corpuscope, because the")
    assert "was not fetched (" in fitted.note
    assert "refused" in fitted.note
    assert fitted.note.endswith(f"ingest with mode='replace' and embedding='{DEFAULT_MODEL}'.")
    assert capfd.readouterr().out == ""


def test_auto_takes_word_vectors_where_the_model_would_take_long(
    options: EmbeddingOptions, tmp_path: Path
) -> None:
    write_folder(options.models_dir / "all-MiniLM-L6-v2-onnx")
    longest = int(PATIENT_SECONDS / transformer_seconds(TEXTS, 1))
    few, many = (
        fit_embedder("auto", TEXTS, options, tmp_path, TextFacts(count))
        for count in (longest, 3 * longest)
    )
    assert (few.embedder.spec, many.embedder.spec) == (str(DEFAULT_MODEL), "wordllama")
    assert f"would take about 6 minutes for {3 * longest:,} texts" in many.note


def test_of_long_texts_only_what_the_model_reads_takes_its_time() -> None:
    assert transformer_seconds(["x" * 60_000, "x" * 100], 1_000) == pytest.approx(13.0)


def test_auto_compares_words_where_the_texts_are_in_a_foreign_language(
    options: EmbeddingOptions, tmp_path: Path
) -> None:
    write_folder(options.models_dir / "all-MiniLM-L6-v2-onnx")
    texts = ["rote Autos fahren", "blaue Boote schwimmen"]
    fitted = fit_embedder("auto", texts, options, tmp_path, TextFacts(2, "German"))
    assert fitted.embedder.spec == "lexical"
    assert fitted.note.startswith(
        "Most texts are in German, which the models of 'auto' do not know"
    )


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

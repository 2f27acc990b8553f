import json
import re
from pathlib import Path

import numpy as np
import pytest
from support.model_files import (
    TABLE,
    VOCABULARY,
    token_vectors,
    write_folder,
    write_model,
    write_tokenizer,
)

from corpuscope.tools.core.errors import BadInput, Unavailable
from corpuscope.tools.core.schema import Floats
from corpuscope.tools.embedding.factory import open_embedder
from corpuscope.tools.embedding.onnx import BATCH_TOKENS
from corpuscope.tools.embedding.spec import Embedder, EmbeddingOptions


def open_folder(folder: Path, name: str | None = None) -> Embedder:
    options = EmbeddingOptions(folder.parent / "models", (folder.parent,), fetch_seconds=0)
    return open_embedder(f"onnx:{name or folder}", options, folder)


def unit(vector: Floats) -> Floats:
    return vector / np.linalg.norm(vector)


def test_onnx_pools_by_the_mean_of_the_tokens(tmp_path: Path) -> None:
    embedder = open_folder(write_folder(tmp_path / "m"))
    vectors = embedder.embed(["w1 w2 w3", "w4", "w5 unknown"])
    expected = [("w1", "w2", "w3"), ("w4",), ("w5", "[UNK]")]
    for vector, words in zip(vectors, expected, strict=True):
        np.testing.assert_allclose(vector, unit(token_vectors(*words).mean(axis=0)), atol=1e-6)
    assert vectors.dtype == np.float32
    np.testing.assert_allclose(embedder.embed_query("w4"), vectors[1], atol=1e-6)
    assert embedder.embed([]).shape == (0, embedder.dim)


@pytest.mark.parametrize(
    "config",
    [
        {"pooling_mode_cls_token": True, "pooling_mode_mean_tokens": False},
        {"pooling_mode": "cls"},
    ],
)
def test_onnx_pools_by_cls_where_the_folder_says_so(
    config: dict[str, object], tmp_path: Path
) -> None:
    folder = write_folder(tmp_path / "m")
    (folder / "1_Pooling").mkdir()
    (folder / "1_Pooling/config.json").write_text(json.dumps(config), encoding="utf-8")
    [vector] = open_folder(folder).embed(["w1 w2"])
    np.testing.assert_allclose(vector, unit(TABLE[VOCABULARY.index("[CLS]")]), atol=1e-6)


@pytest.mark.parametrize("output", ["sentence_embedding", "output_0"])
def test_an_output_with_one_vector_per_text_is_used_as_it_is(output: str, tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "m")
    write_model(folder / "model.onnx", output=output)
    [vector] = open_folder(folder).embed(["w1 w2"])
    np.testing.assert_allclose(vector, unit(TABLE[VOCABULARY.index("[SEP]")]), atol=1e-6)


def test_a_model_gets_only_the_inputs_that_it_declares(tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "m")
    write_model(folder / "model.onnx", inputs=1)
    [vector] = open_folder(folder).embed(["w1"])
    np.testing.assert_allclose(vector, unit(token_vectors("w1").mean(axis=0)), atol=1e-6)


def test_batches_by_length_give_every_text_its_own_vector(tmp_path: Path) -> None:
    embedder = open_folder(write_folder(tmp_path / "m"))
    random = np.random.default_rng(0)
    texts = [" ".join(f"w{n}" for n in random.integers(0, 40, size)) for size in range(1, 120)]
    assert sum(len(text.split()) for text in texts) > 3 * BATCH_TOKENS
    vectors = embedder.embed(texts)
    order = random.permutation(len(texts))
    shuffled = embedder.embed([texts[row] for row in order])
    np.testing.assert_allclose(shuffled, vectors[order], atol=1e-6)
    for text, vector in zip(texts, vectors, strict=True):
        mean = token_vectors(*text.split()).mean(axis=0)
        np.testing.assert_allclose(vector, unit(mean), atol=1e-5)


def test_a_text_is_cut_at_the_length_that_the_tokenizer_says(tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "m")
    write_tokenizer(folder / "tokenizer.json", max_tokens=4)
    cut, short = open_folder(folder).embed(["w1 w2 w3 w4 " * 9_000, "w1 w2"])
    np.testing.assert_array_equal(cut, short)


def test_the_length_of_sentence_transformers_wins_over_the_tokenizers(tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "m", sentence_bert_config={"max_seq_length": 6})
    write_tokenizer(folder / "tokenizer.json", max_tokens=4)
    cut, six, four = open_folder(folder).embed(["w1 w2 w3 w4 w5", "w1 w2 w3 w4", "w1 w2"])
    np.testing.assert_array_equal(cut, six)
    assert not np.allclose(six, four, atol=1e-6)


@pytest.mark.parametrize(("config", "words"), [({"max_position_embeddings": 5}, 3), ({}, 510)])
def test_a_length_nobody_tells_is_that_of_the_model_and_at_most_berts(
    config: dict[str, int], words: int, tmp_path: Path
) -> None:
    embedder = open_folder(write_folder(tmp_path / "m", config=config))
    cut, short = embedder.embed(["w1 " * words + "w2 " * 100, "w1 " * words])
    np.testing.assert_allclose(cut, short, atol=1e-6)
    assert not np.allclose(short, embedder.embed(["w1 " * (words - 1)])[0], atol=1e-6)


def test_prompts_of_the_model_go_before_queries_and_texts(tmp_path: Path) -> None:
    prompts = {"query": "query: ", "passage": "text: "}
    settings = {"config_sentence_transformers": {"prompts": prompts}}
    embedder = open_folder(write_folder(tmp_path / "m", **settings))
    as_text = unit(token_vectors("text", ":", "w1").mean(axis=0))
    as_query = unit(token_vectors("query", ":", "w1").mean(axis=0))
    np.testing.assert_allclose(embedder.embed(["w1"])[0], as_text, atol=1e-6)
    np.testing.assert_allclose(embedder.embed_query("w1"), as_query, atol=1e-6)


def test_a_default_prompt_serves_where_there_is_none_for_the_purpose(tmp_path: Path) -> None:
    prompts = {"any": "text: ", "document": ""}
    config = {"prompts": prompts, "default_prompt_name": "any"}
    embedder = open_folder(write_folder(tmp_path / "m", config_sentence_transformers=config))
    as_query = unit(token_vectors("text", ":", "w1").mean(axis=0))
    np.testing.assert_allclose(embedder.embed_query("w1"), as_query, atol=1e-6)
    plain = unit(token_vectors("w1").mean(axis=0))
    np.testing.assert_allclose(embedder.embed(["w1"])[0], plain, atol=1e-6)


def test_the_full_model_is_taken_before_the_quantised_one(tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "m")
    (folder / "model.onnx").rename(folder / "model_quantized.onnx")
    write_model(folder / "onnx/model.onnx", output="sentence_embedding")
    [vector] = open_folder(folder).embed(["w1"])
    np.testing.assert_allclose(vector, unit(TABLE[VOCABULARY.index("[SEP]")]), atol=1e-6)


def test_a_folder_without_its_files_says_which_are_missing(tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "m")
    (folder / "tokenizer.json").unlink()
    with pytest.raises(Unavailable, match=r"has no tokenizer\.json"):
        open_folder(folder)
    (folder / "model.onnx").unlink()
    with pytest.raises(Unavailable, match=r"has none of model\.onnx, onnx/model\.onnx"):
        open_folder(folder)


def test_a_model_file_that_was_cut_off_is_refused(tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "m")
    model = folder / "model.onnx"
    model.write_bytes(model.read_bytes()[:-300])
    with pytest.raises(Unavailable, match="is no complete ONNX model"):
        open_folder(folder)


def test_a_model_that_onnx_would_get_wrong_is_refused(tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "m", modules=[{"type": "sentence_transformers.models.Dense"}])
    with pytest.raises(Unavailable, match=r"made by mean, Dense.* Use sentence-transformers:"):
        open_folder(folder)
    (folder / "modules.json").unlink()
    (folder / "1_Pooling").mkdir()
    (folder / "1_Pooling/config.json").write_text('{"pooling_mode": "max"}', encoding="utf-8")
    with pytest.raises(Unavailable, match="made by max"):
        open_folder(folder)
    write_model(folder / "model.onnx", inputs=4)
    with pytest.raises(Unavailable, match="position_ids"):
        open_folder(folder)


def test_a_folder_that_is_not_there_is_named(options: EmbeddingOptions, tmp_path: Path) -> None:
    none = options.models_dir / "none"
    with pytest.raises(Unavailable, match=re.escape(f"onnx:{none}: there is no such folder")):
        open_embedder(f"onnx:{none}", options, tmp_path)


def test_a_relative_folder_is_kept_as_an_absolute_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = write_folder(tmp_path / "m")
    monkeypatch.chdir(tmp_path)
    assert open_folder(folder, "./m").spec == f"onnx:{folder.resolve()}"


@pytest.mark.parametrize("place", ["acme/small", "small", "small-onnx"])
def test_a_model_is_found_in_the_models_folder(
    place: str, options: EmbeddingOptions, tmp_path: Path
) -> None:
    write_folder(options.models_dir / place)
    assert open_embedder("onnx:acme/small", options, tmp_path).spec == "onnx:acme/small"


def test_a_name_that_is_neither_folder_nor_hub_id_is_refused(
    options: EmbeddingOptions, tmp_path: Path
) -> None:
    with pytest.raises(BadInput, match=r"'models/a/b' is no hub id.* \./ in front"):
        open_embedder("onnx:models/a/b", options, tmp_path)

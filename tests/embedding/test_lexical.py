from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from support.texts import tickets

from corpuscope.tools.core.errors import BadInput, Unavailable
from corpuscope.tools.embedding.factory import fit_embedder, open_embedder
from corpuscope.tools.embedding.lexical import SAMPLE_CHARACTERS, SAMPLE_TEXTS, sample_for_fit
from corpuscope.tools.embedding.spec import Embedder, EmbeddingOptions

TEXTS = [str(row["text"]) for row in tickets(20)]
THEMES = [str(row["theme"]) for row in tickets(20)]


def fit_lexical(texts: list[str], folder: Path) -> Embedder:
    nowhere = EmbeddingOptions(models_dir=folder / "models", fetch_seconds=0)
    return fit_embedder("lexical", texts, nowhere, folder).embedder


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


@pytest.mark.parametrize("kept", [0, 100, 2_000])
def test_a_lexical_fit_that_is_damaged_says_so_and_what_to_do(
    options: EmbeddingOptions, tmp_path: Path, kept: int
) -> None:
    fit_embedder("lexical", TEXTS, options, tmp_path)
    file = tmp_path / "lexical.npz"
    file.write_bytes(file.read_bytes()[:kept])
    with pytest.raises(Unavailable, match=r"is damaged: .*lexical\.npz.*mode='replace'"):
        open_embedder("lexical", options, tmp_path)

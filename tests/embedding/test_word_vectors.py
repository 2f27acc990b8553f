import importlib.util
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from support.texts import tickets

from corpuscope.tools.core.errors import Unavailable
from corpuscope.tools.embedding import word_vectors
from corpuscope.tools.embedding.factory import fit_embedder, open_embedder
from corpuscope.tools.embedding.spec import Embedder, EmbeddingOptions

ROWS = tickets(300)
TEXTS = [str(row["text"]) for row in ROWS]
THEMES = np.array([row["theme"] for row in ROWS])


@pytest.fixture(scope="module")
def embedder(tmp_path_factory: pytest.TempPathFactory) -> Embedder:
    folder: Path = tmp_path_factory.mktemp("wordllama")
    return open_embedder("wordllama", EmbeddingOptions(folder), folder)


def test_vectors_have_unit_length_and_256_numbers(embedder: Embedder) -> None:
    vectors = embedder.embed(TEXTS)
    assert (embedder.spec, embedder.dim) == ("wordllama", 256)
    assert vectors.shape == (len(TEXTS), 256)
    assert vectors.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-6)
    assert embedder.embed([]).shape == (0, 256)


def test_texts_that_mean_the_same_are_near_though_they_share_no_word(embedder: Embedder) -> None:
    query = embedder.embed_query("a doctor treats patients in hospital")
    near, far = embedder.embed(["physicians cure sick people", "the river flooded two bridges"])
    assert query @ near > query @ far + 0.2


def test_the_nearest_texts_are_of_the_same_theme(embedder: Embedder) -> None:
    vectors = embedder.embed(TEXTS)
    cosines = vectors @ vectors.T
    cosines[cosines > 1 - 1e-5] = -1  # itself, and texts that say the same
    nearest = cosines.argsort(axis=1)[:, -5:]
    assert (THEMES[nearest] == THEMES[:, None]).mean() > 0.9


def test_a_text_has_the_same_vector_alone_in_a_batch_and_as_a_query(
    embedder: Embedder, monkeypatch: pytest.MonkeyPatch
) -> None:
    together = embedder.embed(TEXTS[:50])
    monkeypatch.setattr(word_vectors, "TOKENISED_TEXTS", 7)
    np.testing.assert_array_equal(embedder.embed(TEXTS[:50]), together)
    np.testing.assert_array_equal(embedder.embed(TEXTS[3:4])[0], together[3])
    np.testing.assert_array_equal(embedder.embed_query(TEXTS[3]), together[3])


def test_a_blank_text_has_a_zero_row_and_any_other_has_not(embedder: Embedder) -> None:
    vectors = embedder.embed(["", " \n\t ", "カード紛失", "😂", "</s>", "x"])
    assert [bool(row.any()) for row in vectors] == [False, False, True, True, True, True]
    assert not embedder.embed_query("").any()


def test_the_sign_for_the_end_of_a_text_is_text_where_it_stands_in_one(embedder: Embedder) -> None:
    end, bold = embedder.embed(["</s>", "</b>"])
    assert end @ bold > 0.7


def test_of_a_long_text_the_beginning_counts(embedder: Embedder) -> None:
    beginning = ("The parcel came late. " * 100)[:2_000]
    whole, cut = embedder.embed([beginning + "Elephants eat grass. " * 3_000, beginning])
    np.testing.assert_array_equal(whole, cut)


def test_it_never_asks_the_network(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, options: EmbeddingOptions
) -> None:
    monkeypatch.setattr(socket, "socket", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    fitted = fit_embedder("wordllama", TEXTS, options, tmp_path / "saved")
    assert fitted.embedder.embed(TEXTS).any()
    assert fitted.note == "As asked: English word vectors that came with corpuscope."
    assert not list(tmp_path.iterdir())


def test_the_package_is_found_and_not_imported() -> None:
    code = (
        "import sys; from pathlib import Path\n"
        "from corpuscope.tools.embedding.factory import open_embedder\n"
        "from corpuscope.tools.embedding.spec import EmbeddingOptions\n"
        "open_embedder('wordllama', EmbeddingOptions(Path()), Path()).embed(['a'])\n"
        "print([name for name in ('wordllama', 'requests', 'toml') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("package", ["pathless_package", "pydantic"])
def test_without_the_files_it_says_what_to_install(
    package: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, options: EmbeddingOptions
) -> None:
    find_spec = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util,
        "find_spec",
        lambda name: find_spec(package if name == "wordllama" else name),
    )
    says = r"'wordllama' needs weights/l2_supercat_256\.safetensors .*wordllama==0\.4\.0\.post1"
    with pytest.raises(Unavailable, match=says):
        open_embedder("wordllama", options, tmp_path)


def refuse(*_: object, **__: object) -> None:
    raise AssertionError("the network was asked")

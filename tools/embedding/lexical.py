"""The embedder that needs no model: words and parts of words, projected onto few dimensions.

TF-IDF of words and of character n-grams, then a truncated singular value decomposition: latent
semantic analysis (Deerwester et al. 1990), here by scikit-learn. Fitted on the texts of one
dataset and saved with it. Texts that share no words and no parts of words are not alike to it: it
finds themes of vocabulary rather than of meaning.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO
from zipfile import BadZipFile

import numpy as np

from corpuscope.tools.core.errors import BadInput, Unavailable
from corpuscope.tools.core.files import written_aside
from corpuscope.tools.core.schema import Floats
from corpuscope.tools.core.vectors import unit_rows
from corpuscope.tools.embedding.spec import LEXICAL

if TYPE_CHECKING:
    from scipy.sparse import csr_array
    from sklearn.feature_extraction.text import TfidfVectorizer

FIT_FILE = "lexical.npz"

WORDS, CHARACTERS = "words", "characters"
KINDS = (WORDS, CHARACTERS)

DIM = 256
"""Label agreement rises up to here (BANKING77 0.72 at 150, 0.73 at 256); the time with it."""

FEWEST_DIM = 2
"""Milvus takes no vectors of one number."""

FEATURES = 10_000
"""Terms of each kind, the most frequent. Twice as many score the same and double the file."""

READ_CHARACTERS = 2_000
"""What counts of a text. A transformer model reads 256 or 512 tokens, about as much."""

SAMPLE_TEXTS = 20_000
SAMPLE_CHARACTERS = 5_000_000
"""The fit is on a random sample of so many texts, with so many characters in all: it bounds time
and memory, and a fit on 4,000 of 20,000 titles scored as well as one on all."""

ITERATIONS = 3
"""Power iterations of the randomised decomposition; more score no better."""

SEED = 0

ROUNDING = 1e-6
"""Shares of the largest singular value, and lengths of projections, below which only rounding is
left: what is smaller counts as nothing."""

PROJECTED_TEXTS = 4_096
"""Texts that are projected at a time, so that memory does not grow with their number."""


@dataclass(frozen=True, eq=False)
class LexicalEmbedder:
    """A fitted projection: `components` (terms, dim) float32 over the terms of `vectorizers`."""

    vectorizers: tuple["TfidfVectorizer", ...]
    components: Floats

    @property
    def spec(self) -> str:
        return LEXICAL

    @property
    def dim(self) -> int:
        """2 to `DIM`: no more than there are distinct texts in the fit, where those are few."""
        return int(self.components.shape[1])

    def embed(self, texts: Sequence[str]) -> Floats:
        """(n, dim) float32, rows of unit length; a zero row for a text with no known term.

        A text's vector does not depend on the texts beside it.
        """
        vectors = np.zeros((len(texts), self.dim), np.float32)
        for start in range(0, len(texts), PROJECTED_TEXTS):
            window = [text[:READ_CHARACTERS] for text in texts[start : start + PROJECTED_TEXTS]]
            terms = _side_by_side([vectorizer.transform(window) for vectorizer in self.vectorizers])
            projected = terms @ self.components
            projected[np.linalg.norm(projected, axis=1) < ROUNDING] = 0
            vectors[start : start + PROJECTED_TEXTS] = unit_rows(projected)
        return vectors

    def embed_query(self, text: str) -> Floats:
        """(dim,) float32 of unit length, or zero where no term is known."""
        row: Floats = self.embed([text])[0]
        return row


def fit_lexical(texts: Sequence[str], saved: Path) -> LexicalEmbedder:
    """Fit on the texts of a dataset (a sample of many) and save the fit in the folder `saved`.

    The same texts give the same fit. Raises BadInput where no text has a visible character.
    """
    sample = sample_for_fit(texts)
    terms, matrices, arrays = {}, [], {}
    for kind in KINDS:
        vectorizer = _vectorizer(kind)
        analyze = vectorizer.build_analyzer()
        if any(analyze(text) for text in sample):  # the vectorizer takes no empty vocabulary
            matrices.append(vectorizer.fit_transform(sample))
            terms[kind] = vectorizer.get_feature_names_out().tolist()
            arrays[kind] = vectorizer.idf_
    if not matrices:
        raise BadInput(
            f"'lexical' finds nothing to go by in {len(texts)} texts: they are empty or blank."
        )
    arrays["components"] = _components(_side_by_side(matrices))
    arrays["terms"] = np.frombuffer(json.dumps(terms).encode(), np.uint8)
    _save(saved, arrays)
    return open_lexical(saved)


def open_lexical(saved: Path) -> LexicalEmbedder:
    """The fit that was saved in a folder; its vectors are equal to those before, bit for bit.

    Raises Unavailable where there is none, or none that can be read.
    """
    path = saved / FIT_FILE
    try:
        with path.open("rb") as file:
            return _read_fit(file)
    except FileNotFoundError:
        wrong = f"is gone: no {path}"
    except (ValueError, EOFError, KeyError, IndexError, BadZipFile) as error:
        wrong = f"is damaged: {path} ({error})"
    raise Unavailable(
        f"The dataset's 'lexical' fit {wrong}. Ingest the dataset again with mode='replace'."
    )


def _read_fit(file: BinaryIO) -> LexicalEmbedder:
    arrays = np.load(file, allow_pickle=False)
    terms = json.loads(arrays["terms"].tobytes())
    vectorizers = []
    for kind in KINDS:
        if kind in terms:
            vectorizer = _vectorizer(kind, terms[kind])
            vectorizer.idf_ = arrays[kind]
            vectorizers.append(vectorizer)
    return LexicalEmbedder(tuple(vectorizers), arrays["components"])


def sample_for_fit(texts: Sequence[str]) -> list[str]:
    """The texts to fit on, cut and in random order: the same texts give the same sample."""
    rows = np.random.default_rng(SEED).permutation(len(texts))[:SAMPLE_TEXTS]
    sample: list[str] = []
    room = SAMPLE_CHARACTERS
    for row in rows.tolist():
        text = texts[row][:READ_CHARACTERS]
        room -= len(text)
        if room < 0:
            break
        sample.append(text)
    return sample


def _vectorizer(kind: str, terms: list[str] | None = None) -> "TfidfVectorizer":
    from sklearn.feature_extraction.text import TfidfVectorizer

    if kind == WORDS:
        # English function words carry the form of a question rather than what it is about:
        # without them the labels agree 0.03 more, and other languages lose nothing.
        how = {"ngram_range": (1, 2), "stop_words": "english"}
    else:
        how = {"ngram_range": (3, 5), "analyzer": "char_wb"}
    return TfidfVectorizer(
        sublinear_tf=True, max_features=FEATURES, vocabulary=terms, dtype=np.float32, **how
    )


def _side_by_side(matrices: list["csr_array"]) -> "csr_array":
    from scipy.sparse import hstack

    joined: csr_array = hstack(matrices, format="csr")
    return joined


def _components(terms: "csr_array") -> Floats:
    """The (terms, dim) float32 directions that a (texts, terms) matrix varies most along.

    Each is weighed by its singular value, which draws a text towards those like it: labels agree
    0.77 of ten neighbours on StackOverflow titles, 0.68 with plain directions.
    """
    from sklearn.utils.extmath import randomized_svd
    from threadpoolctl import threadpool_limits

    count = min(DIM, *terms.shape)
    # On matrices this narrow BLAS threads cost more than they bring (3 s on one thread, 9 s on
    # both of a busy machine), and the result would change with their number.
    with threadpool_limits(1, user_api="blas"):
        _, strengths, directions = randomized_svd(
            terms, n_components=count, n_iter=ITERATIONS, random_state=SEED
        )
    weights = strengths / strengths[0]
    strong = int((weights > ROUNDING).sum())
    components = np.zeros((terms.shape[1], max(FEWEST_DIM, strong)), np.float32)
    components[:, :strong] = (weights[:strong, None] * directions[:strong]).T
    return components


def _save(saved: Path, arrays: dict[str, np.ndarray]) -> None:
    saved.mkdir(parents=True, exist_ok=True)
    with written_aside(saved / FIT_FILE) as draft, draft.open("wb") as file:
        np.savez(file, allow_pickle=False, **arrays)

"""The embedder that needs no download: static English word vectors, averaged.

The vectors are those of WordLlama (Miller 2024: token vectors of large language models, trained to
be averaged), from the files inside the package `wordllama`. The package itself is never imported:
its loader looks for its own tokenizer in a folder that is not there, and then on the hub.
"""

import importlib.util
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from corpuscope.tools.core.errors import Unavailable
from corpuscope.tools.core.schema import Floats
from corpuscope.tools.embedding.lexical import READ_CHARACTERS
from corpuscope.tools.embedding.spec import WORDLLAMA, EmbeddingOptions, ModelEmbedder, Spec

if TYPE_CHECKING:
    from scipy.sparse import csr_array
    from tokenizers import Tokenizer

VERSION = "0.4.0.post1"
"""Pinned: other vectors would not fit those of datasets that are there."""

WEIGHTS = "weights/l2_supercat_256.safetensors"
TENSOR = "embedding.weight"
TOKENIZER = "tokenizers/l2_supercat_tokenizer_config.json"

TOKENISED_TEXTS = 4_096
"""Texts that are tokenised at a time, so that memory does not grow with their number."""


@dataclass(frozen=True, eq=False)
class _WordVectors:
    """`vectors` (tokens, dim) float32 by the token numbers of `tokenizer`.

    In float32, though the file has float16: 32 MB for 16, and 0.03 s once, but the sum over 20,000
    titles then takes 0.03 s instead of 0.9 s.
    """

    tokenizer: "Tokenizer"
    vectors: Floats

    def encode(self, texts: Sequence[str]) -> Floats:
        """(n, dim) float32: the sums of the vectors of each text's tokens, of any length.

        The mean has the same direction. A blank text has a zero row; any other has tokens, if only
        the bytes of its characters, whose vectors are short. Of long texts, the first
        `READ_CHARACTERS` count, as with `lexical`: about what a transformer reads.
        """
        sums = np.zeros((len(texts), self.vectors.shape[1]), np.float32)
        for start in range(0, len(texts), TOKENISED_TEXTS):
            window = [
                text[:READ_CHARACTERS].strip() for text in texts[start : start + TOKENISED_TEXTS]
            ]
            sums[start : start + TOKENISED_TEXTS] = self._token_counts(window) @ self.vectors
        return sums

    def _token_counts(self, texts: list[str]) -> "csr_array":
        from scipy.sparse import csr_array

        encoded = self.tokenizer.encode_batch_fast(texts, add_special_tokens=False)
        tokens = [encoding.ids for encoding in encoded]
        ends = np.cumsum([0, *map(len, tokens)])
        columns = np.fromiter(chain.from_iterable(tokens), np.int32, count=ends[-1])
        ones = np.ones(len(columns), np.float32)
        return csr_array((ones, columns, ends), shape=(len(texts), len(self.vectors)))


def open_wordllama(spec: Spec, _options: EmbeddingOptions) -> ModelEmbedder:
    """The embedder of `wordllama`: 256 numbers; takes 0.2 s to load and never the network.

    Raises Unavailable where the package, or a file in it, is missing.
    """
    from safetensors.numpy import load_file
    from tokenizers import Tokenizer

    weights, tokenizer_file = (_packaged_file(name) for name in (WEIGHTS, TOKENIZER))
    tokenizer = Tokenizer.from_file(str(tokenizer_file))
    tokenizer.encode_special_tokens = True  # "</s>" in a text is text
    model = _WordVectors(tokenizer, load_file(weights)[TENSOR].astype(np.float32))
    return ModelEmbedder(str(spec), model.vectors.shape[1], model.encode, model.encode)


def _packaged_file(name: str) -> Path:
    package = importlib.util.find_spec("wordllama")  # finds it without running it
    folder = Path(package.origin or "").parent if package else None
    if folder is None or not (folder / name).is_file():
        raise Unavailable(
            f"'{WORDLLAMA}' needs {name} of the package wordllama {VERSION}, which comes with "
            f"corpuscope and is not in {folder or 'this Python'}. Bring it back with "
            f"pip install --force-reinstall wordllama=={VERSION}"
        )
    return folder / name

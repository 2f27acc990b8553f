"""Embedders by spec string: `open_embedder` for a dataset that is there, `fit_embedder` for a
new one."""

from corpuscope.tools.embedding.choose import DEFAULT_MODEL, fit_embedder, open_embedder
from corpuscope.tools.embedding.spec import Embedder, EmbeddingOptions, Fitted

__all__ = [
    "DEFAULT_MODEL",
    "Embedder",
    "EmbeddingOptions",
    "Fitted",
    "fit_embedder",
    "open_embedder",
]

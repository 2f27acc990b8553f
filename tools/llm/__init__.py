"""Asking a model: structured answers and vectors from an OpenAI-compatible endpoint.

The only importer of `openai`.
"""

from corpuscope.tools.llm.client import list_models
from corpuscope.tools.llm.completing import (
    Session,
    accept,
    expected_usage,
    open_session,
    said_faults,
)
from corpuscope.tools.llm.vectors import EMBED_CHARACTERS, EMBED_CUT, EMBED_TEXTS, embed_texts

__all__ = [
    "EMBED_CHARACTERS",
    "EMBED_CUT",
    "EMBED_TEXTS",
    "Session",
    "accept",
    "embed_texts",
    "expected_usage",
    "list_models",
    "open_session",
    "said_faults",
]

"""Embedders of tests find no model and no network but what a test makes."""

from pathlib import Path

import pytest

from corpuscope.tools.embedding.spec import EmbeddingOptions


@pytest.fixture
def options(tmp_path: Path) -> EmbeddingOptions:
    return EmbeddingOptions(models_dir=tmp_path / "models", fetch_seconds=0)


@pytest.fixture
def hub_settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> pytest.MonkeyPatch:
    """Environment in which huggingface_hub finds an empty cache and asks nobody yet."""
    for name in ("HF_HUB_OFFLINE", "HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE", "HF_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HF_HOME", str(tmp_path / "huggingface"))
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:1")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    return monkeypatch

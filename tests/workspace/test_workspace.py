"""The embedders that all calls share."""

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from corpuscope.tools.core.schema import DatasetCard
from corpuscope.tools.workspace import workspace as module
from corpuscope.tools.workspace.workspace import Workspace

CARD = DatasetCard(
    name="shop",
    collection="corpuscope_shop__1",
    embedding="onnx:slow",
    dim=2,
    text_columns=["text"],
    created="2026-01-01T00:00:00+00:00",
)
LONGEST = 30.0


def test_a_model_that_is_long_in_opening_keeps_no_other_dataset_waiting(
    workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, may_end, opened = threading.Event(), threading.Event(), []

    def open_embedder(spec: str, *_: Any) -> str:
        opened.append(spec)
        if spec == CARD.embedding:
            begun.set()
            may_end.wait(LONGEST)
        return spec

    monkeypatch.setattr(module, "open_embedder", open_embedder)
    monkeypatch.setattr(module, "with_mask", lambda embedder, _: embedder)
    embedders = module.Embedders(workspace.embedders.options)
    with ThreadPoolExecutor(2) as pool:
        slow = [pool.submit(embedders.of, CARD, tmp_path) for _ in range(2)]
        assert begun.wait(LONGEST)
        other = replace(CARD, collection="corpuscope_other__1", embedding="lexical")
        assert str(embedders.of(other, tmp_path)) == "lexical"
        may_end.set()
        assert [str(future.result()) for future in slow] == [CARD.embedding] * 2
    assert opened == [CARD.embedding, "lexical"], "one that is opened is opened once"

"""Themes over records that were made by hand: for tables and pages without a store."""

from collections.abc import Mapping, Sequence
from types import SimpleNamespace
from typing import Any, cast

import numpy as np

from corpuscope.tools.core.redaction import as_it_is
from corpuscope.tools.core.schema import ColumnType, Node, Scalar
from corpuscope.tools.exports.source import ExportSource, RunPlaces
from corpuscope.tools.exports.theme_facts import QuotedText, ThemeFacts
from corpuscope.tools.tables.table import build_table
from corpuscope.tools.workspace.workspace import Workspace

OPEN = cast(Workspace, SimpleNamespace(redact=as_it_is))
"""A workspace that shows everything, and has nothing else."""


def made_facts(id_: str, title: str, size: int, **more: Any) -> ThemeFacts:
    """A theme with these words and numbers, and nothing said of it beside."""
    usual: dict[str, Any] = {
        "heading_id": None,
        "heading": None,
        "summary": "",
        "misfits": "",
        "keywords": ["word"],
        "share": 0.1,
        "stability": None,
        "proof": None,
        "proof_word": "not tried",
        "author": "person",
        "stale": False,
        "quotes": (QuotedText(f"{id_}a", f"A text on {title}."),),
    }
    return ThemeFacts(id=id_, title=title, size=size, **(usual | more))


def made_source(
    themes: list[int], kinds: dict[str, ColumnType], rows: Sequence[Mapping[str, Scalar]]
) -> ExportSource:
    """Records with this metadata, each in the theme of this place; -1 is noise."""
    page = [
        {"id": f"{at:016x}", "text": f"Text {at}", "metadata": row} for at, row in enumerate(rows)
    ]
    table = build_table([page], kinds)
    codes = np.array(themes, np.int32)
    nodes = [
        Node(id=str(at + 1), layers=(0, 0), size=0, share=0, keywords=["word"], exemplars=[])
        for at in range(max(themes) + 1)
    ]
    places = RunPlaces(
        selection=cast(Any, None),
        members=cast(Any, None),
        themes=nodes,
        headings={},
        codes=codes,
        rows=np.arange(len(rows)),
        strengths=np.ones(len(rows), np.float32),
    )
    return ExportSource(cast(Any, None), table, np.arange(len(rows)), True, places)

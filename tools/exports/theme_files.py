"""Themes as a table: csv, json, and the rows of a sheet.

In: the facts of each theme; out: rows, the noise as the last of them, or a file.
"""

import csv
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

from corpuscope.tools.core.schema import NOISE
from corpuscope.tools.exports.cells import is_formula, safe_cell
from corpuscope.tools.exports.theme_facts import ThemeFacts

Cell: TypeAlias = str | int | float | None
COLUMNS = (
    *("id", "heading_id", "heading", "title", "summary", "keywords", "size", "share"),
    *("stability", "proof", "author", "exemplar_ids", "exemplar_texts"),
)


@dataclass(frozen=True, slots=True)
class ThemeTable:
    """The themes of a slice: where it is from, how many records and how many of them are noise."""

    dataset: str
    run: str
    layer: int
    records: int
    noise: int
    themes: Sequence[ThemeFacts]

    def rows(self) -> list[list[Cell]]:
        """A row for each theme, as `COLUMNS` says, and one for the noise; lists by the line."""
        rows = [_row(theme) for theme in self.themes]
        share = round(self.noise / max(1, self.records), 6)
        noise: dict[str, Cell] = {"id": NOISE, "size": self.noise, "share": share}
        return [*rows, [noise.get(name) for name in COLUMNS]]


def write_rows(header: Sequence[str], rows: Sequence[Sequence[Cell]], file: Path) -> int:
    """Write a small table as csv, safe against formulas, for spreadsheets.

    Returns how many cells got an apostrophe.

    Raises:
        OSError: It cannot be written.
    """
    with file.open("w", encoding="utf-8-sig", newline="") as sink:
        writer = csv.writer(sink, lineterminator="\n")
        for row in (header, *rows):
            writer.writerow([safe_cell(cell) if isinstance(cell, str) else cell for cell in row])
    return sum(isinstance(cell, str) and is_formula(cell) for row in rows for cell in row)


def write_theme_json(table: ThemeTable, file: Path) -> None:
    """Write themes as JSON, lists as lists; raises OSError where it cannot be written."""
    document: dict[str, Any] = {
        "dataset": table.dataset,
        "run": table.run,
        "layer": table.layer,
        "records": table.records,
        "noise": table.noise,
        "themes": [_object(theme) for theme in table.themes],
    }
    file.write_text(json.dumps(document, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")


def _row(theme: ThemeFacts) -> list[Cell]:
    return [
        *(theme.id, theme.heading_id, theme.heading, theme.title, theme.summary),
        *(", ".join(theme.keywords), theme.size, theme.share, theme.stability, theme.proof),
        theme.author,
        "\n".join(quote.record for quote in theme.quotes),
        "\n".join(quote.text for quote in theme.quotes),
    ]


def _object(theme: ThemeFacts) -> dict[str, Any]:
    return {
        "id": theme.id,
        "heading": {"id": theme.heading_id, "title": theme.heading} if theme.heading_id else None,
        "title": theme.title,
        "summary": theme.summary,
        "keywords": theme.keywords,
        "size": theme.size,
        "share": theme.share,
        "stability": theme.stability,
        "proof": theme.proof,
        "author": theme.author,
        "exemplars": [{"id": quote.record, "text": quote.text} for quote in theme.quotes],
    }

"""One export: what, in which format, of which records; and how it is written.

In: an order and a path; out: the file there, and what to tell of it.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import corpuscope
from corpuscope.tools.core.schema import Floats, Report
from corpuscope.tools.exports.codebooks import (
    COLUMNS_OF_CODEBOOK,
    codebook_entries,
    codebook_markdown,
    write_qdc,
)
from corpuscope.tools.exports.record_columns import ExportColumns, record_columns
from corpuscope.tools.exports.record_files import write_csv, write_json_lines, write_parquet
from corpuscope.tools.exports.report import ReportRequest, report_content
from corpuscope.tools.exports.report_pages import report_html, report_markdown
from corpuscope.tools.exports.source import ExportSource, RunPlaces
from corpuscope.tools.exports.theme_facts import ThemeFacts, headed_facts, theme_facts
from corpuscope.tools.exports.theme_files import (
    COLUMNS,
    Cell,
    ThemeTable,
    write_rows,
    write_theme_json,
)
from corpuscope.tools.exports.workbooks import check_rows, write_workbook
from corpuscope.tools.workspace.workspace import Workspace

FORMATS: dict[str, tuple[str, ...]] = {
    "records": ("csv", "xlsx", "parquet", "jsonl"),
    "themes": ("csv", "xlsx", "json"),
    "codebook": ("csv", "md", "qdc"),
    "report": ("html", "md"),
}
"""What fits what; the first is taken where none is named."""

ROWS_AT_ONCE = 5_000
"""Of a sheet, between two words on the progress: half a second."""


@dataclass(frozen=True, slots=True)
class ExportOrder:
    """What to export in which format. `points` (members, 2) is the map of the run, for a report."""

    what: str
    format: str
    source: ExportSource
    request: ReportRequest
    points: Floats | None
    picture_name: str
    """Of the map beside a report in Markdown."""

    @property
    def places(self) -> RunPlaces:
        """Where the records are in the run, which all but records by themselves need."""
        assert self.source.places is not None
        return self.source.places


@dataclass(frozen=True, slots=True)
class FilledOrder:
    """What to tell of a file: its rows and columns, what is in it in another way than in the
    dataset, what a report says first, and the map that is to lie beside it."""

    rows: int
    columns: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    summary: list[str] = field(default_factory=list)
    picture: bytes | None = None


def fill_order(
    workspace: Workspace, order: ExportOrder, draft: Path, report: Report
) -> FilledOrder:
    """Write what was ordered to a path.

    Raises:
        BadInput: The format cannot hold it.
        OSError: It cannot be written.
    """
    fill = {"records": _records, "themes": _themes, "codebook": _codebook, "report": _report}
    return fill[order.what](workspace, order, draft, report)


def _records(workspace: Workspace, order: ExportOrder, draft: Path, report: Report) -> FilledOrder:
    if order.format == "xlsx":
        check_rows(len(order.source), len(order.source.table.kinds))
    columns = record_columns(
        workspace,
        order.source,
        report=lambda done, said: report(0.1 + 0.5 * done, said),
    )
    report(0.6, f"writing {len(order.source):,} records")
    notes = [
        f"A metadata column is called {old}: ours is {new}." for old, new in columns.renamed.items()
    ]

    def later(done: float, said: str) -> None:
        report(0.6 + 0.4 * done, said)

    if order.format == "csv":
        notes += _about_marks(write_csv(columns, draft))
    elif order.format == "parquet":
        write_parquet(columns, draft)
    elif order.format == "jsonl":
        write_json_lines(columns, draft, later)
    else:
        names = columns.arrow.column_names
        notes += write_workbook("records", names, _rows(columns, later), draft).sentences()
    return FilledOrder(len(order.source), columns.arrow.column_names, notes)


def _rows(columns: ExportColumns, report: Report) -> Iterator[tuple[Any, ...]]:
    """The records as the rows of a sheet."""
    table = columns.typed()
    done, total = 0, max(1, table.num_rows)
    for batch in table.to_batches(max_chunksize=ROWS_AT_ONCE):
        report(done / total, f"writing records, {done:,} of {total:,}")
        yield from zip(*(column.to_pylist() for column in batch.columns), strict=True)
        done += batch.num_rows


def _themes(workspace: Workspace, order: ExportOrder, draft: Path, report: Report) -> FilledOrder:
    report(0.3, "gathering the themes")
    facts = _in_order(workspace, order)
    run = order.places.selection.run
    table = ThemeTable(
        dataset=order.source.card.name,
        run=run.id,
        layer=run.recommended,
        records=order.places.known,
        noise=order.places.noise,
        themes=facts,
    )
    notes = _about_words(order, facts)
    if order.format == "json":
        write_theme_json(table, draft)
        return FilledOrder(len(facts), [], notes)
    if order.format == "xlsx":
        notes += write_workbook("themes", COLUMNS, table.rows(), draft).sentences()
    else:
        notes += _about_marks(write_rows(COLUMNS, table.rows(), draft))
    return FilledOrder(len(facts), list(COLUMNS), [*notes, "The last row is the noise."])


def _codebook(workspace: Workspace, order: ExportOrder, draft: Path, report: Report) -> FilledOrder:
    report(0.3, "gathering the themes")
    facts = _in_order(workspace, order)
    entries = codebook_entries(facts)
    name = order.source.card.name
    notes = _about_words(order, facts)
    if order.format == "qdc":
        space = f"{name}:{order.places.selection.run.id}"
        write_qdc(space, entries, f"corpuscope {corpuscope.__version__}", draft)
        return FilledOrder(len(facts), [], notes)
    if order.format == "md":
        draft.write_text(codebook_markdown(name, entries), encoding="utf-8")
        return FilledOrder(len(facts), [], notes)
    rows: list[list[Cell]] = [list(entry.row()) for entry in entries]
    notes += _about_marks(write_rows(COLUMNS_OF_CODEBOOK, rows, draft))
    return FilledOrder(len(facts), list(COLUMNS_OF_CODEBOOK), notes)


def _report(workspace: Workspace, order: ExportOrder, draft: Path, report: Report) -> FilledOrder:
    assert order.points is not None
    report(0.6, "counting, and drawing the map")
    content = report_content(workspace, order.source, order.points, order.request)
    report(0.9, "writing the page")
    if order.format == "html":
        draft.write_text(report_html(content), encoding="utf-8")
        return FilledOrder(len(content.themes), summary=content.summary)
    beside = None if content.picture is None else order.picture_name
    draft.write_text(report_markdown(content, beside), encoding="utf-8")
    return FilledOrder(len(content.themes), summary=content.summary, picture=content.picture)


def _in_order(workspace: Workspace, order: ExportOrder) -> list[ThemeFacts]:
    """The themes below their headings, the largest first."""
    facts = theme_facts(workspace, order.source, order.places)
    return [theme for group in headed_facts(order.places, facts) for theme in group.themes]


def _about_words(order: ExportOrder, facts: list[ThemeFacts]) -> list[str]:
    notes = []
    if not order.source.whole:
        notes.append(f"Sizes count the {len(order.source):,} records that fit the filter.")
    if bare := sum(theme.by_keywords for theme in facts):
        notes.append(
            f"{bare:,} of {len(facts):,} themes have no description yet: their titles are "
            "keywords. `describe-cluster` gives them words."
        )
    return notes


def _about_marks(marked: int) -> list[str]:
    if not marked:
        return []
    return [
        f"{marked:,} cells begin with = + - @ or the like: an apostrophe stands before them, so "
        "that no spreadsheet runs them; other formats have them as they are."
    ]

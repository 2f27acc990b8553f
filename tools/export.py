"""The tool `export`: records, themes, a codebook or a report as a file that a person takes away."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Literal, TypeAlias

from pydantic import BeforeValidator, Field

from corpuscope.tools.core.disk import check_space, shown_bytes
from corpuscope.tools.core.errors import BadInput
from corpuscope.tools.core.files import written_aside
from corpuscope.tools.core.redaction import as_it_is
from corpuscope.tools.core.schema import DatasetCard, Floats, Result, Verbatim, Watch
from corpuscope.tools.exports.crossing import check_column
from corpuscope.tools.exports.orders import FORMATS, ExportOrder, fill_order
from corpuscope.tools.exports.report import ReportRequest
from corpuscope.tools.exports.source import ExportSource, export_source
from corpuscope.tools.exports.targets import (
    MOST_READ,
    READABLE,
    ExportTarget,
    check_replaceable,
    export_target,
)
from corpuscope.tools.runs.run_map import ensure_map
from corpuscope.tools.workspace.arguments import DatasetName, LayerIndex, RunId, WhereFilter, as_id
from corpuscope.tools.workspace.selection import Selection, select
from corpuscope.tools.workspace.workspace import Workspace

What: TypeAlias = Literal["records", "themes", "codebook", "report"]
SUFFIXES = {"htm": "html", "markdown": "md", "ndjson": "jsonl"}
"""Other names of formats, at the end of a file name."""

ROOM = 2.0
"""Bytes of a file of records for each byte of their table in memory, at most about."""

REPORT_ROOM = 4 * 2**20
"""Bytes of a long report with its map."""

MAP_SHARE = 0.5
"""Of the time that a report takes whose map is still missing."""

COLUMNS_NAMED = 30


class ExportResult(Result):
    """Where the file is and what is in it."""

    dataset: Verbatim
    run: Verbatim | None
    """None where the dataset has none yet, and its records were exported without themes."""
    what: Verbatim
    format: Verbatim
    path: Verbatim
    bytes: int
    rows: int
    """Records, or themes."""
    columns: list[Verbatim]
    """Of a table; empty for a page."""
    replaced: bool
    """Whether a file of that name was there before."""
    redacted: bool
    """Whether personal data were taken out (CORPUSCOPE_REDACT)."""
    summary: list[str]
    """Of a report: what its first lines say."""
    notes: list[Verbatim]
    """What is in the file in another way than in the dataset, and why."""
    picture: Verbatim | None = None
    """The map beside a report in Markdown."""
    resource: Verbatim | None = None
    """The address at which a small file of text can be read from this server."""

    def as_text(self) -> str:
        """What was written and where, and what to know about it."""
        of_run = f", themes of run {self.run}" if self.run else ", without themes"
        what = {
            "records": f"{self.rows:,} records of '{self.dataset}'{of_run}",
            "themes": f"{self.rows:,} themes of '{self.dataset}' (run {self.run})",
            "codebook": f"a codebook of {self.rows:,} themes of '{self.dataset}' (run {self.run})",
            "report": f"a report on {self.rows:,} themes of '{self.dataset}' (run {self.run})",
        }[self.what]
        lines = [f"Wrote {what}: {self.path} ({self.format}, {shown_bytes(self.bytes)})."]
        if self.picture:
            lines.append(f"Its map lies beside it: {self.picture}")
        if self.columns:
            more = len(self.columns) - COLUMNS_NAMED
            named = ", ".join(self.columns[:COLUMNS_NAMED])
            lines.append(f"Columns: {named}{f' and {more} more' if more > 0 else ''}.")
        lines += self.summary
        lines += self.notes
        if self.redacted:
            lines.append("Personal data are redacted in it (CORPUSCOPE_REDACT).")
        if self.resource:
            lines.append(f"Readable as {self.resource}")
        return "\n".join(lines)

    def documents(self) -> list[str]:
        """The file, and where it can be read from this server, its resource."""
        return [Path(self.path).as_uri(), *filter(None, [self.resource])]


def export(
    workspace: Workspace,
    watch: Watch,
    what: Annotated[What, Field(description="What to write.")],
    format: Annotated[  # noqa: A002
        str | None,
        Field(
            description="records: csv, xlsx, parquet, jsonl; themes: csv, xlsx, json; codebook: "
            "csv, md, qdc; report: html, md. Left out: the first, or as save_as ends."
        ),
    ] = None,
    save_as: Annotated[
        str | None, Field(description="File name in an allowed folder; left out: in the home.")
    ] = None,
    dataset: DatasetName = None,
    run: RunId = None,
    layer: LayerIndex = None,
    where: WhereFilter = None,
    cluster: Annotated[
        str | None, BeforeValidator(as_id), Field(description="records: only those in it.")
    ] = None,
    column: Annotated[
        str | None, Field(description="report: a column for a table of themes by its values.")
    ] = None,
) -> ExportResult:
    """Write a report, all records with their themes, themes or a codebook to a file.

    The report is one page to send round: summary, themes with quotes, map, table, trend, what is
    weak. Describe the themes first, else keywords name them. Tell the person the path.
    """
    chosen = _format(what, format, save_as)
    _check_fits(what, cluster, column)
    selection = _selection(workspace, what, (dataset, run, layer), cluster)
    card = selection.card if selection else workspace.store.card(dataset)
    asked_for = None if save_as is None else export_target(workspace, save_as, "", "")
    watch.report(0.02, "reading the records")
    source = export_source(workspace, card, selection, where, cluster)
    if column is not None:
        check_column(source, column)
    _check_room(workspace, what, source, asked_for)
    points = _map(workspace, watch, selection) if what == "report" and selection else None
    name = f"{card.name}{f'-{selection.run.id}' if selection else ''}-{what}"
    target = asked_for or export_target(workspace, None, name, f".{chosen}")
    request = ReportRequest(where, column, _now())
    picture_name = target.path.with_suffix(".png").name
    order = ExportOrder(what, chosen, source, request, points, picture_name)
    replaced = target.replaces
    with written_aside(target.path) as draft:
        filled = fill_order(workspace, order, draft, watch.report)
        picture = _beside(workspace, target, filled.picture) if filled.picture else None
    notes = [*_about_run(card, selection, run), *filled.notes]
    if replaced:
        notes.append("It replaced the page of that name.")
    size = target.path.stat().st_size
    return ExportResult(
        dataset=card.name,
        run=selection.run.id if selection else None,
        what=what,
        format=chosen,
        path=str(target.path),
        bytes=size,
        rows=filled.rows,
        columns=filled.columns,
        replaced=replaced,
        redacted=workspace.redact is not as_it_is,
        summary=filled.summary,
        notes=notes,
        picture=str(picture) if picture else None,
        resource=_resource(target, size),
    )


def _format(what: str, format_: str | None, save_as: str | None) -> str:
    """The format that is meant, by its name or the end of the file's.

    Raises:
        BadInput: It does not fit, or both differ; says which fit.
    """
    fitting = FORMATS[what]
    ending = Path(save_as).suffix.removeprefix(".").lower() if save_as else ""
    ending = SUFFIXES.get(ending, ending)
    chosen = format_ or ending or fitting[0]
    if chosen not in fitting:
        others = [name for name, formats in FORMATS.items() if chosen in formats]
        also = f" ({chosen} is one of {' and '.join(others)}.)" if others else ""
        raise BadInput(
            f"what='{what}' is written as {', '.join(fitting)}, not as {chosen[:20]!a}. Give one "
            f"of these as format, and at the end of save_as.{also}"
        )
    if save_as is not None and ending != chosen:
        said = f"ends in {'.' + ending[:20]!a}" if ending else "has no ending"
        raise BadInput(f"save_as {said}, the format is {chosen}: end it in .{chosen}.")
    return chosen


def _check_fits(what: str, cluster: str | None, column: str | None) -> None:
    for name, value, of in (("cluster", cluster, "records"), ("column", column, "report")):
        if value is not None and what != of:
            raise BadInput(
                f"{name} is for what='{of}', not '{what}': leave it out. `where` chooses the "
                "records of every export."
            )


def _selection(
    workspace: Workspace,
    what: str,
    named: tuple[str | None, str | None, int | None],
    cluster: str | None,
) -> Selection | None:
    """The dataset and run; None where its records are to be exported and there is no run of them.

    Raises:
        NotFound: No such dataset or run.
        NotReady: There is no run of the records that the dataset has.
    """
    dataset, run, layer = named
    card = workspace.store.card(dataset)
    asked = (run, layer, cluster) != (None, None, None)
    if not asked and what == "records" and not workspace.runs.ids(card.name):
        return None
    selection = select(workspace, dataset, run, layer)
    if not asked and what == "records" and selection.run.collection != card.collection:
        return None
    selection.check_current()
    return selection


def _about_run(card: DatasetCard, selection: Selection | None, run: str | None) -> list[str]:
    """What to know about the run that the themes are of."""
    if selection is None:
        return [
            "It has no themes: there is no run of these records. Call `cluster` first for that."
        ]
    if selection.run.dataset_version != card.version:
        return [
            f"Records changed after run {selection.run.id}: new ones are in no theme. "
            "`cluster(assign=true)` puts them into those there are."
        ]
    return []


def _check_room(
    workspace: Workspace, what: str, source: ExportSource, target: ExportTarget | None
) -> None:
    """Refuse what would fill the disk; raises SystemFailure."""
    place = workspace.home if target is None else target.path.parent
    needed: float = REPORT_ROOM
    if what == "records":
        share = len(source) / max(1, len(source.table))
        needed = ROOM * share * source.table.arrow.nbytes
    check_space(place, needed, f"the export of {len(source):,} records")


def _map(workspace: Workspace, watch: Watch, selection: Selection) -> Floats:
    """The run's map, laid out where there is none yet."""
    return ensure_map(
        workspace,
        selection.card,
        selection.run,
        lambda fraction, message: watch.report(0.1 + MAP_SHARE * fraction, message),
    )


def _beside(workspace: Workspace, target: ExportTarget, picture: bytes) -> Path:
    """The map of a report, written beside it."""
    path = target.path.with_suffix(".png")
    if not target.ours:
        path = workspace.files.writable(str(path))  # no link may lead elsewhere
        check_replaceable(path)
    with written_aside(path) as draft:
        draft.write_bytes(picture)
    return path


def _resource(target: ExportTarget, size: int) -> str | None:
    """The address of a small file of text in the home."""
    if not target.ours or target.path.suffix not in READABLE or size > MOST_READ:
        return None
    return f"corpuscope://export/{target.path.name}"


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")

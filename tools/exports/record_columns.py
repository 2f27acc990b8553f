"""What stands of each record in an export, by the column: a table of Arrow.

In: the records chosen; out: `id`, `text`, the metadata, and where each record is in the run, with
texts and values as they may be shown.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

import numpy as np

from corpuscope.tools.core.redaction import as_it_is
from corpuscope.tools.core.schema import NOISE, Report
from corpuscope.tools.exports.source import ExportSource, RunPlaces
from corpuscope.tools.tables.table import COLUMN_PREFIX, ID, TEXT
from corpuscope.tools.workspace.selection import shown_text, shown_values
from corpuscope.tools.workspace.workspace import Workspace

OURS = "corpuscope_"
"""Stands before the name of a column of ours where a metadata column has that name."""

TEXTS_AT_ONCE = 2_000
"""Redacted between two words on the progress: half a second."""

DAY_LENGTH = len("2024-04-01")

TOO_LARGE, TOO_SMALL = 1e10, 1e-6
"""Fractions from here on Arrow writes with an exponent; beyond `EXPONENT_FROM` so do we."""
EXPONENT_FROM = 1e21


@dataclass(frozen=True, eq=False)
class ExportColumns:
    """The columns of k records: a table of Arrow, and which of them hold dates (ISO 8601)."""

    arrow: Any
    dates: frozenset[str]
    renamed: dict[str, str]
    """Columns of ours that a metadata column took the name of, with the name that they have."""

    def pages(self, size: int) -> Iterator[list[dict[str, Any]]]:
        """The records as objects, `size` at a time."""
        for batch in self.arrow.to_batches(max_chunksize=size):
            yield batch.to_pylist()

    def typed(self) -> Any:
        """The table with days as dates and moments as timestamps (UTC) where all values are."""
        table = self.arrow
        for name in self.dates:
            column = table.column(name)
            table = table.set_column(table.column_names.index(name), name, _moments(column))
        return table

    def written(self) -> Any:
        """The table with numbers as a csv has them: no exponent in what people count."""
        import pyarrow as pa

        table = self.arrow
        for at, name in enumerate(table.column_names):
            if table.column(name).type == pa.float64():
                table = table.set_column(at, name, _without_exponents(table.column(name)))
        return table


def record_columns(workspace: Workspace, source: ExportSource, report: Report) -> ExportColumns:
    """The columns of the records chosen.

    Args:
        workspace: Says what texts and values may be shown.
        source: The records.
        report: Told how far redaction is.
    """
    import pyarrow as pa

    table = source.table.arrow
    if not source.whole:
        table = table.take(pa.array(source.rows))
    texts = _shown_texts(workspace, table.column(TEXT), report)
    metadata = {
        name: _shown_column(workspace, name, _decoded(table.column(f"{COLUMN_PREFIX}{name}")))
        for name in source.table.kinds
    }
    ours = {}
    if source.places is not None:
        ours = _places(source.places) | _details(source.places)
    taken = {name.casefold() for name in metadata}
    names = {name: _free_name(name, taken) for name in (ID, TEXT, *ours)}
    columns = {names[ID]: table.column(ID), names[TEXT]: texts} | metadata
    columns |= {names[name]: column for name, column in ours.items()}
    return ExportColumns(
        pa.table(columns),
        frozenset(name for name, kind in source.table.kinds.items() if kind == "date"),
        {name: new for name, new in names.items() if name != new},
    )


def _free_name(name: str, taken: set[str]) -> str:
    while name.casefold() in taken:
        name = OURS + name
    return name


def _decoded(column: Any) -> Any:
    """A coded column as plain values."""
    return column.cast(column.type.value_type)


def _shown_texts(workspace: Workspace, texts: Any, report: Report) -> Any:
    import pyarrow as pa

    if workspace.redact is as_it_is:
        return texts
    coded = texts.combine_chunks().dictionary_encode()
    shown: list[str] = []
    distinct = coded.dictionary.to_pylist()
    for start in range(0, len(distinct), TEXTS_AT_ONCE):
        report(start / len(distinct), f"redacting texts, {start:,} of {len(distinct):,}")
        part = distinct[start : start + TEXTS_AT_ONCE]
        shown += [shown_text(workspace, text) for text in part]
    return pa.array(shown, pa.large_string()).take(coded.indices)


def _shown_column(workspace: Workspace, name: str, column: Any) -> Any:
    """A metadata column as it may be shown: one with nothing to hide keeps its type."""
    import pyarrow as pa

    if workspace.redact is as_it_is or column.type == pa.bool_():
        return column
    coded = column.combine_chunks().dictionary_encode()
    values = [str(value) for value in coded.dictionary.to_pylist()]
    shown = shown_values(workspace, name, values)
    if all(shown[value] == value for value in values):
        return column
    return pa.array([shown[value] for value in values], pa.string()).take(coded.indices)


def _places(places: RunPlaces) -> dict[str, Any]:
    """Where each record is: theme, title, heading, and how firmly."""
    import pyarrow as pa

    selection = places.selection
    labels = [selection.label(theme) for theme in places.themes]
    above = [places.headings.get(theme.id) for theme in places.themes]
    headings = [None if heading is None else selection.label(heading) for heading in above]
    strengths = places.strengths.astype(np.float64).round(3)
    return {
        # The last two are reached by the places of noise and of what the run does not know.
        "theme_id": _of_places([*(node.id for node in places.themes), None, NOISE], places),
        "theme_title": _of_places([*labels, None, None], places),
        "heading": _of_places([*headings, None, None], places),
        "strength": pa.array(strengths, mask=np.isnan(strengths)),
    }


def _of_places(values: Sequence[str | None], places: RunPlaces) -> Any:
    import pyarrow as pa

    at = places.codes.astype(np.int64) % len(values)
    return pa.array(values, pa.string()).take(pa.array(at))


def _details(places: RunPlaces) -> dict[str, Any]:
    """The finest cluster, and what is known of the noise."""
    import pyarrow as pa

    members = places.members

    def column(values: Sequence[str]) -> Any:
        known = np.array([*values, None], dtype=object)[places.rows]
        return pa.array([value or None for value in known], pa.string())

    details = {"cluster": column(members.paths.tolist())}
    if members.noise_reasons is not None:
        details["noise_reason"] = column(members.noise_reasons.tolist())
    if members.nearest is not None:
        details["nearest_theme"] = column(members.nearest.tolist())
    return details


def _moments(column: Any) -> Any:
    """A column of ISO dates as dates, or as moments in UTC; as it is where a value is neither."""
    import pyarrow as pa

    coded = column.combine_chunks().dictionary_encode()
    values = coded.dictionary.to_pylist()
    days = all(len(value) == DAY_LENGTH for value in values)
    read: Callable[[str], Any] = date.fromisoformat if days else moment_of
    try:
        read_values = [read(value) for value in values]
    except ValueError:
        return column
    kind = pa.date32() if days else pa.timestamp("us", "UTC")
    return pa.array(read_values, kind).take(coded.indices)


def moment_of(value: str) -> datetime:
    """The moment of an ISO date, in UTC; a day is its midnight.

    Raises:
        ValueError: It is none.
    """
    moment = datetime.fromisoformat(value)
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def _without_exponents(column: Any) -> Any:
    """A column of fractions; as texts where Arrow would write some with an exponent."""
    import pyarrow as pa
    import pyarrow.compute as pc

    sizes = pc.abs(column)
    odd = pc.or_(
        pc.greater_equal(sizes, TOO_LARGE),
        pc.and_(pc.less(sizes, TOO_SMALL), pc.greater(sizes, 0)),
    )
    if not pc.any(odd).as_py():
        return column
    coded = column.combine_chunks().dictionary_encode()
    values = [_plain(value) for value in coded.dictionary.to_pylist()]
    return pa.array(values, pa.string()).take(coded.indices)


def _plain(value: float) -> str:
    if abs(value) >= EXPONENT_FROM:
        return repr(value)
    return np.format_float_positional(value, trim="-")

"""Records as files: csv, parquet, jsonl.

In: the columns of the records; out: a file. Written by the column; json a page at a time.
"""

import json
from pathlib import Path
from typing import Any

from corpuscope.tools.core.schema import Report
from corpuscope.tools.exports.cells import FORMULA, MARK, PLAIN_NUMBER, safe_cell
from corpuscope.tools.exports.record_columns import ExportColumns

BYTE_ORDER_MARK = b"\xef\xbb\xbf"
"""Without it spreadsheets take UTF-8 for the letters of their country."""

ROWS_AT_ONCE = 10_000


def write_csv(columns: ExportColumns, file: Path) -> int:
    """Write records as csv, safe against formulas.

    Returns how many cells got an apostrophe.

    Raises:
        OSError: It cannot be written.
    """
    import pyarrow as pa
    from pyarrow import csv

    table, marked = _safe(columns.written())
    with pa.OSFile(str(file), "wb") as sink:
        sink.write(BYTE_ORDER_MARK)
        csv.write_csv(table, sink, csv.WriteOptions(batch_size=ROWS_AT_ONCE))
    return marked


def write_parquet(columns: ExportColumns, file: Path) -> None:
    """Write records as parquet, with dates as such; raises OSError where it cannot be written."""
    from pyarrow import parquet

    parquet.write_table(columns.typed(), str(file), compression="zstd")


def write_json_lines(columns: ExportColumns, file: Path, report: Report) -> None:
    """Write records as JSON, an object a line; raises OSError where it cannot be written."""
    done, total = 0, columns.arrow.num_rows
    with file.open("w", encoding="utf-8", newline="\n") as lines:
        for page in columns.pages(ROWS_AT_ONCE):
            report(done / total, f"writing records, {done:,} of {total:,}")
            lines.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in page)
            done += len(page)


def _safe(table: Any) -> tuple[Any, int]:
    """The table with an apostrophe before what a spreadsheet would run, and how many there are."""
    import pyarrow as pa

    marked = 0
    for at, name in enumerate(table.column_names):
        column = table.column(name)
        if column.type in (pa.string(), pa.large_string()):
            column, count = _safe_column(column)
            marked += count
        table = table.set_column(at, safe_cell(name), column)
    return table, marked


def _safe_column(column: Any) -> tuple[Any, int]:
    import pyarrow as pa
    import pyarrow.compute as pc

    suspect = pc.match_substring_regex(column, FORMULA)
    harmless = pc.match_substring_regex(column, PLAIN_NUMBER)
    runs = pc.fill_null(pc.and_not(suspect, harmless), False)
    count: int = pc.sum(runs).as_py() or 0
    if not count:
        return column, 0
    mark, nothing = (pa.scalar(text, column.type) for text in (MARK, ""))
    return pc.if_else(runs, pc.binary_join_element_wise(mark, column, nothing), column), count

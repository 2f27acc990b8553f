"""Rows of tables in binary files: parquet by pyarrow, xlsx by openpyxl.

In: a path and the limit on the unpacked bytes; out: rows, as they are asked for, with the values as
the format types them.
"""

import re
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from corpuscope.tools.core.errors import BadInput
from corpuscope.tools.ingestion.rows import (
    BadRow,
    Row,
    Rows,
    check_names_differ,
    check_size,
    column_names,
)

MAX_SHEET_ROW = 1_048_576
"""Excel's last row. A row number beyond it in a sheet would be filled up with empty rows."""

PARQUET_BATCH = 256
"""Rows decoded at a time, and so what a hostile file can unpack before it is measured."""


def parquet_rows(path: Path, max_bytes: int) -> Rows:
    """The rows of a parquet file, numbered from 1; lists of numbers are 1-D arrays.

    Raises BadInput: repeated column names, not sound parquet, or more than `max_bytes` unpacked, by
    what the file says of itself or as it is decoded.
    """
    import pyarrow as pa
    from pyarrow import parquet

    number = decoded_bytes = 0
    try:
        with parquet.ParquetFile(path) as file:
            names = file.schema_arrow.names
            check_names_differ(names, path.name)
            groups = map(file.metadata.row_group, range(file.metadata.num_row_groups))
            declared_bytes = sum(group.total_byte_size for group in groups)
            check_size(path, declared_bytes, max_bytes, "unpacks to")
            for batch in file.iter_batches(batch_size=PARQUET_BATCH):
                # Dictionary and run-length pages grow beyond the declared size.
                decoded_bytes += batch.nbytes
                check_size(path, decoded_bytes, max_bytes, "unpacks to at least")
                for values in zip(*map(_column_values, batch.columns), strict=True):
                    number += 1
                    yield Row(number, dict(zip(names, values, strict=True)))
    except (pa.ArrowException, OSError, ValueError, OverflowError) as error:
        raise BadInput(
            f"{path.name}: cannot be read as parquet: {_first_line(error)}; write the file again"
        ) from error


def _column_values(column: Any) -> list[object]:
    """The values of one Arrow array; what Python cannot hold exactly comes as text."""
    import pyarrow as pa

    arrow_type = column.type
    if pa.types.is_timestamp(arrow_type) and arrow_type.tz is not None:
        # Only the label changes, and UTC needs no time zone database.
        column = column.cast(pa.timestamp(arrow_type.unit, "UTC"))
    if pa.types.is_temporal(arrow_type) and not pa.types.is_interval(arrow_type):
        # Python's dates end with the year 9999 and its times with microseconds.
        column = column.cast(pa.string())
    if pa.types.is_dictionary(arrow_type):
        # Rows share the words of the dictionary, instead of one copy each.
        words: list[object] = column.dictionary.to_pylist()
        return [None if place is None else words[place] for place in column.indices.to_pylist()]
    lists = (pa.ListType, pa.LargeListType, pa.FixedSizeListType)
    numbers = r"u?int|half|float|double"
    if isinstance(arrow_type, lists) and re.match(numbers, str(arrow_type.value_type)):
        # Vectors: a numpy array is tens of times faster than a list of Python floats.
        return _number_lists(column)
    values: list[object] = column.to_pylist()
    return values


def _number_lists(column: Any) -> list[object]:
    """The lists of numbers of an Arrow array as 1-D arrays; None where there is no list."""
    if column.null_count or column.flatten().null_count:
        # Numbers that are missing make an array of another type, of their own cell alone.
        return [
            cell.values.to_numpy(zero_copy_only=False) if cell.is_valid else None for cell in column
        ]
    lengths = column.value_lengths().to_numpy()
    flat = column.flatten().to_numpy(zero_copy_only=False)
    ends = lengths.cumsum().tolist()
    return [flat[end - length : end] for end, length in zip(ends, lengths.tolist(), strict=True)]


def xlsx_rows(path: Path, max_bytes: int) -> Rows:
    """The rows of an xlsx file's first sheet, by the sheet's own numbers; formulas as saved values.

    A row wider than the header is a BadRow; rows of empty cells are none. Raises BadInput: no
    header, an empty sheet, not sound xlsx, or more than `max_bytes` unpacked.
    """
    names: list[str] = []
    for number, cells in enumerate(_sheet_rows(path, max_bytes), 1):
        filled = len(cells)
        while filled and cells[filled - 1] is None:
            filled -= 1
        if not filled:
            continue
        if not names:
            names = column_names(cells[:filled], path.name)
        elif filled > len(names):
            yield BadRow(number, f"{filled} cells, the header has {len(names)}")
        else:
            # A sheet does not store the empty cells at the end of a row.
            row = [*cells[:filled], *[None] * (len(names) - filled)]
            yield Row(number, dict(zip(names, row, strict=True)))
    if not names:
        raise BadInput(f"{path.name}: the first sheet is empty")


def _sheet_rows(path: Path, max_bytes: int) -> Iterator[tuple[object, ...]]:
    """The cells of each row of the first sheet, row 1 first, empty rows too."""
    from xml.etree.ElementTree import ParseError

    import openpyxl

    try:
        with path.open("rb") as stream:
            with zipfile.ZipFile(stream) as archive:
                unpacked_bytes = sum(part.file_size for part in archive.infolist())
            check_size(path, unpacked_bytes, max_bytes, "unpacks to")
            sheet = openpyxl.load_workbook(stream, read_only=True, data_only=True).worksheets[0]
            # Some exporters write a wrong size into the sheet, and cells beyond it would be lost.
            sheet.reset_dimensions()
            for cells in sheet.iter_rows(max_row=MAX_SHEET_ROW, values_only=True):
                # Excel writes a carriage return inside a cell as this escape.
                yield tuple(
                    cell.replace("_x000D_", "\r") if isinstance(cell, str) else cell
                    for cell in cells
                )
    except (
        *(zipfile.BadZipFile, zlib.error, ParseError, EOFError, OSError, RuntimeError),
        # What openpyxl lets out when a part is missing or does not say what it should.
        *(LookupError, ArithmeticError, ValueError, TypeError, AttributeError),
    ) as error:
        raise BadInput(
            f"{path.name}: cannot be read as xlsx ({type(error).__name__}: {_first_line(error)}); "
            "is it protected by a password or an old .xls? Save it as xlsx or csv and ingest that"
        ) from error


def _first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0][:200]

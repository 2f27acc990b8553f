"""Rows of parquet files, by pyarrow.

In: a source; out: rows, as they are asked for, with the values as the format types them. What the
file says that it holds is checked before it is unpacked, and then what comes out.
"""

import re
from collections.abc import Iterator
from typing import Any

from corpuscope.tools.core.errors import BadInput
from corpuscope.tools.readers.rows import (
    ITEM_BYTES,
    Row,
    Rows,
    check_names_differ,
)
from corpuscope.tools.readers.source import READ_BYTES, Source

PARQUET_BATCH, PARQUET_BATCH_BYTES = 256, 128 * 2**20
"""Rows decoded at a time, and the memory that these may take: of a column of long words that each
row only points to, fewer rows are decoded."""

DICTIONARY_ROWS = 65_536
"""Rows decoded at a time of a column whose type is a dictionary, each a place in it."""

NOT_READ = ("lists or objects",)
"""Stands for what is neither a single value nor a list of numbers: no column has a use for it."""


def parquet_rows(source: Source) -> Rows:
    """The rows of a parquet file, numbered from 1; lists of numbers are 1-D arrays.

    Raises BadInput: repeated column names, not sound parquet, or beyond the limits, by what the
    file says of itself or as it is decoded.
    """
    import pyarrow as pa
    from pyarrow import parquet

    number = decoded_bytes = 0
    try:
        with parquet.ParquetFile(source.path, buffer_size=READ_BYTES) as file:
            names = file.schema_arrow.names
            source.check_width(max(len(names), file.metadata.num_columns))
            check_names_differ(names, source.name)
            source.check_size(_declared_bytes(file), "unpacks to")
            count = file.metadata.num_rows
            columns = [
                _column_batches(file, name, most)
                for most in [_batch_rows(file, source)]
                for name in names
            ]
            while number < count:
                values, batch_bytes = [], 0
                for column in columns:
                    # One column after the other: what is too large is seen before all are there.
                    cells, size = next(column)
                    batch_bytes += size
                    source.check_size(decoded_bytes + batch_bytes, "unpacks to at least")
                    values.append(cells)
                decoded_bytes += batch_bytes
                row_bytes = batch_bytes // max(1, len(values[0])) + ITEM_BYTES * len(names)
                for row in zip(*values, strict=True):
                    number += 1
                    yield Row(number, dict(zip(names, row, strict=True)), row_bytes)
                source.tell(number / count)
    except (pa.ArrowException, OSError, ValueError, OverflowError, StopIteration) as error:
        raise BadInput(
            f"{source.name}: cannot be read as parquet: {_first_line(error)}; write the file again"
        ) from error


def _declared_bytes(file: Any) -> int:
    """What a parquet file says that it unpacks to: the larger of the bytes of its pages and those
    of its single values, of which millions may stand in a page of a few bytes."""
    widths = {"BOOLEAN": 1, "INT32": 4, "FLOAT": 4, "INT64": 8, "DOUBLE": 8, "INT96": 12}
    groups = map(file.metadata.row_group, range(file.metadata.num_row_groups))
    single = [leaf for leaf in _leaves(file) if leaf.max_repetition_level == 0]
    row_bytes = sum(widths.get(leaf.physical_type, 4) for leaf in single)
    pages: int = sum(group.total_byte_size for group in groups)
    rows: int = file.metadata.num_rows
    return max(pages, rows * row_bytes)


def _leaves(file: Any) -> list[Any]:
    return [file.schema.column(place) for place in range(file.metadata.num_columns)]


def _batch_rows(file: Any, source: Source) -> int:
    """How many rows may be decoded at a time, whatever words their columns point to."""
    longest = 1
    words = [
        place
        for place, leaf in enumerate(_leaves(file))
        if leaf.physical_type == "BYTE_ARRAY" and leaf.path in file.schema_arrow.names
    ]
    with source.path.open("rb") as stream:
        for number in range(file.metadata.num_row_groups):
            for place in words:
                # A damaged description of a chunk ends the process where it is asked for, but is
                # an error where the chunk is read: so a row of it is read first.
                name = file.schema.column(place).path
                next(file.iter_batches(1, [number], [name], use_threads=False), None)
                chunk = file.metadata.row_group(number).column(place)
                if "DELTA_BYTE_ARRAY" in chunk.encodings:
                    longest = max(longest, chunk.total_uncompressed_size)
                if chunk.has_dictionary_page:
                    stream.seek(max(0, chunk.dictionary_page_offset))
                    longest = max(longest, _page_bytes(stream.read(12)))
    return max(1, min(PARQUET_BATCH, PARQUET_BATCH_BYTES // longest))


def _page_bytes(header: bytes) -> int:
    """The unpacked size of a page: the second field of its header in Thrift's compact protocol,
    after two bytes for its type and one that names the field; of another header, 1."""
    if header[:1] + header[2:3] != b"\x15\x15":
        return 1
    size = 0
    for place, byte in enumerate(header[3:]):
        size |= (byte & 0x7F) << 7 * place
        if byte < 0x80:
            break
    return max(1, size >> 1)


def _column_batches(file: Any, name: str, rows: int) -> Iterator[tuple[list[object], int]]:
    """The values of a column, some rows at a time, and the bytes that they take."""
    import pyarrow as pa

    field_type = file.schema_arrow.field(name).type
    lists = (pa.ListType, pa.LargeListType, pa.FixedSizeListType)
    is_vectors = isinstance(field_type, lists) and _is_number(field_type.value_type)
    if pa.types.is_nested(field_type) and not is_vectors:
        left = file.metadata.num_rows
        while left > 0:
            yield [NOT_READ] * min(rows, left), 0
            left -= rows
        return
    # A column of a dictionary comes with all its words each time, and holds no copies of them.
    at_once = DICTIONARY_ROWS if pa.types.is_dictionary(field_type) else rows
    for batch in file.iter_batches(batch_size=at_once, columns=[name], use_threads=False):
        for start in range(0, len(batch), rows):
            # By its name: the columns `a` and `a.b` come together where `a` is asked for.
            yield _column_values(batch.column(name).slice(start, rows))


def _is_number(arrow_type: Any) -> bool:
    return re.match(r"u?int|half|float|double", str(arrow_type)) is not None


def _column_values(column: Any) -> tuple[list[object], int]:
    """The values of one Arrow array, and their bytes; what Python cannot hold exactly comes as
    text."""
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
        used = column.indices.unique().drop_null()
        words = dict(zip(used.to_pylist(), column.dictionary.take(used).to_pylist(), strict=True))
        shared = [words.get(place) for place in column.indices.to_pylist()]
        return shared, sum(len(word) if isinstance(word, str) else 8 for word in shared)
    if pa.types.is_nested(arrow_type):
        # Vectors: a numpy array is tens of times faster than a list of Python floats.
        return _number_lists(column), column.nbytes
    return column.to_pylist(), column.nbytes


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


def _first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0][:200]

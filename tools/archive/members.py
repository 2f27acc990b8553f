"""Which record is in which cluster of a run, as a parquet file.

In and out: `Members`, row for row with the records.
"""

import os
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from corpuscope.tools.core.schema import Members

PARQUET = b"PAR1"
"""How a parquet file begins and ends."""


class UnreadableMembers(Exception):
    """A file of members is not as it was written."""


def ends_as_members(path: Path) -> bool:
    """Whether a file begins and ends as one of members does: what was cut off does not.

    Raises:
        OSError: It cannot be opened.
    """
    with path.open("rb") as file:
        begins = file.read(len(PARQUET)) == PARQUET
        if not begins or file.seek(0, os.SEEK_END) < 2 * len(PARQUET):
            return False
        file.seek(-len(PARQUET), os.SEEK_END)
        return file.read() == PARQUET


def read_members(path: Path) -> Members:
    """The members as they were written, not to be changed; columns that an older version did not
    write are None.

    Raises:
        OSError: The file cannot be read.
        UnreadableMembers: It can, and is not as it was written.
    """
    import pyarrow as arrow
    import pyarrow.parquet as parquet

    kept = arrow.py_buffer(path.read_bytes())
    try:
        return _members_of(parquet.read_table(arrow.BufferReader(kept)))
    # Of bytes in memory all that can be wrong is the bytes, whichever way arrow says it.
    except (arrow.ArrowException, OSError, KeyError, ValueError) as error:
        raise UnreadableMembers(str(error).splitlines()[0]) from error


def _members_of(table: Any) -> Members:
    def strings(name: str) -> NDArray[np.object_]:
        # Few of them are distinct: equal ones share their string.
        coded = table[name].combine_chunks().dictionary_encode()
        values = np.array(coded.dictionary.to_pylist(), dtype=object)
        rows: NDArray[np.object_] = values[coded.indices.to_numpy()]
        rows.flags.writeable = False
        return rows

    def optional(name: str) -> NDArray[np.object_] | None:
        return strings(name) if name in table.column_names else None

    return Members(
        ids=table["id"].to_pylist(),
        paths=strings("path"),
        strengths=table["strength"].to_numpy(),
        centrality=table["centrality"].to_numpy(),
        copies_of=table["copies_of"].to_numpy(),
        noise_reasons=optional("noise_reason"),
        nearest=optional("nearest"),
    )


def write_members(path: Path, members: Members) -> None:
    """Keep the members in a new file."""
    import pyarrow as arrow
    import pyarrow.parquet as parquet

    columns = {
        "id": members.ids,
        "path": list(members.paths),
        "strength": members.strengths,
        "centrality": members.centrality,
        "copies_of": members.copies_of,
    }
    if members.noise_reasons is not None:
        columns["noise_reason"] = list(members.noise_reasons)
    if members.nearest is not None:
        columns["nearest"] = list(members.nearest)
    parquet.write_table(arrow.table(columns), path)

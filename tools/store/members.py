"""Which record is in which cluster of a run, as a parquet file.

In and out: `Members`, row for row with the records.
"""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from corpuscope.tools.core.schema import Members


def read_members(path: Path) -> Members:
    """The members as they were written; columns that an older version did not write are None."""
    import pyarrow.parquet as parquet

    table = parquet.read_table(path)

    def optional(name: str) -> NDArray[np.object_] | None:
        known = name in table.column_names
        return np.array(table[name].to_pylist(), dtype=object) if known else None

    return Members(
        ids=table["id"].to_pylist(),
        paths=np.array(table["path"].to_pylist(), dtype=object),
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

"""The columns of records, in a file and out of it."""

from pathlib import Path

import numpy as np
import pytest

from corpuscope.tools.core.schema import ColumnType
from corpuscope.tools.tables.table import build_table, read_table, write_table

KINDS: dict[str, ColumnType] = {"id": "string", "n": "number", "ok": "boolean", "empty": "date"}


def test_a_table_comes_out_of_its_file_as_it_went_in(tmp_path: Path) -> None:
    rows = [
        {
            "id": f"{at:016x}",
            "text": f"text {at}",
            "metadata": {"id": f"k{at % 3}", "n": at * 2**53},
        }
        for at in range(500)
    ]
    built = build_table([rows[:7], rows[7:]], KINDS)
    write_table(built, tmp_path / "table")
    for table in (built, read_table(tmp_path / "table", KINDS)):
        assert len(table) == 500
        assert table.column("id").values.tolist() == ["k0", "k1", "k2"]
        assert table.column("id").codes[:4].tolist() == [0, 1, 2, 0]
        assert table.column("n").values[-1] == 499 * 2**53
        assert table.column("ok").codes.tolist() == [-1] * 500
        assert np.isnan(table.column("ok").numbers()).all()
        assert len(table.column("empty").values) == 0
        assert table.texts(np.array([3, 1])) == ["text 3", "text 1"]
        assert table.rows_of(["0000000000000003", "f", "0"]).tolist() == [3, -1, -1]


def test_no_records_are_a_table_as_well(tmp_path: Path) -> None:
    write_table(build_table([], KINDS), tmp_path / "table")
    table = read_table(tmp_path / "table", KINDS)
    assert len(table) == 0
    assert table.column("n").codes.tolist() == []
    assert table.rows_of(["a"]).tolist() == [-1]


@pytest.mark.parametrize("content", [b"", b"ARROW1", b"\0" * 400, None])
def test_a_file_that_holds_something_else_is_refused(tmp_path: Path, content: bytes | None) -> None:
    file = tmp_path / "table"
    if content is None:
        write_table(build_table([], {"other": "string"}), file)
    else:
        file.write_bytes(content)
    with pytest.raises((ValueError, OSError)):
        read_table(file, KINDS)

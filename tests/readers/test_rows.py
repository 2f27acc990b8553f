"""What all readers share: rows given inline, and the names in a header."""

from pathlib import Path

import pytest

from corpuscope.tools.core.errors import BadInput
from corpuscope.tools.readers.rows import Row, column_names, inline_rows
from corpuscope.tools.readers.source import ReadLimits, Source

SOURCE = Source(Path("a.csv"), 100, ReadLimits(1_000))


def test_inline_rows_are_numbered_from_one() -> None:
    assert list(inline_rows([{"text": "a"}, {"text": "b"}])) == [
        Row(1, {"text": "a"}),
        Row(2, {"text": "b"}),
    ]


def test_an_unnamed_column_is_called_by_its_place() -> None:
    assert column_names(["", " text ", None], SOURCE) == ["column_1", "text", "column_3"]


@pytest.mark.parametrize(
    ("header", "message"),
    [
        (["", "", ""], "a.csv: no header; .* it is "),
        (["1", "2"], "a.csv: no header"),
        (["a", "b", "a"], "a.csv: column names must differ; repeated: a"),
    ],
)
def test_a_header_that_names_no_columns_is_refused(header: list[str], message: str) -> None:
    with pytest.raises(BadInput, match=message):
        column_names(header, SOURCE)

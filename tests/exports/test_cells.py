"""Which cells a spreadsheet would run."""

import pyarrow as pa
import pyarrow.compute as pc
import pytest

from corpuscope.tools.exports.cells import (
    FORMULA,
    PLAIN_NUMBER,
    is_formula,
    safe_cell,
    writable_text,
)

CASES = {
    "=1+1": True,
    "+49 30": True,
    "-2+3": True,
    "@SUM(A1)": True,
    "\t=1": True,
    "\r=1": True,
    "\n=1": True,
    "\uff1d1": True,
    "-": True,
    "": False,
    " =1": False,
    "'=1": False,
    "a=1": False,
    "-5": False,
    "+1.5e3": False,
    "-.5": False,
    "-5\n": True,
}


@pytest.mark.parametrize(("text", "runs"), CASES.items())
def test_what_begins_like_a_formula_gets_an_apostrophe_unless_it_is_a_number(
    text: str, runs: bool
) -> None:
    assert is_formula(text) is runs
    assert safe_cell(text) == ("'" + text if runs else text)


def test_arrow_reads_the_patterns_as_python_does() -> None:
    column = pa.array(list(CASES))
    starts = pc.match_substring_regex(column, FORMULA)
    found = pc.and_not(starts, pc.match_substring_regex(column, PLAIN_NUMBER))
    assert found.to_pylist() == list(CASES.values())


def test_characters_that_xml_cannot_hold_are_left_out() -> None:
    assert writable_text("a\x00b\ufffec\td\N{NO-BREAK SPACE}\N{GRINNING FACE}") == (
        "abc\td\N{NO-BREAK SPACE}\N{GRINNING FACE}"
    )

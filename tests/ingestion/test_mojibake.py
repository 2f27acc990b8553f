"""Text that was decoded wrongly once."""

import pytest

from corpuscope.tools.ingestion.mojibake import find_mojibake, mended_rows
from corpuscope.tools.readers.rows import BadRow, Row

SOUND = "the caf\u00e9\u2019s \u201cna\u00efve\u201d r\u00e9sum\u00e9 \u2013 5\u00b0 \U0001f600"


@pytest.mark.parametrize("codec", ["cp1252", "mac_roman", "latin-1"])
def test_what_was_decoded_wrongly_is_found_with_a_piece_and_mended(codec: str) -> None:
    wrong = SOUND[:16].encode().decode(codec, "replace")
    found = find_mojibake([wrong, "plain", SOUND, "more"])
    assert found is not None and found.share == 0.25
    assert found.before in wrong and found.after.startswith("the caf\u00e9")
    (row,) = mended_rows(iter([Row(1, {"text": wrong, "n": 3, "tags": ["x"]})]))
    assert row == Row(1, {"text": SOUND[:16], "n": 3, "tags": ["x"]})


def test_sound_texts_of_any_script_are_not_taken_for_wrong() -> None:
    texts = [
        SOUND,
        "gr\u00f6\u00dfere \u00c4rgernisse",
        "\u98db\u884c\u6a5f",
        "S\u00e3o Paulo",
        "7 \u2192 8",
    ]
    assert find_mojibake(texts) is None
    assert list(mended_rows(iter([Row(1, {"text": text}) for text in texts]))) == [
        Row(1, {"text": text}) for text in texts
    ]


def test_mending_resolves_entities_and_leaves_quotes_and_bad_rows() -> None:
    rows: list[Row | BadRow] = [Row(1, {"text": "\u201ca\u201d &amp; b"}), BadRow(2, "x")]
    assert list(mended_rows(iter(rows))) == [
        Row(1, {"text": "\u201ca\u201d & b"}),
        BadRow(2, "x"),
    ]

"""Codebooks: entries that can be read again, and what is written stays text."""

from pathlib import Path
from xml.etree import ElementTree

from support.made_themes import made_facts

from corpuscope.tools.exports.codebooks import (
    NAMESPACE,
    codebook_entries,
    codebook_markdown,
    escaped_markdown,
    write_qdc,
)
from corpuscope.tools.exports.theme_facts import QuotedText

THEMES = [
    made_facts("1.1", "Late <b>bags</b>", 9, heading="Luggage & co", heading_id="1", summary="S."),
    made_facts("1.2", "Late <b>bags</b>", 5, heading="Luggage & co", heading_id="1", author=None),
    made_facts(
        "2",
        "Seats",
        3,
        misfits="Legs.\x0b",
        quotes=(QuotedText("a", "=1 | 2"), QuotedText("b", "fine")),
    ),
]


def test_titles_are_told_apart_and_every_theme_has_a_definition_and_safe_examples_first() -> None:
    first, second, third = codebook_entries(THEMES)
    assert (first.title, second.title) == ("Late <b>bags</b> (1.1)", "Late <b>bags</b> (1.2)")
    assert (first.definition, second.definition) == (
        "S.",
        "Texts on: word. Nobody has described it yet.",
    )
    assert third.examples == ("fine", "=1 / 2")
    assert third.exclude == "Legs.\x0b"


def test_a_qdc_has_headings_with_their_themes_and_the_same_ids_each_time(tmp_path: Path) -> None:
    for name in ("a.qdc", "b.qdc"):
        write_qdc("shop:r1", codebook_entries(THEMES), "corpuscope", tmp_path / name)
    assert (tmp_path / "a.qdc").read_bytes() == (tmp_path / "b.qdc").read_bytes()
    [codes] = ElementTree.parse(tmp_path / "a.qdc").getroot()
    heading, seats = codes
    assert (heading.tag, heading.get("isCodable")) == (f"{{{NAMESPACE}}}Code", "false")
    assert heading.get("name") == "Luggage & co"
    assert [code.get("name") for code in heading] == [
        "Late <b>bags</b> (1.1)",
        "Late <b>bags</b> (1.2)",
    ]
    assert str(seats[0].text).startswith("Texts on: word.")
    assert "Does not belong: Legs.\n" in str(seats[0].text)


def test_texts_are_no_markdown() -> None:
    assert escaped_markdown("<i> *a* [b](http://c) # `d`\n| e") == (
        r"\<i\> \*a\* \[b\](http:\//c) # \`d\` \| e"
    )
    starts = ("# a", "- a", "1. a", "2024", "=a", "8.2%")
    assert [escaped_markdown(text) for text in starts] == [
        r"\# a", r"\- a", r"1\. a", "2024", r"\=a", "8.2%",
    ]  # fmt: skip
    book = codebook_markdown("shop", codebook_entries(THEMES))
    assert r"## 1.1: Late \<b\>bags\</b\> (1.1)" in book
    assert "<b>" not in book

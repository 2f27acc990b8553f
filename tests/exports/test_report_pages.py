"""Reports as pages: a snapshot, texts that stay texts, and odd contents."""

import re
from dataclasses import replace
from pathlib import Path

import pytest
from support.made_themes import made_facts

from corpuscope.tools.exports.crossing import CrossCell, CrossRow, ThemeCrossing
from corpuscope.tools.exports.report import ReportContent, WeakTheme
from corpuscope.tools.exports.report_pages import report_html, report_markdown
from corpuscope.tools.exports.theme_facts import HeadingFacts, QuotedText
from corpuscope.tools.exports.time_bins import ThemeSeries, ThemeTrend

SNAPSHOT = Path(__file__).parent / "snapshots" / "report.md"
HOSTILE = (
    "</p><script>alert(1)</script><img src=x onerror=alert(2)> [a](javascript:b) | {{ 7 * 7 }}"
)

BAGS = made_facts(
    *("1.1", "Late bags", 60),
    heading_id="1",
    heading="Luggage",
    share=0.6,
    summary="Bags come late. People wait for them.",
    keywords=["bag", "carousel"],
    proof=0.7,
    proof_word="weak",
)
SEATS = made_facts("2", "Seats & rows", 25, share=0.25, author=None)
CROSSED = (
    CrossRow(
        "1.1", "Late bags", 60, 0.6, (CrossCell(45, 0.9, 1.5, 6), CrossCell(15, 0.3, 0.5, -6))
    ),
    CrossRow("noise", "noise", 15, 0.15, (CrossCell(5, 0.1, 0.7, -1), CrossCell(10, 0.2, 1.3, 1))),
)
SMALL = ReportContent(
    dataset="flights",
    run="r1",
    written="2026-01-02 03:04 UTC",
    records=100,
    known=100,
    noise=15,
    noise_reasons="15 isolated (little else is like them)",
    noise_quotes=[QuotedText("n1", "Nothing like it.")],
    filter="",
    summary=["100 records of 'flights' fall into 2 themes under 1 heading."],
    headed=True,
    groups=[
        HeadingFacts("1", "Luggage", "All about luggage.", (BAGS,)),
        HeadingFacts(None, "Under no heading", "", (SEATS,)),
    ],
    themes=[BAGS, SEATS],
    crossing=ThemeCrossing("airline", ("United", "Delta"), (50, 50), CROSSED),
    trend=ThemeTrend(
        *("day", "month", ("2024-01", "2024-02"), (40, 58)),
        (ThemeSeries("1.1", "Late bags", (10, 50), (0.25, 0.86), 0.25, 0.86, 1),),
        2,
    ),
    weak=[WeakTheme(BAGS, ("the description fits its texts badly (proof 0.70)",))],
    making=[("Dataset", "flights, 100 records"), ("Vectors by", "wordllama")],
    picture=b"\x89PNG",
)


def test_the_page_in_markdown_is_the_snapshot() -> None:
    assert report_markdown(SMALL, "flights.png") == SNAPSHOT.read_text(encoding="utf-8")


def test_whatever_is_filled_in_stays_text() -> None:
    theme = made_facts(
        "1", HOSTILE, 5, summary=HOSTILE, keywords=[HOSTILE], quotes=(QuotedText("x", HOSTILE),)
    )
    group = HeadingFacts("1", HOSTILE, HOSTILE, (theme,))
    bad = replace(
        SMALL,
        dataset=HOSTILE,
        summary=[HOSTILE],
        filter=HOSTILE,
        groups=[group],
        themes=[theme],
        noise_quotes=[QuotedText("n", HOSTILE)],
        weak=[WeakTheme(theme, (HOSTILE,))],
        making=[("Text of", HOSTILE)],
    )
    page = report_html(bad)
    assert "<script" not in page
    assert len(re.findall("<img", page)) == 1
    assert "{{ 7 * 7 }}" in page
    assert not re.search(r"(src|href)=\"(?!#|data:)", page)
    markdown = report_markdown(bad, "m.png")
    assert not re.search(r"(?<!\\)<(?!m\.png)", markdown)
    assert r"\[a\](javascript:b) \| {{ 7 \* 7 }}" in markdown


@pytest.mark.parametrize("count", [0, 1, 60])
def test_none_one_and_many_themes_make_a_page(count: int) -> None:
    themes = [made_facts(str(at), "لغة " * 3 + "x" * 300, 5, author=None) for at in range(count)]
    made = replace(
        *(SMALL,), headed=False, themes=themes, picture=None, crossing=None, trend=None, weak=[],
        groups=[HeadingFacts(None, "", "", tuple(themes))] if themes else [],
    )  # fmt: skip
    page = report_html(made)
    assert page.count("<article") == count
    assert page.count("not described yet") == count
    assert (f"{count} of {count} themes are not described" in page) is (count > 0)
    assert ("The themes by size" in page) is (count > 0)
    assert "How it was made" in report_markdown(made, None)

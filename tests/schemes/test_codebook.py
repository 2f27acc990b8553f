"""Codebooks as people write them, and what is said of those that are none."""

from pathlib import Path

import pytest

from corpuscope.tools.core.errors import BadInput
from corpuscope.tools.schemes.codebook import Category, read_codebook

BOOK = [
    Category("c1", "Bags", "Luggage that was lost or late.", ("my bag is gone", "no suitcase")),
    Category("c2", "Crew", "People on board.", ()),
]
CSV = """Title,Definition,Examples
Bags,Luggage that was lost or late.,my bag is gone | no suitcase
Crew,People on board.,
"""
JSON = """{"themes": [
 {"name": "Bags", "description": "Luggage that was lost or late.",
  "examples": ["my bag is gone", "no suitcase"]},
 {"name": "Crew", "description": "People on board."}]}
"""
YAML = """# what we sort by
themes:
- title: Bags
  definition: Luggage that was lost or late.
  examples: [my bag is gone, no suitcase]
- title: Crew
  definition: People on board.
"""
BY_TITLE = """Bags:
  definition: Luggage that was lost or late.
  examples: "my bag is gone | no suitcase"
Crew: People on board.
"""


@pytest.mark.parametrize(
    ("name", "content"),
    [("b.csv", CSV), ("b.json", JSON), ("b.yaml", YAML), ("b.yml", BY_TITLE)],
)
def test_the_same_codebook_is_read_from_each_form(tmp_path: Path, name: str, content: str) -> None:
    path = tmp_path / name
    path.write_text(content, encoding="utf-8")
    assert read_codebook(path) == BOOK
    assert BOOK[0].texts[0] == "Bags. Luggage that was lost or late."


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("b.txt", "Bags", "its name must end in .csv, .tsv, .json, .jsonl, .yaml, .yml"),
        ("b.csv", "title,definition\n", "b.csv has no theme"),
        ("b.yaml", "themes: []\n", "b.yaml has no theme"),
        ("b.yaml", "\n", "b.yaml has no theme"),
        ("b.yaml", "just words\n", "b.yaml is no list of themes"),
        ("b.yaml", "a: [1\n", "b.yaml is no sound yaml: while parsing"),
        (
            "b.csv",
            "title,definition\nBags,\nCrew,Them\n",
            "of 2 themes 1 have no definition ('Bags')",
        ),
        ("b.csv", "title\nBags\nCrew\n", "of 2 themes 2 have no definition ('Bags', 'Crew')"),
        (
            "b.csv",
            "title,definition\nBags,x\nbags,\n",
            "titles stand more than once ('bags'); 1 have",
        ),
        ("b.csv", "text,note\nx,y\n", "1 have no title ('c1'); 1 have no definition"),
        ("b.json", '[{"title": "A", "definition": ["x"]}]', "must be a text"),
        ("b.json", "[1, 2]", "b.json: a list of int, not of objects"),
        ("b.csv", "title,definition\nA," + "x" * 10_001, "10,001 characters, the limit is 10,000"),
    ],
)
def test_what_is_no_codebook_is_said_with_the_form_of_one(
    tmp_path: Path, name: str, content: str, said: str
) -> None:
    path = tmp_path / name
    path.write_text(content, encoding="utf-8")
    with pytest.raises(BadInput) as refused:
        read_codebook(path)
    assert said in str(refused.value)
    assert "title, definition" in str(refused.value) or "Cut it" in str(refused.value)


def test_too_many_themes_or_examples_are_refused_with_what_to_do(tmp_path: Path) -> None:
    path = tmp_path / "b.csv"
    rows = "".join(f"Theme {number},What it is\n" for number in range(301))
    path.write_text(f"title,definition\n{rows}", encoding="utf-8")
    with pytest.raises(BadInput, match="301 themes, the limit is 300. Give the coarser level"):
        read_codebook(path)
    many = "|".join(f"example {number}" for number in range(101))
    path.write_text(f"title,definition,examples\nA,b,{many}\n", encoding="utf-8")
    with pytest.raises(BadInput, match="theme 1: 101 examples, the limit is 100"):
        read_codebook(path)

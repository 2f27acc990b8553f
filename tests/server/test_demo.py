from pathlib import Path

from corpuscope.server.demo import WIDTH, docstrings_of, keyword_line

SOURCE = '''"""A module about tea, which says enough about itself to be a text."""

class Pot:
    """A pot in which leaves are steeped in hot water for a while."""

    def pour(self):
        """Pour the tea into a cup and return the cup to the guest.

        >>> Pot().pour()
        """

    def lid(self):
        """Too short."""
'''


def test_docstrings_become_rows_with_their_module_and_kind(tmp_path: Path) -> None:
    (tmp_path / "tea").mkdir()
    (tmp_path / "tea" / "__init__.py").write_text(SOURCE, encoding="utf-8")
    (tmp_path / "tea" / "broken.py").write_text("def (:", encoding="utf-8")
    (tmp_path / "test").mkdir()
    (tmp_path / "test" / "case.py").write_text(SOURCE, encoding="utf-8")
    rows = list(docstrings_of(tmp_path))
    assert [(row["name"], row["kind"]) for row in rows] == [
        ("tea", "module"),
        ("tea.Pot", "class"),
        ("tea.Pot.pour", "function"),
    ]
    assert {row["module"] for row in rows} == {"tea"}
    assert rows[2]["text"].endswith("to the guest.")


def test_a_line_of_keywords_ends_with_a_whole_one() -> None:
    words = [f"keyword{number}" for number in range(20)]
    line = keyword_line(words)
    assert WIDTH - 40 < len(line) <= WIDTH - 20
    assert line.split(", ") == words[: len(line.split(", "))]
    assert keyword_line([]) == ""

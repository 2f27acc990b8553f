"""How many texts hold a keyword, and which one is shown for a keyword that is seen nowhere."""

import numpy as np
import pytest

from corpuscope.tools.analysis.keyword_texts import (
    KEYWORD_TEXTS,
    SURELY_SHOWN,
    KeywordCount,
    count_keywords,
    from_keyword,
    missing_keywords,
)

INSIDE = {
    7: "my bag is lost",
    8: "the bags never came",
    9: "a claim for a lost bag",
    11: "where is the claim form",
}
BESIDE = ["a bag of nuts", "the seat is broken"]
NEARNESS = np.array([0.9, 0.8, 0.4, 0.6], np.float32)


def test_texts_that_hold_a_keyword_are_counted_on_both_sides() -> None:
    assert count_keywords(["bag", "claim", "seat"], INSIDE, BESIDE) == [
        KeywordCount("bag", [7, 9], 0.5, 0.5),
        KeywordCount("claim", [9, 11], 0.5, 0.0),
        KeywordCount("seat", [], 0.0, 0.5),
    ]


def test_for_a_strong_keyword_that_is_seen_nowhere_the_most_typical_text_is_chosen() -> None:
    counts = count_keywords(["bag", "claim", "form", "seat"], INSIDE, BESIDE)
    # The text for the claim holds the form as well; a bag is as often next door.
    assert missing_keywords(counts, ["lost"], INSIDE, NEARNESS) == {11: "claim"}
    assert missing_keywords(counts, ["a claim", "form"], INSIDE, NEARNESS) == {}


def test_no_more_texts_are_chosen_than_a_reader_can_use() -> None:
    inside = {number: f"word{number}" for number in range(10)}
    counts = count_keywords([*inside.values()], inside, ["other"])
    assert len(missing_keywords(counts, [], inside, np.ones(10, np.float32))) == KEYWORD_TEXTS


@pytest.mark.parametrize("word", ["claim", None])
def test_a_text_begins_a_little_before_its_keyword_where_that_is_far_in_it(
    word: str | None,
) -> None:
    text = f"{'so long ' * 100}until my claim was settled"
    shown = from_keyword(text, word)
    assert ("claim" in shown[:SURELY_SHOWN]) == (word is not None)
    assert text.endswith(shown[2:])
    assert from_keyword("my claim", word) == "my claim"

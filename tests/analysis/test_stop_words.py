"""Stop words by the languages of the texts."""

from corpuscope.tools.analysis.stop_words import stop_words, stop_words_for

ENGLISH = ["My card has not arrived yet and nobody tells me when it will be delivered."] * 6
GERMAN = ["Meine Karte ist noch nicht da, und niemand kann mir sagen, wann sie kommt."] * 6


def test_each_language_that_many_texts_are_in_has_its_stop_words() -> None:
    assert {"und", "nicht"} <= stop_words_for(GERMAN)
    assert "the" not in stop_words_for(GERMAN)
    assert {"und", "the"} <= stop_words_for(GERMAN + ENGLISH)
    assert stop_words_for(ENGLISH) == stop_words()


def test_one_text_of_another_language_takes_no_words_away() -> None:
    assert "war" not in stop_words_for(ENGLISH * 4 + GERMAN[:1])
    assert "war" in stop_words_for(GERMAN)


def test_where_no_language_is_told_the_english_ones_count() -> None:
    assert stop_words_for([]) == stop_words_for(["ok", "12"]) == stop_words()

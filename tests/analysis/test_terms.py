"""Terms of texts in many scripts, and what is no term of any."""

import pytest

from corpuscope.tools.analysis.terms import fragments, readable_words, term_pattern, text_terms


def terms(text: str, *stop: str) -> set[str]:
    return set(text_terms(readable_words(text), frozenset(stop)))


@pytest.mark.parametrize(
    "text",
    [
        "bags http://t.co/aBc123 late",
        "bags https://t.co/x… late",
        "bags http… late",
        "bags HTTPS://T.CO/X late",
        "bags www.lost-bags.com/claim late",
        "bags t.co/aBc123 late",
        "bags bit.ly/2xYz late",
        "bags http t co abc123 late",
        "bags http late",
        "bags &amp; late",
        "bags &amp;quot; late",
        "bags amp late",
        "bags nbsp quot late",
        "<p class='x'>bags</p><br/> late",
        "bags &#39; late",
        "bags caf\ufffd \ufffd\ufffd late",
        "bags \u201a\xc4\xfa late",
        "bags \xe2\u20ac\u0153 late",
    ],
)
def test_links_markup_and_lost_characters_are_no_words(text: str) -> None:
    assert terms(text) - {"bags late"} == {"bags", "late"}


def test_words_that_were_decoded_wrongly_are_read_as_they_were_meant() -> None:
    assert {"café", "lost"} <= terms("lost at the cafÃ©")
    assert "don" not in terms("I donâ€™t know")
    assert "don" not in terms("I don\u201a\xc4\xf4t know")
    assert {"zürich", "naïve", "façade"} <= terms("Zürich naïve façade")


def test_what_looks_like_a_link_or_a_tag_and_is_none_stays() -> None:
    assert {"node.js", "c++", "asp.net", "httpclient"} <= terms("node.js c++ ASP.NET HttpClient")
    assert {"red", "blue"} <= terms("red/blue, 1 < 2 and 3 > 2")


def test_no_phrase_goes_across_what_was_taken_out() -> None:
    assert terms("lost http://t.co/x bag") == {"lost", "bag"}
    assert "lost bag" in terms("lost bag")


def test_articles_and_genitives_come_off_and_short_forms_go() -> None:
    assert terms("l'avion d'Air", "l", "d") == {"avion", "air", "avion air"}
    assert terms("today\u2019s news") == {"today", "news", "today news"}
    assert terms("we're don't O'Brien", "we") == {"o'brien"}


def test_vowel_signs_belong_to_their_word() -> None:
    assert "कार्ड" in terms("मेरा कार्ड आया")
    assert "café" in terms("cafe\u0301")


@pytest.mark.parametrize(
    ("text", "word", "broken"),
    [
        ("我的信用卡还没有到", "信用卡", ""),
        ("新しいクレジットカードが届きません", "クレジットカード", "レジット"),
        ("天候による遅延の連絡", "遅延", "による"),
        ("กระเป๋าเดินทางหายที่สนามบิน", "กระเป๋าเดินทาง", "ะเป๋า"),
        ("ກະເປົາເດີນທາງເສຍ", "ກະເປົາເດີນທາງ", "ະເປົາ"),
        ("បន្ទប់មានក្លិន", "បន្ទប់", "្ទប់"),
        ("အိတ်ပျောက်သွားတယ်", "အိတ်", "ိတ်"),
        ("신용카드를 잃어버렸어요", "신용카드", "용카드"),
        ("iPhoneの修理", "iphone", ""),
    ],
)
def test_scripts_without_spaces_have_sequences_that_cut_no_letter_apart(
    text: str, word: str, broken: str
) -> None:
    found = terms(text)
    assert word in found
    assert not broken or broken not in found


def test_pieces_of_a_longer_word_are_told_from_words() -> None:
    counts = {"信用": 10, "用卡": 9, "信用卡": 9, "的信": 9, "卡费": 3, "的信用": 9, "酒店": 5}
    assert fragments(counts) == {"信用", "用卡", "的信", "的信用"}


def test_a_sequence_in_one_text_and_latin_words_are_left_to_themselves() -> None:
    assert fragments({"信用": 1, "用": 1}) == {"信用", "用"}
    assert fragments({"bag": 1, "lost bag": 1}) == set()


def test_a_term_stands_between_borders_where_its_script_has_any() -> None:
    assert term_pattern("lost bag").search("my lost  bag is")
    assert not term_pattern("bag").search("bags")
    assert term_pattern("bag", r"\w{0,3}").search("bags")
    assert term_pattern("信用卡").search("我的信用卡还没有到")
    assert term_pattern("c++").search("in c++ today")

"""What a mask takes out of a text."""

import pytest

from corpuscope.tools.core.errors import BadInput
from corpuscope.tools.core.masking import is_all_masked, keyword_text, masked_text, parse_mask
from corpuscope.tools.core.redaction import as_it_is, redact
from corpuscope.tools.core.schema import Mask


@pytest.mark.parametrize(
    ("kinds", "text", "left"),
    [
        (["handles"], "=@VirginAmerica What @dhepburn said.", "= What said."),
        (["handles"], ".@united: late again, @Delta's fault", ". : late again, 's fault"),
        (["handles"], "write to joe@example.com @ noon", "write to joe@example.com @ noon"),
        (["handles"], "@joe@mastodon.social hello", "hello"),
        (["handles"], "\uff20名前 hello", "hello"),
        (["handles"], "see https://medium.com/@joe/x", "see https://medium.com/@joe/x"),
        (["urls"], "see https://t.co/aB1?x=1, or www.a.org now", "see or now"),
        (["urls"], "see t.co/aB1 and e.g. this/that", "see and e.g. this/that"),
        (["urls"], "cut off http\u2026 there", "cut off there"),
        (["urls"], "見て http://t.cn/abc。すごい", "見て 。すごい"),
        (["emails"], "joe.b+x@example.co.uk wrote @joe", "wrote @joe"),
        (
            ["numbers"],
            "flight #1234 at 10:35, $30 or 5% for 2nd B737",
            "flight at , or for 2nd B737",
        ),
        (["numbers"], "3.5hrs late. In 2015.", "3.5hrs late. In ."),
        (["emails", "handles"], "a@b.org @c d", "d"),
        ([], "@a http://b.org", "@a http://b.org"),
    ],
)
def test_each_kind_takes_its_own_and_nothing_else(kinds: list[str], text: str, left: str) -> None:
    assert masked_text(text, parse_mask(kinds, None)) == left


def test_own_words_are_taken_whole_whatever_their_case_the_longest_first() -> None:
    mask = parse_mask(None, ["New York", "new york city", "united", "c++"])
    assert (
        masked_text("United in New  York City, reunited; C++ and c", mask) == "in , reunited; and c"
    )


def test_words_of_scripts_without_spaces_are_taken_within_a_run() -> None:
    assert masked_text("我在航空公司工作", parse_mask(None, ["航空公司"])) == "我在 工作"


def test_a_text_of_which_nothing_is_left_stays_as_it_is() -> None:
    mask = parse_mask(["handles", "urls"], None)
    for text in ("@united", "@united @delta !!!", "=@a https://b.org/c"):
        assert masked_text(text, mask) == text and is_all_masked(text, mask)
    assert masked_text("@united 😀", mask) == "😀" and not is_all_masked("@united 😀", mask)
    assert not is_all_masked("", Mask()) and not is_all_masked("@united", Mask())


def test_keywords_are_counted_in_text_that_is_redacted_and_then_masked() -> None:
    mask = parse_mask(["handles"], ["bag"])
    assert keyword_text(mask, redact)("@joe lost bag of joe@x.org") == "\n lost \n of [email]"
    assert keyword_text(Mask(), as_it_is) is as_it_is


def test_names_are_taken_as_people_say_them_and_equal_masks_are_equal() -> None:
    said = parse_mask(["Links", "@handle", "email", "number", "urls"], [" A  b ", "a b", ""])
    assert said == Mask(("emails", "urls", "handles", "numbers"), ("a b",))
    assert parse_mask(None, None) == parse_mask([], []) == Mask() and not Mask()


def test_an_unknown_kind_is_answered_with_those_there_are_and_where_words_go() -> None:
    with pytest.raises(
        BadInput,
        match=r"mask has no 'united'. Valid: emails, handles, numbers, urls. .*stop_words=\['uni",
    ):
        parse_mask(["united"], None)
    with pytest.raises(BadInput, match="1,001 words, at most 1,000"):
        parse_mask(None, [f"word{number}" for number in range(1_001)])
    with pytest.raises(BadInput, match="stop_words takes 25,000 bytes, at most 20,000"):
        parse_mask(None, [f"{number:05}" * 10 for number in range(500)])
    assert parse_mask(None, ["half\ud800"]).words == ("half\ufffd",)


@pytest.mark.parametrize("text", ["1." * 20_000 + "x", "01-" * 20_000 + "a", "12:" * 20_000])
def test_a_text_of_nothing_but_digits_is_masked_in_no_time_at_all(text: str) -> None:
    # Beginning anew at each digit, or trying each shorter number, this would take minutes.
    assert masked_text(text, Mask(("numbers",))) == text

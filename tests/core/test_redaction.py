import random

import phonenumbers
import pytest
from support.regex_steps import CountingRe

from corpuscope.tools.core import redaction
from corpuscope.tools.core.redaction import as_it_is, redact
from corpuscope.tools.core.text import UNSEEN, clean_text

CARD = "4111 1111 1111 1111"
IBAN = "DE89 3704 0044 0532 0130 00"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Mail joe.bloggs+x@example.co.uk, please", "Mail [email], please"),
        ("mailto:joe@example.com", "mailto:[email]"),
        ("Pišite na jože@pošta.si.", "Pišite na [email]."),
        ("Call +1 (415) 555-2671 or (415) 555-2671.", "Call [phone] or [phone]."),
        ("+49 (0)30 901820 and 0049 30 901820", "[phone] and [phone]"),
        ("030/901820-12, 020 7946 0958, 01 23 45 67 89", "[phone], [phone], [phone]"),
        ("98765 43210 or 138 1234 5678 or 612 34 56 78", "[phone] or [phone] or [phone]"),
        ("My phone number is 4155552671", "My phone number is [phone]"),
        ("Ruf mich an, Handy: 1711234567", "Ruf mich an, Handy: [phone]"),
        (f"{CARD} exp 12/26", "[card] exp 12/26"),
        ("3782-822463-10005, 4111111111111111", "[card], [card]"),
        (f"{IBAN} and GB82WEST12345698765432", "[id] and [id]"),
        ("BE68 5390 0754 7034 1000 EUR", "[id] 1000 EUR"),
        ("SSN 123-45-6789, CPF 390.533.447-05", "SSN [id], CPF [id]"),
        ("NIR 2 95 10 99 126 111 93, RCCMNL83S18D969H", "NIR [id], [id]"),
        ("PAN ABCPE1234F, VAT DE136695976", "PAN [id], VAT [id]"),
        ("from 203.0.113.77:8080", "from [ip]:8080"),
        ("from 2001:db8::1 or [2001:db8::2]:80", "from [ip] or [[ip]]:80"),
        ("sk-abcdefghij1234567890abcd", "[secret]"),
        ("ghp_abcdefghijklmnopqrstuvwxyz0123456789", "[secret]"),
        ("AKIAIOSFODNN7EXAMPLE", "[secret]"),
        ("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.abc-DEF_1", "[secret]"),
    ],
)
def test_personal_data_becomes_its_kind(text: str, expected: str) -> None:
    assert redact(text) == expected


@pytest.mark.parametrize(
    ("link", "expected"),
    [
        ("https://shop.example/a/b#top", "https://shop.example/a/b#top"),
        ("https://shop.example/find?q=joe", "https://shop.example/[link]"),
        ("https://shop.example?q=joe", "https://shop.example/[link]"),
        ("https://joe@shop.example/x", "https://shop.example/[link]"),
        ("ssh://joe@shop.example", "ssh://shop.example/[link]"),
        ("ftp://joe:secret@shop.example/x", "[link]"),
        ("www.shop.example/?id=1", "www.shop.example/[link]"),
        ("https://shop.example/#access_token=abc", "https://shop.example/[link]"),
        ("https://shop.example/out/joe%40x.com", "https://shop.example/[link]"),
        ("https://shop.example/reset/9f8b7c6d5e4f3a2b1c0d", "https://shop.example/[link]"),
        (
            "https://shop.example/i/550e8400-e29b-41d4-a716-446655440000",
            "https://shop.example/[link]",
        ),
        (
            "https://news.example/2024/04/26/ten-things-of-covid19-and-h1n1-596580",
            "https://news.example/2024/04/26/ten-things-of-covid19-and-h1n1-596580",
        ),
        ("http://203.0.113.77/a?b=c", "http://[ip]/[link]"),
        ("https://[nothing]/?a=b", "https://[nothing]/[link]"),
    ],
)
def test_a_link_is_cut_where_it_says_more_than_where_a_page_is(link: str, expected: str) -> None:
    assert redact(f"See ({link}).") == f"See ({expected})."


@pytest.mark.parametrize(
    "text",
    [
        "Date: Wed Sep 22 22:32:34 2010 -0400",
        "in 2024, on 2024-04-26 20:03:00.628113+00, 26.04.2024 12:30, 4/26/24 at 9.15",
        "from 01/02/2023 - 05/02/2023, 01/02/23-05/02/23, the years 2019 2020 2021 2022",
        "$1,234.56 or 1.234.567,89 € or 12 345 678 kr, 12.5 % of 5,000,000",
        "orders T0001, ORD-004711, #0412345678, INV2024-00017 and 7710134",
        "python 3.11.4, v10.2.3.4, version 10.20.30.40, >=1.16.0.1, Chrome/10.0.60.71, 1.2.3.4",
        "localhost 127.0.0.1, 0.0.0.0, 255.255.255.0, Foo::Bar, 12:30:45, dead::beef",
        "3.14159265358979, 103.10237122, 0.4111111111111111, 1e+10000000, 1714161780123",
        "deadbeef0123456789abcdef 550e8400-e29b-41d4-a716-446655440000",
        "4111 1111 1111 1112, 123456789, 64-bit, 10 x 20, 3-1 4-2, T4111111111111111",
        "salary 70000-75000, pages 218-219 (1968), IEEE 754-2008/2019",
        "ISBN 978-3-16-148410-0, ZIP 94105-1234, lat 52.520008, 13.404954",
        "@joe at 9, a@b, user@localhost, lodash@4.17.21, and/or, sk-learn",
        "",
    ],
)
def test_dates_prices_versions_and_ordinary_numbers_stay(text: str) -> None:
    assert redact(text) == text


@pytest.mark.parametrize("region", ["US", "GB", "DE", "FR", "IN", "CN", "JP", "BR", "AU", "NG"])
def test_every_country_s_number_is_found_as_it_is_written_abroad(region: str) -> None:
    number = phonenumbers.example_number(region)
    assert number is not None
    for style in (
        phonenumbers.PhoneNumberFormat.E164,
        phonenumbers.PhoneNumberFormat.INTERNATIONAL,
    ):
        assert redact(f"or {phonenumbers.format_number(number, style)}!") == "or [phone]!"


def test_scripts_without_spaces_neither_hide_nor_lose_anything() -> None:
    assert redact("メールはtaro@example.jpまで") == "メールは[email]まで"
    assert redact("電話番号は090-1234-5678です") == "電話番号は[phone]です"
    assert redact("卡号4111111111111111、谢谢") == "卡号[card]、谢谢"
    assert redact("手机号13812345678、谢谢") == "手机号[phone]、谢谢"


def test_only_what_is_replaced_changes() -> None:
    text = "Cafe\u0301 №\uff15 — ﬁne\u00a0② {}\u200b, {} …\ttab\r\nend"
    assert redact(text.format("joe@x.com", CARD)) == text.format("[email]", "[card]")


def test_other_digits_spaces_and_dashes_hide_nothing() -> None:
    assert redact(CARD.translate({ord("1"): 0xFF11, ord("4"): 0xFF14}) + "!") == "[card]!"
    assert redact(CARD.translate({ord("1"): 0x661, ord("4"): 0x664}) + "!") == "[card]!"
    assert redact("+49\u00a030\u2009901820\u201112") == "[phone]"
    assert redact("123\u201345\u22126789") == "[id]"
    assert redact("joe\uff20x\uff0ecom") == "[email]"


def test_no_character_that_nobody_sees_hides_anything() -> None:
    unseen = [chr(code) for code in range(0x110000) if UNSEEN.match(chr(code))]
    text = unseen[0].join(CARD)
    assert redact(text) == "[card]"
    assert clean_text(redact(text)) == redact(clean_text(text))
    together = redact("".join(f"+49 30 90{character}1820;" for character in unseen))
    assert together == "[phone];" * len(unseen)


def test_redaction_done_again_changes_nothing() -> None:
    pieces = [
        *(CARD, IBAN, "+49 30 901820", "(415) 555-2671", "030 1234567", "123-45-6789"),
        *(
            "joe@x.com",
            "https://joe:pw@x.com/a",
            "https://x.com/a?b=c",
            "www.x.com/",
            "192.168.1.12",
        ),
        *(
            "2001:db8::1",
            "sk-abcdefghij1234567890abcd",
            "2345 6789 0124",
            "[phone]",
            "[id]",
            "phone",
        ),
        *("12", "2024", "01.02.2023", "0", "7", "é", "は", "a", "T", "\u200b", "\u00a0", "\uff14"),
        *" ()[]+-/.,:;@?=#\n",
    ]
    choice = random.Random(0)
    for _ in range(1000):
        once = redact("".join(choice.choices(pieces, k=choice.randint(1, 12))))
        assert redact(once) == once


@pytest.mark.parametrize(
    "piece",
    [
        *("1-", "a@", "://", "1", "a", "5 ", "+1", "a.", "1:", "é1-", "\u200b1", "AB12 "),
        *("1234567 a ", "1.2.3.45 "),
    ],
)
def test_the_work_grows_with_the_length_however_hostile_the_text(
    piece: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    work = []
    for length in (400, 800):
        counting = CountingRe()
        monkeypatch.setattr(redaction, "re", counting)
        # Without a digit it would not be looked at.
        redact((piece * length)[:length] + "1")
        work.append(counting.steps)
    # What is quadratic takes four times as much.
    assert work[1] < 2.5 * work[0]


def test_with_redaction_off_a_text_stays_as_it_is() -> None:
    assert as_it_is(f"joe@x.com {CARD}") == f"joe@x.com {CARD}"

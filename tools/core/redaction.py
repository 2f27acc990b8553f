"""What personal data becomes before a model sees a text: `[email]`, `[phone]`, `[card]`, ...

Own patterns only find candidates; phonenumbers, python-stdnum (checksums), ipaddress and
urllib.parse decide what they are. Names and postal addresses are not found.
"""

import ipaddress
import re
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from importlib import import_module
from itertools import accumulate, pairwise
from typing import TypeAlias
from urllib.parse import urlsplit

Redact: TypeAlias = Callable[[str], str]
"""What is done to a text before a model sees it."""

Edit: TypeAlias = tuple[int, int, str]
"""From, to (exclusive), and what stands there instead."""

PASSES = 3
"""What is glued to a number may read differently once that is a mark; a third finds no more."""

WORTH_A_LOOK = r"[\d@/]"  # No kind is without one of these.

# Here and below the classes are ASCII: \w and \b take kana and ideographs, which stand unspaced
# beside a number, for a part of it.
KEY_OPEN = r"(?<![A-Za-z0-9_-])"

# Letters of the scripts that put spaces between words. In the others an address would take the
# sentence around it along.
LETTER = "A-Za-z\u00c0-\u024f\u0370-\u052f"

URL = (
    r"(?<![A-Za-z0-9])(?:[A-Za-z][A-Za-z0-9+.-]{1,15}://|www\.)"
    rf"[!#-;=?@\[-_{{-~{LETTER}]++"
)
AFTER_URL = ".,;:!?'\")]}*"
"""What at its end belongs to the sentence around it."""

TOKEN = 16
"""The fewest characters of a random piece of a path: as hex, the 64 bits of a short token."""

EMAIL = (
    rf"(?<![{LETTER}0-9._%+'-])[{LETTER}0-9._%+'-]++"
    rf"@(?:[{LETTER}0-9][{LETTER}0-9-]{{0,62}}\.){{1,8}}[{LETTER}]{{2,24}}(?![{LETTER}0-9])"
)

SECRETS = (
    r"-----BEGIN [A-Z ]{0,30}PRIVATE KEY-----[^-]*+(?:-----END [A-Z ]{0,30}PRIVATE KEY-----)?",
    rf"{KEY_OPEN}eyJ[A-Za-z0-9_-]{{8,}}+\.[A-Za-z0-9_-]{{8,}}+\.[A-Za-z0-9_-]*+",
    rf"{KEY_OPEN}(?:sk-|[srp]k_(?:live|test)_|gh[pousr]_|github_pat_|glpat-|hf_|npm_|pypi-"
    r"|xox[abeprs]-|SG\.)(?=[^\s\d]{0,40}\d)[A-Za-z0-9_-]{20,}+(?:\.[A-Za-z0-9_-]{20,}+)?",
    rf"{KEY_OPEN}(?:(?:AKIA|ASIA)[A-Z0-9]{{16}}|AIza[A-Za-z0-9_-]{{35}})(?![A-Za-z0-9_-])",
)
"""Private keys, JSON web tokens, and keys that begin with their maker's prefix."""

ID_OPEN = r"(?<![0-9A-Za-z_./+-])"
ID_SHUT = r"(?![0-9A-Za-z_-]|[./]\d)"

# Every id has seven digits or, before the first one, four capitals.
ID_LEAST = r"(?:\d\D*+){7}|[A-Z]{4}\d"

IDS = {
    "iban": r"[A-Za-z]{2}\d\d[0-9A-Za-z]{11,30}|[A-Z]{2}\d\d(?:[ -][0-9A-Z]{1,4}){3,8}",
    "us.ssn": r"\d{3}-\d\d-\d{4}",
    "us.itin": r"9\d\d-\d\d-\d{4}",
    "ca.sin": r"\d{3}-\d{3}-\d{3}",
    "br.cpf": r"(?:\d{3}\.\d{3}\.\d{3}|\d{9})-?\d\d",
    "mx.curp": r"[A-Z]{4}\d{6}[A-Z]{6}[0-9A-Z]\d",
    "ar.cuit": r"\d\d-\d{8}-\d",
    "cl.rut": r"\d{1,2}\.\d{3}\.\d{3}-[\dKk]",
    "gb.nhs": r"\d{3} \d{3} \d{4}",
    "de.idnr": r"\d\d ?\d{3} ?\d{3} ?\d{3}",
    "ch.ssn": r"756\.\d{4}\.\d{4}\.\d\d",
    "fr.nir": r"[12] ?\d\d ?\d\d ?\d[\dAB] ?\d{3} ?\d{3} ?\d\d",
    "be.nn": r"(?:\d\d\.\d\d\.\d\d|\d{6})-?\d{3}[. ]?\d\d",
    "es.dni": r"\d{8}-?[A-Za-z]",
    "es.nie": r"[XYZ]-?\d{7}-?[A-Za-z]",
    "it.codicefiscale": r"[A-Z]{6}\d\d[A-Z]\d\d[A-Z]\d{3}[A-Z]",
    "cz.rc": r"\d{6}/\d{3,4}",
    "ro.cnp": r"\d{13}",
    "se.personnummer": r"(?:\d\d)?\d{6}[-+]\d{4}",
    "dk.cpr": r"\d{6}-\d{4}",
    "no.fodselsnummer": r"\d{6} ?\d{5}",
    "fi.hetu": r"\d{6}[-+A-FU-Y]\d{3}[0-9A-Z]",
    "tr.tckimlik": r"\d{11}",
    "za.idnr": r"\d{13}",
    "cn.ric": r"\d{17}[\dXx]",
    "kr.rrn": r"\d{6}-\d{7}",
    "in_.aadhaar": r"(?<![\d\]\0] )(?!20\d\d 20)[2-9]\d{3} \d{4} \d{4}(?! [\d\[\0])",
    "in_.pan": r"[A-Z]{5}\d{4}[A-Z]",
    "eu.vat": r"[A-Z]{2}[0-9A-Z]{8,12}",
}
"""Modules of stdnum and the shape that they are tried on. Not here: plain digits of which more than
one in eighty pass by chance, as Dutch and Polish ones do."""

CARD = r"4\d{12}(?:\d{3}){0,2}|(?:2[2-7]|35|5\d|6\d)\d{14}|6\d{15,18}|3[47]\d{13}|3[0689]\d{12}"
"""Lengths and first digits of the payment networks (ISO/IEC 7812)."""

CARD_WIDTHS = ("44443", "4444", "465", "464")
"""Digits in the groups of a printed card number; a row of other numbers rarely has these."""

# Beside a letter, behind a slash after one, before a file's ending: `v1.2.3.4`, `Chrome/10.2.3.4`.
IPV4 = r"(?<![0-9A-Za-z_.])(?<![A-Za-z]/)(?:\d{1,3}\.){3}\d{1,3}(?![0-9A-Za-z_]|\.[0-9A-Za-z])"
VERSION = r"(?i:(?:\A|[^a-z])(?:v|ver|version|release|build|revision)[ .:=#]{0,2}|[<>=~]= ?)\Z"

# Every address in use begins with a group of four digits (RFC 4291: 2000::/3, fc00::/7, fe80::/10).
IPV6 = r"(?<![0-9A-Za-z_:.])[0-9A-Fa-f]{4}(?::[0-9A-Fa-f]{0,4}){2,7}(?![0-9A-Za-z_:]|\.\d)"

RUN = r"(?<![0-9A-Za-z_#])\d++(?![A-Za-z_])(?:[ ().\-/]{1,3}\d++(?![A-Za-z_]))*+"
"""Digits in groups, as far as they go; none that a letter touches."""

INSIDE = r"\d[A-Za-z_]*[./:-]\Z"
"""What before a group makes it a part of something longer."""

REACH = 40  # The characters before a number that may say what it is.

# How many digits a number has: with a + (E.164; none shorter is in use); with 00 or 011; with the
# 0 of its country, where any such digits are valid in some; after a word that calls it a number.
PHONE_DIGITS = range(7, 16)
ABROAD_DIGITS = range(11, 19)
TRUNK_DIGITS = range(9, 13)
CUED_DIGITS = range(7, 14)

FORMS = {
    "US": r"(?:1[ .-]\(?)?3(?:\)[ .-]?|[ ./-])3[ .-]4",
    "IN": "5 5",
    "CN": "3[ -]4[ -]4",
    "BR": r"2\)? ?[45][ -]4",
    "ES": "3 2 2 2",
}
"""How numbers without a leading 0 are written in some countries; by the digits in each group alone,
pages, ranges and years are as likely."""

# The mark of a number that was found is no word of the text.
CUE = (
    r"(?i:(?:(?<![\w\[])(?:phone|tele(?:phone|fon\w?)|tel|mobile?|cell(?:ular\w?)?|whats ?app|fax"
    r"|sms|call|dial|ring|handy|rufnummer|t[ée]l[ée](?:phone|fono)|m[óo]vil)\b"
    r"(?:[^\w\n]{1,3}(?:number|nummer|num[ée]ro|no|nr|me|us|him|her|them|at|on|is|it's|my|ist|es"
    r"|est|al|au|unter)\b){0,4}[^\w\n]{0,4}"
    r"|(?:電話|电话|手机|手機|携帯|전화|هاتف|тел)[^\d\n]{0,12})\Z)"
)
"""Words that call the digits behind them a phone number."""

DATES = r"\d\d? \d\d? (?:19|20)\d\d\b|(?:19|20)\d\d \d\d? \d\d?\b|(?:\d\d ){5}\d\d\b"
"""Groups that are a date, or two."""


def as_it_is(text: str) -> str:
    """The text unchanged: what stands for `redact` where redaction is off."""
    return text


def redact(text: str) -> str:
    """The text with personal data replaced by its kind in brackets; all else stays as it is.

    `[link]` (a URL with a query, a login or a random piece; scheme and host stay unless there is a
    password), `[secret]`, `[email]`, `[id]`, `[card]`, `[ip]`, `[phone]`, looked for in this order.
    Full-width digits, other spaces and dashes, and characters that nobody sees hide nothing. Done
    again it changes nothing.
    """
    for _ in range(PASSES):
        before, text = text, _once(text)
        if text == before:
            break
    return text


def _once(text: str) -> str:
    if not re.search(WORTH_A_LOOK, unicodedata.normalize("NFKC", text)):
        return text
    plain, places = _plain(text)
    edits: list[Edit] = []
    finders: tuple[Callable[[str], Iterator[Edit]], ...] = (
        _links,
        partial(_matches, patterns=SECRETS, mark="[secret]"),
        partial(_matches, patterns=(EMAIL,), mark="[email]"),
        _ids,
        partial(_numbers, count=_card, mark="[card]"),
        _addresses,
        partial(_numbers, count=_phone, mark="[phone]"),
    )
    for find in finders:
        found = _apart(find(plain))
        edits += found
        plain = _without(plain, found)
    parts, last = [], 0
    for start, end, mark in sorted(edits):
        parts += [text[last : places[start]], mark]
        last = places[end - 1] + 1 if end > start else places[start]
    return "".join([*parts, text[last:]])


def _plain(text: str) -> tuple[str, Sequence[int]]:
    """The text as it is searched; where in `text` each of its characters stands, and its end."""
    if text.isascii() and text.isprintable():
        return text, range(len(text) + 1)
    folded = {character: _fold(character) for character in set(text)}
    places = [place for place, character in enumerate(text) for _ in folded[character]]
    return "".join(map(folded.__getitem__, text)), [*places, len(text)]


def _fold(character: str) -> str:
    """ASCII for what looks like it; nothing for what is not seen, or is a mark on a letter."""
    if character.isspace():
        return "\n" if character in "\n\r\v\f\x85\u2028\u2029" else " "
    if character.isdecimal():
        return str(unicodedata.decimal(character))
    kind = unicodedata.category(character)
    if kind == "Pd" or character == "\N{MINUS SIGN}":
        return "-"
    fold = unicodedata.normalize("NFKC", character)
    # The fillers of Hangul are letters, and blank.
    unseen = kind in ("Cc", "Cf", "Cs", "Cn", "Mn", "Me") or fold in ("\u115f", "\u1160")
    return "" if unseen else fold


def _apart(found: Iterator[Edit]) -> list[Edit]:
    """Those that overlap none before them, in order; of two that begin together the longer."""
    kept: list[Edit] = []
    for start, end, mark in sorted(found, key=lambda edit: (edit[0], -edit[1])):
        if not kept or start >= kept[-1][1]:
            kept.append((start, end, mark))
    return kept


def _without(plain: str, found: Sequence[Edit]) -> str:
    """The text with NUL, which no pattern takes, in place of what was found."""
    parts, last = [], 0
    for start, end, _ in found:
        parts += [plain[last:start], "\0" * (end - start)]
        last = end
    return "".join([*parts, plain[last:]])


def _links(plain: str) -> Iterator[Edit]:
    for match in re.finditer(URL, plain):
        link = match.group().rstrip(AFTER_URL)
        start, end = match.start(), match.start() + len(link)
        head = link.find("://") + 3 if "://" in link else 0
        # Brackets that hold no address make urlsplit raise.
        parts = urlsplit("//" + re.sub(r"[\[\]]", "_", link[head:]))
        login = parts.netloc.rpartition("@")[0]
        rest = f"{parts.path} {parts.fragment}"
        tells = parts.query or re.search("=|%40", rest)
        if ":" in login:
            yield start, end, "[link]"
        elif login or tells or any(map(_random, re.findall(r"[A-Za-z0-9_-]+", rest))):
            if login:
                yield start + head, start + head + len(login) + 1, ""
            yield start + head + len(parts.netloc), end, "/[link]"


def _random(piece: str) -> bool:
    """Whether it is hex, or one place in four goes from letter to digit, back, or to a capital.

    In random base64 about every second does; in a title made of words and numbers, few.
    """
    if len(piece) < TOKEN or piece.isalpha() or not re.search(r"\d", piece):
        return False
    turns = len(re.findall(r"\d(?=[A-Za-z])|[A-Za-z](?=\d)|[a-z](?=[A-Z])", piece))
    return 4 * turns >= len(piece) or (turns > 0 and not re.search(r"[^0-9A-Fa-f-]", piece))


def _matches(plain: str, patterns: Sequence[str], mark: str) -> Iterator[Edit]:
    for pattern in patterns:
        for match in re.finditer(pattern, plain):
            yield *match.span(), mark


def _ids(plain: str) -> Iterator[Edit]:
    if not re.search(ID_LEAST, plain):
        return
    for name, shape in IDS.items():
        for match in re.finditer(f"{ID_OPEN}(?:{shape}){ID_SHUT}", plain):
            number = match.group()
            # An IBAN in groups runs on into what stands behind it.
            while number and not _is_id(name, number):
                number = number.rpartition(" ")[0]
            if number:
                yield match.start(), match.start() + len(number), "[id]"


def _is_id(name: str, number: str) -> bool:
    # Whether it is of a bank known to stdnum is beside the point.
    options = {"check_country": False} if name == "iban" else {}
    try:
        return bool(import_module(f"stdnum.{name}").is_valid(number, **options))
    except KeyError:
        # cn.ric of stdnum 2.2 looks up what the entry of a region may lack.
        return False


def _addresses(plain: str) -> Iterator[Edit]:
    for match in (*re.finditer(IPV4, plain), *re.finditer(IPV6, plain)):
        before = plain[max(0, match.start() - REACH) : match.start()]
        if _tells_where(match.group()) and not re.search(VERSION, before):
            yield *match.span(), "[ip]"


def _tells_where(address: str) -> bool:
    """Whether it is the address of some machine: no loopback, no mask, no version.

    Four single digits are a version or a section; of all addresses one in 400,000 looks so.
    """
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:
        return False
    if ip.version == 6:
        return any(map(str.isdigit, address))
    nowhere = ip.is_loopback or ip.is_multicast or ip.is_reserved or ip.packed[0] == 0
    return not nowhere and len(address) > len("1.2.3.4")


def _numbers(plain: str, count: Callable[[str, list[str], str], int], mark: str) -> Iterator[Edit]:
    """Numbers among the runs of digits.

    `count` takes what stands before, the groups of digits from there on and their form, `3-3-4`,
    and says how many of the groups, from the first, are one number: 0 for none.
    """
    for run in re.finditer(RUN, plain):
        if len(run.group()) < PHONE_DIGITS.start:
            continue
        spans = [digits.span() for digits in re.compile(r"\d+").finditer(plain, *run.span())]
        groups = [plain[start:end] for start, end in spans]
        gaps = [plain[end:start] for (_, end), (start, _) in pairwise(spans)] + [""]
        forms = [f"{min(len(group), 9)}{gap}" for group, gap in zip(groups, gaps, strict=True)]
        before = plain[max(0, run.start() - REACH) : run.start()]
        place = 0
        while place < len(spans):
            reach = slice(place, place + ABROAD_DIGITS.stop)
            taken = count(before, groups[reach], "".join(forms[reach][:5]))
            if taken:
                start, end = spans[place][0], spans[place + taken - 1][1]
                lead = r"\+?\(?\Z" if ")" in plain[start:end] else r"\+?\Z"
                opening = plain[max(0, start - 2) : start]
                yield start - len(opening) + len(re.sub(lead, "", opening)), end, mark
            place += taken or 1
            before = "" if taken else groups[place - 1][-1] + gaps[place - 1]


def _card(before: str, groups: list[str], form: str) -> int:
    from stdnum import luhn

    if re.search(INSIDE, before):
        return 0
    widths = re.sub(r"\D", "", form)
    for taken in [*(len(shape) for shape in CARD_WIDTHS if widths.startswith(shape)), 1]:
        number = "".join(groups[:taken])
        if re.fullmatch(CARD, number) and luhn.is_valid(number):
            return taken
    return 0


def _phone(before: str, groups: list[str], form: str) -> int:
    if re.search(r"(?:\A|[^0-9A-Za-z_\]\0])\+\(?\Z", before):
        return _longest(groups, PHONE_DIGITS, lambda number: _is_phone(f"+{number}"))
    if re.search(INSIDE, before):
        return 0
    in_a_row = re.search(r"\d \Z", before)
    for region, shape in FORMS.items():
        fit = re.match(shape, form) if region == "US" or not in_a_row else None
        taken = len(re.sub(r"\D", "", fit.group())) if fit else 0
        if fit and _is_phone("".join(groups[:taken]), region):
            return taken
    abroad = re.match(r"00|011", groups[0])
    region = "DE" if abroad and abroad.group() == "00" else "US"
    if abroad and (taken := _longest(groups, ABROAD_DIGITS, lambda n: _is_phone(n, region))):
        return taken
    cued = re.search(CUE, before)
    if not (cued or re.match("0[1-9]", groups[0])) or re.match(DATES, " ".join(groups[:6])):
        return 0
    return _longest(groups, CUED_DIGITS if cued else TRUNK_DIGITS, lambda number: True)


def _longest(groups: list[str], lengths: range, holds: Callable[[str], bool]) -> int:
    """The most groups, from the first, that have so many digits and are a number; 0 if none."""
    sums = enumerate(accumulate(map(len, groups)), start=1)
    counts = [count for count, digits in sums if digits in lengths]
    return next((count for count in counts[::-1] if holds("".join(groups[:count]))), 0)


def _is_phone(number: str, region: str | None = None) -> bool:
    """Whether it is valid, dialled there; of one with a leading +, whether the length is right."""
    import phonenumbers

    try:
        parsed = phonenumbers.parse(number, region)
    except phonenumbers.NumberParseException:
        return False
    if region is not None:
        return phonenumbers.is_valid_number(parsed)
    reason = phonenumbers.is_possible_number_with_reason(parsed)
    return reason == phonenumbers.ValidationResult.IS_POSSIBLE

"""The forms of personal data: regular expressions that find candidates, and what goes with them.

`redaction` searches with them and decides what a candidate is. In a pattern that searches a whole
text, every repetition without an upper bound is possessive (`++`, `*+`) and cannot begin in the
middle of itself: so the time grows with the length of the text, not with its square. Letters
are spelt out: `\\w` and `\\b` would take kana and ideographs, which stand unspaced beside a number,
for a part of it.
"""

WORTH_A_LOOK = r"[\d@/]"
"""No kind of personal data is without one of these."""

LETTER = "A-Za-z\u00c0-\u024f\u0370-\u052f"
"""Letters of the scripts that put spaces between words. In the others an address would take the
sentence around it along."""

URL = (
    r"(?<![A-Za-z0-9])(?:[A-Za-z][A-Za-z0-9+.-]{1,15}://|www\.)"
    rf"[!#-;=?@\[-_{{-~{LETTER}]++"
)
AFTER_URL = ".,;:!?'\")]}*"
"""What at its end belongs to the sentence around it."""

RANDOM_CHARACTERS = 16
"""The fewest characters of a random piece of a path: as hex, the 64 bits of a short token."""

EMAIL = (
    rf"(?<![{LETTER}0-9._%+'-])[{LETTER}0-9._%+'-]++"
    rf"@(?:[{LETTER}0-9][{LETTER}0-9-]{{0,62}}\.){{1,8}}[{LETTER}]{{2,24}}(?![{LETTER}0-9])"
)

KEY_OPEN = r"(?<![A-Za-z0-9_-])"

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

ID_LEAST = r"(?:\d\D*+){7}|[A-Z]{4}\d"
"""Every id has seven digits or, before the first one, four capitals."""

ID_SHAPES = {
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

CARD_NUMBER = (
    r"4\d{12}(?:\d{3}){0,2}|(?:2[2-7]|35|5\d|6\d)\d{14}|6\d{15,18}|3[47]\d{13}|3[0689]\d{12}"
)
"""Lengths and first digits of the payment networks (ISO/IEC 7812)."""

CARD_WIDTHS = ("44443", "4444", "465", "464")
"""Digits in the groups of a printed card number; a row of other numbers rarely has these."""

IPV4 = r"(?<![0-9A-Za-z_.])(?<![A-Za-z]/)(?:\d{1,3}\.){3}\d{1,3}(?![0-9A-Za-z_]|\.[0-9A-Za-z])"
"""Not beside a letter, behind a slash after one or before a file's ending: `v1.2.3.4`,
`Chrome/10.2.3.4`."""

IPV6 = r"(?<![0-9A-Za-z_:.])[0-9A-Fa-f]{4}(?::[0-9A-Fa-f]{0,4}){2,7}(?![0-9A-Za-z_:]|\.\d)"
"""Every address in use begins with a group of four digits (RFC 4291: 2000::/3, fc00::/7,
fe80::/10)."""

VERSION_BEFORE = (
    r"(?i:(?:\A|[^a-z])(?:v|ver|version|release|build|revision)[ .:=#]{0,2}|[<>=~]= ?)\Z"
)
"""What before four numbers makes them a version."""

DIGIT_RUN = r"(?<![0-9A-Za-z_#])\d++(?![A-Za-z_])(?:[ ().\-/]{1,3}\d++(?![A-Za-z_]))*+"
"""Digits in groups, as far as they go; none that a letter touches."""

PART_OF_LONGER = r"\d[A-Za-z_]*[./:-]\Z"
"""What before a group makes it a part of something longer."""

CUE_REACH = 40
"""The characters before a number that may say what it is."""

PHONE_DIGITS = range(7, 16)
"""How many digits a phone number has after a + (E.164; none shorter is in use)."""

ABROAD_DIGITS = range(11, 19)
"""The same with 00 or 011."""

TRUNK_DIGITS = range(9, 13)
"""The same with the 0 of its country, where any such digits are valid in some."""

CUED_DIGITS = range(7, 14)
"""The same after a word that calls it a number."""

PLUS_BEFORE = r"(?:\A|[^0-9A-Za-z_\]\0])\+\(?\Z"
"""The + of a number as it is dialled from abroad."""

PHONE_FORMS = {
    "US": r"(?:1[ .-]\(?)?3(?:\)[ .-]?|[ ./-])3[ .-]4",
    "IN": "5 5",
    "CN": "3[ -]4[ -]4",
    "BR": r"2\)? ?[45][ -]4",
    "ES": "3 2 2 2",
}
"""How numbers without a leading 0 are written in some countries; by the digits in each group alone,
pages, ranges and years are as likely."""

PHONE_CUE = (
    r"(?i:(?:(?<![\w\[])(?:phone|tele(?:phone|fon\w?)|tel|mobile?|cell(?:ular\w?)?|whats ?app|fax"
    r"|sms|call|dial|ring|handy|rufnummer|t[ée]l[ée](?:phone|fono)|m[óo]vil)\b"
    r"(?:[^\w\n]{1,3}(?:number|nummer|num[ée]ro|no|nr|me|us|him|her|them|at|on|is|it's|my|ist|es"
    r"|est|al|au|unter)\b){0,4}[^\w\n]{0,4}"
    r"|(?:電話|电话|手机|手機|携帯|전화|هاتف|тел)[^\d\n]{0,12})\Z)"
)
"""Words that call the digits behind them a phone number; `[phone]`, the mark of one that was found,
is no such word."""

DATE_GROUPS = r"\d\d? \d\d? (?:19|20)\d\d\b|(?:19|20)\d\d \d\d? \d\d?\b|(?:\d\d ){5}\d\d\b"
"""Groups that are a date, or two."""

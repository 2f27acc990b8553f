"""The language of a text by py3langid, and the names and codes of languages by langcodes.

In: a text, or what a person calls a language. Out: ISO 639-1 codes and English names, of the
languages that the detector knows.
"""

import re
from collections import Counter
from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING

from corpuscope.tools.core.errors import BadInput

if TYPE_CHECKING:
    from py3langid.langid import LanguageIdentifier

FEWEST_LETTER_BYTES = 15
"""Bytes of letters below which no language is named: 15 Latin letters, 5 Japanese ones. The
detector was measured from there on; below it, names and loan words decide."""

SURE_PROBABILITY = 0.9
"""The probability from which a language counts as found. On messages of programs with 15 to 25
letters, in 28 languages: 60 % found, none of these wrong; with 80 and more, 90 %, and 0.02 %."""

NO_LANGUAGE = "zxx"
"""The detector's code for what is no language: program code, numbers."""

_CODES = (
    "af am an ar as az ba be bg bn br bs ca cs cy da de dz el en eo es et eu fa fi fo fr fy "
    "ga gd gl gu ha he hi hr ht hu hy id ig is it ja jv ka kk km kn ko ku ky la lb lg ln lo "
    "lt lv mg mk ml mn mr ms mt my ne nl nn no oc om or pa pl ps pt qu ro ru rw sa se si sk "
    "sl sn so sq sr st sv sw ta te tg th tk tl tr tt ug uk ur uz vi vo wa xh yo zh zu"
)

LANGUAGE_CODES = tuple(_CODES.split())
"""ISO 639-1 codes of the languages that the detector knows."""

OUR_NAMES = {"bn": "Bengali", "tl": "Tagalog"}
"""Names by which prompts call a language where Unicode's are Bangla and Filipino."""

ASKED_TEXTS = 200
"""Enough to see which language most texts are in; they are evenly spaced among all."""

ASKED_CHARACTERS = 500
"""Of each text: a few sentences, where a language is as sure as it gets."""

FOREIGN_SHARE = 0.1
"""Of the asked texts that have to be surely in other languages before English is given up: names
and product titles are English and German alike. Of English headlines, questions and tweets none is
taken for another language; of German ones 7 in 10 are known with 50 characters, all with 500."""

ENGLISH = "en"

SAME_LANGUAGE = 5
"""Distance of two tags up to which langcodes takes them for one language: Bokmål and Norwegian,
Mandarin and Chinese. Swiss German is farther from German."""

CLOSE_LANGUAGES = (
    frozenset({"da", "no", "nn", "sv", "fo"}),
    frozenset({"id", "ms"}),
    frozenset({"bs", "hr", "sr"}),
    frozenset({"cs", "sk"}),
    frozenset({"an", "ca", "es", "gl", "oc", "pt"}),
    frozenset({"be", "ru", "uk"}),
    frozenset({"bg", "mk"}),
    frozenset({"af", "fy", "nl"}),
    frozenset({"de", "lb"}),
    frozenset({"fr", "wa"}),
    frozenset({"hi", "mr", "ne", "sa"}),
    frozenset({"as", "bn"}),
    frozenset({"az", "ba", "kk", "ky", "tk", "tr", "tt"}),
    frozenset({"xh", "zu"}),
)
"""Languages so alike that a short text of one may pass for another."""


def language_of(text: str) -> str | None:
    """The ISO 639-1 code of the language that a text is in.

    None where the text is too short, where no language reaches `SURE_PROBABILITY`, or where it is
    in none: code, numbers. By py3langid, a naive Bayes classifier over byte n-grams (Lui & Baldwin
    2011); some 0.1 ms for a sentence, and 0.6 s the first time.
    """
    code, probability = max(_probabilities(text).items(), key=lambda item: item[1])
    return code if probability >= SURE_PROBABILITY and code != NO_LANGUAGE else None


def foreign_language(texts: Sequence[str]) -> str | None:
    """The English name of the language that most texts are in, where that is not English.

    More of `ASKED_TEXTS` of them are surely in other languages than in English; the name is that of
    the most frequent. None where they are in English, or in nothing that is sure.
    """
    asked = texts[:: max(1, len(texts) // ASKED_TEXTS)][:ASKED_TEXTS]
    sure = (language_of(text[:ASKED_CHARACTERS]) for text in asked)
    codes = Counter(code for code in sure if code is not None)
    english = codes.pop(ENGLISH, 0)
    if codes.total() <= english or codes.total() < FOREIGN_SHARE * len(asked):
        return None
    return language_name(codes.most_common(1)[0][0])


def clashing_language(text: str, expected: str) -> str | None:
    """The code of the language that a text is in, where that is surely not the expected one.

    None where it is the expected one or close to it, and where it is not sure: a text in Danish or
    Norwegian is surely not in English, though it may not be sure in which of the two.

    Args:
        text: A few sentences.
        expected: One of `LANGUAGE_CODES`.
    """
    probabilities = _probabilities(text)
    likeliest = max(probabilities, key=probabilities.__getitem__)
    candidates = _close_to(likeliest)
    probability = sum(probabilities.get(code, 0.0) for code in candidates)
    if probability < SURE_PROBABILITY or likeliest == NO_LANGUAGE or expected in candidates:
        return None
    return likeliest


def language_code(name: str) -> str:
    """The ISO 639-1 code for a tag (`de`, `deu`, `pt-BR`) or a name in any language (`German`,
    `Deutsch`).

    Raises:
        BadInput: It is none of a language that the detector knows.
    """
    code = _known_code(re.split("[-_]", name.strip())[0])
    if code is None:
        import langcodes

        try:
            code = _known_code(langcodes.find(" ".join(name.split())).language)
        # The second: half of a surrogate pair, as an environment variable may bring it.
        except (LookupError, UnicodeEncodeError):
            code = None
    if code is None:
        raise BadInput(
            f"No language {name!r} is known. Give an ISO 639-1 code such as 'de', 'pt' or 'ja', "
            "or an English name such as 'German', 'Portuguese' or 'Japanese'."
        )
    return code


def language_name(code: str) -> str:
    """The English name for one of `LANGUAGE_CODES`, as a prompt says it: `de` gives `German`."""
    import langcodes

    return OUR_NAMES.get(code) or langcodes.Language.get(code).display_name()


def _known_code(tag: str | None) -> str | None:
    """The code of a tag's language, where the detector knows it."""
    import langcodes
    from langcodes.tag_parser import LanguageTagError

    try:
        return langcodes.closest_supported_match(
            tag or "und", list(LANGUAGE_CODES), max_distance=SAME_LANGUAGE
        )
    except LanguageTagError:
        return None


def _close_to(code: str) -> frozenset[str]:
    return next(
        (languages for languages in CLOSE_LANGUAGES if code in languages), frozenset({code})
    )


def _probabilities(text: str) -> dict[str, float]:
    """Code to probability; of a text that is too short, all on `NO_LANGUAGE`."""
    letters = re.findall(r"[^\W\d_]+", text)
    if len("".join(letters).encode(errors="replace")) < FEWEST_LETTER_BYTES:
        return {NO_LANGUAGE: 1.0}
    return dict(_detector().rank(text))


# Kept because it takes 0.6 s to unpack, 6,000 times what a sentence takes, and never changes.
@cache
def _detector() -> "LanguageIdentifier":
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    detector = LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
    # Its three-letter codes are varieties (Egyptian Arabic, Nigerian Pidgin) that took from the
    # probability of their language.
    detector.set_languages([*LANGUAGE_CODES, NO_LANGUAGE])
    return detector

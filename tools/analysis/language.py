"""Which language a text is in, by py3langid; and the names of the languages that it knows."""

import re
from functools import cache
from typing import TYPE_CHECKING

from corpuscope.tools.core.errors import BadInput

if TYPE_CHECKING:
    from py3langid.langid import LanguageIdentifier

FEWEST_LETTER_BYTES = 15
"""Bytes of letters below which no language is told: 15 Latin letters, 5 Japanese ones. The
detector was measured from there on; below it, names and loan words decide."""

SURE_PROBABILITY = 0.9
"""The probability from which a language counts as found. On messages of programs with 15 to 25
letters, in 28 languages: 60 % found, none of these wrong; with 80 and more, 90 %, and 0.02 %."""

LANGUAGE_NAMES = {
    "af": "Afrikaans",
    "am": "Amharic",
    "an": "Aragonese",
    "ar": "Arabic",
    "as": "Assamese",
    "az": "Azerbaijani",
    "ba": "Bashkir",
    "be": "Belarusian",
    "bg": "Bulgarian",
    "bn": "Bengali",
    "br": "Breton",
    "bs": "Bosnian",
    "ca": "Catalan",
    "cs": "Czech",
    "cy": "Welsh",
    "da": "Danish",
    "de": "German",
    "dz": "Dzongkha",
    "el": "Greek",
    "en": "English",
    "eo": "Esperanto",
    "es": "Spanish",
    "et": "Estonian",
    "eu": "Basque",
    "fa": "Persian",
    "fi": "Finnish",
    "fo": "Faroese",
    "fr": "French",
    "fy": "Western Frisian",
    "ga": "Irish",
    "gd": "Scottish Gaelic",
    "gl": "Galician",
    "gu": "Gujarati",
    "ha": "Hausa",
    "he": "Hebrew",
    "hi": "Hindi",
    "hr": "Croatian",
    "ht": "Haitian Creole",
    "hu": "Hungarian",
    "hy": "Armenian",
    "id": "Indonesian",
    "ig": "Igbo",
    "is": "Icelandic",
    "it": "Italian",
    "ja": "Japanese",
    "jv": "Javanese",
    "ka": "Georgian",
    "kk": "Kazakh",
    "km": "Khmer",
    "kn": "Kannada",
    "ko": "Korean",
    "ku": "Kurdish",
    "ky": "Kyrgyz",
    "la": "Latin",
    "lb": "Luxembourgish",
    "lg": "Ganda",
    "ln": "Lingala",
    "lo": "Lao",
    "lt": "Lithuanian",
    "lv": "Latvian",
    "mg": "Malagasy",
    "mk": "Macedonian",
    "ml": "Malayalam",
    "mn": "Mongolian",
    "mr": "Marathi",
    "ms": "Malay",
    "mt": "Maltese",
    "my": "Burmese",
    "ne": "Nepali",
    "nl": "Dutch",
    "nn": "Norwegian Nynorsk",
    "no": "Norwegian",
    "oc": "Occitan",
    "om": "Oromo",
    "or": "Odia",
    "pa": "Punjabi",
    "pl": "Polish",
    "ps": "Pashto",
    "pt": "Portuguese",
    "qu": "Quechua",
    "ro": "Romanian",
    "ru": "Russian",
    "rw": "Kinyarwanda",
    "sa": "Sanskrit",
    "se": "Northern Sami",
    "si": "Sinhala",
    "sk": "Slovak",
    "sl": "Slovenian",
    "sn": "Shona",
    "so": "Somali",
    "sq": "Albanian",
    "sr": "Serbian",
    "st": "Southern Sotho",
    "sv": "Swedish",
    "sw": "Swahili",
    "ta": "Tamil",
    "te": "Telugu",
    "tg": "Tajik",
    "th": "Thai",
    "tk": "Turkmen",
    "tl": "Tagalog",
    "tr": "Turkish",
    "tt": "Tatar",
    "ug": "Uyghur",
    "uk": "Ukrainian",
    "ur": "Urdu",
    "uz": "Uzbek",
    "vi": "Vietnamese",
    "vo": "Volapük",
    "wa": "Walloon",
    "xh": "Xhosa",
    "yo": "Yoruba",
    "zh": "Chinese",
    "zu": "Zulu",
}
"""ISO 639-1 codes of the languages that the detector knows, and their English names."""

ALIASES = {
    "nb": "no",
    "bokmål": "no",
    "norwegian bokmål": "no",
    "nynorsk": "nn",
    "mandarin": "zh",
    "farsi": "fa",
    "filipino": "tl",
    "brazilian portuguese": "pt",
    "deutsch": "de",
    "français": "fr",
    "español": "es",
    "italiano": "it",
    "português": "pt",
    "nederlands": "nl",
    "polski": "pl",
    "türkçe": "tr",
    "русский": "ru",
    "українська": "uk",
    "العربية": "ar",
    "हिन्दी": "hi",
    "日本語": "ja",
    "中文": "zh",
    "한국어": "ko",
}
"""Other names for them, and what those who speak the largest call them."""

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

    None where it is too short, where no language reaches the probability `SURE`, or where it is
    none: code, numbers. By py3langid, a naive Bayes classifier over byte n-grams (Lui & Baldwin
    2011); some 0.1 ms for a sentence, and 0.6 s the first time.
    """
    code, probability = max(_probabilities(text).items(), key=lambda item: item[1])
    return code if probability >= SURE_PROBABILITY and code in LANGUAGE_NAMES else None


def clashing_language(text: str, expected: str) -> str | None:
    """The code of the language that a text is in, where that is surely not the expected one.

    None where it is the expected one or close to it, and where it is not sure: a text in Danish or
    Norwegian is surely not in English, though it may not be sure in which of the two.

    Args:
        text: A few sentences.
        expected: A code of `NAMES`.
    """
    probabilities = _probabilities(text)
    code = max(probabilities, key=probabilities.__getitem__)
    found = _close_to(code)
    sure = sum(probabilities[other] for other in found & probabilities.keys()) >= SURE_PROBABILITY
    return code if sure and code in LANGUAGE_NAMES and expected not in found else None


def language_code(name: str) -> str:
    """The ISO 639-1 code for a code (`de`, `pt-BR`) or a name (`German`, `Deutsch`).

    Raises:
        BadInput: It is none of a language that the detector knows.
    """
    known = {english.casefold(): code for code, english in LANGUAGE_NAMES.items()} | ALIASES
    wanted = " ".join(name.split()).casefold()
    code = known.get(wanted) or known.get(re.split("[-_]", wanted)[0], re.split("[-_]", wanted)[0])
    if code not in LANGUAGE_NAMES:
        raise BadInput(
            f"No language {name!r} is known. Give an ISO 639-1 code such as 'de', 'pt' or 'ja', "
            "or an English name such as 'German', 'Portuguese' or 'Japanese'."
        )
    return code


def language_name(code: str) -> str:
    """The English name of a code of `NAMES`, as a prompt says it: `de` gives `German`."""
    return LANGUAGE_NAMES[code]


def _close_to(code: str) -> frozenset[str]:
    return next(
        (languages for languages in CLOSE_LANGUAGES if code in languages), frozenset({code})
    )


def _probabilities(text: str) -> dict[str, float]:
    """Code to probability; of a text that is too short, all on `zxx`, which is no language."""
    letters = re.findall(r"[^\W\d_]+", text)
    if len("".join(letters).encode(errors="replace")) < FEWEST_LETTER_BYTES:
        return {"zxx": 1.0}
    return dict(_detector().rank(text))


# Kept because it takes 0.6 s to unpack, 6,000 times what a sentence takes, and never changes.
@cache
def _detector() -> "LanguageIdentifier":
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    detector = LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
    # Its three-letter codes are varieties (Egyptian Arabic, Nigerian Pidgin) that took from the
    # probability of their language; `zxx` is what is no language.
    detector.set_languages([*LANGUAGE_NAMES, "zxx"])
    return detector

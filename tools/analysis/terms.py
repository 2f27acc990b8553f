"""Terms: the words, pairs of words and character sequences by which texts are compared.

In: a text of any script. Out: first the text without what is no word of anyone (links, markup, what
a wrong encoding left), then its terms. Chinese, Japanese, Thai, Lao, Khmer and Burmese are written
without spaces: their terms are sequences of 2 to 8 characters, of which `fragments` are told from
words by how often they occur; a Korean word is also read without its particles.
"""

import html
import re
import unicodedata
from collections.abc import Collection, Iterator, Mapping
from functools import cache
from itertools import pairwise

LINK = re.compile(
    r"\bhttps?\s+t\s+co\b(?:\s+\w+)?"  # its marks taken out, as in sets cut down to words
    r"|\b(?:https?|ftp)(?::|\b)\S*|\bwww\.\S+|\bt\.co\b\S*"
    r"|(?<![\w@.-])(?:[\w-]+\.)+(?:com|org|gov|edu|info|io|co|ly|gl|me|eu|uk|de|fr|tv|be)\b/\S*",
    re.IGNORECASE,
)

TAG = re.compile(r"</?[a-z][^<>]{0,300}>", re.IGNORECASE)

LOST_CHARACTER = re.compile(r"\w*(?:\ufffd+\w*)+")
"""A word of which a character was lost; what is left of it is none."""

DEBRIS = frozenset({"amp", "com", "http", "https", "nbsp", "quot", "www"})
"""Left of links and entities whose marks were taken out before: no theme is told by them. HTTP the
protocol pays for it; what is said of it is told by the words beside it."""

PARTICLES = frozenset({"up", "out", "off", "down", "over", "back"})
"""May end a phrase where the first word hardly stands without it: top up, pay back."""

WORD_OR_SIGN = re.compile(r"[^\W_]+(?:['.\-][^\W_]+)*[+#]*|[^\w\s]|\n")
"""A word of any script, also don't, top-up, node.js, c++; or a mark, which ends a phrase."""

HAN = "\u3005\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
HIRAGANA, KATAKANA = "\u3041-\u3096", "\u30a1-\u30fa\u30fc"
THAI_AND_LAO, BURMESE, KHMER = "\u0e00-\u0eff", "\u1000-\u109f", "\u1780-\u17ff"

UNSPACED = re.compile(
    rf"[{HAN}]+[{HIRAGANA}]?|[{KATAKANA}]+|[{HIRAGANA}]+"
    rf"|[{THAI_AND_LAO}]+|[{BURMESE}]+|[{KHMER}]+"
)
"""A run of one script that has no spaces, and a Chinese character with the syllable behind it."""

SYLLABLE = re.compile(
    "[เแโใไເແໂໃໄ]?[ก-ฮກ-ຮໜໝ][\u0e31\u0e34-\u0e3a\u0e47-\u0e4e\u0eb1\u0eb4-\u0ebc\u0ec8-\u0ecd]*[ะาำະາຳຽ]*"
    "|[\u1000-\u102a](?:\u1039[\u1000-\u102a]|[\u102b-\u103e])*(?:[\u1000-\u1021]\u103a[\u1037\u1038]*)?"
    "|[\u1780-\u17b3](?:\u17d2[\u1780-\u17a2]|[\u17b6-\u17d1\u17dd])*"
)
"""What is never cut apart: a letter with its vowels and tones (Theeramunkong and others 2000)."""

FUNCTION_CHARACTERS = frozenset("的了吗呢吧啊呀们我你您他她它这那是很也没被把")
"""Chinese characters that begin or end no word that tells a theme."""

GRAMMAR_WORDS = frozenset(
    {"ที่", "และ", "ของ", "ไม่", "ได้", "ให้", "มี", "เป็น", "ใน"}
    | {"จาก", "กับ", "แล้ว", "ยัง", "มาก", "ก็", "จะ", "ว่า", "นี้"}
    | {"นั้น", "ครับ", "ค่ะ", "คะ", "ฉัน", "ผม", "เรา", "คุณ", "เพราะ"}
    | {"ถูก"}
    | {"က", "ကို", "မှာ", "တယ်", "သည်", "များ", "ပါ", "နေ"}
)
"""Thai and Burmese words of grammar, at which a run is split. Other stop words also end words: ทาง,
way, in กระเป๋าเดินทาง, bag."""

LONGEST_GRAM, MOST_SYLLABLES = 6, 8
"""Characters counted together, and in Thai, Lao, Burmese and Khmer letters with what hangs on them:
more than nearly all words have, so that a word is told from its pieces."""

HOLDS = 0.8
"""A sequence with this share of the texts of a shorter one in it is what the shorter is part of."""


def readable_words(text: str) -> str:
    """The text without links, markup and entities, and wrongly decoded characters put right.

    A new line stands for what was taken out: no phrase goes across it.
    """
    if not text.isascii():
        text = _mended(text)
    if "&" in text:
        text = html.unescape(html.unescape(text))  # twice: &amp;quot;
    if "<" in text:
        text = TAG.sub("\n", text)
    if "/" in text or "http" in text or "www." in text or "t.co" in text or "HTTP" in text:
        text = LINK.sub("\n", text)
    return text


def text_terms(text: str, stop: Collection[str]) -> Iterator[str]:
    """The terms of a text that `readable_words` has read, lower-cased, none of them in `stop`.

    Words, pairs of neighbours that may be a phrase, and sequences of scripts without spaces; a term
    may come more than once.
    """
    text = text.lower().replace("\u2019", "'")
    if not text.isascii():
        for run in UNSPACED.findall(text):
            yield from _sequences(run, stop)
        text = UNSPACED.sub("\n", text)
        words = _marked_words().findall(text) if _marks().search(text) else None
    else:
        words = None
    tokens = WORD_OR_SIGN.findall(text) if words is None else words
    if "'" in text:
        tokens = [_without_apostrophe(token, stop) for token in tokens]
    content = [
        len(token) > 1 and not token[0].isdigit() and token not in stop and token not in DEBRIS
        for token in tokens
    ]
    for token, good in zip(tokens, content, strict=True):
        if good:
            yield token
            if "가" <= token[0] <= "힣":  # Korean: without particles
                yield from (token[:end] for end in range(2, min(len(token), LONGEST_GRAM)))
    for (first, good), (second, fine) in pairwise(zip(tokens, content, strict=True)):
        if good and (fine or second in PARTICLES) and first != second:
            yield f"{first} {second}"


def is_sequence(term: str) -> bool:
    """Whether a term is of a script without spaces, or Korean: no word that stands for itself."""
    return not term.isascii() and (UNSPACED.match(term) is not None or "가" <= term[0] <= "힣")


def term_pattern(term: str, ending: str = "") -> re.Pattern[str]:
    """Where a term stands in a text in small letters, with what `ending` (a pattern) lets follow.

    Where a script has no spaces, words have no border.
    """
    words = r"\s+".join(map(re.escape, term.split()))
    return re.compile(words if is_sequence(term) else rf"(?<!\w){words}{ending}(?!\w)")


def fragments(counts: Mapping[str, int]) -> set[str]:
    """Of sequences and the number of texts with each those that are no words.

    They are pieces of a longer one that nearly always stands around them, or begin or end with a
    character of grammar, or stand in one text alone: nothing tells a word from chance there.
    """
    broken = set()
    for term, count in counts.items():
        if not is_sequence(term) or " " in term:
            continue
        if count < 2:
            broken.add(term)
        units = _units(term)
        for around, part in ((units[0], units[1:]), (units[-1], units[:-1])):
            if around in FUNCTION_CHARACTERS:
                broken.add(term)
            elif count >= HOLDS * counts.get("".join(part), 2 * count):
                broken.add("".join(part))
    return broken


def _without_apostrophe(token: str, stop: Collection[str]) -> str:
    """A word without what is put before or behind it: today for today's, avion for l'avion; nothing
    for don't and we're."""
    token = token.removesuffix("'s")
    before, mark, after = token.partition("'")
    if not mark:
        return token
    if before in stop or after == "t":
        return after if len(after) > 2 else ""
    return token


def _sequences(run: str, stop: Collection[str]) -> Iterator[str]:
    """The sequences in a run of one script."""
    if re.match(f"[{HIRAGANA}]", run):
        return  # the grammar of Japanese
    if re.match(f"[{KATAKANA}]", run):
        if len(run) > 1 and run not in stop:
            yield run
        return
    if re.match(f"[{HAN}]", run):
        # A single one with the syllable behind it is a word, 遅れ; behind two stands grammar.
        if len(run) > 2 and re.match(f"[{HIRAGANA}]", run[-1]):
            run = run[:-1]
        pieces, longest = [run], LONGEST_GRAM
    else:
        pieces, longest = _split_at_grammar(run), MOST_SYLLABLES
    # A Burmese syllable is mostly a word.
    fewest = 1 if re.match(f"[{BURMESE}]", run) else 2
    for piece in pieces:
        units = _units(piece)
        for start in range(len(units) + 1 - fewest):
            for end in range(start + fewest, min(start + longest, len(units)) + 1):
                if (term := "".join(units[start:end])) not in stop:
                    yield term


def _units(run: str) -> list[str]:
    if re.match(f"[{THAI_AND_LAO}{BURMESE}{KHMER}]", run):
        return SYLLABLE.findall(run)
    return list(run)


def _split_at_grammar(run: str) -> list[str]:
    """A run in pieces, at the words of grammar in it: whole syllables, the longest first."""
    units, pieces, begin, at = SYLLABLE.findall(run), [], 0, 0
    while at < len(units):
        ends = range(min(at + MOST_SYLLABLES, len(units)), at, -1)
        end = next((end for end in ends if "".join(units[at:end]) in GRAMMAR_WORDS), None)
        if end is None:
            at += 1
        else:
            pieces.append("".join(units[begin:at]))
            begin = at = end
    return [piece for piece in [*pieces, "".join(units[begin:])] if piece]


def _mended(text: str) -> str:
    """The text as it was meant, where UTF-8 was read as something else: don't for donâ€™t."""
    from ftfy import fix_encoding
    from ftfy.badness import BADNESS_RE, is_bad

    if is_bad(text):
        text = fix_encoding(text)
        text = BADNESS_RE.sub("\ufffd", text)
    return LOST_CHARACTER.sub("\n", unicodedata.normalize("NFC", text))


# Marks (vowels of Hindi, points of Arabic and Hebrew) belong to a word, but not to Python's \w.
# Both are kept because all characters are looked through for them, 0.1 s.
@cache
def _marks() -> re.Pattern[str]:
    points = [
        point for point in range(0x300, 0x1E950) if unicodedata.category(chr(point))[0] == "M"
    ]
    ranges: list[list[int]] = []
    for point in points:
        if ranges and ranges[-1][1] == point - 1:
            ranges[-1][1] = point
        else:
            ranges.append([point, point])
    return re.compile("[" + "".join(f"{chr(a)}-{chr(b)}" for a, b in ranges) + "]")


@cache
def _marked_words() -> re.Pattern[str]:
    letter = rf"(?:[^\W_]|{_marks().pattern})"
    return re.compile(rf"[^\W_]{letter}*(?:['.\-]{letter}+)*[+#]*|[^\w\s]|\n")

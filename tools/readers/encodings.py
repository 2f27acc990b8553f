"""In which encoding a text file is.

In: a source; out: the encoding with the damage in it. UTF-8 comes first, also with a few damaged
bytes: those cost their character. Then byte order marks, the zeros of UTF-16 and UTF-32, and what
charset-normalizer says of the lines that are not ASCII. What single letters of Western and Central
Europe decide, it guesses badly; there they are looked at.
"""

import codecs
import contextlib
import re
import unicodedata
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import chain

from corpuscope.tools.core.errors import BadInput
from corpuscope.tools.readers.source import Source, TextEncoding, UnpackedFile

BLOCK_BYTES = 2**20
"""Read at a time when the whole file is looked through."""

SAMPLE_BYTES = 2**16
"""Bytes of lines that are not ASCII, enough for every detector, and read in 0.05 s."""

MOST_CONTROLS = 0.01
"""Share of control characters above which a file is no text; stray ones are dropped."""

FEW_DAMAGED, MOST_DAMAGED, MOST_DAMAGED_SHARE = 10_000, 1_000_000, 0.2
"""Damaged characters that cost nothing but themselves in any file; the most of them in one that is
not UTF-8, where each takes Python two microseconds; and the share from which a file is no text."""

LINES_KEPT = 20
"""Damaged lines that are remembered by their number."""

BYTE_ORDER_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
"""Marks and codecs. UTF-32's begins with UTF-16's, and goes before it."""

FIRST_BYTES = bytes(range(0xC2, 0xF5))
"""Bytes with which a character of UTF-8 beyond ASCII begins."""

AROUND_BYTES = 1_000
"""Of a line, what is looked at before its first byte beyond ASCII."""

BEYOND_ASCII = re.compile(rb"[\x80-\xff]")

OTHER_KINDS = (
    (b"PK\x03\x04", "an Excel workbook or a zip archive", "name it .xlsx, or unpack it"),
    (b"\xd0\xcf\x11\xe0", "an old Excel or Word file", "save it as xlsx or csv"),
    (b"PAR1", "a parquet file", "name it .parquet"),
    (b"\x1f\x8b", "packed with gzip", "add .gz to its name"),
    (b"%PDF", "a PDF", "take its texts out into a csv or jsonl"),
    (b"SQLite format 3", "a SQLite database", "export the table as csv"),
)
"""How files of other kinds begin, which get the name of a text file."""

SURE = (
    *("cp1251", "koi8_r", "cp866", "cp1253", "cp1255", "cp1256", "cp874"),
    *("cp932", "euc_jp", "gb18030", "big5", "cp949"),
)
"""Encodings that the detector knows from three lines on, by their script (tried on 23 languages).
cp932 is Shift-JIS, cp949 Korean, gb18030 holds GBK and GB2312."""

_WEST = frozenset("àâäáãåæçéèêëíìîïñóòôöõøúùûüßœ")
LATIN = {
    "cp1252": _WEST,
    "mac_roman": _WEST,
    "cp1254": frozenset("çğıöşüâîûéä"),
    "cp1250": frozenset("ąćęłńóśźżáčďéěíňřšťúůýžőűöüđäôâîăşţçëß"),
    "iso8859_2": frozenset("ąćęłńóśźżáčďéěíňřšťúůýžőűöüđäôâîăşţçëß"),
    "cp850": _WEST,
}
"""Encodings of Latin letters, the likeliest first, and the letters that are usual in them: between
two that fit a file equally well, such as cp1252 and cp1250 for French, the first is taken."""

LATIN_MARGIN = 0.02
"""By how much of its letters one must fit better than one before it: a few odd signs in a large
file decide nothing."""

APOSTROPHE, DASHES, CURRENCY = "\u2019", "\u2013\u2014", "€£¥"
OPENING, CLOSING = "\u201c\u2018\u201e«¿¡•", f"\u201d{APOSTROPHE}»…®™"
"""Marks of typography: of these the first stand before a word, the others after one."""

USUAL_NAMES = "utf-8, utf-16, cp1252, mac_roman, latin-1, shift_jis, gb18030"


@dataclass(frozen=True, slots=True)
class _Damage:
    """What decoding a file gave: what looks like sound characters of UTF-8 beyond ASCII, characters
    that are damaged, NULs, the first lines with either of these, and all characters."""

    good: int = 0
    bad: int = 0
    zeros: int = 0
    lines: tuple[int, ...] = ()
    characters: int = 0

    def is_too_much(self, codec: str) -> bool:
        """Whether this is no text of the codec, and too slow to go on with."""
        if self.bad <= FEW_DAMAGED:
            return False
        many = self.bad > MOST_DAMAGED and codec != "utf-8"
        return many or self.bad > MOST_DAMAGED_SHARE * self.characters


def text_encoding(source: Source, given: str | None = None) -> TextEncoding:
    """The encoding of a text file, which is read once or twice for it.

    `given` is what the caller says it is. What is damaged in the packing is left for the reading of
    the rows to say.

    Raises BadInput: no text but a file of another kind, `given` is no encoding, too large, or so
    much damaged that it is no text in any encoding that is known.
    """
    with UnpackedFile(source) as stream:
        head = stream.block(SAMPLE_BYTES)
    bom, marked = next(
        ((mark, codec) for mark, codec in BYTE_ORDER_MARKS if head.startswith(mark)), (b"", "")
    )
    if given is not None:
        chosen, reason = _known_codec(given), "as asked"
        # The names without an order mean: as the mark says.
        chosen = marked if marked.startswith(chosen) else chosen
        if chosen in ("utf-16", "utf-32"):
            by_zeros = _codec_by_zeros(head)
            chosen = by_zeros if by_zeros.startswith(chosen) else f"{chosen}-le"
    elif marked:
        chosen, reason = marked, "as its byte order mark says"
    else:
        chosen, reason = _codec_by_zeros(head), "as its zero bytes say"
    if not chosen:
        _check_is_text(source, head)
        found = TextEncoding("utf-8", "", newline=_newline(head, "utf-8"))
        damage = _damage(source, found)
        if damage.bad > damage.good:
            # In no other encoding do half of the letters look like UTF-8: by chance 1 in 10 does.
            chosen, reason = _detected(_telling_lines(source))
    if chosen:
        bom = bom if chosen == marked else b""
        found = TextEncoding(chosen, reason, bom=bom, newline=_newline(head[len(bom) :], chosen))
        damage = _damage(source, found)
    if damage.is_too_much(found.codec):
        raise BadInput(
            f"{source.name}: {damage.bad:,} of {damage.characters:,} characters cannot be decoded "
            f"as {found.codec}, too many for a text. Name its encoding ({USUAL_NAMES}), or export "
            "it again as utf-8."
        )
    return replace(found, damaged=damage.bad + damage.zeros, damaged_lines=damage.lines)


def encoding_notes(source: Source) -> list[str]:
    """What to tell of a file's encoding: nothing of sound UTF-8, or of a file that is no text."""
    notes, found = list[str](), source.encoding
    if found is None:
        return notes
    if found.codec != "utf-8":
        notes.append(
            f"{source.name} was read as {found.codec}, {found.reason}; if letters look wrong, "
            f"ingest it again with encoding='…' ({USUAL_NAMES}) and mode='replace'."
        )
    if found.damaged:
        numbers = ", ".join(f"{line:,}" for line in found.damaged_lines[:5])
        more = ", …" if len(found.damaged_lines) > 5 else ""
        one = found.damaged == 1
        notes.append(
            f"{found.damaged:,} character{' is' if one else 's are'} cut off or damaged "
            f"(no {found.codec}) and read as \N{REPLACEMENT CHARACTER}: "
            f"line{'' if len(found.damaged_lines) == 1 else 's'} {numbers}{more}. "
            "The rows are kept."
        )
    return notes


def _unpacked_blocks(source: Source) -> Iterator[bytes]:
    """The unpacked bytes, up to a damage of the packing."""
    with UnpackedFile(source) as stream:
        while block := stream.block(BLOCK_BYTES):
            yield block


def _known_codec(name: str) -> str:
    try:
        codec = codecs.lookup(name.strip())
        b"x".decode(codec.name, "replace")  # no encoding of texts: LookupError
        # One that cannot pass over damage is of no use either.
        codecs.getincrementaldecoder(codec.name)("replace").decode(b"\xff\xfe\0\0x\x80\r\n", True)
    except (LookupError, ValueError):
        codec = None
    if codec is None:
        raise BadInput(f"'{name[:40]}' is no encoding. Usual ones: {USUAL_NAMES}.")
    return "utf-8" if codec.name == "utf-8-sig" else codec.name


def _codec_by_zeros(head: bytes) -> str:
    """UTF-32 or UTF-16 without a mark, "" for neither: of each character of a header or a number,
    and of each comma and line end, the upper bytes are zero, always at the same place."""
    if b"\0" not in head:
        return ""
    whole = head[: len(head) // 4 * 4]
    for codec in ("utf-32-le", "utf-32-be"):
        with contextlib.suppress(UnicodeDecodeError):
            if whole.decode(codec):
                return codec
    low, high = head[0::2].count(0), head[1::2].count(0)
    codec = "utf-16-le" if high > low else "utf-16-be"
    if min(low, high) > 0.05 * max(low, high) or max(low, high) < 0.02 * len(head):
        return ""
    # The sample may end within a pair of surrogates.
    text = head[: len(head) // 2 * 2].decode(codec, "replace")
    return codec if text.count("\ufffd") <= 1 and re.search(r"[\r\n]", text) else ""


def _check_is_text(source: Source, head: bytes) -> None:
    """Raises BadInput where the file is none."""
    for start, kind, step in OTHER_KINDS:
        if head.startswith(start):
            raise BadInput(f"{source.name} is {kind}, whatever its name says; {step}.")
    controls = len(head) - len(head.translate(None, bytes({*range(9), *range(14, 32)} - {27})))
    if controls > MOST_CONTROLS * len(head):
        raise BadInput(
            f"{source.name} is no text: {controls:,} of its first {len(head):,} bytes are control "
            "characters, zeros among them. Export it as csv or jsonl, or name it by what it is."
        )


def _newline(head: bytes, codec: str) -> str:
    """What ends the lines: old programs of the Macintosh wrote carriage returns alone."""
    text = head.decode(codec, "replace")
    return "\r" if "\r" in text and "\n" not in text else "\n"


def _damage(source: Source, found: TextEncoding) -> _Damage:
    """Decode the file, and count what does not fit; only a beginning of one that fits nowhere."""
    decode = codecs.getincrementaldecoder(found.codec)("replace").decode
    damage = _Damage()
    line, lines, looked = 1, dict[int, None](), 0
    skip, own, before = len(found.bom), found.codec == "utf-8", b""
    for block in chain(_unpacked_blocks(source), [b""]):
        block, skip = block[skip:], 0
        text = decode(block, not block)
        bad, zeros = text.count("\ufffd"), text.count("\0")
        if own and bad:
            # Those that stand in the file are characters as any other.
            bad = max(0, bad - (before + block).count(b"\xef\xbf\xbd"))
        if bad + zeros and looked < LINES_KEPT:
            looked += 1
            lines |= dict.fromkeys(line + at for at in _damaged_lines(text, block, found))
        good = 0
        if own and not block.isascii():
            good = len(block) - len(block.translate(None, FIRST_BYTES)) - bad
        line, before = line + text.count(found.newline), block[-2:]
        damage = _Damage(
            damage.good + good,
            damage.bad + bad,
            damage.zeros + zeros,
            tuple(lines)[:LINES_KEPT],
            damage.characters + len(text),
        )
        if damage.is_too_much(found.codec):
            break
    return damage


def _damaged_lines(text: str, block: bytes, found: TextEncoding) -> Iterator[int]:
    """Which of the block's lines, from 0, are damaged or hold NULs; the block as text and bytes."""
    raw = block.split(found.newline.encode()) if found.codec == "utf-8" else []
    for at, piece in enumerate(text.split(found.newline)):
        there = raw[at].count(b"\xef\xbf\xbd") if at < len(raw) else 0
        if piece.count("\ufffd") > there or "\0" in piece:
            yield at


def _telling_lines(source: Source) -> bytes:
    """Lines that are not ASCII, up to `SAMPLE_BYTES`: the others say nothing."""
    lines, size = list[bytes](), 0
    for block in _unpacked_blocks(source):
        place = 0
        # From one byte beyond ASCII to the next, so that long files of ASCII take no time.
        while telling := BEYOND_ASCII.search(block, place):
            at = telling.start()
            begin = max(place, at - AROUND_BYTES, block.rfind(b"\n", place, at) + 1)
            end = block.find(b"\n", at, at + SAMPLE_BYTES)
            place = at + SAMPLE_BYTES if end < 0 else end
            lines.append(block[begin:place])
            size += len(lines[-1])
            if size >= SAMPLE_BYTES:
                return b"\n".join(lines)[:SAMPLE_BYTES]
    return b"\n".join(lines)


def _detected(sample: bytes) -> tuple[str, str]:
    """The codec of text that is not UTF-8, and why."""
    from charset_normalizer import from_bytes

    best = from_bytes(sample, cp_isolation=[*SURE, *LATIN]).best()
    if best is not None and best.encoding in SURE:
        return best.encoding, "as its letters and words say"
    scores = {codec: _fit(sample.decode(codec, "replace"), LATIN[codec]) for codec in LATIN}
    beyond_ascii = len(sample) - len(sample.decode("ascii", "ignore"))
    chosen, *others = scores
    for codec in others:
        if scores[codec] > scores[chosen] + LATIN_MARGIN * beyond_ascii:
            chosen = codec
    return chosen, "as its letters say"


def _fit(text: str, usual: frozenset[str]) -> int:
    """How many characters beyond ASCII stand where such do, minus those that do not."""
    score = 0
    for place, character in enumerate(text):
        if character > "\x7f":
            before = text[place - 1] if place else " "
            after = text[place + 1] if place + 1 < len(text) else " "
            score += _fits(character, (before, after), usual)
    return score


def _fits(character: str, around: tuple[str, str], usual: frozenset[str]) -> int:
    """1 where the character is usual at such a place, -1 where it hardly ever is, else 0."""
    before, after = around
    if character.isalpha():
        if character.isupper() and before.islower():
            return -1
        return int(character.lower() in usual)
    if unicodedata.category(character) in ("Cc", "Co", "Cn") or character == "\ufffd":
        return -1
    if character == APOSTROPHE and before.isalpha():
        return 1
    places: tuple[tuple[str, Callable[[], bool]], ...] = (
        (OPENING, lambda: not before.isalnum() and not after.isspace()),
        (CLOSING, lambda: not before.isspace() and not after.isalnum()),
        (CURRENCY, lambda: before.isdigit() or after.isdigit()),
        (DASHES, lambda: before.isspace() and after.isspace()),
        ("°", before.isdigit),
    )
    if any(character in marks and is_there() for marks, is_there in places):
        return 1
    in_a_word = before.isalpha() and after.isalpha()
    return -1 if in_a_word and character not in f"{DASHES}\xa0" else 0

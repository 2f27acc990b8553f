"""Text that was decoded wrongly before it came here, as in `donâ€™t`: found, and mended by ftfy.

In: texts, or rows; out: whether and where, or the rows with mended strings.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from corpuscope.tools.readers.rows import BadRow, Row, Rows

EXAMPLE_AROUND = 12
"""Characters shown before and after what is wrong."""


@dataclass(frozen=True, slots=True)
class Mojibake:
    """What of some texts looks wrongly decoded: the share of them (0 to 1), and a piece of one
    before and after mending."""

    share: float
    before: str
    after: str


def find_mojibake(texts: Sequence[str]) -> Mojibake | None:
    """What of the texts looks wrongly decoded and can be mended; None where nothing does.

    In 83,000 texts of eight sound sets ftfy takes none for wrong.
    """
    import ftfy
    from ftfy.badness import is_bad

    wrong = [text for text in texts if not text.isascii() and is_bad(text)]
    mended = [(text, fixed) for text in wrong if (fixed := ftfy.fix_encoding(text)) != text]
    if not mended:
        return None
    text, fixed = mended[0]
    place = next(
        (at for at, pair in enumerate(zip(text, fixed, strict=False)) if len(set(pair)) > 1), 0
    )
    begin, end = max(0, place - EXAMPLE_AROUND), place + EXAMPLE_AROUND
    return Mojibake(len(mended) / len(texts), text[begin:end].strip(), fixed[begin:end].strip())


def mended_rows(rows: Rows) -> Iterator[Row | BadRow]:
    """The rows with every string in them mended: what was decoded wrongly, and HTML's entities."""
    import ftfy

    # Quotes and widths are the writer's own.
    config = ftfy.TextFixerConfig(
        uncurl_quotes=False, fix_latin_ligatures=False, fix_character_width=False
    )
    for row in rows:
        if isinstance(row, BadRow):
            yield row
            continue
        yield Row(
            row.number,
            {
                name: ftfy.fix_text(value, config) if isinstance(value, str) else value
                for name, value in row.values.items()
            },
            row.size,
        )

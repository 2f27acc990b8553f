"""The words of either side, and the records that say them best.

In: two sides. Out: telling words with z, and two quotes of each side: central records of their
themes that hold many of its words. Of a large side a seeded sample is read.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from corpuscope.tools.analysis.log_odds import TellingWord, WordSides, contrast_words
from corpuscope.tools.contrasting.sides import Side
from corpuscope.tools.core.masking import keyword_text
from corpuscope.tools.core.schema import Floats, Frozen, Mask, Result, Verbatim
from corpuscope.tools.core.text import shorten
from corpuscope.tools.workspace.selection import shown_texts
from corpuscope.tools.workspace.slices import IN_NOISE, ThemeColumn
from corpuscope.tools.workspace.tables import record_table
from corpuscope.tools.workspace.workspace import Workspace

MOST_READ = 3_000
"""Records of a side whose words are counted. A word in 2 % of one side and 1 % of the other has a
z of 3 in so many, and they are read in half a second."""

WORDS_TOLD = 10
QUOTES = 2
QUOTE_CHARACTERS = 260

READABLE = (60, 200)
"""Characters of a good quote: a shorter one says little by itself, a longer one says it thinly."""

OF_ITS_THEMES = 3.0
"""What it counts that a record is in a theme that its side has more of: about a telling word."""

SAID_ALREADY = 0.3
"""What a word counts in a second quote, if the first has it."""


class SideWord(Frozen):
    """A word that tells a side from the other."""

    word: str
    z: float
    share_a: float
    """Of the texts read."""
    share_b: float


class WordContrast(Frozen):
    """The words of either side, the most telling first, and how they were counted."""

    a: list[SideWord]
    b: list[SideWord]
    tried: int
    read_a: int
    """Distinct texts that were read of each side."""
    read_b: int
    sampled_a: bool
    sampled_b: bool
    left_out: list[str]
    """Words that the filters name."""


class Quote(Result):
    """A record that says what a side says."""

    id: Verbatim
    text: str
    theme: Verbatim | None

    def as_text(self) -> str:
        """The record in a line."""
        return f'[{self.id}{f" in {self.theme}" if self.theme else ""}] "{self.text}"'


@dataclass(frozen=True, eq=False)
class _Read:
    """The distinct texts read of a side, and the row of each in its table."""

    texts: list[str]
    rows: NDArray[np.int64]
    sampled: bool


@dataclass(frozen=True, eq=False)
class SaidOf:
    """What the words of two sides are, and quotes of each."""

    words: WordContrast
    quotes_a: list[Quote]
    quotes_b: list[Quote]


def words_and_quotes(
    workspace: Workspace,
    sides: tuple[Side, Side],
    themes: tuple[ThemeColumn | None, ThemeColumn | None],
    over: tuple[Collection[str | None], Collection[str | None]],
) -> SaidOf:
    """What tells the texts of two sides apart.

    `themes`: which theme each record of the side's table is in, where it was clustered; `over`:
    those that the side has more of.
    """
    read = [_read(workspace, side) for side in sides]
    left_out = sides[0].words | sides[1].words
    masks = [side.card.mask for side in sides]
    mask = Mask(
        tuple({*masks[0].kinds, *masks[1].kinds}), tuple({*masks[0].words, *masks[1].words})
    )
    found = contrast_words(
        (read[0].texts, read[1].texts),
        count=WORDS_TOLD,
        left_out=left_out,
        redact=keyword_text(mask, workspace.redact),
    )
    sizes = len(read[0].texts), len(read[1].texts)
    words = WordContrast(
        a=[_side_word(word, sizes) for word in found.a],
        b=[_side_word(word, sizes) for word in found.b],
        tried=found.tried,
        read_a=sizes[0],
        read_b=sizes[1],
        sampled_a=read[0].sampled,
        sampled_b=read[1].sampled,
        left_out=sorted(left_out) if found.a or found.b else [],
    )
    quotes = [
        _quotes(
            workspace, side, column, texts, np.hstack([chosen, _in_themes(column, texts, more)])
        )
        for side, column, texts, chosen, more in zip(
            sides, themes, read, _weights(found), over, strict=True
        )
    ]
    return SaidOf(words, quotes[0], quotes[1])


def _read(workspace: Workspace, side: Side) -> _Read:
    assert side.mask is not None
    rows = np.flatnonzero(side.mask)
    sampled = len(rows) > MOST_READ
    if sampled:
        rows = np.sort(np.random.default_rng(0).choice(rows, MOST_READ, replace=False))
    texts = record_table(workspace, side.card).texts(rows)
    first: dict[str, int] = {}
    for row, text in zip(rows.tolist(), texts, strict=True):
        first.setdefault(text, row)
    return _Read([*first], np.array([*first.values()], np.int64), sampled)


def _side_word(word: TellingWord, sizes: tuple[int, int]) -> SideWord:
    return SideWord(
        word=word.word,
        z=round(word.z, 1),
        share_a=round(word.texts_a / sizes[0], 6),
        share_b=round(word.texts_b / sizes[1], 6),
    )


def _weights(found: WordSides) -> list[Floats]:
    """(texts, words) of each side: the z of each of its words that a text has."""
    return [
        (held * np.array([word.z for word in words])).astype(np.float32)
        for held, words in ((found.held_a, found.a), (found.held_b, found.b))
    ]


def _in_themes(column: ThemeColumn | None, read: _Read, over: Collection[str | None]) -> Floats:
    """(texts, 1) what it counts for a text to be in one of these themes."""
    wanted = [at for at, theme in enumerate(column.themes) if theme.id in over] if column else []
    inside = np.isin(column.codes[read.rows], wanted) if column else np.zeros(len(read.rows))
    return np.asarray(inside[:, None] * np.float32(OF_ITS_THEMES), np.float32)


def _quotes(
    workspace: Workspace, side: Side, column: ThemeColumn | None, read: _Read, weights: Floats
) -> list[Quote]:
    """The records that say the words of a side best."""
    table = record_table(workspace, side.card)
    central = _centrality(workspace, side)[read.rows]
    lengths = np.maximum(1, [len(text) for text in read.texts])
    fit = np.minimum(1.0, np.minimum(lengths / READABLE[0], READABLE[1] / lengths))
    chosen: list[int] = []
    for _ in range(min(QUOTES, len(read.rows))):
        said = np.where((weights[chosen] > 0).any(axis=0), SAID_ALREADY, 1.0)
        score = (1 + weights @ said) * (0.5 + central) * fit
        score[chosen] = -1
        chosen.append(int(np.argmax(score)))
    ids = [bytes(table.ids[read.rows[at]]).decode() for at in chosen]
    texts = shown_texts(workspace, side.card, ids)
    return [
        Quote(id=id_, text=shorten(texts[id_], QUOTE_CHARACTERS), theme=_theme(column, read, at))
        for id_, at in zip(ids, chosen, strict=True)
        if id_ in texts
    ]


def _centrality(workspace: Workspace, side: Side) -> Floats:
    """(n,) how near each record of the table is to the middle of its cluster; 0 outside of one."""
    table = record_table(workspace, side.card)
    known = np.zeros(len(table) + 1, np.float32)
    if side.selection and side.selection.run.collection == side.card.collection:
        members = workspace.runs.members(side.selection.run)
        known[table.rows_of(members.ids)] = np.nan_to_num(members.centrality)
    known[-1] = 0
    return known[:-1]


def _theme(column: ThemeColumn | None, read: _Read, at: int) -> str | None:
    if column is None:
        return None
    code = int(column.codes[read.rows[at]])
    if code == IN_NOISE:
        return "noise"
    return column.themes[code].id if code >= 0 else None


def words_line(words: Sequence[SideWord], first: bool) -> str:
    """The words of a side with the share of texts of each that has them."""
    return "; ".join(
        f"{word.word} ({_share(word.share_a if first else word.share_b)} against "
        f"{_share(word.share_b if first else word.share_a)}, z {word.z:.1f})"
        for word in words
    )


def _share(share: float) -> str:
    return f"{share:.1%}"

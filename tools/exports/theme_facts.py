"""What is known of each theme, in the records that are exported: words, numbers and quotes.

In: the records with their themes; out: a `ThemeFacts` for each theme, below their headings.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from corpuscope.tools.clustering.stability import stability_word
from corpuscope.tools.core.schema import Author, Node
from corpuscope.tools.core.text import clean_text
from corpuscope.tools.describing.proof import proof_word
from corpuscope.tools.exports.source import ExportSource, RunPlaces
from corpuscope.tools.workspace.selection import shown_text
from corpuscope.tools.workspace.slices import IN_NOISE
from corpuscope.tools.workspace.workspace import Workspace

QUOTES = 3
CANDIDATES = 12
"""Records that are looked at for the quotes of a theme: of equal texts one is shown."""


@dataclass(frozen=True, slots=True)
class QuotedText:
    """A text with the id of its record, on one line, whole, as it may be shown."""

    record: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ThemeFacts:
    """One theme. `size` counts the records exported, `share` (0 to 1) is of those that the run
    knows; without a description `summary` is empty, `author` None, and `title` its first keywords.
    """

    id: str
    heading_id: str | None
    heading: str | None
    title: str
    summary: str
    misfits: str
    keywords: list[str]
    size: int
    share: float
    stability: float | None
    proof: float | None
    proof_word: str
    author: Author | None
    stale: bool
    quotes: tuple[QuotedText, ...]

    @property
    def stability_word(self) -> str | None:
        """stable, shaky, unstable; None where it was not checked."""
        return None if self.stability is None else stability_word(self.stability)

    @property
    def by_keywords(self) -> bool:
        """Whether nobody has said in words what it is."""
        return self.author in (None, "keywords")


@dataclass(frozen=True, slots=True)
class HeadingFacts:
    """A heading and its themes, the largest first; `id` is None for those that stand under none."""

    id: str | None
    title: str
    summary: str
    themes: tuple[ThemeFacts, ...]

    @property
    def size(self) -> int:
        """Records in its themes."""
        return sum(theme.size for theme in self.themes)

    @property
    def share(self) -> float:
        """Their share, 0 to 1."""
        return sum(theme.share for theme in self.themes)


def theme_facts(workspace: Workspace, source: ExportSource, places: RunPlaces) -> list[ThemeFacts]:
    """The themes of the records exported, the largest first; also those that none is in."""
    stability = workspace.runs.stability(places.selection.run)
    scores = {} if stability is None else stability.scores
    quotes = _quotes(workspace, source, places)
    sizes, known = places.sizes, max(1, places.known)
    facts = []
    for at, node in enumerate(places.themes):
        selection = places.selection
        words, heading = selection.descriptions.get(node.id), places.headings.get(node.id)
        facts.append(
            ThemeFacts(
                id=node.id,
                heading_id=heading.id if heading else None,
                heading=selection.label(heading) if heading else None,
                title=selection.label(node),
                summary=" ".join(sentence.text for sentence in words.summary) if words else "",
                misfits=words.misfits if words else "",
                keywords=node.keywords,
                size=int(sizes[at]),
                share=round(int(sizes[at]) / known, 6),
                stability=scores.get(node.id),
                proof=words.proof.auc if words and words.proof else None,
                proof_word=proof_word(words.proof if words else None),
                author=words.author if words else None,
                stale=words.stale if words else False,
                quotes=quotes[at],
            )
        )
    return sorted(facts, key=lambda theme: -theme.size)


def headed_facts(places: RunPlaces, facts: Sequence[ThemeFacts]) -> list[HeadingFacts]:
    """Themes below their headings, the largest first, those that stand under none at the end."""
    below: dict[str, list[ThemeFacts]] = {}
    for theme in facts:
        below.setdefault(theme.heading_id or "", []).append(theme)
    alone = below.pop("", [])
    nodes = {node.id: node for node in places.headings.values()}
    groups = [_heading(places, nodes[id_], themes) for id_, themes in below.items()]
    groups.sort(key=lambda group: -group.size)
    if alone:
        groups.append(HeadingFacts(None, "Under no heading" if groups else "", "", tuple(alone)))
    return groups


def noise_quotes(workspace: Workspace, source: ExportSource, places: RunPlaces) -> list[QuotedText]:
    """Records of the noise, spread over all of it."""
    noise = np.flatnonzero(places.codes == IN_NOISE)
    few = noise[np.linspace(0, len(noise) - 1, QUOTES).astype(int)] if len(noise) else noise
    return _shown(workspace, source, np.unique(few))


def _heading(places: RunPlaces, node: Node, themes: list[ThemeFacts]) -> HeadingFacts:
    words = places.selection.descriptions.get(node.id)
    summary = " ".join(sentence.text for sentence in words.summary) if words else ""
    return HeadingFacts(node.id, places.selection.label(node), summary, tuple(themes))


def _quotes(
    workspace: Workspace, source: ExportSource, places: RunPlaces
) -> list[tuple[QuotedText, ...]]:
    """For each theme some of its records: its exemplars, then those that belong most firmly."""
    order = np.lexsort((-np.nan_to_num(places.strengths), places.codes))
    starts = np.searchsorted(places.codes[order], np.arange(len(places.themes) + 1))
    chosen: list[NDArray[np.int64]] = []
    for at, node in enumerate(places.themes):
        rows = source.table.rows_of(node.exemplars[:CANDIDATES])
        rows = rows[rows >= 0]
        first = np.searchsorted(source.rows, rows)
        there = source.rows[np.minimum(first, len(source) - 1)] == rows
        first = first[there]
        first = first[places.codes[first] == at]
        firm = order[starts[at] : min(starts[at] + CANDIDATES, starts[at + 1])]
        both = np.concatenate([first, firm[~np.isin(firm, first)]])[:CANDIDATES]
        chosen.append(both)
    shown = iter(_shown(workspace, source, np.concatenate([*chosen, np.zeros(0, np.int64)])))
    return [_distinct([next(shown) for _ in rows]) for rows in chosen]


def _distinct(quotes: list[QuotedText]) -> tuple[QuotedText, ...]:
    by_text: dict[str, QuotedText] = {}
    for quote in quotes:
        by_text.setdefault(quote.text.casefold(), quote)
    return tuple(by_text.values())[:QUOTES]


def _shown(
    workspace: Workspace, source: ExportSource, chosen: NDArray[np.int64]
) -> list[QuotedText]:
    """The records at these places of the source."""
    rows = source.rows[chosen.astype(np.int64)]
    texts = source.table.texts(rows)
    ids = source.table.ids[rows].astype(str).tolist()
    return [
        QuotedText(id_, clean_text(shown_text(workspace, text)))
        for id_, text in zip(ids, texts, strict=True)
    ]

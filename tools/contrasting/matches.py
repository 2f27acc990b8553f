"""Themes of two collections that share no record, matched by what they mean.

In: the themes of two runs, with their unit centroids where both lie in one space, else with their
keywords. Out: pairs that are the same subject, and themes that only one side has.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from corpuscope.tools.analysis.keywords import word_stems
from corpuscope.tools.contrasting.differences import percent
from corpuscope.tools.contrasting.sides import Side
from corpuscope.tools.contrasting.themes import theme_counts
from corpuscope.tools.core.schema import COLUMN, Floats, Frozen, Node, Verbatim
from corpuscope.tools.core.vectors import unit_rows
from corpuscope.tools.embedding.spec import LEXICAL
from corpuscope.tools.workspace.selection import Selection
from corpuscope.tools.workspace.slices import ThemeColumn
from corpuscope.tools.workspace.workspace import Workspace

SAME_SUBJECT = 0.7
"""Cosine of the centred centroids from which two themes are the same subject. Three sets of
labelled texts (banking questions, programming questions, tweets) were halved and each half
clustered, with MiniLM and WordLlama vectors. Of themes whose label the other half has as well, 91
to 100 % reach it (0.6: 94 to 100; 0.8: 89 to 100); where those of the same label are taken away,
0 % find another in two of the sets, and 19 to 27 % among the banking questions, where half of the
77 labels have a twin (0.6: 26 to 36 %). Without centring 36 to 55 % of these do."""

SAME_WORDS = 0.4
"""Share of the words in the keywords of the theme with fewer that the other has, likewise: 87 to
100 % are found, and 0 to 28 % wrongly (0.3: 96 to 100 and 0 to 62)."""

FEWEST_CENTRED = 6
"""Themes of both runs from which on their middle is that of the collection, not of one theme."""

PAIRS_TOLD, ALONE_TOLD = 12, 8
MOST_KEPT = 30
"""Of each list, in the structured result."""


class SubjectOfSide(Frozen):
    """A theme of one side."""

    id: Verbatim
    label: str
    records: int
    share: float
    """Of the side's records."""

    def as_words(self) -> str:
        """Id, label, size and share."""
        return f"{self.id} {self.label} ({self.records:,}, {percent(self.share)})"


class SubjectPair(Frozen):
    """Themes of both sides that are the same subject."""

    a: SubjectOfSide
    b: SubjectOfSide
    similarity: float


class LoneSubject(Frozen):
    """A theme that the other side has not, and the nearest that it has."""

    theme: SubjectOfSide
    nearest: Verbatim | None
    similarity: float


class ThemeMatches(Frozen):
    """The themes of two sides by what they mean."""

    by: Literal["vectors", "words"]
    threshold: float
    all_pairs: int
    """Those beyond the largest are counted alone; likewise below."""
    all_only_a: int
    all_only_b: int
    pairs: list[SubjectPair]
    only_a: list[LoneSubject]
    only_b: list[LoneSubject]

    def lines(self, labels: tuple[str, str]) -> Iterator[str]:
        """Themes of one side alone first, then the pairs."""
        by = "cosine of their centred means" if self.by == "vectors" else "keywords in common"
        yield (
            f"Themes matched by {by} (the same from {self.threshold:g}): {self.all_pairs} pairs, "
            f"{self.all_only_a} only in {labels[0]}, {self.all_only_b} only in {labels[1]}."
        )
        for label, other, alone, count in (
            (labels[0], labels[1], self.only_a, self.all_only_a),
            (labels[1], labels[0], self.only_b, self.all_only_b),
        ):
            if alone:
                yield f"Only in {label}:"
                for one in alone[:ALONE_TOLD]:
                    near = f"; nearest in {other}: {one.nearest} ({one.similarity:.2f})"
                    yield f"  {one.theme.as_words()}{near if one.nearest else ''}"
                yield from _more(count - ALONE_TOLD)
        if self.pairs:
            yield f"In both ({labels[0]} ~ {labels[1]}, similarity):"
            for pair in self.pairs[:PAIRS_TOLD]:
                yield f"  {pair.a.as_words()} ~ {pair.b.as_words()}, {pair.similarity:.2f}"
            yield from _more(self.all_pairs - PAIRS_TOLD)


@dataclass(frozen=True, eq=False)
class SubjectSide:
    """The themes of one side, their sizes in it, and what they mean."""

    themes: Sequence[Node]
    subjects: list[SubjectOfSide]
    centroids: NDArray[np.float32] | None
    """(k, dim) of the themes; None where they cannot be compared."""
    all_centroids: list[Floats]
    """Those of the run's other themes as well."""


def match_themes(
    workspace: Workspace,
    sides: tuple[Side, Side],
    columns: tuple[ThemeColumn | None, ThemeColumn | None],
) -> ThemeMatches | None:
    """The themes of two sides, matched; None where one of them has no themes."""
    selections = [side.selection for side in sides]
    if selections[0] is None or selections[1] is None:
        return None
    comparable = _comparable(sides, selections[0], selections[1])
    a, b = (
        _subjects(workspace, side, selection, column, comparable)
        for side, selection, column in zip(sides, selections, columns, strict=True)
        if selection
    )
    if not a.themes or not b.themes:
        return None
    if a.centroids is not None and b.centroids is not None:
        return _matched(a, b, _centred_cosines(a, b), "vectors")
    return _matched(a, b, _common_keywords(a.themes, b.themes), "words")


def _centred_cosines(a: SubjectSide, b: SubjectSide) -> NDArray[np.float32]:
    """(k, l) cosines without what all themes of both runs have in common: some models put all texts
    of a collection into one corner of their space."""
    every = np.stack([*a.all_centroids, *b.all_centroids])
    middle = every.mean(axis=0) if len(every) >= FEWEST_CENTRED else 0 * every[0]
    assert a.centroids is not None
    assert b.centroids is not None
    cosines: NDArray[np.float32] = (
        unit_rows(a.centroids - middle) @ unit_rows(b.centroids - middle).T
    )
    return cosines


def _comparable(sides: tuple[Side, Side], first: Selection, second: Selection) -> bool:
    """Whether the centroids of both runs lie in one space: of one model, and with nothing taken
    off. Of what was taken off, each dataset has its own."""
    cards = sides[0].card, sides[1].card
    same_model = cards[0].embedding == cards[1].embedding and cards[0].dim == cards[1].dim
    # A lexical space is fitted to its dataset, and of a column of vectors nobody knows the model.
    known = cards[0].embedding not in (LEXICAL, COLUMN)
    as_they_are = not first.run.regardless_of and not second.run.regardless_of
    return same_model and known and as_they_are


def _subjects(
    workspace: Workspace,
    side: Side,
    selection: Selection,
    column: ThemeColumn | None,
    comparable: bool,
) -> SubjectSide:
    themes = selection.standing_in(selection.run.recommended)
    sizes = {theme.id: theme.size for theme in themes}
    if column is not None and side.mask is not None:
        counted = theme_counts(column, side.mask)[1:]
        sizes = {theme.id: int(n) for theme, n in zip(column.themes, counted, strict=True)}
        themes = [theme for theme in themes if sizes[theme.id]]
    subjects = [
        SubjectOfSide(
            id=theme.id,
            label=selection.label(theme),
            records=sizes[theme.id],
            share=round(sizes[theme.id] / side.records, 6),
        )
        for theme in themes
    ]
    known = workspace.runs.centroids(selection.run) if comparable else {}
    there = bool(themes) and all(theme.id in known for theme in themes)
    centroids = np.stack([known[theme.id] for theme in themes]) if there else None
    shown = selection.standing_in(selection.run.recommended)
    every = [known[theme.id] for theme in shown if theme.id in known]
    return SubjectSide(themes, subjects, centroids, every)


def _common_keywords(a: Sequence[Node], b: Sequence[Node]) -> NDArray[np.float32]:
    """(k, l) the words that the keywords of two themes have in common, over those of the one with
    fewer."""
    words = [
        [frozenset().union(*map(word_stems, theme.keywords)) for theme in themes]
        for themes in (a, b)
    ]
    return np.array(
        [
            [len(one & other) / max(1, min(len(one), len(other))) for other in words[1]]
            for one in words[0]
        ],
        np.float32,
    )


def _matched(
    a: SubjectSide, b: SubjectSide, similar: NDArray[np.float32], by: Literal["vectors", "words"]
) -> ThemeMatches:
    """Each theme with the most similar one, where it is similar enough: a theme that the other side
    has in two parts is in two pairs."""
    threshold = SAME_SUBJECT if by == "vectors" else SAME_WORDS
    best_b, best_a = similar.argmax(axis=1), similar.argmax(axis=0)
    links = {(i, int(j)) for i, j in enumerate(best_b)} | {
        (int(i), j) for j, i in enumerate(best_a)
    }
    linked = {pair for pair in links if similar[pair] >= threshold}
    pairs = [
        SubjectPair(a=a.subjects[i], b=b.subjects[j], similarity=round(float(similar[i, j]), 3))
        for i, j in linked
    ]
    pairs.sort(key=lambda pair: (-pair.a.records - pair.b.records, -pair.similarity, pair.a.id))

    def alone(
        side: SubjectSide, other: SubjectSide, turned: NDArray[np.float32]
    ) -> list[LoneSubject]:
        lone = []
        for at in np.flatnonzero(turned.max(axis=1) < threshold):
            best = int(turned[at].argmax())
            near = float(turned[at, best])
            lone.append(
                LoneSubject(
                    theme=side.subjects[at],
                    nearest=other.subjects[best].id if near > 0 else None,
                    similarity=round(near, 3),
                )
            )
        return sorted(lone, key=lambda one: -one.theme.records)

    only_a, only_b = alone(a, b, similar), alone(b, a, similar.T)
    return ThemeMatches(
        by=by,
        threshold=threshold,
        all_pairs=len(pairs),
        all_only_a=len(only_a),
        all_only_b=len(only_b),
        pairs=pairs[:MOST_KEPT],
        only_a=only_a[:MOST_KEPT],
        only_b=only_b[:MOST_KEPT],
    )


def _more(count: int) -> list[str]:
    return [f"  … {count} more, smaller ones"] if count > 0 else []

"""What two sides differ in, as an answer: the deciding facts first, as text and as fields."""

from collections.abc import Iterator

from pydantic import Field

from corpuscope.tools.contrasting.differences import SURE, ShareContrast, percent
from corpuscope.tools.contrasting.matches import ThemeMatches
from corpuscope.tools.contrasting.metadata import MetadataContrast
from corpuscope.tools.contrasting.words import Quote, WordContrast, words_line
from corpuscope.tools.core.schema import Frozen, Result, Verbatim

ALIKE_TOLD = 5


class SideLine(Frozen):
    """One side."""

    name: str
    label: str
    """What it is called in the lines below."""
    dataset: Verbatim
    run: Verbatim | None
    records: int


class Differences(Result):
    """What two sets of records differ in."""

    a: SideLine
    b: SideLine
    shared: int
    """Records that are in both."""
    notes: list[str] = Field(default_factory=list)
    themes: ShareContrast | None = None
    """Shares of the themes; None where the sides are themes, or of different collections."""
    matches: ThemeMatches | None = None
    """Of sides without a record in common: their themes, matched by meaning."""
    words: WordContrast | None = None
    metadata: MetadataContrast | None = None
    quotes_a: list[Quote] = Field(default_factory=list)
    quotes_b: list[Quote] = Field(default_factory=list)

    def as_text(self) -> str:
        """Sizes, themes, words, metadata, what is equal, quotes."""
        labels = (self.a.label, self.b.label)
        return "\n".join(
            [
                self._head(),
                *self.notes,
                *(self.matches.lines(labels) if self.matches else []),
                *(_shares_lines("Themes", self.themes, labels) if self.themes else []),
                *self._word_lines(labels),
                *self._metadata_lines(labels),
                *self._equal_lines(),
                *self._quote_lines(labels),
            ]
        )

    def _head(self) -> str:
        same = self.a.dataset == self.b.dataset
        sides = []
        for side, letter in ((self.a, "a"), (self.b, "b")):
            called = side.name if side.label != letter else f"{letter} ({side.name})"
            where = "" if same or side.dataset in side.name else f" of '{side.dataset}'"
            sides.append(f"{called}: {side.records:,} records{where}")
        run = f", run {self.a.run}" if self.a.run and self.a.run == self.b.run else ""
        both = f" {self.shared:,} are in both." if self.shared else ""
        return (
            f"{sides[0]} — {sides[1]}{f' (dataset {self.a.dataset}{run})' if same else ''}.{both}"
        )

    def _word_lines(self, labels: tuple[str, str]) -> Iterator[str]:
        if (words := self.words) is None:
            return
        read = [
            f"{count:,}{' sampled' if sampled else ''} texts of {label}"
            for count, sampled, label in zip(
                (words.read_a, words.read_b),
                (words.sampled_a, words.sampled_b),
                labels,
                strict=True,
            )
        ]
        counted = f"{words.tried:,} words in {read[0]} and {read[1]}"
        if not words.a and not words.b:
            yield f"Words: none of {counted} tells them apart surely."
            return
        for label, listed, first in ((labels[0], words.a, True), (labels[1], words.b, False)):
            told = words_line(listed, first) if listed else "none that is sure"
            yield f"Words of {label}: {told}."
        unsaid = (
            f"; the filters' own left out: {', '.join(words.left_out)}" if words.left_out else ""
        )
        yield f"  (share of texts with it; {counted}{unsaid})"

    def _metadata_lines(self, labels: tuple[str, str]) -> Iterator[str]:
        if (metadata := self.metadata) is None:
            return
        yield from _shares_lines("Metadata", metadata.values, labels)
        yield from (f"  {number.line(labels)}" for number in metadata.numbers)

    def _equal_lines(self) -> Iterator[str]:
        told = []
        if self.themes and self.themes.alike:
            same = (
                f"{one.name} ({percent(one.share_a)}, {percent(one.share_b)})"
                for one in self.themes.alike[:ALIKE_TOLD]
            )
            told.append(f"{'; '.join(same)}")
        if self.metadata and self.metadata.same:
            told.append(f"no sure difference in {', '.join(self.metadata.same)}")
        if told:
            yield f"Alike: {'. '.join(told)}."

    def _quote_lines(self, labels: tuple[str, str]) -> Iterator[str]:
        for label, quotes in zip(labels, (self.quotes_a, self.quotes_b), strict=True):
            if quotes:
                yield f"Typical of {label}:"
                yield from (f"  {quote.as_text()}" for quote in quotes)


def _shares_lines(what: str, found: ShareContrast, labels: tuple[str, str]) -> Iterator[str]:
    """What is more in a, and what in b."""
    if not found.more_in_a and not found.more_in_b:
        yield f"{what}: of {found.tried} tried none differs surely (q < {SURE})."
        return
    for label, listed in zip(labels, (found.more_in_a, found.more_in_b), strict=True):
        if listed:
            yield f"{what} more in {label}:"
            yield from (f"  {one.line(labels)}" for one in listed)
        else:
            yield f"{what} more in {label}: none."
    more = f"; {found.left} more differ" if found.left else ""
    yield f"  ({found.tried} tried; told where q < {SURE}{more})"

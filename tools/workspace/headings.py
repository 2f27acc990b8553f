"""Many themes under a few headings: which layer heads them, and which theme lies below which.

In comes a selection, out come its themes in groups: for lists and maps that would be long.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

from pydantic import Field

from corpuscope.tools.clustering.headings import HEADING_RANGE, MOST_WITHOUT
from corpuscope.tools.core.errors import BadInput
from corpuscope.tools.core.ids import is_within
from corpuscope.tools.core.schema import Node, Result, Run, Verbatim
from corpuscope.tools.core.text import shorten
from corpuscope.tools.workspace.selection import Selection, shown_texts
from corpuscope.tools.workspace.workspace import Workspace

WORDS_IN_A_HEADING = 5
THEMES_IN_A_LINE, ALONE_IN_A_LINE = 8, 20
"""Named below a heading, and below none, where themes have no lines of their own: a page in all."""

EXEMPLAR_CHARACTERS = 110


@dataclass(frozen=True)
class ThemeGroup:
    """A heading and its themes, the largest first; without a heading (None) those below none."""

    heading: Node | None
    themes: list[Node]

    @property
    def size(self) -> int:
        """Records in its themes: what a heading has beside them is noise among the themes."""
        return sum(theme.size for theme in self.themes)


class ThemeName(Result):
    """A theme in a few words."""

    id: Verbatim
    label: str
    """Its title, or its first keywords."""
    size: int

    def as_text(self) -> str:
        """Id, label and size."""
        return f"{self.id} {self.label} ({self.size:,})"


class HeadingLine(Result):
    """A heading above themes; `id` is None for the themes that lie below none."""

    id: Verbatim | None
    title: str | None
    keywords: list[str]
    themes: int
    size: int
    """Records in its themes; `share` of all of the run."""
    share: float
    exemplar: str | None = None
    """A central text, where one is shown."""
    largest: list[ThemeName] = Field(default_factory=list)
    """Its largest themes, where they are not listed elsewhere."""

    def with_themes(self, exemplar: str, largest: list[ThemeName]) -> Self:
        """The line with an example and the largest themes."""
        return self._with(exemplar=exemplar or None, largest=largest)

    def as_text(self) -> str:
        """The heading in a line; then an example and the largest themes, where they are given."""
        count = f"{self.themes} themes, {self.size:,} records ({self.share:.1%})"
        if self.id is None:
            head = f"Under no heading: {count}"
        else:
            words = ", ".join(self.keywords[:WORDS_IN_A_HEADING])
            head = f"{self.id}: {f'{self.title} ({words})' if self.title else words}: {count}"
        lines = [head]
        if self.exemplar:
            lines.append(f"    {self.exemplar}")
        if self.largest:
            named = [theme.as_text() for theme in self.largest]
            more = self.themes - len(named)
            lines.append("    " + "; ".join(named) + (f"; … {more} more" if more else ""))
        return "\n".join(lines)


def heading_layer(run: Run, wanted: bool | None = None) -> int | None:
    """The layer whose clusters head the themes that a run shows; None where they are listed flat.

    Without a wish that is so for up to `MOST_WITHOUT` themes.

    Raises:
        BadInput: Headings are wanted, and no coarser layer can head the themes.
    """
    themes = run.layers[run.recommended].clusters
    if wanted is False or (wanted is None and themes <= MOST_WITHOUT):
        return None
    if run.headings is not None and run.headings < run.recommended:
        return run.headings
    fewest = 2 if wanted else HEADING_RANGE[0]
    fitting = [
        layer.index
        for layer in run.layers[: run.recommended]
        if fewest <= layer.clusters <= min(HEADING_RANGE[1], themes - 1)
    ]
    if not fitting and wanted:
        raise BadInput(
            f"headings=true: run {run.id} has no coarser layer of 2 to {HEADING_RANGE[1]} clusters "
            f"that could head the {themes} themes of layer {run.recommended}. Leave headings out."
        )
    return fitting[-1] if fitting else None


def theme_groups(selection: Selection, wanted: bool | None = None) -> list[ThemeGroup]:
    """The themes that are shown, below headings made by hand and below the clusters of a coarser
    layer, the largest groups first; at the end, together, those that lie below none, or are a
    heading themselves. None where they are to be listed flat.

    Without a wish that is so for up to `MOST_WITHOUT` themes, where nobody has made headings.

    Raises:
        BadInput: Headings are wanted, and there is nothing that can head the themes.
    """
    run = selection.run
    by_hand = run.grouped if wanted is not False else {}
    layer = heading_layer(run, None if by_hand else wanted)
    if layer is None and not by_hand:
        return []
    themes = sorted(selection.standing_in(run.recommended), key=lambda node: (-node.size, node.id))
    groups = []
    headed: set[str] = set()
    for id_ in by_hand:
        if below := [theme for theme in themes if _is_below(run, theme.id, id_)]:
            headed |= {theme.id for theme in below}
            groups.append(ThemeGroup(_made_heading(run, id_, below), below))
    for heading in selection.standing_in(layer) if layer is not None else []:
        below = [t for t in themes if t.id != heading.id and is_within(t.id, heading.id)]
        below = [theme for theme in below if theme.id not in headed]
        headed |= {theme.id for theme in below}
        if below:
            groups.append(ThemeGroup(heading, below))
    groups.sort(key=lambda group: -group.size)
    alone = [theme for theme in themes if theme.id not in headed]
    return [*groups, ThemeGroup(None, alone)] if alone else groups


def _is_below(run: Run, theme: str, heading: str) -> bool:
    """Whether a theme is, or is in, a cluster that is below a heading made by hand."""
    return any(is_within(theme, cluster) for cluster in run.grouped[heading])


def _made_heading(run: Run, heading: str, below: Sequence[Node]) -> Node:
    """A heading made by hand, in the form of a cluster, with the first keywords of its themes."""
    words = [theme.keywords[:1] for theme in below]
    size = sum(theme.size for theme in below)
    return Node(
        id=heading,
        layers=None,
        size=size,
        share=round(size / max(1, run.records), 6),
        keywords=list(dict.fromkeys(word for first in words for word in first)),
        exemplars=below[0].exemplars,
    )


def themes_below(selection: Selection, parent: str) -> list[Node]:
    """The clusters of the layer shown that are parts of another one, or below a heading made by
    hand, in the order of their ids."""
    shown = selection.standing_in(selection.run.recommended)
    if parent in selection.run.grouped:
        return [node for node in shown if _is_below(selection.run, node.id, parent)]
    return [node for node in shown if node.id != parent and is_within(node.id, parent)]


def parts_of(selection: Selection, parent: str) -> list[Node]:
    """What lies below a cluster: of a heading the themes that are shown, of a theme its parts."""
    return themes_below(selection, parent) or selection.children(parent)


def told_headings(workspace: Workspace, selection: Selection) -> list[HeadingLine]:
    """The headings above a run's themes, each with an example and its largest themes; none where
    the themes are few enough to be listed flat."""
    groups = theme_groups(selection)
    first = [(group.heading or group.themes[0]).exemplars[0] for group in groups]
    texts = shown_texts(workspace, selection.card, first)
    shown = [
        [theme_name(selection, theme) for theme in group.themes[: _named(group)]]
        for group in groups
    ]
    return [
        heading_line(selection, group).with_themes(
            shorten(texts.get(record, ""), EXEMPLAR_CHARACTERS), largest
        )
        for group, record, largest in zip(groups, first, shown, strict=True)
    ]


def shared_out(groups: Sequence[ThemeGroup], most: int) -> list[list[Node]]:
    """The largest themes of each group, all together at most so many, but at least one of each:
    all of small groups, as many of each large one."""
    each = max((len(group.themes) for group in groups), default=0)
    while each > 1 and sum(min(each, len(group.themes)) for group in groups) > most:
        each -= 1
    return [group.themes[:each] for group in groups]


def heading_line(selection: Selection, group: ThemeGroup) -> HeadingLine:
    """A group as lists show it, without its themes."""
    heading = group.heading
    words = selection.descriptions.get(heading.id) if heading else None
    return HeadingLine(
        id=heading.id if heading else None,
        title=words.title if words else None,
        keywords=heading.keywords[:WORDS_IN_A_HEADING] if heading else [],
        themes=len(group.themes),
        size=group.size,
        share=round(group.size / max(1, selection.run.records), 6),
    )


def theme_name(selection: Selection, theme: Node) -> ThemeName:
    """A theme in a few words."""
    return ThemeName(id=theme.id, label=selection.label(theme), size=theme.size)


def _named(group: ThemeGroup) -> int:
    return THEMES_IN_A_LINE if group.heading else ALONE_IN_A_LINE

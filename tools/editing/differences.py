"""What a person sees of an edit: which clusters grew, shrank, came, went, or got other words.

In: a run before and after, with its words. Out: a line for each cluster that is not what it was.
"""

from typing import Literal, TypeAlias

from pydantic import Field

from corpuscope.tools.core.ids import id_sort_key, parent_of
from corpuscope.tools.core.schema import Node, Result, Verbatim
from corpuscope.tools.workspace.selection import Selection

Difference: TypeAlias = Literal[
    "gone", "new", "grew", "shrank", "named", "heading", "frozen", "thawed"
]


class EditLine(Result):
    """What became of one cluster, or of a heading made by hand."""

    id: Verbatim
    kind: Difference
    label: str
    """Its title, or its first keywords."""
    was: str | None = None
    """Where it has another title: the one before, "" for none."""
    before: int
    """Records that were in it; those in the clusters below a heading."""
    after: int
    themes: list[Verbatim] = Field(default_factory=list)
    """The clusters below a heading."""
    part: bool = False
    """Whether it lies below the themes of the layer shown."""

    def as_text(self) -> str:
        """The cluster in a line."""
        named = f"{self.id} {self.label}".rstrip()
        if self.kind == "heading":
            below = ", ".join(self.themes)
            return f"{named}: {below} ({self.after:,} records)" if below else f"{named}: gone"
        if self.kind == "named":
            was = f"before: {self.was}" if self.was else "it had no title"
            return f"{named} ({was})"
        if self.kind == "gone":
            return f"{named}: gone ({self.before:,} records before)"
        if self.kind == "new":
            return f"{named}: there now ({self.after:,} records)"
        if self.kind in ("frozen", "thawed"):
            return f"{named}: {'frozen' if self.kind == 'frozen' else 'no longer frozen'}"
        return f"{named}: {self.before:,} → {self.after:,} records"


def edit_lines(before: Selection, after: Selection) -> list[EditLine]:
    """All that is not what it was: themes and what is above them, headings made by hand, parts.

    `before` and `after` are of the same run, with words as they may be shown.
    """
    then, now = _nodes(before), _nodes(after)
    lines = [
        line
        for cluster in sorted({*then, *now}, key=id_sort_key)
        for line in _cluster_lines((then.get(cluster), now.get(cluster)), before, after)
    ]
    lines += _heading_lines(before, after)
    return sorted(lines, key=lambda line: line.part)


def _nodes(selection: Selection) -> dict[str, Node]:
    return {node.id: node for node in selection.run.nodes}


def _cluster_lines(
    nodes: tuple[Node | None, Node | None], before: Selection, after: Selection
) -> list[EditLine]:
    """Of one cluster, as it was and as it is, at least one of which there is."""
    then, now = nodes
    held = now or then
    assert held is not None
    cluster = held.id
    kinds: list[Difference] = []
    if then is None or now is None:
        kinds.append("new" if then is None else "gone")
    elif then.size != now.size:
        kinds.append("grew" if now.size > then.size else "shrank")
    was = before.descriptions.get(cluster)
    words = after.descriptions.get(cluster)
    titles = was.title if was else "", words.title if words else ""
    if then is not None and now is not None and titles[0] != titles[1]:
        kinds.append("named")
    frozen = cluster in before.run.frozen, cluster in after.run.frozen
    if frozen[0] != frozen[1]:
        kinds.append("frozen" if frozen[1] else "thawed")
    shown = after if now is not None else before
    layer = after.run.recommended
    shown_or_above = held.layers is not None and held.layers[0] <= layer
    part = parent_of(cluster) is not None and not shown_or_above
    return [
        EditLine(
            id=cluster,
            kind=kind,
            label=shown.label(held),
            was=titles[0] if kind == "named" else None,
            before=then.size if then else 0,
            after=now.size if now else 0,
            part=part,
        )
        for kind in kinds
    ]


def _heading_lines(before: Selection, after: Selection) -> list[EditLine]:
    lines = []
    for heading in sorted({*before.run.grouped, *after.run.grouped}, key=lambda id_: int(id_[1:])):
        shown = after if heading in after.run.grouped else before
        words, was = (one.descriptions.get(heading) for one in (shown, before))
        label = words.title if words else ""
        title_before = was.title if was else ""
        below = before.run.grouped.get(heading), after.run.grouped.get(heading)
        if below[0] == below[1] and label == title_before:
            continue
        sizes = [
            sum(
                node.size for node in one.run.nodes if node.id in (one.run.grouped.get(heading, []))
            )
            for one in (before, after)
        ]
        lines.append(
            EditLine(
                id=heading,
                kind="heading" if below[0] != below[1] else "named",
                label=label,
                was=title_before,
                before=sizes[0],
                after=sizes[1],
                themes=below[1] or [],
            )
        )
    return lines

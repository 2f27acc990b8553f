"""The tool `list-clusters`: the themes of a run, many of them below headings, or parts of one."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field

from corpuscope.tools.clustering.noise import noise_levels, noise_sentence
from corpuscope.tools.clustering.stability import (
    format_stability,
    known_stability_word,
    stability_meanings,
)
from corpuscope.tools.core.errors import BadInput
from corpuscope.tools.core.ids import id_sort_key
from corpuscope.tools.core.schema import NOISE, Author, Layer, Node, Result, Stability, Verbatim
from corpuscope.tools.describing.proof import PROOF_MEANING, proof_word
from corpuscope.tools.workspace.arguments import (
    DatasetName,
    HeadingsWanted,
    LayerIndex,
    RunId,
    WhereFilter,
    as_id,
)
from corpuscope.tools.workspace.headings import (
    HeadingLine,
    ThemeGroup,
    heading_line,
    parts_of,
    shared_out,
    theme_groups,
    themes_below,
)
from corpuscope.tools.workspace.selection import Selection, select
from corpuscope.tools.workspace.slices import FittingSizes, fitting_sizes
from corpuscope.tools.workspace.workspace import Workspace

KEYWORDS_SHOWN = 6
KEYWORDS_UNDER_HEADINGS = 3
"""There are many lines, and the heading says what they have in common."""

USUAL_PAGE, USUAL_UNDER_HEADINGS = 25, 80


class ClusterLine(Result):
    """One cluster in a list."""

    id: Verbatim
    title: str | None
    size: int
    share: float
    keywords: list[str]
    children: int
    heading: Verbatim | None = None
    """The heading that it is listed under."""
    fitting: int | None = None
    """With a filter: how many of its records fit it; `size` and `share` are of all."""
    fitting_share: float | None = None
    """Of the records that fit, 0 to 1."""
    author: Author | None = None
    """Who wrote the title: llm, assistant, person, or keywords; None where there is no title."""
    stale: Verbatim | None = None
    """Where its title was written, `r1:3`, if the cluster has become another since then."""
    changed: float = 0.0
    """Share of its records that changed since then, 0 to 1."""
    proof: float | None = None
    """0 to 1: how well the description tells its texts from the nearest clusters'."""
    proof_word: str | None = None
    """strong, fair, weak, blurred (the cluster itself overlaps others); None where not tried."""
    stability: float | None = None
    """0 to 1: how surely it comes back when a part of the texts is clustered again; None where
    that was not checked."""
    stability_word: str | None = None
    """stable, shaky, unstable, or `not checked` where only others were; None where none was."""

    def with_fitting(self, fitting: FittingSizes | None) -> Self:
        """The line with how many of its records fit a filter, where there is one."""
        if fitting is None:
            return self
        count = fitting.of_cluster.get(self.id, 0)
        return self._with(fitting=count, fitting_share=round(count / max(1, fitting.total), 6))

    def as_text(self) -> str:
        """The cluster in a line."""
        words = ", ".join(self.keywords[:KEYWORDS_SHOWN])
        named = f"{self.title} ({words})" if self.title else words or "(no keyword)"
        below = f", {self.children} sub-clusters" if self.children else ""
        holds = f", {format_stability(self.stability)}" if self.stability_word else ""
        origin = ", named from keywords only" if self.author == "keywords" else ""
        if self.stale:
            origin += f", title from {self.stale}, {self.changed:.0%} of its records changed"
        proven = "" if self.proof is None else f", proof {self.proof:.2f} {self.proof_word}"
        size = f"{self.size:,} records ({self.share:.1%})"
        if self.fitting is not None:
            fitting = f"{self.fitting:,} that fit ({self.fitting_share:.1%})"
            size = f"{fitting}, of {size} in all"
        return f"{self.id}: {named}: {size}{below}{origin}{proven}{holds}"


class ClusterPage(Result):
    """A page of clusters of one run."""

    dataset: Verbatim
    run: Verbatim
    layer: int | None
    """The layer of the clusters; None for the parts of one of them."""
    parent: Verbatim | None
    layers: list[Layer]
    recommended_layer: int
    shown_layer: int
    """The layer that tools use for this run, or that was asked for."""
    noise: int
    """Records in no cluster of the layer shown."""
    noise_reasons: dict[str, int]
    """Why they are noise: between (two clusters), edge, small (group), isolated, diffuse. Empty
    where another layer than the recommended one is shown, or the reasons are not known."""
    found_in_noise: list[Verbatim]
    """Themes found in what is noise of the recommended layer, where that is shown."""
    in_found: int
    """Records of the noise that are in one of them."""
    noise_assigned: int | None
    """Records of the noise that have a nearest theme, after cluster(noise='assign')."""
    records: int
    fitting: int | None = None
    """With a filter: the records of the run that fit it."""
    fitting_noise: int | None = None
    """Those of them that are noise."""
    headings: list[HeadingLine]
    """Where the clusters are listed under headings: these, in the order of the list."""
    clusters: list[ClusterLine]
    total: int
    offset: int
    next_offset: int | None
    hint: Verbatim | None

    def as_text(self) -> str:
        """The page, with how to go on."""
        where = "" if self.layer is None else f"in layer {self.layer}"
        where += f"{' ' if where else ''}below {self.parent}" if self.parent else ""
        if self.total and not self.clusters:
            return f"offset {self.offset} is past the end: {self.total} clusters {where}."
        last = self.offset + len(self.clusters)
        if self.headings:
            lines = self._under_headings(where)
        else:
            fit = ""
            if self.fitting is not None:
                fit = f" {self.fitting:,} of its {self.records:,} records fit the filter."
            lines = [
                f"Run {self.run} of '{self.dataset}': clusters {self.offset + 1 if last else 0} to "
                f"{last} of {self.total} {where}.{fit}"
            ]
            lines += [line.as_text() for line in self.clusters]
        if self.parent is None:
            lines += self._noise_and_layers()
        if any(line.proof is not None for line in self.clusters):
            lines.append(PROOF_MEANING)
        if meaning := stability_meanings([line.stability for line in self.clusters]):
            lines.append(meaning)
        if self.next_offset is not None:
            lines.append(f"More: call again with offset={self.next_offset}.")
        if self.hint:
            lines.append(self.hint)
        return "\n".join(lines)

    def _under_headings(self, where: str) -> list[str]:
        headed = sum(heading.id is not None for heading in self.headings)
        lines = [
            f"Run {self.run} of '{self.dataset}': {self.total} themes {where} under {headed} "
            "headings; a heading's records are those in its themes."
        ]
        for heading in self.headings:
            themes = [line for line in self.clusters if line.heading == heading.id]
            lines.append(heading.as_text())
            lines += [f"  {theme.as_text()}" for theme in themes]
            if more := heading.themes - len(themes):
                rest = f"parent='{heading.id}'" if heading.id else "headings=false"
                lines.append(f"  … {more} more: {rest}.")
        return lines

    def _noise_and_layers(self) -> list[str]:
        lines = [f"{NOISE}: {self.noise:,} of {self.records:,} records are in no cluster"]
        if self.fitting is not None and self.fitting_noise is not None:
            share = self.fitting_noise / max(1, self.fitting)
            lines = [
                f"{NOISE}: {self.fitting_noise:,} of the {self.fitting:,} records that fit "
                f"({share:.1%}), of {self.noise:,} in all"
            ]
            return lines + self._layer_lines()
        lines += noise_levels(self.in_found, self.found_in_noise, self.noise_assigned)
        if self.noise_reasons:
            lines.append(f"Of the {noise_sentence(self.noise_reasons)}.")
        return lines + self._layer_lines()

    def _layer_lines(self) -> list[str]:
        lines = []
        if len(self.layers) > 1:
            counts = ", ".join(f"{layer.index}: {layer.clusters}" for layer in self.layers)
            shown = ""
            if self.shown_layer != self.recommended_layer:
                shown = f", {self.shown_layer} shown"
            lines.append(
                f"Layers (clusters): {counts}; {self.recommended_layer} is recommended{shown}. "
                "See another with layer=…; set-default(layer=…) has all tools use it."
            )
        return lines


@dataclass(frozen=True)
class _Page:
    """The clusters to show, of `total`, and the groups that they are in, where they are grouped."""

    nodes: list[Node]
    total: int
    groups: list[ThemeGroup]
    heading_of: dict[str, str]


def list_clusters(
    workspace: Workspace,
    dataset: DatasetName = None,
    run: RunId = None,
    parent: Annotated[
        str | None,
        BeforeValidator(as_id),
        Field(description="Show what lies below this cluster (an id, or noise)."),
    ] = None,
    layer: LayerIndex = None,
    headings: HeadingsWanted = None,
    where: WhereFilter = None,
    sort: Annotated[
        Literal["size", "id", "title"], Field(description="Order of the list.")
    ] = "size",
    limit: Annotated[
        int | None,
        Field(ge=1, le=200, description="Clusters on a page; left out: 25, 80 under headings."),
    ] = None,
    offset: Annotated[int, Field(ge=0, description="Clusters to skip.")] = 0,
) -> ClusterPage:
    """List the clusters (themes) of a run: id, title, size, share, keywords, sub-clusters.

    Shows one layer; more than 40 themes stand under headings. With parent: the themes below a
    heading, or the sub-clusters of a theme. With where: how many records of each fit. Noise, the
    records in no cluster, is counted by reason.
    Titles appear once described (`describe-cluster`), how surely a theme holds once checked
    (`check-stability`).
    """
    selection = select(workspace, dataset, run, layer)
    chosen = selection.run
    groups: list[ThemeGroup] = []
    fitting = fitting_sizes(workspace, selection, where) if where else None
    if headings and where:
        raise BadInput("where counts themes one by one: leave headings or where out.")
    if parent is not None:
        if headings:
            raise BadInput("headings=true groups a whole layer: leave parent or headings out.")
        selection.check(parent)
        below = (
            themes_below(selection, parent) if layer is not None else parts_of(selection, parent)
        )
    else:
        if headings and offset:
            raise BadInput("offset pages through the flat list: give headings=false with it.")
        below = selection.standing_in(chosen.recommended)
        groups = [] if offset or fitting is not None else theme_groups(selection, headings)
    if groups:
        page = _grouped(groups, limit or USUAL_UNDER_HEADINGS)
    else:
        ordered = sorted(below, key=_sort_key(selection, sort, fitting))
        page = _Page(ordered[offset:][: limit or USUAL_PAGE], len(below), [], {})
    found = selection.children(NOISE) if parent is None else []
    scores = workspace.runs.stability(chosen)
    after = offset + len(page.nodes)
    return ClusterPage(
        dataset=selection.card.name,
        run=chosen.id,
        layer=chosen.recommended if parent is None or _is_layer(selection, below) else None,
        parent=parent,
        layers=chosen.layers,
        recommended_layer=chosen.found_layer,
        shown_layer=chosen.recommended,
        noise=chosen.noise,
        noise_reasons=chosen.noise_reasons,
        found_in_noise=[node.id for node in found],
        in_found=sum(node.size for node in found),
        noise_assigned=chosen.noise_assigned if chosen.recommended == chosen.found_layer else None,
        records=chosen.records,
        fitting=fitting.total if fitting else None,
        fitting_noise=fitting.noise if fitting else None,
        headings=[heading_line(selection, group) for group in page.groups],
        clusters=[
            _cluster_line(selection, node, scores, page).with_fitting(fitting)
            for node in page.nodes
        ],
        total=page.total,
        offset=offset,
        next_offset=after if after < page.total and not page.groups else None,
        hint=_hint(parent, below) or chosen.hint,
    )


def _grouped(groups: list[ThemeGroup], most: int) -> _Page:
    """The themes that are shown, in the order of their headings."""
    shown = shared_out(groups, most)
    heading_of = {
        theme.id: group.heading.id for group in groups if group.heading for theme in group.themes
    }
    nodes = [theme for themes in shown for theme in themes]
    return _Page(nodes, sum(len(group.themes) for group in groups), groups, heading_of)


def _cluster_line(
    selection: Selection, node: Node, known: Stability | None, page: _Page
) -> ClusterLine:
    """A cluster as lists show it; `known` is the stability of the run's clusters, if checked."""
    description = selection.descriptions.get(node.id)
    proof = description.proof if description else None
    return ClusterLine(
        id=node.id,
        title=description.title if description else None,
        size=node.size,
        share=node.share,
        keywords=node.keywords[:KEYWORDS_UNDER_HEADINGS] if page.groups else node.keywords,
        heading=page.heading_of.get(node.id),
        children=len(selection.children(node.id)),
        author=description.author if description else None,
        stale=description.carried_from if description and description.stale else None,
        changed=description.changed if description else 0.0,
        proof=proof.auc if proof else None,
        proof_word=proof_word(proof) if proof else None,
        stability=known.scores.get(node.id) if known else None,
        stability_word=known_stability_word(known, node.id),
    )


def _sort_key(
    selection: Selection, sort: str, fitting: FittingSizes | None
) -> Callable[[Node], Any]:
    def size(node: Node) -> int:
        return fitting.of_cluster.get(node.id, 0) if fitting else node.size

    keys: dict[str, Callable[[Node], Any]] = {
        "size": lambda node: (-size(node), -node.size, id_sort_key(node.id)),
        "id": lambda node: id_sort_key(node.id),
        "title": lambda node: selection.label(node).casefold(),
    }
    return keys[sort]


def _is_layer(selection: Selection, nodes: list[Node]) -> bool:
    """Whether all of the clusters are of the layer shown."""
    shown = {node.id for node in selection.standing_in(selection.run.recommended)}
    return bool(nodes) and all(node.id in shown for node in nodes)


def _hint(parent: str | None, nodes: list[Node]) -> str | None:
    if parent is not None and not nodes:
        return f"{parent} has no sub-clusters. Split it with `cluster` and within={parent}."
    return None

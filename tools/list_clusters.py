"""The tool `list-clusters`."""

from collections.abc import Callable
from typing import Annotated, Any, Literal

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
from corpuscope.tools.workspace.arguments import DatasetName, RunId, as_id
from corpuscope.tools.workspace.selection import Selection, select
from corpuscope.tools.workspace.workspace import Workspace

KEYWORDS_SHOWN = 6


class ClusterLine(Result):
    """One cluster in a list."""

    id: Verbatim
    title: str | None
    size: int
    share: float
    keywords: list[str]
    children: int
    author: Author | None = None
    """Who wrote the title: llm, assistant, person, or keywords; None where there is no title."""
    proof: float | None = None
    """0 to 1: how well the description tells its texts from the nearest clusters'."""
    proof_word: str | None = None
    """strong, fair, weak, blurred (the cluster itself overlaps others); None where not tried."""
    stability: float | None = None
    """0 to 1: how surely it comes back when a part of the texts is clustered again; None where
    that was not checked."""
    stability_word: str | None = None
    """stable, shaky, unstable, or `not checked` where only others were; None where none was."""

    def as_text(self) -> str:
        """The cluster in a line."""
        words = ", ".join(self.keywords[:KEYWORDS_SHOWN])
        named = f"{self.title} ({words})" if self.title else words
        below = f", {self.children} sub-clusters" if self.children else ""
        holds = f", {format_stability(self.stability)}" if self.stability_word else ""
        origin = ", named from keywords only" if self.author == "keywords" else ""
        proven = "" if self.proof is None else f", proof {self.proof:.2f} {self.proof_word}"
        size = f"{self.size:,} records ({self.share:.1%})"
        return f"{self.id}: {named}: {size}{below}{origin}{proven}{holds}"


class ClusterPage(Result):
    """A page of clusters of one run."""

    dataset: Verbatim
    run: Verbatim
    layer: int | None
    parent: Verbatim | None
    layers: list[Layer]
    recommended_layer: int
    noise: int
    """Records in no cluster of the layer shown (of the recommended one where none is)."""
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
    clusters: list[ClusterLine]
    total: int
    offset: int
    next_offset: int | None
    hint: Verbatim | None

    def as_text(self) -> str:
        """The page, with how to go on."""
        where = f"below {self.parent}" if self.parent else f"in layer {self.layer}"
        if self.total and not self.clusters:
            return f"offset {self.offset} is past the end: {self.total} clusters {where}."
        last = self.offset + len(self.clusters)
        lines = [
            f"Run {self.run} of '{self.dataset}': clusters {self.offset + 1 if last else 0} to "
            f"{last} of {self.total} {where}."
        ]
        lines += [line.as_text() for line in self.clusters]
        if self.parent is None:
            lines.append(f"{NOISE}: {self.noise:,} of {self.records:,} records are in no cluster")
            lines += noise_levels(self.in_found, self.found_in_noise, self.noise_assigned)
            if self.noise_reasons:
                lines.append(f"Of the {noise_sentence(self.noise_reasons)}.")
            if len(self.layers) > 1:
                counts = ", ".join(
                    f"{layer.index}{'*' if layer.index == self.recommended_layer else ''}: "
                    f"{layer.clusters}"
                    for layer in self.layers
                )
                lines.append(f"Layers (clusters; * recommended): {counts}.")
        if any(line.proof is not None for line in self.clusters):
            lines.append(PROOF_MEANING)
        if meaning := stability_meanings([line.stability for line in self.clusters]):
            lines.append(meaning)
        if self.next_offset is not None:
            lines.append(f"More: call again with offset={self.next_offset}.")
        if self.hint:
            lines.append(self.hint)
        return "\n".join(lines)


def list_clusters(
    workspace: Workspace,
    dataset: DatasetName = None,
    run: RunId = None,
    parent: Annotated[
        str | None,
        BeforeValidator(as_id),
        Field(description="Show the clusters directly below this one (an id, or noise)."),
    ] = None,
    layer: Annotated[
        int | None,
        Field(ge=0, description="Resolution: 0 is the coarsest; left out: the recommended one."),
    ] = None,
    sort: Annotated[
        Literal["size", "id", "title"], Field(description="Order of the list.")
    ] = "size",
    limit: Annotated[int, Field(ge=1, le=100, description="Clusters on a page.")] = 25,
    offset: Annotated[int, Field(ge=0, description="Clusters to skip.")] = 0,
) -> ClusterPage:
    """List the clusters (themes) of a run: id, title, size, share, keywords, sub-clusters.

    Without parent and layer: the recommended layer. With parent: its sub-clusters. Noise, the
    records in no cluster, is counted by reason. Titles appear once described (`describe-cluster`),
    how surely a theme holds once checked (`check-stability`).
    """
    selection = select(workspace, dataset, run)
    chosen = selection.run
    if parent is not None and layer is not None:
        raise BadInput("Give parent or layer, not both: parent lists sub-clusters of one cluster.")
    if parent is None:
        shown = chosen.recommended if layer is None else layer
        if shown >= len(chosen.layers):
            raise BadInput(f"No layer {shown}: run {chosen.id} has 0 to {len(chosen.layers) - 1}.")
        nodes = selection.standing_in(shown)
        noise = chosen.records - sum(node.size for node in nodes)
    else:
        shown = None
        selection.check(parent)
        nodes = selection.children(parent)
        noise = chosen.noise
    found = selection.children(NOISE) if shown == chosen.recommended else []
    scores = workspace.runs.stability(chosen)
    page = sorted(nodes, key=_sort_key(selection, sort))[offset : offset + limit]
    after = offset + len(page)
    return ClusterPage(
        dataset=selection.card.name,
        run=chosen.id,
        layer=shown,
        parent=parent,
        layers=chosen.layers,
        recommended_layer=chosen.recommended,
        noise=noise,
        noise_reasons=chosen.noise_reasons if shown in (None, chosen.recommended) else {},
        found_in_noise=[node.id for node in found],
        in_found=sum(node.size for node in found),
        noise_assigned=chosen.noise_assigned if shown == chosen.recommended else None,
        records=chosen.records,
        clusters=[cluster_line(selection, node, scores) for node in page],
        total=len(nodes),
        offset=offset,
        next_offset=after if after < len(nodes) else None,
        hint=_hint(parent, nodes) or chosen.hint,
    )


def cluster_line(selection: Selection, node: Node, known: Stability | None) -> ClusterLine:
    """A cluster as lists show it; `known` is the stability of the run's clusters, if checked."""
    description = selection.descriptions.get(node.id)
    proof = description.proof if description else None
    return ClusterLine(
        id=node.id,
        title=description.title if description else None,
        size=node.size,
        share=node.share,
        keywords=node.keywords,
        children=len(selection.children(node.id)),
        author=description.author if description else None,
        proof=proof.auc if proof else None,
        proof_word=proof_word(proof) if proof else None,
        stability=known.scores.get(node.id) if known else None,
        stability_word=known_stability_word(known, node.id),
    )


def _sort_key(selection: Selection, sort: str) -> Callable[[Node], Any]:
    keys: dict[str, Callable[[Node], Any]] = {
        "size": lambda node: (-node.size, id_sort_key(node.id)),
        "id": lambda node: id_sort_key(node.id),
        "title": lambda node: selection.label(node).casefold(),
    }
    return keys[sort]


def _hint(parent: str | None, nodes: list[Node]) -> str | None:
    if parent is not None and not nodes:
        return f"{parent} has no sub-clusters. Split it with `cluster` and within={parent}."
    return None

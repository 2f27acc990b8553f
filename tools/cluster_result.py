"""What the tool `cluster` answers: the run in counts, its largest clusters, and what changed."""

from typing import Self

from corpuscope.tools.clustering.noise import noise_sentence
from corpuscope.tools.core.redaction import Redact
from corpuscope.tools.core.schema import NOISE, Layer, Node, Result
from corpuscope.tools.core.text import shorten
from corpuscope.tools.embedding.spec import LEXICAL
from corpuscope.tools.runs.changes import Comparison
from corpuscope.tools.runs.inheritance import Carried
from corpuscope.tools.workspace.selection import Selection, redact_selection
from corpuscope.tools.workspace.workspace import Workspace

TOP_CLUSTERS = 12
KEYWORDS_SHOWN = 6
EXEMPLAR_CHARACTERS = 110
LEXICAL_HINT = (
    "The vectors are lexical: these themes share words, boilerplate included, rather than meaning. "
    "For meaning, ingest again with mode=replace and an `embedding` model, if there is one."
)


class TopCluster(Result):
    """One cluster with what shows it."""

    id: str
    title: str | None
    """Where an earlier run described the same cluster."""
    new: bool
    """Whether no cluster of the earlier run is the same; false where there is none."""
    was: str | None
    """The id of the same cluster in the earlier run, where it is another one."""
    size: int
    share: float
    keywords: list[str]
    exemplar: str

    def as_text(self) -> str:
        """The cluster in two lines."""
        words = ", ".join(self.keywords[:KEYWORDS_SHOWN])
        named = f"{self.title} ({words})" if self.title else words
        mark = " (new)" if self.new else f" (was {self.was})" if self.was else ""
        return (
            f"{self.id}{mark}: {named}: {self.size:,} records ({self.share:.1%})\n"
            f"    {self.exemplar}"
        )


class ClusterResult(Result):
    """What a clustering found."""

    dataset: str
    run: str
    within: str | None
    """The cluster that was split, or those whose records were clustered: `3, 5.1`."""
    where: str | None
    records: int
    """In the dataset, or the part of it that was clustered."""
    clusters: int
    """In the recommended layer, or below `within`."""
    noise: int
    noise_share: float
    noise_reasons: dict[str, int]
    """Records of the noise by why they are in no cluster; get-members filters by it."""
    layers: list[Layer]
    """Of the whole run; empty where one cluster was split."""
    recommended_layer: int
    reason: str
    top: list[TopCluster]
    comparison: Comparison | None
    """What became of the clusters of the newest earlier run of the same records, if there is one;
    clusters that are the same kept their ids."""
    titles_kept: int
    """Descriptions taken over from that run, or from the one that records were assigned to."""
    assigned_from: str | None
    assigned: int
    """New records that were put into the clusters of `assigned_from`."""
    hint: str | None
    map: str
    """`ready`, or `being drawn`: `plot` waits for it."""

    def with_run(self, run: str, drawn: str) -> Self:
        """The result of a run that is saved by now, and the state of its map."""
        return self._with(run=run, map=drawn)

    def as_text(self) -> str:
        """Counts, the top clusters and the next step."""
        if self.within and not self.layers and not self.top:
            return (
                f"{self.within} of '{self.dataset}' ({self.records:,} records) does not split "
                f"further; no run was made. {self.hint}"
            )
        what = f"{self.within} of '{self.dataset}'" if self.within else f"'{self.dataset}'"
        where = f" where {self.where}" if self.where else ""
        lines = [
            f"Run {self.run} of {what}{where}: {self.records:,} records, {self.noise:,} of them "
            f"noise ({self.noise_share:.1%}). {self.reason}"
        ]
        if self.noise_reasons:
            lines.append(f"Of the {noise_sentence(self.noise_reasons)}.")
        if len(self.layers) > 1:
            counts = ", ".join(f"{layer.index}: {layer.clusters}" for layer in self.layers)
            lines.append(f"Layers, coarse to fine (clusters): {counts}.")
        if self.comparison is not None:
            lines.append(self.comparison.as_text())
        if self.titles_kept:
            came = self.assigned_from or (self.comparison and self.comparison.earlier)
            lines.append(f"{self.titles_kept} descriptions were taken over from {came}.")
        lines += [cluster.as_text() for cluster in self.top]
        if self.clusters > len(self.top):
            lines.append(f"… {self.clusters - len(self.top)} more: `list-clusters`.")
        if self.hint:
            lines.append(self.hint)
        if self.top:
            lines.append(self._next())
        return "\n".join(lines)

    def _next(self) -> str:
        whose = f"dataset='{self.dataset}', run='{self.run}'"
        words = "all" if self.layers else [one.id for one in self.top]
        return (
            f"Next: describe-cluster(cluster={words!r}, {whose}), plot({whose}), or "
            f"cluster(within='{self.top[0].id}', {whose})."
        )


def told(
    workspace: Workspace,
    selection: Selection,
    split: str | None = None,
    carried: Carried | None = None,
) -> ClusterResult:
    """The result for a run: of all its recommended layer, or of the parts of `split`.

    `selection` may hold a run that is not saved yet, with words as they are kept; `carried` is
    what it took over.
    """
    selection = redact_selection(selection, workspace.redact)
    run = selection.run
    shown = selection.standing_in(run.recommended) if split is None else selection.children(split)
    size, noise = run.records, run.noise
    if split is not None:
        size = run.noise if split == NOISE else selection.node(split).size
        noise = size - sum(node.size for node in shown)
    comparison = carried.comparison if carried else None
    if comparison is not None:
        comparison = _news(comparison, workspace.redact)
    # A run of several clusters has both: what it is within says it better.
    where = None if split is None and run.within else run.parameters["where"]
    return ClusterResult(
        dataset=selection.card.name,
        run=run.id,
        within=split or run.within,
        where=None if where is None else workspace.redact(str(where)),
        records=size,
        clusters=len(shown),
        noise=noise,
        noise_share=round(noise / max(1, size), 4),
        noise_reasons=run.noise_reasons if split is None else {},
        layers=run.layers if split is None else [],
        recommended_layer=run.recommended,
        reason=run.reason,
        top=_top(workspace, selection, shown, carried, size),
        comparison=comparison,
        titles_kept=len(selection.descriptions) if split is None else 0,
        assigned_from=run.assigned_from,
        assigned=run.assigned,
        hint=run.hint or (LEXICAL_HINT if selection.card.embedding == LEXICAL else None),
        map="being drawn",
    )


def _news(comparison: Comparison, redact: Redact) -> Comparison:
    """The comparison without what stayed as it was: that is the rule, and `compare-runs` has it."""

    changes = [one for one in comparison.changes if one.kind != "kept" or one.moved]
    return comparison.with_changes([one.with_titles(redact) for one in changes])


def _top(
    workspace: Workspace,
    selection: Selection,
    shown: list[Node],
    carried: Carried | None,
    size: int,
) -> list[TopCluster]:
    """The largest of the clusters shown, with shares of `size` records."""
    largest = sorted(shown, key=lambda node: -node.size)[:TOP_CLUSTERS]
    first = [node.exemplars[0] for node in largest]
    records = workspace.store.fetch(selection.card, first)
    same = carried.same if carried is not None and carried.comparison is not None else None
    top = []
    for node, shows in zip(largest, first, strict=True):
        description = selection.descriptions.get(node.id)
        top.append(
            TopCluster(
                id=node.id,
                title=description.title if description else None,
                new=same is not None and node.id not in same,
                was=None if same is None or same.get(node.id) == node.id else same.get(node.id),
                size=node.size,
                share=round(node.size / max(1, size), 6),
                keywords=node.keywords,
                exemplar=shorten(workspace.redact(records[shows].text), EXEMPLAR_CHARACTERS),
            )
        )
    return top

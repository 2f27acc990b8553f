"""The tool `cluster`: a run is drafted, told about, saved, and readable before its map is drawn."""

from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BeforeValidator, Field

from corpuscope.tools.clustering.layers import MIN_SAMPLES
from corpuscope.tools.clustering.noise import noise_levels, noise_sentence
from corpuscope.tools.clustering.pipeline import Parameters, Space
from corpuscope.tools.core.errors import BadInput, NotReady
from corpuscope.tools.core.schema import NOISE, STALE, Layer, Node, Result, Run, Verbatim, Watch
from corpuscope.tools.core.text import clean_text, shorten
from corpuscope.tools.embedding.spec import LEXICAL
from corpuscope.tools.runs.assignment import assign_records
from corpuscope.tools.runs.changes import Comparison
from corpuscope.tools.runs.draft import RunDraft
from corpuscope.tools.runs.drill_down import (
    ClusterPart,
    outermost,
    split_cluster,
    take_over_unchanged,
)
from corpuscope.tools.runs.new_run import Scope, filtered, new_run, union
from corpuscope.tools.runs.regardless import check_columns
from corpuscope.tools.runs.repeats import theme_warnings
from corpuscope.tools.runs.run_map import draw_map
from corpuscope.tools.store.defaults import apart
from corpuscope.tools.store.locks import dataset_lock
from corpuscope.tools.store.runs import write_focus
from corpuscope.tools.workspace.arguments import DatasetName, Focus, RunId, WhereFilter, as_id
from corpuscope.tools.workspace.headings import EXEMPLAR_CHARACTERS, HeadingLine, told_headings
from corpuscope.tools.workspace.selection import (
    Selection,
    select_stored,
    shown_selection,
    shown_texts,
)
from corpuscope.tools.workspace.workspace import Workspace

# The share of the time after which clusters can be read; the rest is the map.
SAVED_SHARE = 0.6
TOP_CLUSTERS = 12
KEYWORDS_SHOWN = 6
LEXICAL_HINT = (
    "The vectors are lexical: these themes share words, boilerplate included, rather than meaning. "
    "For meaning, ingest again with mode=replace and an `embedding` model, if there is one."
)


class TopCluster(Result):
    """One cluster with what shows it."""

    id: Verbatim
    title: str | None
    """Where an earlier run described the same cluster."""
    new: bool
    """Whether no cluster of the earlier run is the same; false where there is none."""
    was: Verbatim | None
    """The id of the same cluster in the earlier run, where it is another one."""
    size: int
    share: float
    beside: int | None = None
    """Records of the noise that are nearest to it, not in `size`; None where nobody asked."""
    keywords: list[str]
    exemplar: str

    def as_text(self) -> str:
        """The cluster in two lines."""
        words = ", ".join(self.keywords[:KEYWORDS_SHOWN])
        named = f"{self.title} ({words})" if self.title else words
        mark = " (new)" if self.new else f" (was {self.was})" if self.was else ""
        beside = f" + {self.beside:,} of the noise" if self.beside else ""
        return (
            f"{self.id}{mark}: {named}: {self.size:,} records ({self.share:.1%}){beside}\n"
            f"    {self.exemplar}"
        )


class ClusterResult(Result):
    """What a clustering found."""

    dataset: Verbatim
    run: Verbatim
    within: Verbatim | None
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
    reason: Verbatim
    headings: list[HeadingLine]
    """Where there are many clusters: what they stand under, with the largest of each."""
    top: list[TopCluster]
    comparison: Comparison | None
    """What became of the clusters of the newest earlier run of the same records, if there is one;
    clusters that are the same kept their ids."""
    titles_kept: int
    """Descriptions taken over from that run, or from the one that records were assigned to."""
    stale: list[Verbatim]
    """Clusters whose description was taken over, though many of their records changed since it was
    written."""
    assigned_from: Verbatim | None
    assigned: int
    """New records that were put into the clusters of `assigned_from`."""
    hint: Verbatim | None
    regardless_of: list[Verbatim]
    """Columns across whose values the themes were found."""
    found_in_noise: list[Verbatim]
    """Themes beyond the layer, found among what is noise in it, and counted as noise."""
    in_found: int
    """Records of the noise that are in one of them."""
    noise_assigned: int | None
    """Records of the noise with a nearest theme (noise='assign'), still counted as noise."""
    warnings: list[str]
    """What to know before the themes are believed, with the next step."""
    map: str
    """`ready`, or `being drawn`: `plot` waits for it."""
    default: str | None = None
    """Where another run stays the dataset's default: which one, and why."""

    def with_run(self, run: str, drawn: str, default: str | None) -> Self:
        """The result of a run that is saved by now, the state of its map, and which run is the
        default if it is not this one."""
        return self._with(run=run, map=drawn, default=default)

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
        if self.regardless_of:
            lines.append(
                f"Found across {' and '.join(self.regardless_of)}: what the texts of each value "
                "share was taken off."
            )
        lines += self.warnings
        if self.noise_reasons:
            lines.append(f"Of the {noise_sentence(self.noise_reasons)}.")
        lines += noise_levels(self.in_found, self.found_in_noise, self.noise_assigned)
        if len(self.layers) > 1:
            counts = ", ".join(f"{layer.index}: {layer.clusters}" for layer in self.layers)
            lines.append(f"Layers, coarse to fine (clusters): {counts}.")
        if self.comparison is not None:
            lines.append(self.comparison.as_text())
        if self.titles_kept:
            came = self.assigned_from or (self.comparison and self.comparison.earlier)
            lines.append(f"{self.titles_kept} descriptions were taken over from {came}.")
        if self.stale:
            lines.append(
                f"Stale, as {STALE:.0%} or more of the records changed since they were written: "
                f"{', '.join(self.stale)}. describe-cluster tries them on the texts of now."
            )
        if self.headings:
            lines.append(f"{self.clusters} themes under headings (all: `list-clusters`):")
            lines += [heading.as_text() for heading in self.headings]
        else:
            lines += [cluster.as_text() for cluster in self.top]
            if self.clusters > len(self.top):
                lines.append(f"… {self.clusters - len(self.top)} more: `list-clusters`.")
        if self.hint:
            lines.append(self.hint)
        if self.default:
            lines.append(self.default)
        if self.top:
            lines.append(self._next())
        return "\n".join(lines)

    def _next(self) -> str:
        whose = f"dataset='{self.dataset}', run='{self.run}'"
        # Headings get words of their own, from those of their themes.
        every = "tree" if self.headings else "all"
        words = every if self.layers else [cluster.id for cluster in self.top]
        return (
            f"Next: describe-cluster(cluster={words!r}, {whose}), plot({whose}), or "
            f"cluster(within='{self.top[0].id}', {whose})."
        )


def cluster(
    workspace: Workspace,
    watch: Watch,
    dataset: DatasetName = None,
    run: RunId = None,
    within: Annotated[
        str | list[str] | None,
        BeforeValidator(as_id),
        Field(
            description="Drill down: split this cluster (3, 3.1 or noise) of the run; a list: "
            "cluster what is in any of them, as a run of its own."
        ),
    ] = None,
    layer: Annotated[
        int | None,
        Field(ge=0, description="With within: the layer that noise is of; the new run shows it."),
    ] = None,
    where: WhereFilter = None,
    regardless_of: Annotated[
        list[str] | None,
        Field(
            description="Columns (source, airline, language, author) across whose values themes "
            "are wanted: what the texts of each value share is taken off. within keeps those of "
            "its run; [] for none."
        ),
    ] = None,
    min_cluster_size: Annotated[
        int | None,
        Field(ge=2, description="Smallest cluster; left out (better): every resolution is tried."),
    ] = None,
    space: Annotated[
        Space,
        Field(description="graph (best); map: clusters as the map shows; embedding: raw vectors."),
    ] = "graph",
    min_samples: Annotated[
        int | None,
        Field(ge=1, le=100, description=f"Neighbours that make a text dense; {MIN_SAMPLES}."),
    ] = None,
    neighbours: Annotated[
        int | None,
        Field(ge=5, le=200, description="Neighbours of each text; left out: 8 to 30, by size."),
    ] = None,
    seed: Annotated[
        int, Field(ge=0, lt=2**31, description="Same data and seed: same clusters.")
    ] = 0,
    assign: Annotated[
        bool,
        Field(description="Only put records that are new into the clusters of the run."),
    ] = False,
    noise: Annotated[
        Literal["keep", "assign"],
        Field(
            description="assign: also keep which theme each noise record is nearest to, a level of "
            "its own (get-members with_noise); the clusters stay as they are."
        ),
    ] = "keep",
    focus: Focus = None,
) -> ClusterResult:
    """Find the themes in a dataset: density clusters at several resolutions, as a tree.

    Gives the recommended layer with size, keywords and an example of each of the largest
    clusters; the rest is noise. A cluster that is the same as in the newest earlier run keeps id
    and description, and the answer says what is new, gone, split or merged. Use within to split
    one cluster further (its parts become 3.1, 3.2 … in a new run, in place of sub-clusters it
    had), where to cluster only records that fit a filter, assign after an `ingest` of a few more
    records: they join the clusters there are, in seconds. A run is kept and never changes. About
    20 s for 20,000 records, then it becomes a job; the map is drawn after the clusters can be read.
    """
    parameters = Parameters(
        min_cluster_size,
        space,
        seed,
        min_samples=min_samples or MIN_SAMPLES,
        neighbours=neighbours,
    )
    if assign:
        given = {"within": within, "where": where, "min_cluster_size": min_cluster_size}
        given |= {"min_samples": min_samples, "neighbours": neighbours, "layer": layer}
        given |= {"regardless_of": regardless_of, "noise": None if noise == "keep" else noise}
        if useless := [name for name, value in given.items() if value is not None]:
            raise BadInput(
                f"assign=True finds no clusters, so {' and '.join(useless)} cannot be given: it "
                "puts all records that are new into the clusters that the run has."
            )
        draft = assign_records(workspace, select_stored(workspace, dataset, run), watch.report)
    elif layer is not None and within is None:
        raise BadInput("layer goes with within; to see another layer of a run: list-clusters.")
    elif within is not None and noise == "assign":
        raise BadInput("noise='assign' needs a run of its own: leave out within, or noise.")
    elif within is not None and where:
        raise BadInput("Give within or where, not both: within takes the whole of a cluster.")
    elif within is not None:
        selection = select_stored(workspace, dataset, run, layer)
        selection.check_current()
        clusters = outermost(selection, [within] if isinstance(within, str) else within)
        columns = selection.run.regardless_of if regardless_of is None else regardless_of
        columns = check_columns(selection.card, columns)
        if len(clusters) == 1:
            part = ClusterPart(selection, clusters[0], tuple(columns))
            draft = split_cluster(workspace, part, parameters, watch.report)
        else:
            scope = replace(union(workspace, selection, clusters), regardless_of=tuple(columns))
            draft = new_run(workspace, scope, parameters, watch.report)
    else:
        card = workspace.store.card(dataset)
        columns = check_columns(card, regardless_of or [])
        scope = filtered(workspace, card, where) if where else Scope(card)
        scope = replace(scope, regardless_of=tuple(columns), assign_noise=noise == "assign")
        draft = new_run(workspace, scope, parameters, watch.report)
    return _finish(workspace, watch, draft, focus)


def _finish(
    workspace: Workspace, watch: Watch, draft: RunDraft, focus: str | None
) -> ClusterResult:
    """Tell about a draft, save it, show it, and draw its map."""
    # The answer first: a run is saved only when it can be told about.
    result = _result(workspace, draft)
    if not draft.is_new:
        return result
    run = _save(workspace, draft, focus)
    default = _other_default(workspace, run)
    if draft.source is None:
        drawn = workspace.runs.map(run) is not None
        return result.with_run(run.id, "ready" if drawn else "not drawn yet", default)
    watch.report(SAVED_SHARE, "clusters found and saved; drawing the map")
    watch.ready(result.with_run(run.id, "being drawn", default))
    draw_map(workspace, run, draft.source)
    return result.with_run(run.id, "ready", default)


def _other_default(workspace: Workspace, run: Run) -> str | None:
    """That another run stays the default, and why; None where it is this one."""
    default = workspace.runs.default(run.dataset)
    if default.run.id == run.id:
        return None
    why = apart(run) or f"{default.run.id} was {default.why}"
    return (
        f"Not the default run ({why}); {default.run.id} stays it. Name run='{run.id}', or call "
        f"set-default(run='{run.id}')."
    )


def _save(workspace: Workspace, draft: RunDraft, focus: str | None) -> Run:
    """The run as it was saved, if its dataset is still the one that was clustered.

    Without a focus of its own it has that of the run before it.
    """
    run = draft.run
    before = run.parent_run or run.assigned_from or run.follows
    if focus is None and before:
        focus = workspace.runs.focus(workspace.runs.load(run.dataset, before))

    def write(folder: Path) -> None:
        draft.write(folder)
        if focus:
            write_focus(folder, clean_text(focus))

    with dataset_lock(workspace.home, run.dataset):
        if workspace.store.card(run.dataset).collection != run.collection:
            raise NotReady(f"'{run.dataset}' was replaced while it was clustered. Call again.")
        if draft.split is not None:
            draft = take_over_unchanged(workspace.runs, draft)
        return workspace.runs.save(run, draft.members, write)


def _result(workspace: Workspace, draft: RunDraft) -> ClusterResult:
    """What a draft found: its recommended layer, or the parts of the cluster that it splits."""
    selection = Selection(draft.card, draft.run, draft.descriptions)
    selection = shown_selection(workspace, selection)
    run, split = selection.run, draft.split
    if split is None:
        shown, size, noise = selection.standing_in(run.recommended), run.records, run.noise
    else:
        shown = selection.children(split.cluster) if draft.is_new else []
        whole = split.cluster == NOISE
        size = run.noise if whole else selection.node(split.cluster).size
        noise = size - sum(node.size for node in shown) if draft.is_new else 0
    found = [] if split else selection.children(NOISE)
    # A run of several clusters has both: what it is within says it better.
    where = None if split is None and run.within else run.parameters["where"]
    hint = run.hint if split is None or split.hint is None else split.hint
    return ClusterResult(
        dataset=draft.card.name,
        run=run.id,
        within=split.cluster if split else run.within,
        where=None if where is None else str(where),
        records=size,
        clusters=len(shown),
        noise=noise,
        noise_share=round(noise / max(1, size), 4),
        noise_reasons=run.noise_reasons if split is None else {},
        layers=run.layers if split is None else [],
        recommended_layer=run.recommended,
        reason=split.reason if split else run.reason,
        headings=told_headings(workspace, selection) if split is None else [],
        top=_top(workspace, selection, shown, draft, size),
        comparison=draft.comparison and draft.comparison.without_unchanged(),
        titles_kept=len(selection.descriptions) if split is None else 0,
        stale=_stale(selection) if split is None else [],
        assigned_from=run.assigned_from,
        assigned=run.assigned,
        regardless_of=draft.columns,
        found_in_noise=[node.id for node in found],
        in_found=sum(node.size for node in found),
        noise_assigned=None if split else run.noise_assigned,
        warnings=theme_warnings(workspace, draft, shown) if draft.is_new else [],
        hint=hint or (LEXICAL_HINT if draft.card.embedding == LEXICAL else None),
        map="ready",
    )


def _stale(selection: Selection) -> list[str]:
    """The themes shown whose words are stale, in the order of their ids."""
    themes, words = selection.standing_in(selection.run.recommended), selection.descriptions
    return [node.id for node in themes if node.id in words and words[node.id].stale]


def _top(
    workspace: Workspace, selection: Selection, shown: list[Node], draft: RunDraft, size: int
) -> list[TopCluster]:
    """The largest of the clusters shown, with shares of `size` records."""
    largest = sorted(shown, key=lambda node: -node.size)[:TOP_CLUSTERS]
    first = [node.exemplars[0] for node in largest]
    texts = shown_texts(workspace, selection.card, first)
    nearest = draft.members.nearest if draft.split is None else None
    beside = None if nearest is None else Counter(nearest)
    same = draft.same if draft.comparison is not None else None
    top = []
    for node, exemplar in zip(largest, first, strict=True):
        description = selection.descriptions.get(node.id)
        top.append(
            TopCluster(
                id=node.id,
                title=description.title if description else None,
                new=same is not None and node.id not in same,
                was=None if same is None or same.get(node.id) == node.id else same.get(node.id),
                size=node.size,
                share=round(node.size / max(1, size), 6),
                beside=None if beside is None else beside[node.id],
                keywords=node.keywords,
                exemplar=shorten(texts[exemplar], EXEMPLAR_CHARACTERS),
            )
        )
    return top

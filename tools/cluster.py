"""The tool `cluster`: a run is drafted, told about, saved, and readable before its map is drawn."""

from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from corpuscope.tools.archive.defaults import apart
from corpuscope.tools.archive.run_files import write_focus
from corpuscope.tools.clustering.layers import MIN_SAMPLES
from corpuscope.tools.clustering.pipeline import Parameters, Space
from corpuscope.tools.core.errors import BadInput, NotFound, NotReady
from corpuscope.tools.core.schema import NOISE, Node, Run, Watch
from corpuscope.tools.core.text import clean_text, shorten
from corpuscope.tools.embedding.spec import LEXICAL
from corpuscope.tools.runs.assignment import assign_records
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
from corpuscope.tools.runs.result import AssignedRecord, ClusterResult, TopCluster
from corpuscope.tools.runs.run_map import draw_map
from corpuscope.tools.store.locks import dataset_lock
from corpuscope.tools.workspace.arguments import DatasetName, Focus, RunId, WhereFilter, as_id
from corpuscope.tools.workspace.headings import EXEMPLAR_CHARACTERS, told_headings
from corpuscope.tools.workspace.selection import (
    Selection,
    labels,
    select_stored,
    shown_selection,
    shown_texts,
    theme_places,
)
from corpuscope.tools.workspace.workspace import Workspace

# The share of the time after which clusters can be read; the rest is the map.
SAVED_SHARE = 0.6
TOP_CLUSTERS = 12
ASSIGNED_LISTED = 20
"""New records up to which each is named: more are read by theme."""

LEXICAL_HINT = (
    "The vectors are lexical: these themes share words, boilerplate included, rather than meaning. "
    "For meaning, ingest again with mode=replace and an `embedding` model, if there is one."
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
    """That another run stays the default, or that this one, of another kind, has become it."""
    default = workspace.runs.default(run.dataset)
    if default.run.id == run.id:
        if not (run.regardless_of and run.follows):
            return None
        return f"It is the default run now; set-default(run='{run.follows}') goes back."
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
        present = workspace.store.find(run.dataset)
        if present is None:
            raise NotFound(f"Dataset '{run.dataset}' was deleted while it was clustered.")
        if present.collection != run.collection:
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
        titles_kept=len(selection.descriptions.keys() - run.grouped) if split is None else 0,
        stale=_stale(selection) if split is None else [],
        assigned_from=run.assigned_from,
        assigned=run.assigned,
        assigned_records=_assigned(workspace, selection, draft),
        regardless_of=draft.columns,
        found_in_noise=[node.id for node in found],
        in_found=sum(node.size for node in found),
        noise_assigned=None if split else run.noise_assigned,
        warnings=theme_warnings(workspace, draft, shown) if draft.is_new else [],
        hint=hint or (LEXICAL_HINT if draft.card.embedding == LEXICAL else None),
        map="ready",
        frozen=[
            id_ if id_ == theme.cluster else f"{id_} (was {theme.cluster})"
            for id_, theme in draft.frozen.items()
        ],
    )


def _assigned(workspace: Workspace, selection: Selection, draft: RunDraft) -> list[AssignedRecord]:
    """The records that were new to a run, each with its theme, where they are few."""
    run, members = selection.run, draft.members
    if draft.split or run.assigned_from is None or run.assigned > ASSIGNED_LISTED:
        return []
    before = workspace.runs.members(workspace.runs.load(run.dataset, run.assigned_from))
    known, reasons = set(before.ids), members.noise_reasons
    rows = [row for row, record in enumerate(members.ids) if record not in known]
    places = theme_places(run, [str(members.paths[row]) for row in rows])
    texts = shown_texts(workspace, selection.card, [members.ids[row] for row in rows])
    named = labels(run, selection.descriptions)
    told = []
    for row in rows:
        record, place = members.ids[row], places[str(members.paths[row])]
        told.append(
            AssignedRecord(
                id=record,
                text=shorten(texts.get(record, ""), EXEMPLAR_CHARACTERS),
                cluster=place,
                title=named.get(place),
                noise_reason=None if reasons is None else str(reasons[row]) or None,
            )
        )
    return told


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

"""The tool `edit-clusters`: themes corrected by hand, each edit kept with who made it and when."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Literal, TypeAlias

from pydantic import BeforeValidator, Field

from corpuscope.tools.archive.defaults import ChosenBy, showing_layer
from corpuscope.tools.archive.edits import (
    EditOp,
    EditState,
    RunEdit,
    Step,
    active_edits,
    redoable_edit,
    with_step,
)
from corpuscope.tools.core.errors import BadInput
from corpuscope.tools.core.schema import NOISE, Run, Watch
from corpuscope.tools.describing.answers import clean_title
from corpuscope.tools.describing.describe import timestamp
from corpuscope.tools.describing.submissions import as_list
from corpuscope.tools.editing.differences import edit_lines
from corpuscope.tools.editing.outcome import work_out
from corpuscope.tools.editing.plans import (
    EditPlan,
    check_edited,
    plan_dissolve,
    plan_freeze,
    plan_group,
    plan_merge,
    plan_move,
    plan_rename,
)
from corpuscope.tools.editing.result import EditResult, history_line
from corpuscope.tools.store.locks import edit_lock
from corpuscope.tools.workspace.arguments import DatasetName, RunId, as_id
from corpuscope.tools.workspace.selection import (
    Selection,
    select_stored,
    shown_selection,
)
from corpuscope.tools.workspace.workspace import Workspace

MOST_RECORDS = 1_000
MOST_LINES = 40
"""Changes that an answer lists; the numbers say how many there are."""
MOST_HISTORY = 50

Op: TypeAlias = Literal[
    "merge", "move", "rename", "group", "dissolve", "freeze", "unfreeze", "undo", "redo", "history"
]

TAKES: dict[str, tuple[str, ...]] = {
    "merge": ("clusters", "into", "title"),
    "move": ("records", "into"),
    "rename": ("clusters", "title"),
    "group": ("clusters", "title"),
    "dissolve": ("clusters",),
    "freeze": ("clusters",),
    "unfreeze": ("clusters",),
    "undo": (),
    "redo": (),
    "history": (),
}
"""What each kind of edit takes beside `by`, `preview`, `dataset` and `run`."""


def as_ids(value: object) -> object:
    """One id, or a list of them, as a list: models write either, also as numbers."""
    return as_list(as_id(value))


def edit_clusters(
    workspace: Workspace,
    watch: Watch,
    op: Annotated[Op, Field(description="What to do.")],
    clusters: Annotated[
        list[str],
        BeforeValidator(as_ids),
        Field(description="Cluster ids: all that are merged, one to rename (or a heading, h1)."),
    ] = [],  # noqa: B006 (never changed; None would cost every client tokens)
    into: Annotated[
        str,
        BeforeValidator(as_id),
        Field(description="move: a cluster, or noise. merge: whose id stays; '': the largest."),
    ] = "",
    records: Annotated[
        list[str],
        BeforeValidator(as_list),
        Field(max_length=MOST_RECORDS, description="move: record ids; equal texts go along."),
    ] = [],  # noqa: B006
    title: Annotated[
        str, Field(description="rename, merge, group: at most 8 words; group with '': ungroup.")
    ] = "",
    by: Annotated[ChosenBy, Field(description="Whose decision it is; kept.")] = "assistant",
    preview: Annotated[bool, Field(description="Only say what would change.")] = False,
    dataset: DatasetName = None,
    run: RunId = None,
) -> EditResult:
    """Correct themes by hand: merge, move records, rename, group, dissolve, freeze; undo, redo.

    Every tool, map and later run follows; all can be undone, the last edit first. dissolve makes
    noise of clusters, group puts them under a heading, freeze has later `cluster` runs keep them.
    Words with evidence: `label-cluster`.
    """
    given = {"clusters": clusters, "into": into, "records": records, "title": title}
    _check_arguments(op, [name for name, value in given.items() if value])
    request = _Request(clusters, into, records, title, by)
    selection = select_stored(workspace, dataset, run)
    if op == "history":
        return _result(workspace, selection, selection, _Told(op, by=by, preview=True))
    selection.check_current()
    watch.report(0.1, "looking at the clusters")
    with edit_lock(workspace.home, selection.card.name, selection.run.id):
        # As it is now: somebody else may have edited it.
        selection = select_stored(workspace, selection.card.name, selection.run.id)
        if op == "undo" or op == "redo":
            return _step(workspace, selection, op, by, preview=preview)
        return _edit(workspace, selection, op, request, preview=preview)


@dataclass(frozen=True)
class _Request:
    """The arguments of an edit, as they were given."""

    clusters: list[str]
    into: str
    records: list[str]
    title: str
    by: ChosenBy

    def kept(self) -> dict[str, list[str] | str]:
        """What the log keeps of them."""
        named: dict[str, list[str] | str] = {"clusters": self.clusters, "into": self.into}
        named |= {"records": self.records, "title": self.title}
        return {name: value for name, value in named.items() if value}


@dataclass(frozen=True)
class _Told:
    """What the answer tells beside the changes."""

    op: str
    said: str = ""
    edit: int | None = None
    by: ChosenBy = "assistant"
    preview: bool = False
    hint: str | None = None


def _check_arguments(op: str, given: Sequence[str]) -> None:
    takes = TAKES[op]
    useless = [name for name in given if name not in takes]
    if useless:
        listed = ", ".join(takes) or "nothing else"
        raise BadInput(
            f"op='{op}' takes {listed}; leave out {' and '.join(useless)}. Nothing was changed."
        )


def _edit(
    workspace: Workspace, selection: Selection, op: EditOp, request: _Request, *, preview: bool
) -> EditResult:
    """Make one edit of the run as it is now."""
    runs = workspace.runs
    # The edit is of the tree, whichever of its layers is shown.
    base = replace(selection, run=runs.as_of(selection.run, selection.run.edit))
    plan = _plan(workspace, base, op, request)
    step = Step(what="made", by=request.by, at=timestamp())
    number = len(runs.edits(base.run)) + 1
    edit = RunEdit(number=number, op=op, said=plan.said, arguments=request.kept(), steps=[step])
    made = work_out(workspace, base, plan, edit)
    if not preview:
        runs.keep_edit(made)
    kept = {
        cluster: words
        for cluster, words in selection.descriptions.items()
        if made.edited.worded.get(cluster) != number and cluster in made.edited.alive
    }
    run = showing_layer(made.run, selection.run.recommended)
    after = Selection(selection.card, run, kept | dict(made.descriptions))
    told = _Told(op, plan.said, number, request.by, preview, _hint(op, after, plan))
    return _result(workspace, selection, after, told)


def _plan(workspace: Workspace, base: Selection, op: EditOp, request: _Request) -> EditPlan:
    """What the edit does, if it can be done."""
    run, members = base.run, workspace.runs.members(base.run)
    title = _title(request.title) if request.title else ""
    if op == "move":
        if not request.into or not request.records:
            raise BadInput("op='move' needs records (their ids) and into (a cluster, or noise).")
        if request.into != NOISE:
            check_edited(run, [request.into])
        return plan_move(run, members, request.records, request.into)
    clusters = check_edited(run, request.clusters, headings=op == "rename")
    if op == "merge":
        into = check_edited(run, [request.into])[0] if request.into else None
        used = {*workspace.runs.edited(run).since}
        plan = plan_merge(run, members, clusters, into, used)
        if not title:
            return plan
        target = next(one for one in (into, *clusters) if one and one not in plan.names)
        said = f"{plan.said} as '{title}'"
        return replace(plan, said=said, titles={target: title})
    if op == "rename":
        if len(clusters) != 1 or not title:
            raise BadInput("op='rename' takes one cluster and a title of at most 8 words.")
        return plan_rename(run, members, clusters[0], title)
    if op == "group":
        words = base.descriptions
        known = {heading: words[heading].title for heading in run.grouped if heading in words}
        return plan_group(run, members, clusters, title, known)
    if op == "dissolve":
        return plan_dissolve(run, members, clusters)
    return plan_freeze(run, members, clusters, thaw=op == "unfreeze")


def _title(title: str) -> str:
    try:
        return clean_title(title)
    except ValueError as error:
        raise BadInput(f"{error}; nothing was changed. Give a shorter one that names it.") from None


def _step(
    workspace: Workspace,
    selection: Selection,
    op: Literal["undo", "redo"],
    by: ChosenBy,
    *,
    preview: bool,
) -> EditResult:
    """Undo the last edit in force, or redo the one that was undone last."""
    runs, run = workspace.runs, selection.run
    log = runs.edits(run)
    active = active_edits(log)
    edit = redoable_edit(log) if op == "redo" else next(reversed(active), None)
    if edit is None:
        raise BadInput(_nothing_to(op, run, log))
    number = edit.number
    line = [one.number for one in active if one.number < number]
    present = number if op == "redo" else max(line, default=0)
    stored = runs.as_of(run, present)
    if not preview:
        state: EditState = "active" if op == "redo" else "undone"
        runs.keep_log(run, with_step(log, number, state, Step(what=op, by=by, at=timestamp())))
    shown = showing_layer(stored, run.recommended)
    after = Selection(selection.card, shown, runs.descriptions(shown))
    said = f"{'redone' if op == 'redo' else 'undone'}: {edit.said}"
    return _result(workspace, selection, after, _Told(op, said, number, by, preview))


def _nothing_to(op: str, run: Run, log: Sequence[RunEdit]) -> str:
    if not log:
        return f"Nothing to {op}: run {run.id} has no edits, it is as it was found."
    if op == "redo":
        return (
            f"Nothing to redo: no edit of run {run.id} was undone, or another was made since. "
            "op='history' lists them."
        )
    return (
        f"Nothing to undo: all edits of run {run.id} are undone, it is as it was found. op='redo' "
        "brings back the last one."
    )


def _hint(op: str, after: Selection, plan: EditPlan) -> str | None:
    """What to know of the edit, with the next step."""
    said = []
    if op == "freeze":
        said.append("A later cluster() of the same records keeps them together, with id and title.")
    stale = [
        node.id
        for node in after.standing_in(after.run.recommended)
        if (words := after.descriptions.get(node.id)) and words.stale and node.id not in plan.titles
    ]
    if op in ("merge", "move") and stale:
        said.append(
            f"Titles of other records than now: {', '.join(stale)}. op='rename', or "
            f"describe-cluster(cluster='{stale[0]}', refresh=true)."
        )
    return " ".join(said) or None


def _result(workspace: Workspace, before: Selection, after: Selection, told: _Told) -> EditResult:
    """The answer: what is different in a run, as it may be shown."""
    lines = edit_lines(shown_selection(workspace, before), shown_selection(workspace, after))
    log = workspace.runs.edits(before.run)
    history = [history_line(edit) for edit in log[-MOST_HISTORY:]]
    themes = [one.run.layers[one.run.recommended].clusters for one in (before, after)]
    return EditResult(
        dataset=before.card.name,
        run=before.run.id,
        op=told.op,
        preview=told.preview,
        edit=told.edit,
        said=told.said,
        by=told.by,
        changes=lines[:MOST_LINES],
        more_changes=max(0, len(lines) - MOST_LINES),
        themes_before=themes[0],
        themes=themes[1],
        noise_before=before.run.noise,
        noise=after.run.noise,
        in_force=len(active_edits(log)),
        can_redo=redoable_edit(log) is not None,
        history=history if told.op == "history" else [],
        hint=told.hint,
    )

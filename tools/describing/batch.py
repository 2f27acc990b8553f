"""Describing many clusters with a model: parts before headings, saved as they come, told apart."""

import hashlib
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace

from corpuscope.tools.core.ids import depth, is_within
from corpuscope.tools.core.schema import Description, Node, Report, no_report
from corpuscope.tools.describing.answers import DescriptionAnswer, SortAnswer
from corpuscope.tools.describing.describe import (
    Describer,
    Outcome,
    describe_many,
    describe_with_keywords,
    describe_with_model,
    prove_description,
    texts_to_sort,
    timestamp,
    verify_description,
)
from corpuscope.tools.describing.disambiguation import KnownTitles, tell_apart
from corpuscope.tools.describing.evidence import Evidence, redact_evidence
from corpuscope.tools.describing.gathering import DescriptionTask, gather_tasks
from corpuscope.tools.describing.judge import open_judge
from corpuscope.tools.describing.prompting import PromptContext, describe_prompt, sort_prompt
from corpuscope.tools.describing.proof import enough_texts
from corpuscope.tools.describing.result import usage_cost
from corpuscope.tools.llm.asker import open_asker
from corpuscope.tools.llm.budget import Limits, Usage
from corpuscope.tools.workspace.selection import Selection, redact_description
from corpuscope.tools.workspace.workspace import LlmOptions, Workspace

GATHERED = 0.1
"""The share of the time after which the evidence is there."""


@dataclass(frozen=True)
class DescriptionOrder:
    """What is to be written: the clusters, and whether anew, and whether a model checks it too."""

    writer: LlmOptions
    nodes: Sequence[Node]
    refresh: bool = False
    verify: bool = False
    max_calls: int | None = None
    focus: str | None = None
    """What the person says now, in place of what the run keeps."""


@dataclass(frozen=True)
class BatchOutcome:
    """(cluster id, reason) for those without a description, and those that were not verified; what
    was used, and in how many seconds."""

    failures: list[tuple[str, str]]
    unverified: list[tuple[str, str]]
    usage: Usage
    seconds: float


@dataclass(frozen=True)
class _Batch:
    """The work on one order. `known` are the run's descriptions as they come to be."""

    workspace: Workspace
    selection: Selection
    describer: Describer
    concurrency: int
    tasks: dict[str, DescriptionTask]
    known: dict[str, Description]
    since: str
    """What was written from then on is new already, ISO 8601; "" where nothing is written anew."""

    def keep(self, description: Description) -> None:
        """Save a description at once: whatever stops the work, it is not lost.

        What somebody else has written meanwhile stays.
        """
        runs, run, id = self.workspace.runs, self.selection.run, description.cluster
        there = runs.description(run, id)
        if there is None or there == self.known.get(id):
            runs.save_description(run, description)
            there = description
        self.known[id] = there

    def task(self, id: str) -> DescriptionTask:
        """The evidence of a cluster with the titles that others have by now."""
        titles = {id: self.workspace.redact(one.title) for id, one in self.known.items()}
        task = self.tasks[id]
        return replace(task, evidence=task.evidence.with_titles(titles))


def prompt_context(
    workspace: Workspace, selection: Selection, focus: str | None = None
) -> PromptContext:
    """How descriptions of a run are written: with this focus, or the one that it keeps."""
    kept = workspace.runs.focus(selection.run) if focus is None else focus
    return PromptContext(workspace.templates, workspace.language, workspace.redact(kept))


def describe_batch(
    workspace: Workspace, selection: Selection, order: DescriptionOrder, report: Report
) -> BatchOutcome:
    """Describe the clusters of an order that need words, and verify them where asked.

    Each description is saved as it comes. Where a limit is reached or the endpoint is down, the
    rest stays undone and is named.

    Raises:
        NotReady: The dataset was replaced after the run.
        BadInput: A template of the user's does not fit.
    """
    begun = time.monotonic()
    if order.refresh:
        workspace.runs.begin_refresh(
            selection.run, _refresh_key(workspace, selection, order), timestamp()
        )
    with _open_batch(workspace, selection, order) as batch:
        todo = [node for node in order.nodes if _needs_words(batch, node, order)]
        expected = usage_cost(_expected(batch, todo, order), order.writer)
        report(GATHERED, f"describing {len(todo)} clusters: {expected.as_text()}")
        failures: list[tuple[str, str]] = []
        stopped = ""
        for number, wave in enumerate(levels := waves([node.id for node in todo])):
            if not stopped:
                part = _part(report, number / len(levels), 1 / len(levels))
                outcome = _write_wave(batch, wave, part)
                failures += outcome.failures
                stopped = outcome.stopped
            else:
                failures += [(id, stopped) for id in wave]
        if not stopped:
            _settle_titles(batch, order)
        unverified = _verify(batch, order, stopped) if order.verify else []
        if order.refresh and not failures:
            workspace.runs.end_refresh(selection.run)
        return BatchOutcome(
            failures, unverified, batch.describer.asker.usage, time.monotonic() - begun
        )


def expected_batch_usage(
    workspace: Workspace, selection: Selection, order: DescriptionOrder
) -> Usage:
    """About what `write_all` will use, repairs and second tries left out; nothing is sent."""
    with _open_batch(workspace, selection, order) as batch:
        todo = [node for node in order.nodes if _needs_words(batch, node, order)]
        return _expected(batch, todo, order)


def take_names(
    workspace: Workspace, selection: Selection, nodes: Sequence[Node]
) -> dict[str, Description]:
    """The run's descriptions, after headings with one part only have taken the part's name."""
    known = workspace.runs.descriptions(selection.run)
    for id in [id for wave in waves([node.id for node in nodes]) for id in wave]:
        if id not in known and (taken := _only_parts_words(selection, known, id)):
            known[id] = taken
            workspace.runs.save_description(selection.run, taken)
    return known


def waves(ids: Sequence[str]) -> list[list[str]]:
    """Cluster ids in groups, each of which needs only those before it: parts before headings."""
    height: dict[str, int] = {}
    for id in sorted(ids, key=depth, reverse=True):
        below = [height[other] for other in height if is_within(other, id)]
        height[id] = max(below, default=-1) + 1
    return [
        [id for id in ids if height[id] == level]
        for level in range(max(height.values(), default=-1) + 1)
    ]


@contextmanager
def _open_batch(
    workspace: Workspace, selection: Selection, order: DescriptionOrder
) -> Iterator[_Batch]:
    """The evidence of what the order may need, and the model, which is not yet reached."""
    writer = order.writer
    known = workspace.runs.descriptions(selection.run)
    # A run never changes; its texts may have been changed by an ingest since.
    changed = selection.card.version != selection.run.dataset_version
    context = prompt_context(workspace, selection, order.focus)
    key = context.key(writer.model)
    needed = [
        node
        for node in order.nodes
        if order.refresh
        or order.verify
        or changed
        or (present := known.get(node.id)) is None
        or present.prompt_key not in ("", key)
        or present.author == "keywords"
        or present.alike
    ]
    tasks = gather_tasks(workspace, selection, needed)
    limits = Limits(order.max_calls, writer.max_tokens)
    cache = workspace.dataset_folder(selection.card) / "answers"
    with open_asker(writer.endpoint, writer.model, limits, cache, fresh=order.refresh) as asker:
        judge = open_judge(workspace, selection.card, tasks) if tasks else None
        yield _Batch(
            workspace,
            selection,
            Describer(asker, writer.model, context, judge),
            writer.endpoint.concurrency,
            {task.evidence.cluster: task for task in tasks},
            known,
            _refreshed_since(workspace, selection, order),
        )


def _refreshed_since(workspace: Workspace, selection: Selection, order: DescriptionOrder) -> str:
    """When the writing anew of these clusters began: what is younger is done already, so that a
    call that was stopped, by a limit or otherwise, is gone on with."""
    if not order.refresh:
        return ""
    key = _refresh_key(workspace, selection, order)
    return workspace.runs.refresh_begun(selection.run, key) or timestamp()


def _refresh_key(workspace: Workspace, selection: Selection, order: DescriptionOrder) -> str:
    """What is asked for: another order begins anew."""
    prompt_key = prompt_context(workspace, selection, order.focus).key(order.writer.model)
    asked = " ".join([prompt_key, *sorted(node.id for node in order.nodes)])
    return hashlib.sha256(asked.encode()).hexdigest()


def _needs_words(batch: _Batch, node: Node, order: DescriptionOrder) -> bool:
    """Whether a cluster is to be described: it is not yet, or not from what is there now.

    Words of people and assistants stay unless asked anew. Those that a theme brought along from an
    earlier run stay while templates, model, focus and language are the same: its records never are.
    """
    present = batch.known.get(node.id)
    if present is None:
        return True
    if order.refresh:
        return present.created < batch.since
    if present.author not in ("llm", "keywords"):
        return False
    key = batch.describer.context.key(batch.describer.model)
    if present.prompt_key != key:
        # Without a key it is from before there were any.
        return bool(present.prompt_key) or present.author == "keywords"
    task = batch.tasks.get(node.id)
    same = task is None or task.evidence.key == present.evidence_key
    return not same and present.carried_from is None


def _expected(batch: _Batch, todo: Sequence[Node], order: DescriptionOrder) -> Usage:
    asker, context = batch.describer.asker, batch.describer.context
    total = Usage()
    for node in todo:
        if _only_parts_words(batch.selection, batch.known, node.id) is None:
            prompt = describe_prompt(context, batch.task(node.id).evidence)
            total += asker.expected(prompt, DescriptionAnswer)
    for task in _unsorted(batch, order) if order.verify else []:
        stand_in = batch.known.get(task.evidence.cluster) or describe_with_keywords(task.evidence)
        texts = [text for text, _ in texts_to_sort(task)]
        total += asker.expected(sort_prompt(context, stand_in, texts), SortAnswer)
    return replace(total, estimated=True)


def _write_wave(batch: _Batch, wave: Sequence[str], report: Report) -> Outcome:
    """Describe clusters of which none is part of another, and give them distinct titles."""
    asked: list[str] = []
    for id in wave:
        taken = _only_parts_words(batch.selection, batch.known, id)
        if taken is None:
            asked.append(id)
        else:
            batch.keep(prove_description(batch.describer.judge, taken, batch.tasks[id]))
    tasks = [batch.task(id) for id in asked]
    for task in tasks:
        batch.workspace.runs.save_evidence(batch.selection.run, task.evidence)
    unfit: list[tuple[str, str]] = []

    def keep(description: Description) -> None:
        before = batch.known.get(description.cluster)
        if description.author == "keywords" and before and before.author != "keywords":
            unfit.append((description.cluster, f"{description.note} The words it had stay."))
        else:
            batch.keep(description)

    outcome = describe_many(
        lambda task: describe_with_model(batch.describer, task),
        tasks,
        batch.concurrency,
        report,
        keep,
    )
    lost = {id for id, _ in [*outcome.failures, *unfit]}
    _tell_apart(batch, [id for id in asked if id not in lost])
    return Outcome([*outcome.failures, *unfit], outcome.stopped)


def _settle_titles(batch: _Batch, order: DescriptionOrder) -> None:
    """Tell apart what an earlier call could not, for want of room."""
    left = [node.id for node in order.nodes if node.id in batch.known]
    _tell_apart(batch, [id for id in left if batch.known[id].alike])


def _tell_apart(batch: _Batch, ids: Sequence[str]) -> None:
    runs, run, redact = batch.workspace.runs, batch.selection.run, batch.workspace.redact

    def older(id: str) -> Evidence | None:
        found = runs.evidence(run, id)
        return None if found is None else redact_evidence(found, redact)

    titles = KnownTitles(batch.known, older, batch.keep, redact)
    tell_apart(batch.describer, [batch.task(id) for id in ids], titles)


def _verify(batch: _Batch, order: DescriptionOrder, stopped: str) -> list[tuple[str, str]]:
    """Let the model sort texts by each description that it has not sorted by yet."""
    tasks = [task for task in _unsorted(batch, order) if task.evidence.cluster in batch.known]
    if stopped:
        return [(task.evidence.cluster, stopped) for task in tasks]

    def work(task: DescriptionTask) -> Description:
        known = batch.known[task.evidence.cluster]
        # A model is shown no more of them than of the texts, and what is kept stays as it was.
        found = verify_description(
            batch.describer, redact_description(known, batch.workspace.redact), task
        )
        return replace(known, proof=found.proof)

    return describe_many(work, tasks, batch.concurrency, no_report, batch.keep).failures


def _unsorted(batch: _Batch, order: DescriptionOrder) -> list[DescriptionTask]:
    """The clusters of an order whose description no model has sorted texts by."""
    found = []
    for node in order.nodes:
        proof = present.proof if (present := batch.known.get(node.id)) else None
        task = batch.tasks.get(node.id)
        if (
            task
            and enough_texts(task.trial.halves()[1])
            and (proof is None or proof.precision is None)
        ):
            found.append(batch.task(node.id))
    return found


def _only_parts_words(
    selection: Selection, known: Mapping[str, Description], id: str
) -> Description | None:
    """The words of a cluster's only part as its own; None where it has several, or none yet."""
    children = selection.children(id)
    only = known.get(children[0].id) if len(children) == 1 else None
    return only and replace(only, cluster=id, carried_from=None)


def _part(report: Report, start: float, share: float) -> Report:
    """Progress within a part of the time after the evidence is there."""
    return lambda done, said: report(GATHERED + (1 - GATHERED) * (start + share * done), said)

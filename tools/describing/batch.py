"""Describing many clusters with a model: parts before headings, saved as they come, told apart.

An order (clusters, and what may be spent) comes in. Clusters whose words are missing or no longer
of what is there now are described in waves, each of which needs only those before it; out come the
failures and what was used, the descriptions being saved with the run.
"""

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
    describe_many,
    describe_with_keywords,
    describe_with_model,
    prove_description,
    texts_to_sort,
    timestamp,
    verify_description,
)
from corpuscope.tools.describing.disambiguation import KnownTitles, tell_apart
from corpuscope.tools.describing.evidence import Evidence
from corpuscope.tools.describing.gathering import DescriptionTask, gather_tasks, stored_evidence
from corpuscope.tools.describing.judge import open_judge
from corpuscope.tools.describing.prompting import (
    describe_prompt,
    prompt_context,
    shown_titles,
    sort_prompt,
)
from corpuscope.tools.describing.proof import enough_texts
from corpuscope.tools.describing.result import usage_cost
from corpuscope.tools.llm.asker import open_asker
from corpuscope.tools.llm.budget import Limits, Usage
from corpuscope.tools.llm.concurrency import Failures
from corpuscope.tools.workspace.reading import folder_of
from corpuscope.tools.workspace.selection import Selection
from corpuscope.tools.workspace.workspace import LlmOptions, Workspace

GATHERED = 0.1
"""The share of the time after which the evidence is there."""


@dataclass(frozen=True)
class DescriptionOrder:
    """What is to be written: by which model, of which clusters, whether anew, whether it also sorts
    unseen texts by each description, and in how many calls at most."""

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
    """The work on one order. `tasks` are by cluster id; `known` the run's descriptions as they come
    to be."""

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
        runs, run, cluster = self.workspace.runs, self.selection.run, description.cluster
        saved = runs.description(run, cluster)
        if saved is None or saved == self.known.get(cluster):
            runs.save_description(run, description)
            saved = description
        self.known[cluster] = saved

    def task(self, cluster: str) -> DescriptionTask:
        """A cluster's task, with the titles that others have by now in its evidence."""
        task = self.tasks[cluster]
        titles = shown_titles(self.describer.context, self.known)
        return replace(task, evidence=task.evidence.with_titles(titles))


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
                failures += outcome.by_name
                stopped = outcome.stopped
            else:
                failures += [(cluster, stopped) for cluster in wave]
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
    """About what `describe_batch` will use, repairs and second tries left out; nothing is sent."""
    with _open_batch(workspace, selection, order) as batch:
        todo = [node for node in order.nodes if _needs_words(batch, node, order)]
        return _expected(batch, todo, order)


def take_names(
    workspace: Workspace, selection: Selection, nodes: Sequence[Node]
) -> dict[str, Description]:
    """The run's descriptions, after headings with one part only have taken the part's name."""
    known = workspace.runs.descriptions(selection.run)
    for wave in waves([node.id for node in nodes]):
        for cluster in wave:
            words = _only_parts_words(selection, known, cluster)
            if cluster not in known and words is not None:
                known[cluster] = words
                workspace.runs.save_description(selection.run, words)
    return known


def waves(ids: Sequence[str]) -> list[list[str]]:
    """Cluster ids in groups, each of which needs only those before it: parts before headings."""
    height: dict[str, int] = {}
    for cluster in sorted(ids, key=depth, reverse=True):
        below = [height[other] for other in height if is_within(other, cluster)]
        height[cluster] = max(below, default=-1) + 1
    return [
        [cluster for cluster in ids if height[cluster] == level]
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
    cache = folder_of(workspace, selection.card) / "answers"
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
    """When this order, to write anew, was first given: what is younger is done already, so that an
    order that was stopped, by a limit or otherwise, is gone on with."""
    if not order.refresh:
        return ""
    key = _refresh_key(workspace, selection, order)
    return workspace.runs.refresh_begun(selection.run, key) or timestamp()


def _refresh_key(workspace: Workspace, selection: Selection, order: DescriptionOrder) -> str:
    """A hash of what is asked for: another order begins anew."""
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
    """About what describing these clusters will use, and verifying where that is asked."""
    asker, context = batch.describer.asker, batch.describer.context
    total = Usage()
    for node in todo:
        if _only_parts_words(batch.selection, batch.known, node.id) is None:
            prompt = describe_prompt(context, batch.task(node.id).evidence)
            total += asker.expected(prompt, DescriptionAnswer)
    for task in _unverified(batch, order) if order.verify else []:
        stand_in = batch.known.get(task.evidence.cluster) or describe_with_keywords(task.evidence)
        texts = [text for text, _ in texts_to_sort(task)]
        total += asker.expected(sort_prompt(context, stand_in, texts), SortAnswer)
    return replace(total, estimated=True)


def _write_wave(batch: _Batch, wave: Sequence[str], report: Report) -> Failures:
    """Describe clusters of which none is part of another, and give them distinct titles."""
    asked: list[str] = []
    for cluster in wave:
        words = _only_parts_words(batch.selection, batch.known, cluster)
        if words is None:
            asked.append(cluster)
        else:
            batch.keep(prove_description(batch.describer.judge, words, batch.tasks[cluster]))
    tasks = [batch.task(cluster) for cluster in asked]
    for cluster, task in zip(asked, tasks, strict=True):
        batch.workspace.runs.save_evidence(batch.selection.run, cluster, task.evidence)
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
    failures = [*outcome.by_name, *unfit]
    failed = {cluster for cluster, _ in failures}
    _tell_apart(batch, [cluster for cluster in asked if cluster not in failed])
    return Failures(failures, outcome.stopped)


def _settle_titles(batch: _Batch, order: DescriptionOrder) -> None:
    """Tell apart what an earlier call could not, for want of room."""
    described = [node.id for node in order.nodes if node.id in batch.known]
    _tell_apart(batch, [cluster for cluster in described if batch.known[cluster].alike])


def _tell_apart(batch: _Batch, clusters: Sequence[str]) -> None:
    def evidence(cluster: str) -> Evidence | None:
        return stored_evidence(batch.workspace, batch.selection.run, cluster)

    titles = KnownTitles(batch.known, evidence, batch.keep)
    tell_apart(batch.describer, [batch.task(cluster) for cluster in clusters], titles)


def _verify(batch: _Batch, order: DescriptionOrder, stopped: str) -> list[tuple[str, str]]:
    """Let the model sort texts by each description that it has not sorted by yet."""
    tasks = [task for task in _unverified(batch, order) if task.evidence.cluster in batch.known]
    if stopped:
        return [(task.evidence.cluster, stopped) for task in tasks]

    def verify(task: DescriptionTask) -> Description:
        return verify_description(batch.describer, batch.known[task.evidence.cluster], task)

    return describe_many(verify, tasks, batch.concurrency, no_report, batch.keep).by_name


def _unverified(batch: _Batch, order: DescriptionOrder) -> list[DescriptionTask]:
    """The tasks of an order by whose description no model has sorted texts, though there are enough
    of them."""
    tasks = []
    for node in order.nodes:
        description = batch.known.get(node.id)
        proof = description.proof if description else None
        task = batch.tasks.get(node.id)
        enough = task is not None and enough_texts(task.trial.halves()[1])
        if enough and (proof is None or proof.precision is None):
            tasks.append(batch.task(node.id))
    return tasks


def _only_parts_words(
    selection: Selection, known: Mapping[str, Description], cluster: str
) -> Description | None:
    """The words of a cluster's only part as its own; None where it has several, or none yet."""
    children = selection.children(cluster)
    only = known.get(children[0].id) if len(children) == 1 else None
    return only and replace(only, cluster=cluster, carried_from=None)


def _part(report: Report, start: float, share: float) -> Report:
    """Progress within a part of the time after the evidence is there."""
    return lambda done, message: report(GATHERED + (1 - GATHERED) * (start + share * done), message)

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
    Outcome,
    Writing,
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
class _Desk:
    """The work on one order. `known` are the run's descriptions as they come to be."""

    workspace: Workspace
    selection: Selection
    writing: Writing
    concurrency: int
    packs: dict[str, DescriptionTask]
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

    def pack(self, id: str) -> DescriptionTask:
        """The evidence of a cluster with the titles that others have by now."""
        titles = {id: self.workspace.redact(one.title) for id, one in self.known.items()}
        pack = self.packs[id]
        return replace(pack, evidence=pack.evidence.with_titles(titles))


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
    with _at_desk(workspace, selection, order) as desk:
        todo = [node for node in order.nodes if _needs_words(desk, node, order)]
        expected = usage_cost(_expected(desk, todo, order), order.writer)
        report(GATHERED, f"describing {len(todo)} clusters: {expected.as_text()}")
        failures: list[tuple[str, str]] = []
        stopped = ""
        for number, wave in enumerate(levels := waves([node.id for node in todo])):
            if not stopped:
                part = _part(report, number / len(levels), 1 / len(levels))
                outcome = _write_wave(desk, wave, part)
                failures += outcome.failures
                stopped = outcome.stopped
            else:
                failures += [(id, stopped) for id in wave]
        if not stopped:
            _settle_titles(desk, order)
        unverified = _verify(desk, order, stopped) if order.verify else []
        if order.refresh and not failures:
            workspace.runs.end_refresh(selection.run)
        return BatchOutcome(
            failures, unverified, desk.writing.asker.usage, time.monotonic() - begun
        )


def expected_batch_usage(
    workspace: Workspace, selection: Selection, order: DescriptionOrder
) -> Usage:
    """About what `write_all` will use, repairs and second tries left out; nothing is sent."""
    with _at_desk(workspace, selection, order) as desk:
        todo = [node for node in order.nodes if _needs_words(desk, node, order)]
        return _expected(desk, todo, order)


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
def _at_desk(
    workspace: Workspace, selection: Selection, order: DescriptionOrder
) -> Iterator[_Desk]:
    """The evidence of what the order may need, and the model, which is not yet reached."""
    writer = order.writer
    known = workspace.runs.descriptions(selection.run)
    # A run never changes; its texts may have been changed by an ingest since.
    changed = selection.card.version != selection.run.dataset_version
    wording = prompt_context(workspace, selection, order.focus)
    key = wording.key(writer.model)
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
    packs = gather_tasks(workspace, selection, needed)
    limits = Limits(order.max_calls, writer.max_tokens)
    cache = workspace.dataset_folder(selection.card) / "answers"
    with open_asker(writer.endpoint, writer.model, limits, cache, fresh=order.refresh) as asker:
        judge = open_judge(workspace, selection.card, packs) if packs else None
        yield _Desk(
            workspace,
            selection,
            Writing(asker, writer.model, wording, judge),
            writer.endpoint.concurrency,
            {pack.evidence.cluster: pack for pack in packs},
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


def _needs_words(desk: _Desk, node: Node, order: DescriptionOrder) -> bool:
    """Whether a cluster is to be described: it is not yet, or not from what is there now.

    Words of people and assistants stay unless asked anew. Those that a theme brought along from an
    earlier run stay while templates, model, focus and language are the same: its records never are.
    """
    present = desk.known.get(node.id)
    if present is None:
        return True
    if order.refresh:
        return present.created < desk.since
    if present.author not in ("llm", "keywords"):
        return False
    key = desk.writing.wording.key(desk.writing.model)
    if present.prompt_key != key:
        # Without a key it is from before there were any.
        return bool(present.prompt_key) or present.author == "keywords"
    pack = desk.packs.get(node.id)
    same = pack is None or pack.evidence.key == present.evidence_key
    return not same and present.carried_from is None


def _expected(desk: _Desk, todo: Sequence[Node], order: DescriptionOrder) -> Usage:
    asker, wording = desk.writing.asker, desk.writing.wording
    total = Usage()
    for node in todo:
        if _only_parts_words(desk.selection, desk.known, node.id) is None:
            prompt = describe_prompt(wording, desk.pack(node.id).evidence)
            total += asker.expected(prompt, DescriptionAnswer)
    for pack in _unsorted(desk, order) if order.verify else []:
        stand_in = desk.known.get(pack.evidence.cluster) or describe_with_keywords(pack.evidence)
        texts = [text for text, _ in texts_to_sort(pack)]
        total += asker.expected(sort_prompt(wording, stand_in, texts), SortAnswer)
    return replace(total, estimated=True)


def _write_wave(desk: _Desk, wave: Sequence[str], report: Report) -> Outcome:
    """Describe clusters of which none is part of another, and give them distinct titles."""
    asked: list[str] = []
    for id in wave:
        taken = _only_parts_words(desk.selection, desk.known, id)
        if taken is None:
            asked.append(id)
        else:
            desk.keep(prove_description(desk.writing.judge, taken, desk.packs[id]))
    packs = [desk.pack(id) for id in asked]
    for pack in packs:
        desk.workspace.runs.save_evidence(desk.selection.run, pack.evidence)
    unfit: list[tuple[str, str]] = []

    def keep(description: Description) -> None:
        before = desk.known.get(description.cluster)
        if description.author == "keywords" and before and before.author != "keywords":
            unfit.append((description.cluster, f"{description.note} The words it had stay."))
        else:
            desk.keep(description)

    outcome = describe_many(
        lambda pack: describe_with_model(desk.writing, pack), packs, desk.concurrency, report, keep
    )
    lost = {id for id, _ in [*outcome.failures, *unfit]}
    _tell_apart(desk, [id for id in asked if id not in lost])
    return Outcome([*outcome.failures, *unfit], outcome.stopped)


def _settle_titles(desk: _Desk, order: DescriptionOrder) -> None:
    """Tell apart what an earlier call could not, for want of room."""
    left = [node.id for node in order.nodes if node.id in desk.known]
    _tell_apart(desk, [id for id in left if desk.known[id].alike])


def _tell_apart(desk: _Desk, ids: Sequence[str]) -> None:
    runs, run, redact = desk.workspace.runs, desk.selection.run, desk.workspace.redact

    def older(id: str) -> Evidence | None:
        found = runs.evidence(run, id)
        return None if found is None else redact_evidence(found, redact)

    titles = KnownTitles(desk.known, older, desk.keep, redact)
    tell_apart(desk.writing, [desk.pack(id) for id in ids], titles)


def _verify(desk: _Desk, order: DescriptionOrder, stopped: str) -> list[tuple[str, str]]:
    """Let the model sort texts by each description that it has not sorted by yet."""
    packs = [pack for pack in _unsorted(desk, order) if pack.evidence.cluster in desk.known]
    if stopped:
        return [(pack.evidence.cluster, stopped) for pack in packs]

    def work(pack: DescriptionTask) -> Description:
        known = desk.known[pack.evidence.cluster]
        # A model is shown no more of them than of the texts, and what is kept stays as it was.
        found = verify_description(
            desk.writing, redact_description(known, desk.workspace.redact), pack
        )
        return replace(known, proof=found.proof)

    return describe_many(work, packs, desk.concurrency, no_report, desk.keep).failures


def _unsorted(desk: _Desk, order: DescriptionOrder) -> list[DescriptionTask]:
    """The clusters of an order whose description no model has sorted texts by."""
    found = []
    for node in order.nodes:
        proof = present.proof if (present := desk.known.get(node.id)) else None
        pack = desk.packs.get(node.id)
        if (
            pack
            and enough_texts(pack.trial.halves()[1])
            and (proof is None or proof.precision is None)
        ):
            found.append(desk.pack(node.id))
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

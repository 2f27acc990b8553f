"""Describing many clusters with a model: parts before headings, saved as they come, told apart."""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace

from corpuscope.tools.answers import DescriptionAnswer, SortAnswer
from corpuscope.tools.apart import tell_apart
from corpuscope.tools.asking import asking
from corpuscope.tools.budget import Limits, Usage
from corpuscope.tools.describing import (
    Outcome,
    Writing,
    describe_many,
    describe_with_keywords,
    describe_with_model,
    proved,
    texts_to_sort,
    verified,
)
from corpuscope.tools.gathering import Pack, gather
from corpuscope.tools.judging import open_judge
from corpuscope.tools.schema import Description, Node, Report, no_report
from corpuscope.tools.selection import Selection
from corpuscope.tools.tree import depth, is_within
from corpuscope.tools.wording import Wording, describe_prompt, sort_prompt
from corpuscope.tools.workspace import Workspace, Writer

GATHERED = 0.1
"""The share of the time after which the evidence is there."""


@dataclass(frozen=True)
class Order:
    """What is to be written: the clusters, and whether anew, and whether a model checks it too."""

    writer: Writer
    nodes: Sequence[Node]
    refresh: bool = False
    verify: bool = False
    max_calls: int | None = None


@dataclass(frozen=True)
class Written:
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
    packs: dict[str, Pack]
    known: dict[str, Description]

    def keep(self, description: Description) -> None:
        """Save a description at once: whatever stops the work, it is not lost."""
        self.workspace.runs.save_description(self.selection.run, description)
        self.known[description.cluster] = description

    def pack(self, id: str) -> Pack:
        """The evidence of a cluster with the titles that others have by now."""
        titles = {id: one.title for id, one in self.known.items()}
        pack = self.packs[id]
        return replace(pack, evidence=pack.evidence.with_titles(titles))


def wording_of(workspace: Workspace, selection: Selection) -> Wording:
    """How descriptions of a run are written."""
    focus = workspace.runs.focus(selection.run)
    return Wording(workspace.templates, workspace.language, focus)


def write_all(workspace: Workspace, selection: Selection, order: Order, report: Report) -> Written:
    """Describe the clusters of an order that need words, and verify them where asked.

    Each description is saved as it comes. Where a limit is reached or the endpoint is down, the
    rest stays undone and is named.

    Raises:
        NotReady: The dataset was replaced after the run.
        BadInput: A template of the user's does not fit.
    """
    begun = time.monotonic()
    with _at_desk(workspace, selection, order) as desk:
        todo = [node for node in order.nodes if _needs_words(desk, node, order)]
        expected = _expected(desk, todo, order)
        report(GATHERED, f"describing {len(todo)} clusters: about {expected.calls} calls, "
               f"{expected.tokens:,} tokens")  # fmt: skip
        failures: list[tuple[str, str]] = []
        stopped = ""
        for number, wave in enumerate(waves := in_waves([node.id for node in todo])):
            if not stopped:
                part = _part(report, number / len(waves), 1 / len(waves))
                outcome = _write_wave(desk, wave, part)
                failures += outcome.failures
                stopped = outcome.stopped
            else:
                failures += [(id, stopped) for id in wave]
        unverified = _verify(desk, order, stopped) if order.verify else []
        return Written(failures, unverified, desk.writing.asker.usage, time.monotonic() - begun)


def expected_usage(workspace: Workspace, selection: Selection, order: Order) -> Usage:
    """About what `write_all` will use, repairs and second tries left out; nothing is sent."""
    with _at_desk(workspace, selection, order) as desk:
        todo = [node for node in order.nodes if _needs_words(desk, node, order)]
        return _expected(desk, todo, order)


def in_waves(ids: Sequence[str]) -> list[list[str]]:
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
def _at_desk(workspace: Workspace, selection: Selection, order: Order) -> Iterator[_Desk]:
    """The evidence of what the order may need, and the model, which is not yet reached."""
    writer = order.writer
    known = dict(selection.descriptions)
    # A run never changes; its texts may have been changed by an ingest since.
    changed = selection.card.version != selection.run.dataset_version
    wording = wording_of(workspace, selection)
    key = wording.key(writer.model)
    needed = [
        node
        for node in order.nodes
        if order.refresh
        or order.verify
        or changed
        or (present := known.get(node.id)) is None
        or present.prompt_key != key
    ]
    packs = gather(workspace, selection, needed)
    limits = Limits(order.max_calls, writer.max_tokens)
    cache = workspace.dataset_folder(selection.card) / "answers"
    with asking(writer.endpoint, writer.model, limits, cache, fresh=order.refresh) as asker:
        judge = open_judge(workspace, selection.card, packs) if packs else None
        yield _Desk(
            workspace,
            selection,
            Writing(asker, writer.model, wording, judge),
            writer.endpoint.concurrency,
            {pack.evidence.cluster: pack for pack in packs},
            known,
        )


def _needs_words(desk: _Desk, node: Node, order: Order) -> bool:
    """Whether a cluster is to be described: it is not yet, or not from what is there now.

    Words of people and assistants stay unless asked anew; so do those that a theme brought along
    from an earlier run, whose records are never quite the same.
    """
    present = desk.known.get(node.id)
    if order.refresh or present is None:
        return True
    if present.author not in ("llm", "keywords"):
        return False
    if present.prompt_key != desk.writing.wording.key(desk.writing.model):
        return True
    pack = desk.packs.get(node.id)
    same = pack is None or pack.evidence.key == present.evidence_key
    return not same and present.carried_from is None


def _expected(desk: _Desk, todo: Sequence[Node], order: Order) -> Usage:
    asker, wording = desk.writing.asker, desk.writing.wording
    total = Usage()
    for node in todo:
        if _only_child(desk, node.id) is None:
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
        only = _only_child(desk, id)
        if only is None:
            asked.append(id)
        else:
            own = only.model_copy(update={"cluster": id, "carried_from": None})
            desk.keep(proved(desk.writing.judge, own, desk.packs[id]))
    packs = [desk.pack(id) for id in asked]
    for pack in packs:
        desk.workspace.runs.save_evidence(desk.selection.run, pack.evidence)
    outcome = describe_many(
        lambda pack: describe_with_model(desk.writing, pack),
        packs,
        desk.concurrency,
        report,
        desk.keep,
    )
    lost = {id for id, _ in outcome.failures}
    named = [desk.pack(id) for id in asked if id not in lost]
    tell_apart(desk.writing, named, desk.known, desk.keep)
    return outcome


def _verify(desk: _Desk, order: Order, stopped: str) -> list[tuple[str, str]]:
    """Let the model sort texts by each description that it has not sorted by yet."""
    packs = [pack for pack in _unsorted(desk, order) if pack.evidence.cluster in desk.known]
    if stopped:
        return [(pack.evidence.cluster, stopped) for pack in packs]
    return describe_many(
        lambda pack: verified(desk.writing, desk.known[pack.evidence.cluster], pack),
        packs,
        desk.concurrency,
        no_report,
        desk.keep,
    ).failures


def _unsorted(desk: _Desk, order: Order) -> list[Pack]:
    """The clusters of an order whose description no model has sorted texts by."""
    found = []
    for node in order.nodes:
        proof = present.proof if (present := desk.known.get(node.id)) else None
        if proof is None or proof.precision is None:
            found.append(desk.pack(node.id))
    return found


def _only_child(desk: _Desk, id: str) -> Description | None:
    """The description of a cluster's only child, whose name it takes."""
    children = desk.selection.children(id)
    return desk.known.get(children[0].id) if len(children) == 1 else None


def _part(report: Report, start: float, share: float) -> Report:
    """Progress within a part of the time after the evidence is there."""
    return lambda done, said: report(GATHERED + (1 - GATHERED) * (start + share * done), said)

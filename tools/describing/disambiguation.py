"""Telling clusters apart whose titles came out alike: one call for all of them together."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from corpuscope.tools.core.errors import Unavailable
from corpuscope.tools.core.redaction import Redact, as_it_is
from corpuscope.tools.core.schema import Description
from corpuscope.tools.describing.answers import ApartAnswer, title_fault
from corpuscope.tools.describing.describe import Describer, prove_description
from corpuscope.tools.describing.evidence import Evidence
from corpuscope.tools.describing.gathering import DescriptionTask
from corpuscope.tools.describing.judge import Judge
from corpuscope.tools.describing.prompting import apart_prompt, writer_instructions
from corpuscope.tools.describing.titles import alike_pairs, title_groups, with_keyphrase
from corpuscope.tools.llm.endpoint import EndpointDown, LimitReached

TRIES = 2
"""Joint calls for the same titles; after that their keyphrases have to do."""

TOGETHER = 4
"""Clusters in one call: their whole evidence is in it."""


@dataclass(frozen=True)
class KnownTitles:
    """The titles of a run while they are told apart.

    `known`: descriptions by cluster id as they are now; `evidence` gives that of a cluster whose
    words are older, where it was kept; `keep` is given each description that changes; `redact` is
    done to titles before a model sees them.
    """

    known: dict[str, Description]
    evidence: Callable[[str], Evidence | None]
    keep: Callable[[Description], None]
    redact: Redact = as_it_is

    @property
    def shown(self) -> dict[str, str]:
        """The titles as a model may see them."""
        return {id: self.redact(one.title) for id, one in self.known.items()}

    def change(self, description: Description) -> None:
        """Take on a description with another title, unless somebody has written a newer one."""
        before = self.known[description.cluster]
        self.keep(description)
        if self.known[description.cluster] is before:
            self.known[description.cluster] = description


def tell_apart(describer: Describer, tasks: Sequence[DescriptionTask], titles: KnownTitles) -> None:
    """Give new titles to those clusters of `tasks` whose titles are nearly those of others.

    Where a limit is reached or the endpoint is down, they stay as they are, marked as `alike`.
    """
    new = {task.evidence.cluster: task for task in tasks}
    try:
        for _ in range(TRIES):
            alike = title_conflicts(new, titles.known, describer.judge)
            calls = [call for group in alike for call in _calls(group, new, titles)]
            if not calls:
                break
            for call in calls:
                _retitle(describer, call, titles)
    except (LimitReached, EndpointDown):
        for id, _ in _alike(new, titles, describer.judge):
            titles.change(replace(titles.known[id], alike=True))
        return
    for id, group in _alike(new, titles, describer.judge):
        others = [new[other].evidence for other in group if other != id and other in new]
        title = with_keyphrase(titles.known[id].title, new[id].evidence, others)
        _entitle(describer, title, new[id], titles)
    for id in new:
        if titles.known[id].alike:
            titles.change(replace(titles.known[id], alike=False))


def _alike(
    new: Mapping[str, DescriptionTask], titles: KnownTitles, judge: Judge | None
) -> list[tuple[str, list[str]]]:
    """The new clusters whose titles are nearly equal to others', with the group of each; not those
    that a person or an assistant has named meanwhile."""
    return [
        (id, group)
        for group in title_conflicts(new, titles.known, judge)
        for id in group
        if id in new and titles.known[id].author in ("llm", "keywords")
    ]


def title_conflicts(
    new: Mapping[str, DescriptionTask], known: Mapping[str, Description], judge: Judge | None
) -> list[list[str]]:
    """The clusters, in groups, whose titles are nearly equal to a new one's beside them."""
    pairs: set[tuple[str, str]] = set()
    for beside in {task.beside for task in new.values()}:
        titles = {id: known[id].title for id in beside if id in known}
        alike = judge.alike(titles) if judge else alike_pairs(titles, None)
        pairs.update(pair for pair in alike if new.keys() & set(pair))
    return title_groups(sorted(pairs))


@dataclass(frozen=True)
class _Call:
    """Clusters that get new titles together, and one whose title stays, to be told apart from."""

    asked: list[DescriptionTask]
    fixed: list[Evidence]


def _calls(
    group: Sequence[str], new: Mapping[str, DescriptionTask], titles: KnownTitles
) -> list[_Call]:
    """The calls for clusters of like title: those that the model named now, a few at a time."""
    asked = [id for id in group if id in new and titles.known[id].author == "llm"]
    kept = [titles.evidence(id) for id in group if id not in asked]
    fixed = [evidence for evidence in kept if evidence is not None][:1]
    room = TOGETHER - len(fixed)
    return [
        _Call([new[id] for id in asked[start : start + room]], fixed)
        for start in range(0, len(asked), room)
    ]


def _retitle(describer: Describer, call: _Call, titles: KnownTitles) -> None:
    """Ask for new titles; where the model gives none that are sound, they stay.

    Raises:
        LimitReached, EndpointDown: No other call would be answered either.
    """
    names = titles.shown
    shown = {
        evidence.cluster: evidence.with_titles(names)
        for evidence in [*(task.evidence for task in call.asked), *call.fixed]
    }
    ids = [task.evidence.cluster for task in call.asked]

    def check(answer: ApartAnswer) -> None:
        given = [one.cluster for one in answer.titles]
        if sorted(given) != sorted(ids):
            raise ValueError(f"titles: for the clusters {given[:10]}, expected one each for {ids}")
        for one in answer.titles:
            evidence = shown[one.cluster]
            # Those of this group are all new now.
            others = [other for other in evidence.siblings if other.id not in ids]
            alone = replace(evidence, siblings=others)
            if fault := title_fault(one.title, alone, writer_instructions(describer.context)):
                raise ValueError(f"{one.cluster}: {fault}")

    fixed = {evidence.cluster for evidence in call.fixed}
    try:
        prompt = apart_prompt(describer.context, list(shown.values()), names, fixed)
        answer = describer.asker.ask(prompt, ApartAnswer, check)
    except (LimitReached, EndpointDown):
        raise
    except Unavailable:
        return  # keyphrases will tell them apart
    given = {one.cluster: one.title for one in answer.titles}
    for task in call.asked:
        _entitle(describer, given[task.evidence.cluster], task, titles)


def _entitle(describer: Describer, title: str, task: DescriptionTask, titles: KnownTitles) -> None:
    changed = replace(titles.known[task.evidence.cluster], title=title)
    titles.change(prove_description(describer.judge, changed, task))

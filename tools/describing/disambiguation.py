"""Telling clusters apart whose titles came out alike.

Descriptions with nearly equal titles come in; out go new titles for those that a model wrote, a few
clusters to a call, with the whole evidence of each. Where the model finds none, a keyphrase is
added.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from corpuscope.tools.core.errors import Unavailable
from corpuscope.tools.core.schema import Description
from corpuscope.tools.describing.answers import ApartAnswer, title_fault
from corpuscope.tools.describing.describe import Describer, prove_description
from corpuscope.tools.describing.evidence import Evidence
from corpuscope.tools.describing.gathering import DescriptionTask
from corpuscope.tools.describing.judge import Judge
from corpuscope.tools.describing.prompting import apart_prompt, shown_titles, writer_instructions
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
    words are older, as it may be shown, or None; `keep` is given each description that changes.
    """

    known: dict[str, Description]
    evidence: Callable[[str], Evidence | None]
    keep: Callable[[Description], None]

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
            groups = title_conflicts(new, titles.known, describer.judge)
            calls = [call for group in groups for call in _calls(group, new, titles)]
            if not calls:
                break
            for call in calls:
                _retitle(describer, call, titles)
    except (LimitReached, EndpointDown):
        for cluster, _ in _still_alike(new, titles, describer.judge):
            titles.change(replace(titles.known[cluster], alike=True))
        return
    for cluster, group in _still_alike(new, titles, describer.judge):
        others = [new[other].evidence for other in group if other != cluster and other in new]
        title = with_keyphrase(titles.known[cluster].title, new[cluster].evidence, others)
        _entitle(describer, title, new[cluster], titles)
    for cluster in new:
        if titles.known[cluster].alike:
            titles.change(replace(titles.known[cluster], alike=False))


def title_conflicts(
    new: Mapping[str, DescriptionTask], known: Mapping[str, Description], judge: Judge | None
) -> list[list[str]]:
    """The clusters, in groups, whose titles are nearly equal to that of a new one beside them."""
    pairs: set[tuple[str, str]] = set()
    for beside in {task.beside for task in new.values()}:
        titles = {cluster: known[cluster].title for cluster in beside if cluster in known}
        alike = judge.alike(titles) if judge else alike_pairs(titles, None)
        pairs.update(pair for pair in alike if new.keys() & set(pair))
    return title_groups(sorted(pairs))


def _still_alike(
    new: Mapping[str, DescriptionTask], titles: KnownTitles, judge: Judge | None
) -> list[tuple[str, list[str]]]:
    """The new clusters whose titles are nearly equal to others', with the group of each; not those
    that a person or an assistant has named meanwhile."""
    return [
        (cluster, group)
        for group in title_conflicts(new, titles.known, judge)
        for cluster in group
        if cluster in new and titles.known[cluster].author in ("llm", "keywords")
    ]


@dataclass(frozen=True)
class _Call:
    """Clusters that get new titles together, and one whose title stays, to be told apart from."""

    asked: list[DescriptionTask]
    fixed: list[Evidence]


def _calls(
    group: Sequence[str], new: Mapping[str, DescriptionTask], titles: KnownTitles
) -> list[_Call]:
    """The calls for clusters of like title: those that the model named now, a few at a time."""
    asked = [
        cluster for cluster in group if cluster in new and titles.known[cluster].author == "llm"
    ]
    older = [titles.evidence(cluster) for cluster in group if cluster not in asked]
    fixed = [evidence for evidence in older if evidence is not None][:1]
    room = TOGETHER - len(fixed)
    return [
        _Call([new[cluster] for cluster in asked[start : start + room]], fixed)
        for start in range(0, len(asked), room)
    ]


def _retitle(describer: Describer, call: _Call, titles: KnownTitles) -> None:
    """Ask for new titles; where the model gives none that are sound, they stay.

    Raises:
        LimitReached, EndpointDown: No other call would be answered either.
    """
    names = shown_titles(describer.context, titles.known)
    shown = {
        evidence.cluster: evidence.with_titles(names)
        for evidence in [*(task.evidence for task in call.asked), *call.fixed]
    }
    asked = [task.evidence.cluster for task in call.asked]

    def check(answer: ApartAnswer) -> None:
        answered = [titled.cluster for titled in answer.titles]
        if sorted(answered) != sorted(asked):
            raise ValueError(
                f"titles: for the clusters {answered[:10]}, expected one each for {asked}"
            )
        for titled in answer.titles:
            evidence = shown[titled.cluster]
            # Those of this group are all new now.
            others = [other for other in evidence.siblings if other.id not in asked]
            alone = replace(evidence, siblings=others)
            if fault := title_fault(titled.title, alone, writer_instructions(describer.context)):
                raise ValueError(f"{titled.cluster}: {fault}")

    fixed = {evidence.cluster for evidence in call.fixed}
    try:
        prompt = apart_prompt(describer.context, list(shown.values()), names, fixed)
        answer = describer.asker.ask(prompt, ApartAnswer, check)
    except (LimitReached, EndpointDown):
        raise
    except Unavailable:
        return  # keyphrases will tell them apart
    new_titles = {titled.cluster: titled.title for titled in answer.titles}
    for task in call.asked:
        _entitle(describer, new_titles[task.evidence.cluster], task, titles)


def _entitle(describer: Describer, title: str, task: DescriptionTask, titles: KnownTitles) -> None:
    """Give a cluster another title, and its description a new proof."""
    changed = replace(titles.known[task.evidence.cluster], title=title)
    titles.change(prove_description(describer.judge, changed, task))

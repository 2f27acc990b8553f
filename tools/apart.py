"""Telling clusters apart whose titles came out alike: one call for all of them together."""

from collections.abc import Callable, Mapping, Sequence

from corpuscope.tools.answers import ApartAnswer, title_fault
from corpuscope.tools.describing import Writing, proved
from corpuscope.tools.distinctness import alike_pairs, groups, with_keyphrase
from corpuscope.tools.errors import Unavailable
from corpuscope.tools.gathering import Pack
from corpuscope.tools.judging import Judge
from corpuscope.tools.schema import Description
from corpuscope.tools.wording import apart_prompt, told

TRIES = 2
"""Joint calls for the same titles; after that their keyphrases have to do."""

TOGETHER = 4
"""Clusters in one call: their whole evidence is in it."""


def tell_apart(
    writing: Writing,
    packs: Sequence[Pack],
    known: Mapping[str, Description],
    on_done: Callable[[Description], None],
) -> None:
    """Give new titles to those clusters of `packs` whose titles are nearly those of others.

    Args:
        writing: The model.
        packs: The clusters that were described just now; the titles of others stay.
        known: Descriptions of the run by cluster id, those of `packs` included.
        on_done: Given each description that changes.
    """
    found = dict(known)
    new = {pack.evidence.cluster: pack for pack in packs}
    for _ in range(TRIES):
        alike = conflicts(new, found, writing.judge)
        asked = [part for group in alike for part in _parts(group, new, found)]
        if not asked:
            break
        for part in asked:
            for description in _retitled(writing, [new[id] for id in part], found):
                found[description.cluster] = description
                on_done(description)
    for group in conflicts(new, found, writing.judge):
        for id in [one for one in group if one in new]:
            others = [new[other].evidence for other in group if other != id and other in new]
            title = with_keyphrase(found[id].title, new[id].evidence, others)
            changed = found[id].model_copy(update={"title": title})
            found[id] = proved(writing.judge, changed, new[id])
            on_done(found[id])


def conflicts(
    new: Mapping[str, Pack], known: Mapping[str, Description], judge: Judge | None
) -> list[list[str]]:
    """The clusters, in groups, whose titles are nearly equal to a new one's beside them."""
    pairs: set[tuple[str, str]] = set()
    for beside in {pack.beside for pack in new.values()}:
        titles = {id: known[id].title for id in beside if id in known}
        alike = judge.alike(titles) if judge else alike_pairs(titles, None)
        pairs.update(pair for pair in alike if new.keys() & set(pair))
    return groups(sorted(pairs))


def _parts(
    group: Sequence[str], new: Mapping[str, Pack], known: Mapping[str, Description]
) -> list[list[str]]:
    """The clusters of a group that a model named now, as many together as one call takes."""
    named = [id for id in group if id in new and known[id].author == "llm"]
    return [named[start : start + TOGETHER] for start in range(0, len(named), TOGETHER)]


def _retitled(
    writing: Writing, packs: Sequence[Pack], known: Mapping[str, Description]
) -> list[Description]:
    """The descriptions with the titles that the model gives them now; none where it cannot."""
    ids = [pack.evidence.cluster for pack in packs]
    before = [known[id] for id in ids]
    titles = {id: one.title for id, one in known.items()}
    shown = {pack.evidence.cluster: pack.evidence.with_titles(titles) for pack in packs}

    def check(answer: ApartAnswer) -> None:
        given = [one.cluster for one in answer.titles]
        if sorted(given) != sorted(ids):
            raise ValueError(f"titles: for the clusters {given[:10]}, expected one each for {ids}")
        for one in answer.titles:
            evidence = shown[one.cluster]
            # Those of this group are all new now.
            others = [other for other in evidence.siblings if other.id not in ids]
            alone = evidence.model_copy(update={"siblings": others})
            if fault := title_fault(one.title, alone, told(writing.wording)):
                raise ValueError(f"{one.cluster}: {fault}")

    try:
        prompt = apart_prompt(writing.wording, [shown[id] for id in ids], before)
        answer = writing.asker.ask(prompt, ApartAnswer, check)
    except Unavailable:
        return []  # the titles stay as they are, and keyphrases tell them apart
    given = {one.cluster: one.title for one in answer.titles}
    return [
        proved(writing.judge, found.model_copy(update={"title": given[found.cluster]}), pack)
        for found, pack in zip(before, packs, strict=True)
    ]

"""Words for clusters that somebody else wrote: checked like a model's, tried, and told what to
improve."""

import re
from collections.abc import Collection, Mapping
from typing import Annotated, NotRequired

from pydantic import BeforeValidator, Field, ValidationError
from typing_extensions import TypedDict

from corpuscope.tools.core.schema import Author, Description
from corpuscope.tools.describing.answers import (
    REFERENCE,
    DescriptionAnswer,
    Rules,
    WholeAnswer,
    answer_faults,
)
from corpuscope.tools.describing.describe import description_from_answer
from corpuscope.tools.describing.disambiguation import title_conflicts
from corpuscope.tools.describing.gathering import DescriptionTask
from corpuscope.tools.describing.judge import Judge
from corpuscope.tools.describing.proof import is_weak
from corpuscope.tools.llm.completion import format_faults
from corpuscope.tools.workspace.arguments import as_id

SENTENCE_END = re.compile("(?<=[.!?])\\s+|(?<=[\u3002\uff01\uff1f])\\s*")
"""Where a summary that came in one piece is cut."""

AFTER_STOP = re.compile("([.!?\u3002\uff01\uff1f])\\s*([\\[(]r\\d+(?:[,;\\s]+r\\d+)*[\\])])")

MOST_SENTENCES = 4
QUOTED_CHARACTERS = 120


def as_list(value: object) -> object:
    """Models also write "r1, r4" where a list of references is asked for."""
    return [value] if isinstance(value, str) else value


def as_sentences(value: object) -> object:
    """Models also write the summary in one piece, with its references in brackets."""
    if not isinstance(value, str):
        return value
    # References after the full stop belong to the sentence before.
    text = AFTER_STOP.sub(r" \2\1 ", value.strip())
    return [
        {"text": part, "refs": REFERENCE.findall(part.lower())}
        for part in SENTENCE_END.split(text)
        if part
    ]


class GivenSentence(TypedDict):
    """One sentence of a summary."""

    text: str
    refs: NotRequired[
        Annotated[
            list[str],
            BeforeValidator(as_list),
            Field(description="References of the excerpts that show it (r1, r4), or record ids."),
        ]
    ]


class GivenAnswer(TypedDict):
    """The words for one cluster. Only their form is settled here: what is unfit in one answer is
    to cost no other. (Plain data, since they go to a worker as JSON.)"""

    cluster: Annotated[str, BeforeValidator(as_id)]
    title: Annotated[str, Field(description="At most 8 words; what its texts are about.")]
    summary: Annotated[
        list[GivenSentence],
        BeforeValidator(as_sentences),
        Field(description="2 to 4 sentences that the excerpts show."),
    ]
    keywords: NotRequired[list[str]]
    misfits: NotRequired[
        Annotated[str, Field(description="What in the excerpts does not fit, if anything.")]
    ]


def single_submission(cluster: str, title: str, summary: str, records: list[str]) -> GivenAnswer:
    """An answer whose summary came as one text, with records for all of it."""
    parts = [part for part in SENTENCE_END.split(summary.strip()) if part]
    if len(parts) > MOST_SENTENCES:
        parts = [*parts[: MOST_SENTENCES - 1], " ".join(parts[MOST_SENTENCES - 1 :])]
    sentences: list[GivenSentence] = [{"text": part, "refs": records} for part in parts]
    return {"cluster": cluster, "title": title, "summary": sentences}


def check_submission(given: GivenAnswer, rules: Rules, author: Author, whole: bool) -> Description:
    """The description of an answer; `whole` says that its summary came in one piece.

    Raises:
        ValueError: What is wrong with it.
    """
    form = WholeAnswer if whole else DescriptionAnswer
    summary = [{"refs": [], **sentence} for sentence in given["summary"]]
    filled = {"reasoning": "", "keywords": [], "misfits": "", **given, "summary": summary}
    try:
        answer = form.model_validate(filled)
    except ValidationError as error:
        raise ValueError(format_faults(error)) from error
    if wrong := answer_faults(answer, rules):
        raise ValueError("; ".join(wrong))
    return description_from_answer(answer, rules.evidence, author)


def improvements(
    new: Mapping[str, DescriptionTask], known: Mapping[str, Description], judge: Judge | None
) -> dict[str, str]:
    """Why descriptions that were saved should be better, by cluster; the good ones are not in it.

    Args:
        new: The clusters whose words are new.
        known: All descriptions of the run, the new ones included.
        judge: What tried them.
    """
    reasons: dict[str, list[str]] = {id: [] for id in new}
    for id, others in _same_titles(new, known, judge).items():
        named = ", ".join(f'{other} "{known[other].title}"' for other in sorted(others))
        reasons[id].append(f"its title is nearly that of {named}; say in what they differ")
    for id, task in new.items():
        tried = task.trial.halves()[0] or task.trial
        if judge is not None and is_weak(known[id].proof):
            wrong = judge.mistakes(known[id], tried)
            missed = "; ".join(f'"{text[:QUOTED_CHARACTERS]}"' for text in wrong.missed)
            taken = "; ".join(f'"{text[:QUOTED_CHARACTERS]}"' for text in wrong.taken)
            reasons[id].append(
                f"its words do not tell its texts from those of the nearest clusters. It misses: "
                f"{missed or 'none'}. It takes in, of others: {taken or 'none'}"
            )
        elif (proof := known[id].proof) and proof.passed_over:
            parts = {one.id: one.label for one in task.evidence.children}
            about = parts.get(proof.passed_over, "")
            reasons[id].append(f"it says little of its part {proof.passed_over} ({about})")
    return {id: ". ".join(said) + "." for id, said in reasons.items() if said}


def _same_titles(
    new: Mapping[str, DescriptionTask], known: Mapping[str, Description], judge: Judge | None
) -> dict[str, Collection[str]]:
    """The clusters with nearly the same title, by new cluster."""
    return {
        id: {other for other in group if other != id}
        for group in title_conflicts(new, known, judge)
        for id in group
        if id in new
    }

"""Submissions: words for clusters that an assistant or a person wrote.

Answers come in, in the loose forms that models send; out go descriptions, checked like those of a
configured model, the reasons why others are refused, and what to improve in those that were saved.
"""

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Any, NotRequired

from pydantic import BeforeValidator, Field, ValidationError
from typing_extensions import TypedDict

from corpuscope.tools.core.errors import BadInput
from corpuscope.tools.core.schema import NOISE, Author, Description
from corpuscope.tools.core.text import shorten
from corpuscope.tools.describing.answers import (
    REFERENCE,
    DescriptionAnswer,
    Rules,
    SentenceAnswer,
    TitledAnswer,
    WholeAnswer,
    answer_faults,
)
from corpuscope.tools.describing.describe import description_from_answer
from corpuscope.tools.describing.disambiguation import title_conflicts
from corpuscope.tools.describing.evidence import Evidence
from corpuscope.tools.describing.gathering import DescriptionTask
from corpuscope.tools.describing.judge import Judge
from corpuscope.tools.describing.prompting import assistant_instructions, prompt_context
from corpuscope.tools.describing.proof import is_weak
from corpuscope.tools.describing.result import citation_doubts
from corpuscope.tools.llm.completion import format_faults
from corpuscope.tools.workspace.arguments import as_id
from corpuscope.tools.workspace.selection import Selection, cluster_rows
from corpuscope.tools.workspace.workspace import Workspace

SENTENCE_END = re.compile("(?<=[.!?])\\s+|(?<=[\u3002\uff01\uff1f])\\s*")
"""Where a summary that came in one piece is cut."""

REFERENCES_AFTER_STOP = re.compile(
    "([.!?\u3002\uff01\uff1f])\\s*([\\[(][rm]\\d+(?:[,;\\s]+[rm]\\d+)*[\\])])"
)

MOST_SENTENCES = 4
QUOTED_CHARACTERS = 120


def as_list(value: object) -> object:
    """A text as a list of it: models also write "r1, r4" where a list of references is asked for.
    All else stays."""
    return [value] if isinstance(value, str) else value


def as_sentences(value: object) -> object:
    """A text as the sentences of a summary: models also write it in one piece, with its references
    in brackets. None are none; all else stays."""
    if not isinstance(value, str):
        return [] if value is None else value
    # References after the full stop belong to the sentence before.
    text = REFERENCES_AFTER_STOP.sub(r" \2\1 ", value.strip())
    return [
        {"text": part, "refs": REFERENCE.findall(part.lower())}
        for part in SENTENCE_END.split(text)
        if part
    ]


class GivenSentence(TypedDict):
    """One sentence of a summary."""

    text: NotRequired[str]
    refs: NotRequired[
        Annotated[
            list[str],
            BeforeValidator(as_list),
            Field(description="References of the excerpts that show it (r1, r4), or record ids."),
        ]
    ]


class GivenAnswer(TypedDict):
    """The words for one cluster, as they may be submitted. Only their form is checked at once: what
    is unfit in one answer is to cost no other. (Plain data, since they go to a worker as JSON.)"""

    cluster: Annotated[str, BeforeValidator(as_id)]
    title: NotRequired[
        Annotated[str, Field(description="At most 8 words; what its texts are about.")]
    ]
    summary: NotRequired[
        Annotated[
            list[GivenSentence],
            BeforeValidator(as_sentences),
            Field(description="2 to 4 sentences that the excerpts show."),
        ]
    ]
    keywords: NotRequired[Annotated[list[str], BeforeValidator(as_list)]]
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


@dataclass(frozen=True)
class Submissions:
    """Answers as they came: by cluster those that can be checked, and (cluster id, reason) for the
    others. `whole`: it is a single one, its summary in one piece."""

    answers: dict[str, GivenAnswer]
    refused: list[tuple[str, str]]
    whole: bool


def take_submissions(
    selection: Selection, answers: Sequence[GivenAnswer], single: GivenAnswer | None
) -> Submissions:
    """The answers, one for each cluster of the run.

    Raises:
        BadInput: There are both several and a single one, or none.
    """
    if bool(answers) == (single is not None):
        raise BadInput(
            "Give `answers`, a list with cluster, title and summary for each, or a single one as "
            "`cluster`, `title`, `summary` and `records`; not both."
        )
    taken: dict[str, GivenAnswer] = {}
    refused = []
    for answer in answers if single is None else [single]:
        cluster = answer["cluster"]
        if fault := _misplaced(selection, cluster, taken):
            refused.append((cluster[:20], fault))
        else:
            taken[cluster] = answer
    return Submissions(taken, refused, whole=single is not None)


def check_submissions(
    workspace: Workspace,
    selection: Selection,
    submissions: Submissions,
    tasks: Mapping[str, DescriptionTask],
    author: Author,
) -> tuple[dict[str, Description], list[tuple[str, str]]]:
    """The descriptions of the answers that are sound, by cluster, and (cluster id, reason) for all
    that are refused."""
    members = workspace.runs.members(selection.run)
    instructions = assistant_instructions(prompt_context(workspace, selection))
    known = workspace.runs.descriptions(selection.run)
    descriptions: dict[str, Description] = {}
    refused = list(submissions.refused)
    for cluster, answer in submissions.answers.items():
        rules = Rules(
            # References are those that were shown, also where texts have changed since.
            workspace.runs.evidence(selection.run, cluster, Evidence) or tasks[cluster].evidence,
            workspace.language,
            instructions,
            {members.ids[row] for row in cluster_rows(selection.run, members, cluster)},
            free=author == "person",
        )
        try:
            words = submitted_description(answer, rules, author, submissions.whole)
            descriptions[cluster] = with_summary_kept(words, known.get(cluster))
        except ValueError as error:
            refused.append((cluster, str(error)))
    return descriptions, refused


def submitted_description(
    answer: GivenAnswer, rules: Rules, author: Author, whole: bool
) -> Description:
    """The description in an answer; `whole` says that its summary came in one piece.

    Raises:
        ValueError: All that is wrong with it.
    """
    form = TitledAnswer if rules.free else WholeAnswer if whole else DescriptionAnswer
    summary = [{"text": "", "refs": [], **sentence} for sentence in answer.get("summary", [])]
    filled: dict[str, Any] = {"reasoning": "", "title": "", "keywords": [], "misfits": ""}
    filled |= {**answer, "summary": summary}
    try:
        checked = form.model_validate(filled)
    except ValidationError as error:
        # Who mends the form is not to be told afterwards that the rest is wrong as well.
        construct: Any = form.model_construct
        sentence_of: Any = SentenceAnswer.model_construct
        unchecked = construct(**filled | {"summary": [sentence_of(**one) for one in summary]})
        faults = [format_faults(error), *answer_faults(unchecked, rules)]
        raise ValueError("; ".join(faults)) from error
    if faults := answer_faults(checked, rules):
        raise ValueError("; ".join(faults))
    return description_from_answer(checked, rules.evidence, author)


def with_summary_kept(words: Description, earlier: Description | None) -> Description:
    """A title that came alone, with the summary that somebody wrote before."""
    if words.summary or earlier is None or earlier.author == "keywords":
        return words
    return replace(words, summary=earlier.summary, misfits=earlier.misfits)


def improvements(
    new: Mapping[str, DescriptionTask], known: Mapping[str, Description], judge: Judge | None
) -> dict[str, str]:
    """Why descriptions that were saved should be better, by cluster; the good ones are not in it.

    Args:
        new: The clusters whose words are new.
        known: All descriptions of the run, the new ones included.
        judge: What tried them.
    """
    reasons: dict[str, list[str]] = {cluster: [] for cluster in new}
    for cluster, others in _same_titles(new, known, judge).items():
        named = ", ".join(f'{other} "{known[other].title}"' for other in sorted(others))
        reasons[cluster].append(f"its title is nearly that of {named}; say in what they differ")
    for cluster, task in new.items():
        if doubts := citation_doubts(known[cluster].summary):
            reasons[cluster].append(doubts)
        tried = task.trial.halves()[0] or task.trial
        if judge is not None and is_weak(known[cluster].proof):
            mistakes = judge.mistakes(known[cluster], tried)
            reasons[cluster].append(
                f"its words do not tell its texts from those of the nearest clusters. It misses: "
                f"{_quoted(mistakes.missed, mistakes.records)}. It takes in, of others: "
                f"{_quoted(mistakes.taken)}"
            )
        elif (proof := known[cluster].proof) and proof.passed_over:
            parts = {part.id: part.label for part in task.evidence.children}
            about = parts.get(proof.passed_over, "")
            reasons[cluster].append(f"it says little of its part {proof.passed_over} ({about})")
    return {cluster: ". ".join(why) + "." for cluster, why in reasons.items() if why}


def _misplaced(selection: Selection, cluster: str, taken: Collection[str]) -> str:
    """Why there can be no words for this cluster; empty where there can."""
    if cluster == NOISE:
        return (
            "Noise is what belongs to no theme and gets no title; look for themes in it with "
            "cluster(within='noise')"
        )
    if cluster in taken:
        return "it is given twice; the first answer counts"
    try:
        selection.node(cluster)
    except BadInput as error:
        return str(error).removesuffix(".")
    return ""


def _quoted(texts: Sequence[str], records: Sequence[str] = ()) -> str:
    """The texts in quotes, each with the id by which it can be cited, if there is one."""
    ids = [f" [{record}]" for record in records] or [""] * len(texts)
    quotes = [
        f'"{shorten(text, QUOTED_CHARACTERS)}"{id_}' for text, id_ in zip(texts, ids, strict=True)
    ]
    return "; ".join(quotes) or "none"


def _same_titles(
    new: Mapping[str, DescriptionTask], known: Mapping[str, Description], judge: Judge | None
) -> dict[str, Collection[str]]:
    """The clusters with nearly the same title, by new cluster."""
    return {
        cluster: {other for other in group if other != cluster}
        for group in title_conflicts(new, known, judge)
        for cluster in group
        if cluster in new
    }

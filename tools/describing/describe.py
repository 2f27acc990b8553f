"""The description of one cluster: by a model whose answer is checked and tried, or from keywords.

A task (evidence, and texts set aside) comes in, a description with its proof goes out. A model's
weak one is written once more with its mistakes as evidence. `describe_many` does it for several
clusters at once.
"""

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from corpuscope.tools.core.errors import Unavailable
from corpuscope.tools.core.schema import Author, Description, Node, Report, Sentence
from corpuscope.tools.describing.answers import (
    KEYWORDS_KEPT,
    DescriptionAnswer,
    Rules,
    SortAnswer,
    answer_checker,
    cite_records,
    cite_sentence,
    clean_title,
)
from corpuscope.tools.describing.evidence import Evidence, Excerpt
from corpuscope.tools.describing.gathering import DescriptionTask, gather_tasks
from corpuscope.tools.describing.judge import Judge, open_judge
from corpuscope.tools.describing.prompting import (
    PromptContext,
    again_prompt,
    describe_prompt,
    missed_excerpts,
    shown_description,
    sort_prompt,
    writer_instructions,
)
from corpuscope.tools.describing.proof import Trial, is_weak
from corpuscope.tools.llm.asker import Asker, Prompt
from corpuscope.tools.llm.concurrency import Failures, run_concurrently
from corpuscope.tools.llm.endpoint import InvalidAnswer
from corpuscope.tools.workspace.selection import Selection
from corpuscope.tools.workspace.workspace import Workspace

TITLE_KEYWORDS = 4
"""Keywords that make a title where no model wrote one."""

SORTED = 10
"""Texts of the cluster, and as many others, that a model sorts by the description."""


@dataclass(frozen=True)
class Describer:
    """A model that describes clusters: how it is reached, its name, what its prompts are filled
    from, and what tries its descriptions (None: nothing does)."""

    asker: Asker
    model: str
    context: PromptContext
    judge: Judge | None


def describe_with_model(describer: Describer, task: DescriptionTask) -> Description:
    """A model's description of one cluster, or the one from keywords where its answer is unfit.

    It is tried on texts that the model was not shown; where it is weak it is written once more with
    its mistakes as evidence, and the better of both is kept.

    Raises:
        LimitReached: There is no room left for the call.
        EndpointDown: The endpoint cannot be reached or refuses: every other cluster would meet the
            same.
        Unavailable: It fails otherwise.
    """
    try:
        first = _ask(describer, task, describe_prompt(describer.context, task.evidence))
    except InvalidAnswer as error:
        stand_in = replace(describe_with_keywords(task.evidence), note=str(error))
        return prove_description(describer.judge, _sign(describer, stand_in), task)
    return _mend(describer, first, task)


def verify_description(
    describer: Describer, description: Description, task: DescriptionTask
) -> Description:
    """The description with a new proof, to which a model that sorts unseen texts by the description
    alone adds its precision and recall, 0 to 1.

    What is tried is the description as a model may read it; its words stay as they were.

    Raises:
        LimitReached: There is no room left for the call.
        Unavailable: The endpoint or its answer was of no use.
    """
    shown = shown_description(describer.context, description)
    proof = prove_description(describer.judge, shown, task).proof
    if proof is None:
        return replace(description, proof=None)
    texts = texts_to_sort(task)
    prompt = sort_prompt(describer.context, shown, [text for text, _ in texts])

    def check(answer: SortAnswer) -> None:
        if unknown := [number for number in answer.fits if not 1 <= number <= len(texts)]:
            raise ValueError(
                f"fits: {unknown[:5]} are no numbers of texts, expected 1 to {len(texts)}"
            )

    fits = set(describer.asker.ask(prompt, SortAnswer, check).fits)
    right = sum(texts[number - 1][1] for number in fits)
    proof = replace(
        proof,
        precision=round(right / len(fits), 3) if fits else 0.0,
        recall=round(right / sum(inside for _, inside in texts), 3),
        sorted_by=describer.model,
    )
    return replace(description, proof=proof)


def texts_to_sort(task: DescriptionTask) -> list[tuple[str, bool]]:
    """Texts for a model to sort, and whether each is in the cluster: shuffled, and none that the
    description was written or mended by."""
    _, trial = task.trial.halves()
    texts = [(text, True) for text in trial.inside_texts[:SORTED]]
    texts += [(text, False) for text in trial.outside_texts[:SORTED]]
    random.Random(task.evidence.key).shuffle(texts)
    return texts


def description_from_answer(
    answer: DescriptionAnswer, evidence: Evidence, author: Author
) -> Description:
    """The description in a checked answer, with records in place of references."""
    return Description(
        cluster=evidence.cluster,
        title=answer.title,
        summary=[cite_sentence(sentence, evidence) for sentence in answer.summary],
        keywords=answer.keywords or [word.text for word in evidence.keywords][:KEYWORDS_KEPT],
        misfits=cite_records(answer.misfits, evidence),
        author=author,
        created=timestamp(),
        evidence_key=evidence.key,
    )


def describe_with_keywords(evidence: Evidence) -> Description:
    """A description without a model: its title is its first keywords, and its summary says so."""
    words = [word.text for word in evidence.keywords]
    chosen: list[str] = []
    for keyword in words:
        parts = set(keyword.split())
        # "card" says nothing beside "card payment".
        repeats = any(
            parts <= set(earlier.split()) or parts >= set(earlier.split()) for earlier in chosen
        )
        if len(chosen) < TITLE_KEYWORDS and not repeats and _is_title([*chosen, keyword]):
            chosen.append(keyword)
    named = ", ".join(words[:KEYWORDS_KEPT])
    reason = f"its most distinctive words are {named}" if named else "it has none"
    return Description(
        cluster=evidence.cluster,
        title=", ".join(chosen) or f"Cluster {evidence.cluster}",
        summary=[
            Sentence(
                text=f"Named from its keywords, not by a reader: {reason}.",
                records=[excerpt.record for excerpt in evidence.excerpts[:3]],
            )
        ],
        keywords=words[:KEYWORDS_KEPT],
        author="keywords",
        created=timestamp(),
        evidence_key=evidence.key,
    )


def prove_description(
    judge: Judge | None,
    description: Description,
    task: DescriptionTask,
    cited: Mapping[str, str] | None = None,
) -> Description:
    """The description with its proof, on the texts that it was neither written nor mended by, and
    with doubts about what it cites; as it was where there is no judge. `cited` are texts by record
    id that may be cited beside those of the task."""
    if judge is None:
        return description
    mending, scored = task.trial.halves()
    if description.author in ("llm", "assistant"):
        shown = mending or task.trial
        texts = dict(zip(shown.records, shown.inside_texts, strict=False))
        texts |= cited or {}
        texts |= {excerpt.record: excerpt.text for excerpt in task.evidence.excerpts}
        description = judge.with_doubts(description, texts, scored)
    return replace(description, proof=judge.proof(description, scored, task.trial))


def prove_stale(workspace: Workspace, selection: Selection, nodes: Sequence[Node]) -> None:
    """Measure the proof of stale descriptions again, once, on texts of what their clusters are now,
    and keep it.

    Raises:
        NotReady: The dataset was replaced after the run, or grew while it was read.
    """
    run = selection.run
    known = workspace.runs.descriptions(run)

    def is_due(node: Node) -> bool:
        words = known.get(node.id)
        if words is None or not words.stale or words.proof is not None:
            return False
        return words.proved_on != f"{run.as_of}:{node.id}"

    tasks = gather_tasks(workspace, selection, [node for node in nodes if is_due(node)])
    if not tasks:
        return
    judge = open_judge(workspace, selection.card, tasks)
    for task in tasks:
        cluster = task.evidence.cluster
        proved = prove_description(judge, known[cluster], task)
        workspace.runs.save_description(run, replace(proved, proved_on=f"{run.as_of}:{cluster}"))


def describe_many(
    work: Callable[[DescriptionTask], Description],
    tasks: Sequence[DescriptionTask],
    concurrency: int,
    report: Report,
    on_done: Callable[[Description], None],
) -> Failures:
    """Describe several clusters at once; where the endpoint is down or a limit is reached, the
    rest is not tried.

    Args:
        work: Describes one, in a thread of its own.
        tasks: One for each cluster, by whose id a failure is named.
        concurrency: The most at a time.
        report: Told after each cluster.
        on_done: Given each description as it comes, in this thread, one at a time.
    """
    by_cluster = {task.evidence.cluster: task for task in tasks}

    def report_settled(settled: int) -> None:
        message = f"described {settled} of {len(by_cluster)} clusters"
        report(settled / len(by_cluster), message)

    return run_concurrently(work, by_cluster, concurrency, on_done, report_settled)


def timestamp() -> str:
    """The time as descriptions keep it: ISO 8601, UTC."""
    return datetime.now(UTC).isoformat(timespec="microseconds")


def _ask(
    describer: Describer, task: DescriptionTask, prompt: Prompt, missed: Sequence[Excerpt] = ()
) -> Description:
    """The description, with its proof, that the model answers to the prompt, which shows it
    further texts that it `missed` before."""
    context, shown = describer.context, task.evidence.with_missed(missed)
    rules = Rules(shown, context.language, writer_instructions(context))
    answer = describer.asker.ask(prompt, DescriptionAnswer, answer_checker(rules))
    description = _sign(describer, description_from_answer(answer, shown, "llm"))
    # It stands for the cluster's evidence, whatever was shown beside it.
    description = replace(description, evidence_key=task.evidence.key)
    return prove_description(describer.judge, description, task)


def _sign(describer: Describer, description: Description) -> Description:
    """The description with the model that was asked, and the key of how it was asked."""
    key = describer.context.key(describer.model)
    return replace(description, model=describer.model, prompt_key=key)


def _mend(describer: Describer, first: Description, task: DescriptionTask) -> Description:
    """The description, or a better one that was written with its mistakes as evidence.

    The mistakes are of other texts than those by which the two are compared.
    """
    tried: Trial | None = task.trial.halves()[0]
    judge = describer.judge
    if judge is None or tried is None or not is_weak(judge.proof(first, tried)):
        return first
    mistakes = judge.mistakes(first, tried)
    try:
        prompt = again_prompt(describer.context, task.evidence, first, mistakes)
        second = _ask(describer, task, prompt, missed_excerpts(mistakes))
    except Unavailable:
        return first  # it is there and paid for, whatever becomes of a better one
    if first.proof is None or second.proof is None or second.proof.auc <= first.proof.auc:
        return first
    return second


def _is_title(keywords: Sequence[str]) -> bool:
    try:
        clean_title(", ".join(keywords))
    except ValueError:
        return False
    return True

"""The tool `label-cluster`."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from corpuscope.tools.core.errors import BadInput
from corpuscope.tools.core.schema import NOISE, Author, Description, Proof, Result, Watch
from corpuscope.tools.describing.answers import Rules
from corpuscope.tools.describing.batch import prompt_context
from corpuscope.tools.describing.describe import prove_description
from corpuscope.tools.describing.gathering import DescriptionTask, gather_tasks
from corpuscope.tools.describing.judge import open_judge
from corpuscope.tools.describing.prompting import assistant_prompt
from corpuscope.tools.describing.proof import PROOF_MEANING, format_proof, proof_word
from corpuscope.tools.describing.submissions import (
    GivenAnswer,
    check_submission,
    improvements,
    single_submission,
)
from corpuscope.tools.workspace.arguments import DatasetName, RunId, as_id
from corpuscope.tools.workspace.selection import Selection, cluster_rows, redact_description, select
from corpuscope.tools.workspace.workspace import Workspace

MOST_ANSWERS = 100
MOST_RECORDS = 50


class LabelledCluster(Result):
    """A description as it was saved."""

    cluster: str
    title: str
    proof: Proof | None
    proof_word: str
    """strong, fair, weak, blurred (the cluster itself overlaps others), or not tried."""
    improve: str | None
    """Why it should be written better; None where it is good."""

    def as_text(self) -> str:
        """One line, and why it should be better."""
        improve = f"\n  Improve it: {self.improve}" if self.improve else ""
        return f"Saved for {self.cluster}: {self.title} ({format_proof(self.proof)}).{improve}"


class Refused(Result):
    """An answer that was not saved, and why."""

    cluster: str
    reason: str

    def as_text(self) -> str:
        """One line."""
        return f"Not saved for {self.cluster}: {self.reason}."


class Labelled(Result):
    """What was saved, what was not, and what is left."""

    dataset: str
    run: str
    author: str
    saved: list[LabelledCluster]
    refused: list[Refused]
    undescribed: list[str]
    """Clusters of the recommended layer that still have no description."""

    def as_text(self) -> str:
        """A line for each answer, and what is left."""
        lines = [f"Run {self.run} of '{self.dataset}', by {self.author}."]
        lines += [one.as_text() for one in [*self.saved, *self.refused]]
        if any(one.proof for one in self.saved):
            lines.append(PROOF_MEANING)
        if self.undescribed:
            lines.append(f"Still without a description: {', '.join(self.undescribed)}.")
        return "\n".join(lines)


@dataclass(frozen=True)
class _Given:
    """The answers by cluster, and what was refused at sight. `whole`: it is one, in one piece."""

    answers: dict[str, GivenAnswer]
    refused: list[Refused]
    whole: bool


def label_cluster(
    workspace: Workspace,
    watch: Watch,
    answers: Annotated[
        list[GivenAnswer] | None,
        Field(max_length=MOST_ANSWERS, description="One answer for each of several clusters."),
    ] = None,
    cluster: Annotated[
        str | None,
        BeforeValidator(as_id),
        Field(description="For a single answer instead: a cluster id (3, 3.1); not noise."),
    ] = None,
    title: Annotated[str | None, Field(description="Its title, at most 8 words.")] = None,
    summary: Annotated[str | None, Field(description="Its summary, 2 to 4 sentences.")] = None,
    records: Annotated[
        list[str] | None,
        Field(max_length=MOST_RECORDS, description="Record ids or references that support it."),
    ] = None,
    dataset: DatasetName = None,
    run: RunId = None,
    author: Annotated[
        Literal["assistant", "person"], Field(description="Who wrote them.")
    ] = "assistant",
) -> Labelled:
    """Save titles and summaries for clusters, written by you or by the person: one or many.

    Use it to answer the evidence that `describe-cluster` gives where no model is configured, or
    to correct descriptions. Each answer is checked (title, references, language, echoes), tried on
    texts you were not shown (`proof`), and replaces what was there; the result says which to
    improve and why. What is unfit is not saved, and costs no other answer.
    """
    selection = select(workspace, dataset, run)
    single = None if cluster is None else (cluster, title or "", summary or "", records or [])
    given = _given(selection, answers or [], single)
    watch.report(0.1, "gathering the texts to try them on")
    nodes = [selection.node(id) for id in given.answers]
    tasks = {task.evidence.cluster: task for task in gather_tasks(workspace, selection, nodes)}
    found, refused = _checked(workspace, selection, given, tasks, author)
    refused = [*given.refused, *refused]
    if not found:
        raise BadInput("\n".join(one.as_text() for one in refused) + " Mend it, and call again.")
    watch.report(0.5, "trying them")
    new = {id: tasks[id] for id in found}
    judge = open_judge(workspace, selection.card, list(new.values()))
    for id, description in found.items():
        found[id] = prove_description(judge, description, new[id])
        workspace.runs.save_description(selection.run, found[id])
    known = {
        id: redact_description(one, workspace.redact)
        for id, one in workspace.runs.descriptions(selection.run).items()
    }
    better = improvements(new, known, judge)
    layer = selection.standing_in(selection.run.recommended)
    return Labelled(
        dataset=selection.card.name,
        run=selection.run.id,
        author=author,
        saved=[
            LabelledCluster(
                cluster=id,
                title=known[id].title,
                proof=one.proof,
                proof_word=proof_word(one.proof),
                improve=better.get(id),
            )
            for id, one in found.items()
        ],
        refused=refused,
        undescribed=[node.id for node in layer if node.id not in known],
    )


def _given(
    selection: Selection,
    answers: Sequence[GivenAnswer],
    single: tuple[str, str, str, list[str]] | None,
) -> _Given:
    """The answers, one for each cluster that there is."""
    if bool(answers) == (single is not None):
        raise BadInput(
            "Give `answers`, a list with cluster, title and summary for each, or a single one as "
            "`cluster`, `title`, `summary` and `records`; not both."
        )
    every = [single_submission(*single)] if single else answers
    found: dict[str, GivenAnswer] = {}
    refused = []
    for answer in every:
        if fault := _misplaced(selection, answer["cluster"], found):
            refused.append(Refused(cluster=answer["cluster"][:20], reason=fault))
        else:
            found[answer["cluster"]] = answer
    return _Given(found, refused, whole=single is not None)


def _misplaced(selection: Selection, cluster: str, found: dict[str, GivenAnswer]) -> str:
    """Why there can be no words for this cluster; empty where there can."""
    if cluster == NOISE:
        return (
            "Noise is what belongs to no theme and gets no title; look for themes in it with "
            "cluster(within='noise')"
        )
    if cluster in found:
        return "it is given twice; the first answer counts"
    try:
        selection.node(cluster)
    except BadInput as error:
        return str(error).removesuffix(".")
    return ""


def _checked(
    workspace: Workspace,
    selection: Selection,
    given: _Given,
    tasks: dict[str, DescriptionTask],
    author: Author,
) -> tuple[dict[str, Description], list[Refused]]:
    """The descriptions of the answers that are sound, and the others with the reason."""
    members = workspace.runs.members(selection.run)
    context = replace(prompt_context(workspace, selection), focus="")
    instructions = assistant_prompt(context, [])
    found: dict[str, Description] = {}
    refused = []
    for id, answer in given.answers.items():
        rules = Rules(
            # References are those that were shown, also where texts have changed since.
            workspace.runs.evidence(selection.run, id) or tasks[id].evidence,
            workspace.language,
            instructions,
            {members.ids[row] for row in cluster_rows(selection.run, members, id)},
            free=author == "person",
        )
        try:
            found[id] = check_submission(answer, rules, author, given.whole)
        except ValueError as error:
            refused.append(Refused(cluster=id, reason=str(error)))
    return found, refused

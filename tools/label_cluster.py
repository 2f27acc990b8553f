"""The tool `label-cluster`: saves descriptions that an assistant or a person wrote."""

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from corpuscope.tools.core.errors import BadInput
from corpuscope.tools.core.schema import Proof, Result, Verbatim, Watch
from corpuscope.tools.describing.describe import prove_description
from corpuscope.tools.describing.gathering import gather_tasks
from corpuscope.tools.describing.judge import open_judge
from corpuscope.tools.describing.proof import PROOF_MEANING, format_proof, proof_word
from corpuscope.tools.describing.submissions import (
    GivenAnswer,
    check_submissions,
    improvements,
    single_submission,
    take_submissions,
)
from corpuscope.tools.workspace.arguments import DatasetName, LayerIndex, RunId, as_id
from corpuscope.tools.workspace.selection import select, shown_descriptions, shown_texts
from corpuscope.tools.workspace.workspace import Workspace

MOST_ANSWERS = 100
MOST_RECORDS = 50


class LabelledCluster(Result):
    """A description as it was saved."""

    cluster: Verbatim
    title: str
    proof: Proof | None
    proof_word: str
    """strong, fair, weak, blurred (the cluster itself overlaps others), or not tried."""
    improve: Verbatim | None
    """Why it should be written better; None where it is good."""

    def as_text(self) -> str:
        """One line, and why it should be better."""
        improve = f"\n  Improve it: {self.improve}" if self.improve else ""
        return f"Saved for {self.cluster}: {self.title} ({format_proof(self.proof)}).{improve}"


class Refused(Result):
    """An answer that was not saved, and why."""

    cluster: Verbatim
    reason: str

    def as_text(self) -> str:
        """One line."""
        return f"Not saved for {self.cluster}: {self.reason}."


class Labelled(Result):
    """What was saved, what was not, and what is left."""

    dataset: Verbatim
    run: Verbatim
    author: str
    saved: list[LabelledCluster]
    refused: list[Refused]
    undescribed: list[Verbatim]
    """Clusters of the layer shown that still have no description."""

    def as_text(self) -> str:
        """A line for each answer, and what is left."""
        lines = [f"Run {self.run} of '{self.dataset}', by {self.author}."]
        lines += [line.as_text() for line in [*self.saved, *self.refused]]
        if any(cluster.proof for cluster in self.saved):
            lines.append(PROOF_MEANING)
        if self.undescribed:
            lines.append(f"Still without a description: {', '.join(self.undescribed)}.")
        return "\n".join(lines)


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
    summary: Annotated[
        str | None,
        Field(description="Its summary, 2 to 4 sentences; a person's title may come alone."),
    ] = None,
    records: Annotated[
        list[str] | None,
        Field(max_length=MOST_RECORDS, description="Record ids or references that support it."),
    ] = None,
    dataset: DatasetName = None,
    run: RunId = None,
    layer: LayerIndex = None,
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
    selection = select(workspace, dataset, run, layer)
    single = None
    if cluster is not None:
        single = single_submission(cluster, title or "", summary or "", records or [])
    submissions = take_submissions(selection, answers or [], single)
    watch.report(0.1, "gathering the texts to try them on")
    nodes = [selection.node(submitted) for submitted in submissions.answers]
    tasks = {task.evidence.cluster: task for task in gather_tasks(workspace, selection, nodes)}
    sound, reasons = check_submissions(workspace, selection, submissions, tasks, author)
    refused = [Refused(cluster=unfit, reason=reason) for unfit, reason in reasons]
    if not sound:
        raise BadInput("\n".join(line.as_text() for line in refused) + " Mend it, and call again.")
    watch.report(0.5, "trying them")
    new = {submitted: tasks[submitted] for submitted in sound}
    judge = open_judge(workspace, selection.card, list(new.values()))
    sentences = [sentence for words in sound.values() for sentence in words.summary]
    cited = {record for sentence in sentences for record in sentence.records}
    texts = shown_texts(workspace, selection.card, sorted(cited))
    for submitted, description in sound.items():
        sound[submitted] = prove_description(judge, description, new[submitted], texts)
        workspace.runs.save_description(selection.run, sound[submitted])
    known = shown_descriptions(workspace, selection.run)
    better = improvements(new, known, judge)
    themes = selection.standing_in(selection.run.recommended)
    return Labelled(
        dataset=selection.card.name,
        run=selection.run.id,
        author=author,
        saved=[
            LabelledCluster(
                cluster=submitted,
                title=known[submitted].title,
                proof=description.proof,
                proof_word=proof_word(description.proof),
                improve=better.get(submitted),
            )
            for submitted, description in sound.items()
        ],
        refused=refused,
        undescribed=[node.id for node in themes if node.id not in known],
    )

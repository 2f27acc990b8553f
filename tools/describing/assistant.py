"""What the assistant writes where no model is configured.

Clusters come in; out go those that have a description, and the evidence of some that have none, as
much as one answer holds, in the prompt that asks the assistant to describe them.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from corpuscope.tools.core.schema import Node
from corpuscope.tools.describing.batch import take_names, waves
from corpuscope.tools.describing.evidence import Evidence
from corpuscope.tools.describing.gathering import gather_tasks
from corpuscope.tools.describing.prompting import assistant_prompt, prompt_context, shown_titles
from corpuscope.tools.describing.result import ToWrite
from corpuscope.tools.workspace.selection import Selection
from corpuscope.tools.workspace.workspace import Workspace

ANSWER_CHARACTERS = 20_000
"""Evidence for several clusters at a time, within the 25 kB that hosts take well."""

MOST_CLUSTERS = 20
"""More evidence than this does not fit even where all texts are short."""


@dataclass(frozen=True)
class AssistantOrder:
    """What the assistant is asked: the clusters that have words already, those to write now and
    later, and the prompt with their evidence; None where there is nothing to write."""

    described: list[Node]
    to_write: ToWrite
    prompt: str | None


def order_for_assistant(
    workspace: Workspace,
    selection: Selection,
    nodes: Sequence[Node],
    refresh: bool,
    *,
    brief: bool,
) -> AssistantOrder:
    """Choose the clusters to write now, the largest first, and keep their evidence as it is shown.

    With `refresh` all are to write, else those without a description; `brief` evidence is of more
    clusters at a time. Headings come later: they are named from the titles of their parts.

    Raises:
        NotReady: The dataset was replaced after the run.
        BadInput: A template of the user's does not fit.
    """
    runs, run = workspace.runs, selection.run
    known = runs.descriptions(run) if refresh else take_names(workspace, selection, nodes)
    missing = [node for node in nodes if refresh or node.id not in known]
    context = prompt_context(workspace, selection)
    titles = shown_titles(context, known)
    tasks = gather_tasks(workspace, selection, _writable_now(missing)[:MOST_CLUSTERS])
    shown = _fitting([task.evidence.with_titles(titles) for task in tasks], brief)
    for evidence in shown:
        # The references in the answer are to what was shown.
        runs.save_evidence(run, evidence.cluster, evidence)
    clusters = [evidence.cluster for evidence in shown]
    checked = runs.stability(run)
    scores = checked.scores if checked else {}
    to_write = ToWrite(
        shown=clusters,
        remaining=[node.id for node in missing if node.id not in clusters],
        stability={cluster: scores[cluster] for cluster in clusters if cluster in scores},
    )
    return AssistantOrder(
        described=[] if refresh else [node for node in nodes if node.id in known],
        to_write=to_write,
        prompt=assistant_prompt(context, shown, brief=brief) if shown else None,
    )


def _writable_now(missing: Sequence[Node]) -> list[Node]:
    """The clusters that need no other's words, the largest first."""
    levels = waves([node.id for node in missing])
    first = [node for node in missing if node.id in levels[0]] if levels else []
    return sorted(first, key=lambda node: -node.size)


def _fitting(evidences: Sequence[Evidence], brief: bool) -> list[Evidence]:
    """As many as one answer holds, at least one."""
    room = ANSWER_CHARACTERS
    for number, evidence in enumerate(evidences):
        room -= len(evidence.as_brief_text() if brief else evidence.as_text())
        if room < 0 and number:
            return list(evidences[:number])
    return list(evidences)

"""The page of one cluster in Markdown."""

from corpuscope.tools.clustering.stability import format_stability, stability_meanings
from corpuscope.tools.core.text import shorten
from corpuscope.tools.describing.gathering import stored_evidence
from corpuscope.tools.describing.proof import PROOF_MEANING, format_proof
from corpuscope.tools.workspace.selection import select
from corpuscope.tools.workspace.workspace import Workspace

TEXT_CHARACTERS = 400
"""The most of one example on the page."""


def cluster_page(workspace: Workspace, dataset: str, run: str, cluster: str) -> str:
    """Title, summary, proof and stability of a cluster, and what shows it: the evidence that its
    words were written from, or examples where nobody has written any.

    Raises:
        NotFound: No such dataset, run or cluster.
    """
    selection = select(workspace, dataset, run)
    node = selection.node(cluster)
    description = selection.descriptions.get(node.id)
    lines = [f"# {node.id}: {selection.label(node)}", ""]
    if description is not None:
        lines += [" ".join(sentence.text for sentence in description.summary), ""]
        lines += [f"Described by {description.author}; {format_proof(description.proof)}.", ""]
        if description.misfits:
            lines += [f"Does not fit: {description.misfits}", ""]
        if description.proof:
            lines += [PROOF_MEANING, ""]
    if held := workspace.runs.stability(selection.run):
        score = held.scores.get(node.id)
        lines += [
            f"Does it hold? {format_stability(score)}. {stability_meanings([score]) or ''}".strip(),
            "",
        ]
    evidence = stored_evidence(workspace, selection.run, node.id)
    if evidence is not None:
        return "\n".join([*lines, evidence.as_text()])
    lines.append(f"{node.size:,} records, {node.share:.1%} of all.")
    lines.append(f"Keywords: {', '.join(node.keywords) or 'none'}")
    records = workspace.store.fetch(selection.card, node.exemplars)
    for id in node.exemplars:
        if id in records:
            text = shorten(workspace.redact(records[id].text), TEXT_CHARACTERS)
            lines.append(f"- {text} [{id}]")
    return "\n".join(lines)

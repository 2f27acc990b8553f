"""Resources: a page in Markdown per dataset, run and cluster, `corpuscope://…`.

In: the names in the URI; out: the page. Each is read from the store and the runs when it is asked
for, in a thread, with personal data redacted as in the results of the tools.
"""

from collections.abc import Callable
from typing import Any

from mcp.server.mcpserver import Context
from mcp.server.mcpserver.exceptions import ResourceError, ResourceNotFoundError

from corpuscope.server.adapter import Serving
from corpuscope.tools.clustering.stability import format_stability, stability_meanings
from corpuscope.tools.core.disk import foreseen_failures
from corpuscope.tools.core.errors import BadInput, CorpuscopeError
from corpuscope.tools.core.ids import dataset_name
from corpuscope.tools.core.schema import Run
from corpuscope.tools.core.text import shorten
from corpuscope.tools.describing.gathering import stored_evidence
from corpuscope.tools.describing.proof import PROOF_MEANING, format_proof
from corpuscope.tools.exports.targets import exported_text
from corpuscope.tools.list_clusters import list_clusters
from corpuscope.tools.list_datasets import dataset_summary
from corpuscope.tools.workspace.selection import select
from corpuscope.tools.workspace.workspace import Workspace

DATASET = "corpuscope://dataset/{dataset}"
RUN = "corpuscope://dataset/{dataset}/run/{run}"
CLUSTER = "corpuscope://dataset/{dataset}/run/{run}/cluster/{cluster}"
EXPORT = "corpuscope://export/{file}"

# A page is read by a person or taken into a chat: the largest clusters are enough.
CLUSTERS_ON_A_PAGE = 50

EXAMPLE_CHARACTERS = 400
"""The most of one example on the page of a cluster."""


async def read_dataset(dataset: str, ctx: Context[Serving, Any]) -> str:
    """The card of a dataset: how it was made, its columns, its runs."""
    return await _page(ctx, lambda workspace: dataset_page(workspace, dataset_name(dataset)))


async def read_run(dataset: str, run: str, ctx: Context[Serving, Any]) -> str:
    """The overview of a run: its layers and its largest clusters."""
    return await _page(
        ctx,
        lambda workspace: list_clusters(
            workspace, dataset=dataset, run=run, limit=CLUSTERS_ON_A_PAGE
        ).as_text(),
    )


async def read_cluster(dataset: str, run: str, cluster: str, ctx: Context[Serving, Any]) -> str:
    """The page of a cluster: its description, its keywords and texts that show it."""
    return await _page(ctx, lambda workspace: cluster_page(workspace, dataset, run, cluster))


async def read_export(file: str, ctx: Context[Serving, Any]) -> str:
    """A small file of text that `export` wrote into the home."""
    return await _page(ctx, lambda workspace: workspace.redact(exported_text(workspace, file)))


async def _page(ctx: Context[Serving, Any], work: Callable[[Workspace], str]) -> str:
    serving = ctx.request_context.lifespan_context
    try:
        with foreseen_failures(serving.workspace.home):
            return await serving.calls.read(
                "this resource", lambda patience: work(serving.workspace.within(patience))
            )
    except BadInput as error:
        raise ResourceNotFoundError(str(error)) from error
    except CorpuscopeError as error:
        raise ResourceError(str(error)) from error


def dataset_page(workspace: Workspace, name: str) -> str:
    """The card of a dataset in Markdown, with its runs.

    Raises:
        NotFound: No such dataset.
    """
    card = workspace.store.card(name)
    runs = [workspace.runs.load(name, run) for run in workspace.runs.ids(name)]
    lines = [f"# {name}", "", dataset_summary(workspace, card).as_text(), "", "## Runs", ""]
    return "\n".join(lines + [f"- {_run_line(run)}" for run in runs])


def _run_line(run: Run) -> str:
    part = f", within {run.within}" if run.within else ""
    if run.assigned_from:
        part += f", {run.assigned:,} records assigned to the clusters of {run.assigned_from}"
    layer = run.layers[run.recommended]
    return f"{run.id} ({run.created}{part}): {layer.clusters} clusters, {run.records:,} records"


def cluster_page(workspace: Workspace, dataset: str, run: str, cluster: str) -> str:
    """A cluster in Markdown: title, summary, proof and stability, and what shows it, which is the
    evidence that its words were written from, or examples where nobody has written any.

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
        if description.stale:
            changed = f"{description.changed:.0%} of its records changed since"
            lines += [f"Stale: written for {description.carried_from}, {changed}.", ""]
        if description.misfits:
            lines += [f"Does not fit: {description.misfits}", ""]
        if description.proof:
            lines += [PROOF_MEANING, ""]
    if stability := workspace.runs.stability(selection.run):
        score = stability.scores.get(node.id)
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
    for record_id in node.exemplars:
        if record_id in records:
            text = shorten(workspace.redact(records[record_id].text), EXAMPLE_CHARACTERS)
            lines.append(f"- {text} [{record_id}]")
    return "\n".join(lines)

"""The MCP server: here, and only here, tools, prompts and resources are registered."""

import functools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import anyio.to_thread
from mcp.types import ToolAnnotations

import corpuscope
from corpuscope.server import job_tools, prompts, resources
from corpuscope.server.adapter import Serving, ToolSpec, wrapped
from corpuscope.server.calls import Calls
from corpuscope.server.home import open_home
from corpuscope.server.jobs import JobTerms, serving_jobs
from corpuscope.server.protocol import ToolServer
from corpuscope.server.settings import Settings, for_worker, open_workspace
from corpuscope.server.skills import SkillsExtension, read_skills
from corpuscope.server.worker_process import GB
from corpuscope.tools.apply_themes import apply_themes
from corpuscope.tools.check_stability import check_stability
from corpuscope.tools.cluster import cluster
from corpuscope.tools.contrast import contrast
from corpuscope.tools.core.disk import foreseen_failures
from corpuscope.tools.count import count
from corpuscope.tools.delete import delete
from corpuscope.tools.describe_cluster import describe_cluster
from corpuscope.tools.edit_clusters import edit_clusters
from corpuscope.tools.export import export
from corpuscope.tools.get_members import get_members
from corpuscope.tools.ingest import ingest
from corpuscope.tools.label_cluster import label_cluster
from corpuscope.tools.list_clusters import list_clusters
from corpuscope.tools.list_datasets import list_datasets
from corpuscope.tools.plot import plot
from corpuscope.tools.search import search
from corpuscope.tools.set_default import set_default
from corpuscope.tools.trend import trend
from corpuscope.tools.workspace.workspace import Workspace

_SPECS = (
    ToolSpec(ingest, "Read texts into a dataset", open_world=True),
    ToolSpec(cluster, "Find the themes", uses_numba=True),
    ToolSpec(list_clusters, "List the themes", read_only=True),
    ToolSpec(contrast, "Say what sets two parts apart", read_only=True),
    ToolSpec(describe_cluster, "Say what a theme is", open_world=True),
    ToolSpec(label_cluster, "Write down what a theme is"),
    ToolSpec(edit_clusters, "Correct the themes by hand", repeatable=False),
    ToolSpec(count, "Count by theme, column or time", read_only=True),
    ToolSpec(trend, "Say what rises and falls", read_only=True),
    ToolSpec(get_members, "Read the texts of a theme", read_only=True),
    ToolSpec(check_stability, "Check which themes hold", uses_numba=True),
    ToolSpec(search, "Search the texts", read_only=True, open_world=True),
    ToolSpec(apply_themes, "Put new texts into themes", read_only=True, open_world=True),
    ToolSpec(plot, "Draw the map", uses_numba=True),
    ToolSpec(export, "Write a report, records or themes to a file", uses_numba=True),
    ToolSpec(list_datasets, "List the datasets", read_only=True),
    ToolSpec(set_default, "Choose the run and layer that tools use"),
    ToolSpec(delete, "Delete a dataset or a run", destructive=True),
)
TOOLS = {spec.name: spec for spec in _SPECS}


def build_server(settings: Settings, *, warm: bool = True) -> ToolServer:
    """The server, ready to run over any transport or to be given to a client in memory.

    Args:
        settings: As `read_settings` gives them.
        warm: Whether the worker prepares numba in the background, so that the first `cluster`
            does not wait for it.
    """
    workspace = open_workspace(settings)
    server = ToolServer(
        "corpuscope",
        title="corpuscope",
        description="Finds, explains and shows the themes in a pile of texts.",
        instructions=workspace.templates.load("instructions"),
        version=corpuscope.__version__,
        lifespan=lambda _: _served(workspace, settings, warm),
        extensions=[SkillsExtension(read_skills())],
    )
    for spec in _SPECS:
        server.add_tool(
            wrapped(spec), name=spec.name, title=spec.title, annotations=spec.annotations
        )
    looking = ToolAnnotations(read_only_hint=True, idempotent_hint=True, open_world_hint=False)
    stopping = ToolAnnotations(destructive_hint=False, idempotent_hint=True, open_world_hint=False)
    server.add_tool(job_tools.get_job, "get-job", "Wait for a job", annotations=looking)
    server.add_tool(job_tools.cancel_job, "cancel-job", "Stop a job", annotations=stopping)

    markdown = "text/markdown"
    server.resource(resources.DATASET, title="Dataset", mime_type=markdown)(resources.read_dataset)
    server.resource(resources.RUN, title="Run", mime_type=markdown)(resources.read_run)
    server.resource(resources.CLUSTER, title="Cluster", mime_type=markdown)(resources.read_cluster)
    server.resource(resources.EXPORT, title="Exported file", mime_type="text/plain")(
        resources.read_export
    )
    server.prompt("explore-dataset", title="Explore a dataset")(prompts.explore_dataset)
    server.prompt("drill-down", title="Look into a theme")(prompts.drill_down)
    complete: Any = server.completion
    complete()(functools.partial(prompts.complete, workspace))
    return server


@asynccontextmanager
async def _served(workspace: Workspace, settings: Settings, warm: bool) -> AsyncIterator[Serving]:
    """What the running server holds, from its start to its end."""

    def reach() -> None:
        with foreseen_failures(settings.home):
            workspace.store.connect()
            open_home(workspace)

    terms = JobTerms(
        {"settings": for_worker(settings), "warm": warm},
        settings.workers,
        settings.memory_gb * GB,
        lambda tool, result: TOOLS[tool].result_type.model_validate(result),
    )
    calls = Calls(settings.read_seconds)
    try:
        async with serving_jobs(terms, reach) as jobs:
            yield Serving(workspace, jobs, calls, TOOLS)
    finally:
        calls.close()
        with anyio.CancelScope(shield=True):
            await anyio.to_thread.run_sync(workspace.store.close)

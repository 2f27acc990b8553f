"""Prompts that people start from, and completions while they type."""

from collections.abc import Callable
from typing import Annotated, Any

import anyio
import anyio.to_thread
from mcp.server.mcpserver import Context
from mcp.types import (
    Completion,
    CompletionArgument,
    CompletionContext,
    PromptReference,
    ResourceTemplateReference,
)
from pydantic import Field

from corpuscope.prompts import Templates
from corpuscope.server.adapter import Serving
from corpuscope.tools.core.disk import foreseen_failures
from corpuscope.tools.core.errors import CorpuscopeError
from corpuscope.tools.store.patience import Patience
from corpuscope.tools.workspace.workspace import Workspace

# The protocol's limit for one completion.
MOST_VALUES = 100
# Whoever types waits no longer for a store that does not answer.
COMPLETION_SECONDS = 5.0


def explore_dataset(
    source: Annotated[str, Field(description="A dataset, or the path of a file with texts")],
    ctx: Context[Serving, Any],
) -> str:
    """Find, explain and show the themes in a file or dataset."""
    return _templates(ctx).render("explore-dataset", source=source)


def drill_down(
    dataset: Annotated[str, Field(description="The dataset")],
    cluster: Annotated[str, Field(description="The cluster to look into, such as 3, or noise")],
    ctx: Context[Serving, Any],
) -> str:
    """Look into one theme: split it, read it, describe what is in it."""
    return _templates(ctx).render("drill-down", dataset=dataset, cluster=cluster)


async def complete(
    workspace: Workspace,
    _: PromptReference | ResourceTemplateReference,
    argument: CompletionArgument,
    context: CompletionContext | None,
) -> Completion | None:
    """The datasets, runs or clusters that begin with what was typed."""
    workspace = workspace.within(Patience(COMPLETION_SECONDS))
    chosen = (context.arguments if context else None) or {}
    sources: dict[str, Callable[[], list[str]]] = {
        "dataset": lambda: [card.name for card in workspace.store.cards()],
        "source": lambda: [card.name for card in workspace.store.cards()],
        "run": lambda: workspace.runs.ids(chosen["dataset"]),
        "cluster": lambda: [
            node.id for node in workspace.runs.load(chosen["dataset"], chosen.get("run")).nodes
        ],
    }
    if argument.name not in sources:
        return None

    def values() -> list[str]:
        try:
            with foreseen_failures(workspace.home):
                return [v for v in sources[argument.name]() if v.startswith(argument.value)]
        except (CorpuscopeError, KeyError):
            return []  # nothing chosen yet, or nothing there: nothing to offer

    matching: list[str] = []
    # Starting Milvus Lite, which a first call does, heeds no patience.
    with anyio.move_on_after(COMPLETION_SECONDS):
        matching = await anyio.to_thread.run_sync(values, abandon_on_cancel=True)
    return Completion(
        values=matching[:MOST_VALUES],
        total=len(matching),
        has_more=len(matching) > MOST_VALUES,
    )


def _templates(ctx: Context[Serving, Any]) -> Templates:
    return ctx.request_context.lifespan_context.workspace.templates

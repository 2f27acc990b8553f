"""Resources: a page in Markdown per dataset, run and cluster, `corpuscope://…`."""

from typing import Any

import anyio.to_thread
from mcp.server.mcpserver import Context
from mcp.server.mcpserver.exceptions import ResourceNotFoundError

from corpuscope.server.adapter import Serving
from corpuscope.tools.cluster_page import cluster_page
from corpuscope.tools.core.errors import BadInput
from corpuscope.tools.core.ids import check_dataset_name
from corpuscope.tools.list_clusters import list_clusters
from corpuscope.tools.list_datasets import dataset_page

DATASET = "corpuscope://dataset/{dataset}"
RUN = "corpuscope://dataset/{dataset}/run/{run}"
CLUSTER = "corpuscope://dataset/{dataset}/run/{run}/cluster/{cluster}"

# A page is read by a person or taken into a chat: the largest clusters are enough.
CLUSTERS_ON_A_PAGE = 50


async def read_dataset(dataset: str, ctx: Context[Serving, Any]) -> str:
    """The card of a dataset: how it was made, its columns, its runs."""
    return await _page(ctx, lambda held: dataset_page(held.workspace, check_dataset_name(dataset)))


async def read_run(dataset: str, run: str, ctx: Context[Serving, Any]) -> str:
    """The overview of a run: its layers and its largest clusters."""
    return await _page(
        ctx,
        lambda held: list_clusters(
            held.workspace, dataset=dataset, run=run, limit=CLUSTERS_ON_A_PAGE
        ).as_text(),
    )


async def read_cluster(dataset: str, run: str, cluster: str, ctx: Context[Serving, Any]) -> str:
    """The page of a cluster: its description, its keywords and texts that show it."""
    return await _page(ctx, lambda held: cluster_page(held.workspace, dataset, run, cluster))


async def _page(ctx: Context[Serving, Any], work: Any) -> str:
    held = ctx.request_context.lifespan_context
    try:
        text: str = await anyio.to_thread.run_sync(lambda: work(held), abandon_on_cancel=True)
    except BadInput as error:
        raise ResourceNotFoundError(str(error)) from error
    return text

"""The tools about jobs: they need the running server, not the workspace."""

from typing import Annotated, Any

from mcp.server.mcpserver import Context
from mcp.types import CallToolResult
from pydantic import Field

from corpuscope.server.adapter import (
    USUAL_WAIT,
    JobTicket,
    Serving,
    WaitSeconds,
    told,
)
from corpuscope.tools.core.errors import BadInput

JobId = Annotated[str, Field(description="As a long call gave it: j1, j2, …")]


async def get_job(
    ctx: Context[Serving, Any], job_id: JobId, wait_seconds: WaitSeconds = USUAL_WAIT
) -> Annotated[CallToolResult, JobTicket]:
    """Wait for a long call (ingest, cluster, check-stability, …) and get its result.

    Use it when such a call gave a job_id instead of its result. It waits until the job is over,
    at most wait_seconds; call it again while the state is queued or running. Finished results are
    kept with the dataset, so that nothing is lost when you do not ask.
    """
    serving = ctx.request_context.lifespan_context
    job = serving.jobs.job(job_id)
    await serving.jobs.wait_for_end(job, wait_seconds)
    return await told(ctx, job)


async def cancel_job(
    ctx: Context[Serving, Any],
    job_id: JobId,
) -> Annotated[CallToolResult, JobTicket]:
    """Stop a running or waiting job at once.

    Datasets and runs stay as they were: a cancelled cluster leaves no run unless its clusters were
    shown already, a new dataset appears only when its ingest has ended, and an ingest is taken up
    again by calling it again. A job that is over cannot be cancelled.
    """
    serving = ctx.request_context.lifespan_context
    job = serving.jobs.job(job_id)
    if job.over:
        raise BadInput(f"Job {job.id} is over already ({job.state}); there is nothing to cancel.")
    await serving.jobs.cancel(job)
    return await told(ctx, job)

"""From a plain function to an MCP tool: arguments in, text and structured data out.

A tool is a function `tool(workspace, …) -> Result`; one that takes a `watch` as well is a job, runs
in a worker process, and gets the parameter `wait_seconds`. Name, description, parameters and
schemas all come from the function, so that each stands in one place. Here results leave: whatever
a tool put into them, every text is redacted that is not `Verbatim`.
"""

import base64
import inspect
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import unquote

import anyio.to_thread
from mcp.server.mcpserver import Context
from mcp.types import (
    CallToolResult,
    ContentBlock,
    ImageContent,
    ResourceLink,
    TextContent,
    ToolAnnotations,
)
from pydantic import ConfigDict, Field, RootModel

from corpuscope.server.calls import Calls
from corpuscope.server.jobs import Job, Jobs
from corpuscope.tools.core.disk import foreseen_failures
from corpuscope.tools.core.errors import BadInput, CorpuscopeError
from corpuscope.tools.core.excerpts import redacted
from corpuscope.tools.core.schema import VERBATIM, Result, Verbatim
from corpuscope.tools.workspace.workspace import Workspace

# Hosts cut a call at about 60 s, whatever its progress.
LONGEST_WAIT = 45
USUAL_WAIT = 20
# What the server itself passes to a tool; the rest are the client's arguments.
PASSED_IN = ("workspace", "watch")

MIME_TYPES = {
    "html": "text/html",
    "htm": "text/html",
    "md": "text/markdown",
    "csv": "text/csv",
    "json": "application/json",
    "jsonl": "application/jsonl",
    "qdc": "application/xml",
    "parquet": "application/vnd.apache.parquet",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
}
"""Of the files that results link to, by the end of their names."""

WaitSeconds = Annotated[
    int,
    Field(
        ge=0,
        le=LONGEST_WAIT,
        description="How long to wait for the result; after that you get a job_id for `get-job`.",
    ),
]


@dataclass(frozen=True)
class Serving:
    """What the running server holds: made at start-up, closed at the end."""

    workspace: Workspace
    jobs: Jobs
    calls: Calls
    tools: "dict[str, ToolSpec]"


class JobTicket(Result):
    """A job that is not over, or how it ended."""

    job_id: Verbatim
    tool: str
    state: str
    progress: float = Field(description="Share of the work that is done, 0 to 1.")
    message: Verbatim
    seconds: float
    seconds_left: int | None = Field(None, description="About, at the pace so far.")
    next: str = Field(description="What to do now.")
    result: Annotated[
        dict[str, Any] | None,
        VERBATIM,  # redacted before it came here
        Field(description="The tool's result, once there is one."),
    ] = None

    def as_text(self) -> str:
        """State, progress and the next step in a line."""
        left = "" if self.seconds_left is None else f", about {self.seconds_left} s left"
        return (
            f"Job {self.job_id} ({self.tool}): {self.state}, {self.progress:.0%}, "
            f"{self.seconds:.0f} s{left}. {self.message}. {self.next}"
        )


@dataclass(frozen=True)
class ToolSpec:
    """One tool: its function, its title, and the hints that hosts show to people."""

    function: Callable[..., Result]
    title: str
    read_only: bool = False
    destructive: bool = False
    open_world: bool = False
    uses_numba: bool = False
    repeatable: bool = True
    """Whether a second call like the first changes nothing more."""

    @property
    def name(self) -> str:
        """The tool's name: the function's, in kebab-case."""
        return self.function.__name__.replace("_", "-")

    @property
    def is_job(self) -> bool:
        """Whether it runs in a worker."""
        return "watch" in inspect.signature(self.function).parameters

    @property
    def result_type(self) -> type[Result]:
        """The model of its result."""
        kind: type[Result] = inspect.signature(self.function).return_annotation
        return kind

    @property
    def annotations(self) -> ToolAnnotations:
        """The hints as MCP wants them."""
        return ToolAnnotations(
            read_only_hint=self.read_only,
            destructive_hint=self.destructive,
            idempotent_hint=self.repeatable,
            open_world_hint=self.open_world,
        )


def wrapped(spec: ToolSpec) -> Callable[..., Awaitable[CallToolResult]]:
    """The coroutine function that MCP calls, with the signature that it reads the schema from."""
    call = _call_job if spec.is_job else _call_here

    async def tool(ctx: Context[Serving, Any], **arguments: Any) -> CallToolResult:
        try:
            with foreseen_failures(_serving(ctx).workspace.home):
                return await call(spec, ctx, arguments)
        except CorpuscopeError as error:
            raise type(error)(_shown_error(_serving(ctx), error)) from error

    declared = inspect.signature(spec.function).parameters
    parameters = [
        parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY)
        for name, parameter in declared.items()
        if name not in PASSED_IN
    ]
    if spec.is_job:
        parameters.append(_keyword("wait_seconds", WaitSeconds, USUAL_WAIT))
    parameters.append(_keyword("ctx", Context[Serving, Any]))
    answer = Annotated[CallToolResult, _outcome(spec)]
    tool.__signature__ = inspect.Signature(  # type: ignore[attr-defined]
        parameters, return_annotation=answer
    )
    tool.__annotations__ = {p.name: p.annotation for p in parameters} | {"return": answer}
    tool.__name__ = spec.function.__name__
    tool.__doc__ = inspect.getdoc(spec.function)
    return tool


async def told(ctx: Context[Serving, Any], job: Job) -> CallToolResult:
    """What to tell about a job now: its ticket, and once it is done its result as well."""
    serving = _serving(ctx)
    with foreseen_failures(serving.workspace.home):
        return await anyio.to_thread.run_sync(_told, serving, job, anyio.current_time())


def _told(serving: Serving, job: Job, now: float) -> CallToolResult:
    shown = None
    if job.result is not None:
        result = serving.tools[job.tool].result_type.model_validate(job.result)
        shown = redacted(result, serving.workspace.redact)
    answer = _answer(redacted(_ticket(serving, job, shown, now), serving.workspace.redact))
    if shown is not None and job.state == "done":
        answer.content += _blocks(shown)
    return answer


def _ticket(serving: Serving, job: Job, shown: Result | None, now: float) -> JobTicket:
    goes_on = f"Call get-job with job_id={job.id} (wait_seconds up to {LONGEST_WAIT})."
    next_steps = {
        "done": "The result is there; it is kept.",
        "failed": "Mend what the message says and call the tool again.",
        "cancelled": "Call the tool again to start anew.",
    }
    message = job.message if job.error is None else _shown_error(serving, job.error)
    left = job.seconds_left(now)
    return JobTicket(
        job_id=job.id,
        tool=job.tool,
        state=job.state,
        progress=round(job.fraction, 3),
        message=message.rstrip("."),
        seconds=round(job.seconds or now - job.started, 1),
        seconds_left=None if left is None else round(left),
        next=next_steps.get(job.state, goes_on),
        result=None if shown is None else shown.model_dump(mode="json"),
    )


async def _call_here(
    spec: ToolSpec, ctx: Context[Serving, Any], arguments: dict[str, Any]
) -> CallToolResult:
    serving = _serving(ctx)

    def answer(workspace: Workspace) -> CallToolResult:
        result = spec.function(workspace, **arguments)
        return _answer(redacted(result, workspace.redact))

    if spec.read_only:
        return await serving.calls.read(
            spec.name, lambda patience: answer(serving.workspace.within(patience))
        )
    return await serving.calls.write(lambda: answer(serving.workspace))


async def _call_job(
    spec: ToolSpec, ctx: Context[Serving, Any], arguments: dict[str, Any]
) -> CallToolResult:
    wait_seconds = arguments.pop("wait_seconds")
    jobs = _serving(ctx).jobs
    job = jobs.start(spec.name, arguments)

    async def tell(fraction: float, message: str) -> None:
        await ctx.report_progress(fraction, 1.0, message)

    await jobs.wait(job, wait_seconds, tell)
    return await finished(ctx, job)


async def finished(ctx: Context[Serving, Any], job: Job) -> CallToolResult:
    """The job's result if it has one to show, its ticket if not.

    Raises:
        CorpuscopeError: As the job did.
    """
    if job.error is not None:
        raise job.error
    if job.result is None:
        return await told(ctx, job)
    serving = _serving(ctx)
    result = serving.tools[job.tool].result_type.model_validate(job.result)
    note = "" if job.over else f"\nJob {job.id} goes on in the background: {job.message}."
    # A long one takes a second to redact, and a picture to read.
    return await anyio.to_thread.run_sync(
        lambda: _answer(redacted(result, serving.workspace.redact), note)
    )


def _answer(shown: Result, note: str = "") -> CallToolResult:
    """A result that may leave as text (with a note after it), pictures, links and data."""
    return CallToolResult(
        content=_blocks(shown, note), structured_content=shown.model_dump(mode="json")
    )


def _blocks(shown: Result, note: str = "") -> list[ContentBlock]:
    blocks: list[ContentBlock] = [TextContent(type="text", text=shown.as_text() + note)]
    blocks += [picture for path in shown.pictures() if (picture := _picture(path))]
    blocks += [_link(uri) for uri in shown.documents()]
    return blocks


def _shown_error(serving: Serving, error: CorpuscopeError) -> str:
    """What went wrong, redacted where it is said with what stands in files, filters and queries.

    The other kinds name paths, addresses and ids, with which one goes on.
    """
    message = str(error)
    return serving.workspace.redact(message) if type(error) is BadInput else message


def _serving(ctx: Context[Serving, Any]) -> Serving:
    return ctx.request_context.lifespan_context


def _keyword(name: str, annotation: Any, default: Any = inspect.Parameter.empty) -> Any:
    return inspect.Parameter(
        name, inspect.Parameter.KEYWORD_ONLY, annotation=annotation, default=default
    )


def _outcome(spec: ToolSpec) -> type[Any]:
    """The schema of what comes back: for a job, its result or the ticket."""
    if not spec.is_job:
        return spec.result_type
    union = spec.result_type | JobTicket
    # MCP wants the schema of structured content to be that of an object, also where it is a choice.
    config = ConfigDict(json_schema_extra={"type": "object"})
    return type(
        f"{spec.result_type.__name__}OrTicket",
        (RootModel[union],),  # type: ignore[valid-type]
        {"model_config": config, "__module__": __name__},
    )


def _picture(path: Path) -> ImageContent | None:
    """A picture; None where it was deleted since it was drawn."""
    try:
        data = base64.b64encode(path.read_bytes()).decode("ascii")
    except FileNotFoundError:
        return None
    return ImageContent(type="image", data=data, mime_type="image/png")


def _link(uri: str) -> ResourceLink:
    name = unquote(uri.rpartition("/")[2])
    kind = MIME_TYPES.get(name.rpartition(".")[2].lower(), "application/octet-stream")
    return ResourceLink(type="resource_link", name=name, uri=uri, mime_type=kind)

"""The SDK's server, with every refusal said in our words and by the protocol's codes.

The SDK puts "Error executing tool …" before each message, hands out pydantic's own words where an
argument is wrong, drops unknown arguments, and answers a prompt's wrong argument by no code at all.
"""

from typing import Any

from mcp import MCPError
from mcp.server.mcpserver import Context, MCPServer
from mcp.server.mcpserver.exceptions import ToolError, UnexpectedToolError
from mcp.types import (
    INVALID_PARAMS,
    CallToolResult,
    GetPromptResult,
    InputRequiredResult,
    Tool,
)
from pydantic import ValidationError

from corpuscope.server.adapter import Serving
from corpuscope.server.argument_errors import (
    MOST_CHARACTERS,
    RefusedCall,
    check_arguments,
    named,
)
from corpuscope.server.stdio import claim_standard_streams, wire_streams
from corpuscope.tools.core.errors import BadInput, CorpuscopeError


class ToolServer(MCPServer[Serving]):
    """Serves the tools, resources and prompts that are added to it."""

    async def call_tool(
        self, name: str, arguments: dict[str, Any], context: Context[Serving, Any] | None = None
    ) -> CallToolResult | InputRequiredResult:
        """The result of a tool.

        Raises:
            CorpuscopeError: What the tool foresees, an unknown tool, or a wrong argument.
            UnexpectedToolError: A bug.
        """
        tool = self._tool_manager.get_tool(name)
        if tool is None:
            tools = ", ".join(known.name for known in await self.list_tools())
            raise BadInput(f"No tool {named(name)}. Tools: {tools}.")
        given = tool.fn_metadata.pre_parse_json(arguments)
        check_arguments(name, given, tool.parameters)
        try:
            return await super().call_tool(name, given, context)
        except UnexpectedToolError:
            raise
        except ToolError as error:
            if isinstance(error.__cause__, CorpuscopeError):
                raise error.__cause__ from None
            if not isinstance(error.__cause__, ValidationError) or context is None:
                raise
            redact = context.request_context.lifespan_context.workspace.redact
            call = RefusedCall(name, tool.parameters, given, redact)
            raise BadInput(call.reason(error.__cause__)) from error

    async def list_tools(self) -> list[Tool]:
        """The tools, with schemas that say what a model needs and nothing twice."""
        tools = await super().list_tools()
        for tool in tools:
            tool.input_schema = lean_schema(tool.input_schema)
        return tools

    async def get_prompt(
        self,
        name: str,
        arguments: dict[str, Any] | None = None,
        context: Context[Serving, Any] | None = None,
    ) -> GetPromptResult | InputRequiredResult:
        """A prompt, filled in.

        Raises:
            MCPError: INVALID_PARAMS for an unknown prompt, and for arguments that are unknown,
                missing or too long.
        """
        prompts = {prompt.name: prompt for prompt in await self.list_prompts()}
        if name not in prompts:
            raise _invalid(f"No prompt {named(name)}. Prompts: {', '.join(prompts)}.")
        known = {argument.name: argument for argument in prompts[name].arguments or []}
        takes = f"Arguments of {name}: {', '.join(known) or 'none'}."
        given = arguments or {}
        if unknown := [argument for argument in given if argument not in known]:
            raise _invalid(f"No argument {', '.join(map(named, unknown[:5]))}. {takes}")
        needed = [argument for argument, of in known.items() if of.required]
        if missing := [argument for argument in needed if argument not in given]:
            raise _invalid(f"The prompt needs {', '.join(missing)}. {takes}")
        for argument, value in given.items():
            if len(value) > MOST_CHARACTERS:
                raise _invalid(
                    f"'{argument}' has {len(value):,} characters; the most is {MOST_CHARACTERS:,}."
                )
        return await super().get_prompt(name, arguments, context)

    async def run_stdio_async(self) -> None:
        """Serve a client over standard input and output, as `serve` does."""
        await self.serve(*claim_standard_streams())

    async def serve(self, wire_in: int, wire_out: int) -> None:
        """Serve a client over two descriptors until the first is closed.

        Raises:
            BrokenPipeError: In a group: nobody reads the answers any more.
        """
        lowlevel = self._lowlevel_server
        async with wire_streams(wire_in, wire_out) as (read_stream, write_stream):
            options = lowlevel.create_initialization_options()
            await lowlevel.run(read_stream, write_stream, options)


def lean_schema(schema: dict[str, Any]) -> dict[str, Any]:
    """A JSON schema without what pydantic adds to each field: a title that repeats its name, and
    null as a choice and a default of what may be left out. Null is taken all the same."""
    lean = {
        key: value
        for key, value in schema.items()
        if not (key == "title" and isinstance(value, str)) and (key, value) != ("default", None)
    }
    for group in ("properties", "$defs"):
        if group in lean:
            lean[group] = {name: lean_schema(inner) for name, inner in lean[group].items()}
    if isinstance(lean.get("items"), dict):
        lean["items"] = lean_schema(lean["items"])
    if "anyOf" in lean:
        choices = [lean_schema(each) for each in lean.pop("anyOf") if each != {"type": "null"}]
        lean = {**choices[0], **lean} if len(choices) == 1 else {"anyOf": choices, **lean}
    return lean


def _invalid(message: str) -> MCPError:
    return MCPError(code=INVALID_PARAMS, message=message)

"""Tools and the choice among them, as sessions and responses spell them."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import orjson
from pydantic import AfterValidator, BeforeValidator, Field

from realtime.protocol.validation import Str, Wire, refuse

MOST_TOOLS = 128
LARGEST_SCHEMA = 64 * 1024
"""Bytes of one tool's parameters as JSON. The whole of it is part of every prompt."""


def _schema(value: dict[str, Any]) -> dict[str, Any]:
    if len(orjson.dumps(value)) > LARGEST_SCHEMA:
        raise refuse("invalid_value", f"the parameters of a tool take at most {LARGEST_SCHEMA} bytes as JSON")
    return value


class FunctionTool(Wire):
    """A function that the client runs. `parameters` is a JSON Schema object, shown to the model as it is."""

    type: Literal["function"]
    name: Annotated[Str, Field(pattern=r"^[A-Za-z0-9_.\-]{1,64}$")]
    description: Str | None = Field(default=None, exclude_if=lambda value: value is None)
    parameters: Annotated[dict[str, Any], AfterValidator(_schema)] = Field(
        default_factory=lambda: {"type": "object", "properties": {}}
    )


class NamedFunction(Wire):
    """The one function that has to be called."""

    type: Literal["function"]
    name: Str


def _functions(value: Any) -> Any:
    """Anything but functions is refused before pydantic asks for the fields of one."""
    if not isinstance(value, list):
        return value
    if len(value) > MOST_TOOLS:
        raise refuse("invalid_value", f"there are at most {MOST_TOOLS} tools")
    for index, tool in enumerate(value):
        if isinstance(tool, dict) and tool.get("type") == "mcp":
            raise refuse(
                "invalid_value",
                f"tool {index} is of type 'mcp', which this server does not run; the supported value is"
                " 'function': call MCP servers from the client and offer their tools as functions",
                f"[{index}].type",
            )
    return value


def _distinct(tools: list[FunctionTool]) -> list[FunctionTool]:
    names: set[str] = set()
    for index, tool in enumerate(tools):
        if tool.name in names:
            raise refuse("invalid_value", f"there are two tools named {tool.name!r}", f"[{index}].name")
        names.add(tool.name)
    return tools


def _choice(value: Any) -> Any:
    if value in ("auto", "none", "required"):
        return value
    if isinstance(value, dict):
        if value.get("type") == "mcp":
            raise refuse("invalid_value", "MCP tools are not run by this server; name a function")
        if value.get("type") == "function" and isinstance(value.get("name"), str):
            return NamedFunction(type="function", name=value["name"])
    raise refuse(
        "invalid_value", "expected 'auto', 'none', 'required' or {'type': 'function', 'name': a function's}"
    )


Tools = Annotated[list[FunctionTool], BeforeValidator(_functions), AfterValidator(_distinct)]
ToolChoice = Annotated[Literal["auto", "none", "required"] | NamedFunction, BeforeValidator(_choice)]


def choice_error(choice: str | NamedFunction, tools: list[FunctionTool]) -> str | None:
    """Why a choice cannot be had with these tools; None where it can."""
    names = [tool.name for tool in tools]
    if choice == "required" and not names:
        return "tool_choice is 'required', but there are no tools."
    if isinstance(choice, NamedFunction) and choice.name not in names:
        return f"tool_choice names {choice.name!r}; the tools are: {', '.join(names) or 'none'}."
    return None

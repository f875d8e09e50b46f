"""Tools that a caller offers: what a model may or must call, and the JSON Schema that a forced call keeps to."""

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal, Self, cast

from pydantic import Field, model_validator

from gptwright.serving.fields import RequestFields, refuse
from gptwright.tokenizers.chat_templates.template import Tool as ShownTool

Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,64}$")]
MOST_TOOLS = 128
Mode = Literal["none", "auto", "required"]


class Function(RequestFields):
    """A function: its name, what it is for, and the JSON Schema of its arguments."""

    name: Name
    description: str | None = None
    parameters: dict[str, Any] | None = None
    strict: bool | None = None
    """arguments keep to the schema, which only a forced call can promise"""

    @property
    def arguments_schema(self) -> dict[str, Any]:
        """Of its arguments."""
        return self.parameters or {"type": "object", "properties": {}}


class Tool(RequestFields):
    """A tool of the only type that there is."""

    type: Literal["function"]
    function: Function


class NamedFunction(RequestFields):
    """A function that is to be called."""

    name: Name


class NamedTool(RequestFields):
    """A tool that is to be called."""

    type: Literal["function"]
    function: NamedFunction


class ToolFields(RequestFields):
    """What may be called. `functions` and `function_call` are the older words for `tools` and `tool_choice`."""

    tools: list[Tool] | None = Field(None, max_length=MOST_TOOLS)
    """functions that the model may call, told to it by its chat template, or in the system's message"""
    tool_choice: Mode | NamedTool | None = None
    """`none`, `auto`, `required`, or the function to call; a forced reply is one call that keeps to its schema"""
    parallel_tool_calls: bool | None = None
    """false ends the reply behind its first call"""
    functions: list[Function] | None = Field(None, max_length=MOST_TOOLS)
    """the older form of `tools`; the reply then has a `function_call`"""
    function_call: Literal["none", "auto"] | NamedFunction | None = None
    """the older form of `tool_choice`"""

    @model_validator(mode="after")
    def _one_form(self) -> Self:
        if self.tools and self.functions:
            refuse("functions", "is the older form of 'tools'; give one of them")
        names = [function.name for function in self._offered]
        if len({*names}) < len(names):
            refuse("tools" if self.tools else "functions", "two have the same name")
        return self

    @model_validator(mode="after")
    def _choice_is_offered(self) -> Self:
        param = "function_call" if self.tool_choice is None and self.function_call is not None else "tool_choice"
        if self._choice == "required" and not self._offered:
            refuse(param, "needs tools to choose from")
        if self.named and self.named not in [function.name for function in self._offered]:
            refuse(param, f"there is no function '{self.named}'")
        return self

    @model_validator(mode="after")
    def _strict_is_kept(self) -> Self:
        if not self.forced and any(function.strict for function in self.callable):
            refuse("tools", "'strict' can be kept where 'tool_choice' forces a call, not where the model is free")
        return self

    @property
    def _offered(self) -> list[Function]:
        return [tool.function for tool in self.tools or ()] or self.functions or []

    @property
    def _choice(self) -> str | NamedTool | NamedFunction:
        return self.tool_choice or self.function_call or "auto"

    @property
    def named(self) -> str | None:
        """The function that must be called, if it is a certain one."""
        choice = self._choice
        if isinstance(choice, str):
            return None
        return choice.function.name if isinstance(choice, NamedTool) else choice.name

    @property
    def forced(self) -> bool:
        """Whether the reply must be a call."""
        return self.named is not None or self._choice == "required"

    @property
    def callable(self) -> list[Function]:
        """The functions that the model is told of."""
        named = self.named
        return [one for one in self._offered if named in (None, one.name)] if self._choice != "none" else []

    @property
    def shown(self) -> list[ShownTool]:
        """The same as chat templates read them."""
        return [
            {"type": "function",
             "function": {"name": one.name, "description": one.description or "", "parameters": one.arguments_schema}}
            for one in self.callable
        ]  # fmt: skip

    def call_schema(self, otherwise: Mapping[str, Any] | None) -> dict[str, Any] | None:
        """The JSON Schema of a reply that must be a call, or a call or what `otherwise` allows; None where it is free.

        The schemas stand side by side in one, each with its references turned to its own place.
        """
        if not self.callable or (not self.forced and otherwise is None):
            return dict(otherwise) if otherwise is not None else None
        forms: list[dict[str, Any]] = [_call(one.name) for one in self.callable]
        parts = {one.name: _moved(one.arguments_schema, one.name) for one in self.callable}
        if not self.forced and otherwise is not None:
            forms.append({"$ref": "#/$defs/."})  # a name that no function can have
            parts["."] = _moved(otherwise, ".")
        return {"anyOf": forms, "$defs": parts}


def _call(name: str) -> dict[str, Any]:
    properties = {"name": {"const": name}, "arguments": {"$ref": f"#/$defs/{name}"}}
    return {"type": "object", "properties": properties, "required": [*properties], "additionalProperties": False}


def _moved(schema: Any, name: str) -> Any:
    """A schema whose references to its own root point to where it stands now."""
    if isinstance(schema, list):
        return [_moved(part, name) for part in cast("list[Any]", schema)]
    return dict(_moved_items(cast("dict[str, Any]", schema), name)) if isinstance(schema, Mapping) else schema


def _moved_items(schema: Mapping[str, Any], name: str) -> Iterator[tuple[str, Any]]:
    for key, value in schema.items():
        is_reference = key == "$ref" and isinstance(value, str) and value.startswith("#")
        yield key, f"#/$defs/{name}{value[1:]}" if is_reference else _moved(value, name)

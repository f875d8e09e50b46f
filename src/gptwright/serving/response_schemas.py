"""OpenAI's responses: their request, and the same as a chat completion's, which they are answered by."""

from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Discriminator, Field, Tag, model_validator

from gptwright.serving.api_errors import APIError
from gptwright.serving.completion_params import JSONSchema
from gptwright.serving.fields import OnlyFalse, RequestFields, refuse
from gptwright.serving.messages import as_text
from gptwright.serving.schemas import MOST_LOGPROBS, ChatRequest
from gptwright.serving.tool_fields import MOST_TOOLS, Function, Mode, Name

RENAMED = {"messages": "input", "max_tokens": "max_output_tokens", "response_format": "text.format"}
"""fields that a chat completion calls otherwise"""
SAME = ("model", "temperature", "top_p", "parallel_tool_calls", "stream", "truncation")
"""fields that it calls the same"""
SAID_AGAIN = {"instructions", "temperature", "top_p", "max_output_tokens", "metadata", "user", "safety_identifier",
              "top_logprobs"}  # fmt: skip
LOGPROBS = "message.output_text.logprobs"


class InputMessage(RequestFields):
    """A turn: what somebody said, or what an earlier response did."""

    type: Literal["message"] = "message"
    role: Literal["user", "assistant", "system", "developer"]
    content: Annotated[str, BeforeValidator(as_text)]
    id: str | None = None
    status: str | None = None
    phase: str | None = None

    def message(self) -> dict[str, Any]:
        """As a chat completion has it."""
        return {"role": self.role, "content": self.content}


class FunctionCall(RequestFields):
    """A call that an earlier response made."""

    type: Literal["function_call"]
    call_id: str
    name: Name
    arguments: str
    id: str | None = None
    status: str | None = None

    def message(self) -> dict[str, Any]:
        """As a chat completion has it."""
        function = {"name": self.name, "arguments": self.arguments}
        return {"role": "assistant", "tool_calls": [{"id": self.call_id, "type": "function", "function": function}]}


class FunctionOutput(RequestFields):
    """What a call came to."""

    type: Literal["function_call_output"]
    call_id: str
    output: Annotated[str, BeforeValidator(as_text)]
    id: str | None = None
    status: str | None = None

    def message(self) -> dict[str, Any]:
        """As a chat completion has it."""
        return {"role": "tool", "tool_call_id": self.call_id, "content": self.output}


def _kind(value: Any) -> Any:
    kind = value.get("type", "message") if isinstance(value, dict) else "message"
    return kind if isinstance(kind, str) else "message"


Item = Annotated[
    Annotated[InputMessage, Tag("message")]
    | Annotated[FunctionCall, Tag("function_call")]
    | Annotated[FunctionOutput, Tag("function_call_output")],
    Discriminator(_kind),
]


class _Typed(RequestFields):
    type: Literal["function"]


def _as_items(value: Any) -> Any:
    return [{"role": "user", "content": value}] if isinstance(value, str) else value


class FunctionTool(Function, _Typed):  # the type is looked at first
    """A function that may be called."""

    def tool(self) -> dict[str, Any]:
        """As a chat completion has it."""
        return {"type": "function", "function": self.model_dump(exclude={"type"})}


class NamedFunctionTool(RequestFields):
    """The function that must be called."""

    type: Literal["function"]
    name: Name


class TextFormat(JSONSchema):
    """What the reply is to be: any text, any JSON object, or JSON that a schema allows."""

    type: Literal["text", "json_object", "json_schema"]
    name: str = Field("", max_length=64)

    def response_format(self) -> dict[str, Any]:
        """As a chat completion has it."""
        schema = {"name": self.name, "schema": self.asked}
        return {"type": self.type} | ({"json_schema": schema} if self.type == "json_schema" else {})


class TextOptions(RequestFields):
    """About the reply as a text."""

    format: TextFormat | None = None


class ResponseRequest(RequestFields):
    """POST /v1/responses. Nothing is kept: what came before is sent again in `input`."""

    model: str
    """which of the models that write"""
    input: Annotated[list[Item], BeforeValidator(_as_items)] = Field(min_length=1)
    """a text, or messages, calls and what these came to, in their order"""
    instructions: str | None = None
    """what the system says first"""
    max_output_tokens: int | None = Field(None, ge=1, le=1 << 31)
    """tokens of the reply at most"""
    temperature: float | None = Field(None, ge=0, le=2)
    """0 takes the likeliest token; 1 draws as the model believes"""
    top_p: float | None = Field(None, ge=0, le=1)
    """draw among the likeliest tokens that together have this probability"""
    text: TextOptions | None = None
    """its `format`: `text`, `json_object`, or `json_schema` with `name` and `schema`"""
    tools: list[FunctionTool] | None = Field(None, max_length=MOST_TOOLS)
    """functions that the model may call"""
    tool_choice: Mode | NamedFunctionTool | None = None
    """`none`, `auto`, `required`, or the function to call"""
    parallel_tool_calls: bool | None = None
    """false ends the reply behind its first call"""
    stream: bool | None = None
    """server-sent events, each with its name"""
    truncation: Literal["auto", "disabled"] | None = None
    """`auto` leaves out the oldest turns of what is too long"""
    include: list[Literal["message.output_text.logprobs", "reasoning.encrypted_content"]] | None = None
    """`message.output_text.logprobs`: how likely every token was; `reasoning.encrypted_content`: here there is none"""
    top_logprobs: int | None = Field(None, ge=0, le=MOST_LOGPROBS)
    """likeliest tokens that are told in the place of each"""
    store: OnlyFalse | None = None
    """false: responses are not kept"""
    metadata: dict[Annotated[str, Field(max_length=64)], Annotated[str, Field(max_length=512)]] | None = Field(
        None, max_length=16
    )
    """up to 16 texts by name, which the response says again"""
    user: str | None = None
    """the caller's name for the person behind the request; the response says it again"""
    safety_identifier: str | None = Field(None, max_length=64)
    """the newer word for `user`"""
    service_tier: Literal["auto", "default"] | None = None
    """`auto` or `default`; the response says `default`"""

    @model_validator(mode="after")
    def _top_of_something(self) -> Self:
        if self.top_logprobs and LOGPROBS not in (self.include or ()):
            refuse("top_logprobs", f"may only be given together with include = ['{LOGPROBS}']")
        return self

    def chat(self) -> ChatRequest:
        """The same as a chat completion. Raises `APIError` (400) naming what is wrong as it is called here."""
        said = [{"role": "system", "content": self.instructions}] if self.instructions else []
        choice = self.tool_choice
        if isinstance(choice, NamedFunctionTool):
            choice = {"type": "function", "function": {"name": choice.name}}
        plain = {name: getattr(self, name) for name in SAME}
        told = LOGPROBS in (self.include or ())
        format = self.text.format if self.text else None
        try:
            return ChatRequest.read(
                plain
                | {
                    "messages": [*said, *(item.message() for item in self.input)],
                    "max_tokens": self.max_output_tokens,
                    "tools": [tool.tool() for tool in self.tools or ()] or None,
                    "tool_choice": choice,
                    "response_format": format and format.response_format(),
                    "logprobs": told or None,
                    "top_logprobs": self.top_logprobs if told else None,
                }
            )
        except APIError as error:
            raise renamed(error) from error

    def told_back(self) -> dict[str, Any]:
        """What the response says of its request."""
        given = self.model_dump(include=SAID_AGAIN)
        choice = self.tool_choice
        format = self.text.format if self.text else None
        return given | {
            "tools": [tool.model_dump() for tool in self.tools or ()],
            "tool_choice": choice.model_dump() if isinstance(choice, NamedFunctionTool) else choice or "auto",
            "parallel_tool_calls": self.parallel_tool_calls is not False, "truncation": self.truncation or "disabled",
            "text": {"format": format.model_dump(by_alias=True, exclude_none=True) if format else {"type": "text"}},
            "store": False, "service_tier": "default",
        }  # fmt: skip


def renamed(error: APIError) -> APIError:
    """An error about a chat completion, in the words of a response."""
    found = next((name for name in RENAMED if (error.param or "").startswith(name)), None)
    if found is None or error.param is None:
        return error
    param = error.param.replace(found, RENAMED[found], 1)
    message = error.message.replace(f"'{error.param}'", f"'{param}'").replace(found, RENAMED[found])
    return APIError(error.status, message, param=param, code=error.code)

"""The turns of a conversation, as OpenAI's clients send them and send them back."""

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self, cast

from pydantic import BeforeValidator, Field, ModelWrapValidatorHandler, PrivateAttr, model_validator

from gptwright.foundations.errors import InputError
from gptwright.images.named import data_uri
from gptwright.serving.fields import RequestFields, refuse
from gptwright.tokenizers.chat_templates.parts import PlacedImage, read_parts

if TYPE_CHECKING:
    from gptwright.tokenizers.chat_templates.chat import Message as Turn

EMPTY: tuple[Any, ...] = (None, "", [], {})
PARTS = {"text": "text", "refusal": "refusal", "input_text": "text", "output_text": "text"}
"""kinds of a message's parts, and the field that holds their text"""
MOST_IMAGES = 16
"""that are shown to a model at once"""


def as_text(value: Any) -> Any:
    """A text that is given as one string or as a list of parts."""
    if not isinstance(value, list):
        return value
    return "\n".join(_part(part) for part in cast("list[Any]", value))


def _part(part: Any) -> str:
    fields = cast("dict[str, Any]", part) if isinstance(part, dict) else {}
    kind = fields.get("type")
    if isinstance(kind, str) and kind not in PARTS:
        raise ValueError(f"parts of the type '{kind[:40]}' cannot be read, only text, and image_url where a model sees")
    text = fields.get(PARTS[kind]) if isinstance(kind, str) else None
    if not isinstance(text, str):
        raise ValueError('a part must be {"type": "text", "text": "…"}')
    return text


def _has_images(content: Any) -> bool:
    parts = cast("list[Any]", content) if isinstance(content, list) else []
    return any(isinstance(part, dict) and cast("dict[str, Any]", part).get("type") == "image_url" for part in parts)


class CalledFunction(RequestFields):
    """A function that was called, and the JSON object of its arguments as text."""

    name: Annotated[str, Field(min_length=1, max_length=64)]
    arguments: str

    @model_validator(mode="after")
    def _an_object(self) -> Self:
        try:
            value: Any = json.loads(self.arguments or "{}")
        except (ValueError, RecursionError):
            value = None
        if not isinstance(value, dict):
            refuse("arguments", "must be the text of a JSON object")
        return self


class ToolCall(RequestFields):
    """A call that the assistant made."""

    id: Annotated[str, Field(max_length=256)]
    type: Literal["function"]
    function: CalledFunction


class Message(RequestFields):
    """One turn. "developer" is the newer word for "system", and "function" the older for "tool". A `name` tells
    speakers of one role apart, for which chat templates have no place. What an assistant refused to say is what it
    said."""

    role: Literal["system", "developer", "user", "assistant", "tool", "function"]
    content: Annotated[str | None, BeforeValidator(as_text)] = None
    refusal: str | None = None
    name: Annotated[str | None, Field(max_length=256)] = None
    tool_calls: list[ToolCall] | None = None
    tool_call_id: Annotated[str | None, Field(max_length=256)] = None
    function_call: CalledFunction | None = None
    _images: list[PlacedImage] = PrivateAttr(default_factory=list[PlacedImage])

    @model_validator(mode="wrap")
    @classmethod
    def _with_images(cls, value: Any, handler: ModelWrapValidatorHandler[Self]) -> Self:
        """Parts with images among them, which come as data: URIs, are a text and images at places in it."""
        content = cast("dict[str, Any]", value).get("content") if isinstance(value, dict) else None
        if not _has_images(content):
            return handler(value)
        try:
            text, images = read_parts(cast("list[object]", content), data_uri)
        except InputError as error:
            refuse("content", f"needs {error.needed}; got {error.got}")
        message = handler({**value, "content": text})
        if message.role != "user":
            refuse("content", "only the user shows images")
        message._images.extend(images)
        return message

    @model_validator(mode="before")
    @classmethod
    def _drop_empty(cls, value: Any) -> Any:
        """Clients send back what they received, with empty fields such as `tool_calls: []`."""
        if not isinstance(value, dict):
            return value
        items = cast("dict[str, Any]", value).items()
        return {name: item for name, item in items if item not in EMPTY or name in ("role", "content", "name")}

    @model_validator(mode="after")
    def _only_an_assistant_may_be_silent(self) -> Self:
        if self.role != "assistant" and self.content is None:
            refuse("content", f"a message of the role '{self.role}' must have its text here")
        for name in ("refusal", "tool_calls", "function_call"):
            if self.role != "assistant" and getattr(self, name):
                refuse(name, "only the assistant refuses and calls")
        return self

    @model_validator(mode="after")
    def _answers_a_call(self) -> Self:
        if self.role == "tool" and self.tool_call_id is None:
            refuse("tool_call_id", "must say which call is answered")
        if self.role == "function" and not self.name:
            refuse("name", "must say which function answers")
        if self.role != "tool" and self.tool_call_id is not None:
            refuse("tool_call_id", "only a message of the role 'tool' answers a call")
        return self

    def turn(self) -> "Turn":
        """As chat templates read it."""
        role = {"developer": "system", "function": "tool"}.get(self.role, self.role)
        turn: Turn = {"role": role, "content": self.content or self.refusal or ""}
        if self._images:
            turn["images"] = self._images
        called = [(call.id, call.function) for call in self.tool_calls or ()]
        called += [("", self.function_call)] if self.function_call else []
        if called:
            turn["tool_calls"] = [
                {"id": id, "type": "function",
                 "function": {"name": function.name, "arguments": json.loads(function.arguments or "{}")}}
                for id, function in called
            ]  # fmt: skip
        if role == "tool":
            turn["tool_call_id"], turn["name"] = self.tool_call_id or "", self.name or ""
        return turn


def to_chat_messages(messages: Sequence[Message]) -> "list[Turn]":
    """A conversation as chat templates read it."""
    return [message.turn() for message in messages]

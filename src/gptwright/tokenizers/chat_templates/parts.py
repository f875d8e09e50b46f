"""What a message is made of: texts, and images between them.

An image stands at a place, not at a word: no text that anyone writes can make room for one.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple, NotRequired, TypedDict, cast

from gptwright.foundations.errors import InputError

TEXTS = {"text": "text", "refusal": "refusal"}
"""kinds of parts that are text, and the field that holds it"""


class PlacedImage(NamedTuple):
    """An image file within a message."""

    at: int
    """characters of the text before it"""
    data: bytes


class Message(TypedDict):
    """One turn: `role` is system, user or assistant, or tool for what a call came to."""

    role: str
    content: str
    tool_calls: NotRequired[list[dict[str, Any]]]
    """what the assistant calls, as templates read it: `{"id", "type", "function": {"name", "arguments"}}`"""
    tool_call_id: NotRequired[str]
    """the call that a tool answers"""
    name: NotRequired[str]
    """the tool that answers"""
    images: NotRequired[list[PlacedImage]]
    """in their order"""


def images_of(messages: Sequence[Message]) -> list[bytes]:
    """The image files of a conversation, in their order."""
    return [image.data for message in messages for image in message.get("images", ())]


def pieces(message: Message) -> Iterator[str | PlacedImage]:
    """The texts and images of a message, in their order; no text is empty unless it is all there is."""
    content, start = message["content"], 0
    images = message.get("images", [])
    for image in images:
        if image.at > start:
            yield content[start : image.at]
        yield image
        start = image.at
    if start < len(content) or not images:
        yield content[start:]


def as_parts(message: Message, uri: Callable[[bytes], str]) -> dict[str, object]:
    """A message for a JSON Lines file, its images by name where it has any."""
    if not message.get("images"):
        return {name: value for name, value in message.items() if name != "images"}
    parts = [{"type": "text", "text": piece} if isinstance(piece, str) else
             {"type": "image_url", "image_url": {"url": uri(piece.data)}} for piece in pieces(message)]  # fmt: skip
    return {"role": message["role"], "content": parts}


def read_parts(parts: Sequence[object], load: Callable[[str], bytes] | None) -> tuple[str, list[PlacedImage]]:
    """A text and its images, from parts as OpenAI's clients send them; texts come on lines of their own.

    `load` gets an image by its name; None where none can be read. Raises `InputError` for other parts, and as it does.
    """
    text, images = "", list[PlacedImage]()
    after_text = False
    for part in parts:
        fields = cast("dict[str, Any]", part) if isinstance(part, dict) else {}
        kind = fields.get("type")
        if kind == "image_url" and load:
            images.append(PlacedImage(len(text), load(_url(fields))))
            after_text = False
            continue
        said = fields.get(TEXTS.get(str(kind), ""))
        if not isinstance(said, str):
            raise InputError('parts of a message such as {"type": "text", "text": "…"}', repr(part)[:60],
                             "Write each so, or an image as {\"type\": \"image_url\", \"image_url\": {\"url\": \"…\"}}."
                             if load else "This reads text alone.")  # fmt: skip
        text += ("\n" if after_text else "") + said
        after_text = True
    return text, images


def _url(fields: dict[str, Any]) -> str:
    image = fields.get("image_url")
    url = cast("dict[str, Any]", image).get("url") if isinstance(image, dict) else image
    if not isinstance(url, str):
        raise InputError('{"url": "…"} as image_url', repr(image)[:60], "Write the image's name there.")
    return url

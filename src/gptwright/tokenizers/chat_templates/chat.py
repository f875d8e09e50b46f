"""The chat template: `<|user|>text<|end|><|assistant|>text<|end|>`, or what a foreign model's folder brings.

Roles and ends of turn are special tokens, inserted as ids; what people write is encoded as plain text, so nobody can
speak in another's role. Training, evaluation, PPO and serving all come through `render`.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, cast

from gptwright.foundations.errors import ArtifactError, InputError, nearest
from gptwright.tokenizers.chat_templates.parts import Message, images_of, pieces, read_parts
from gptwright.tokenizers.chat_templates.template import Tool, knows_role, knows_tools
from gptwright.tokenizers.chat_templates.template_tokenization import Rendering
from gptwright.tokenizers.chat_templates.tool_text import tools_as_text
from gptwright.tokenizers.special_tokens import CHAT_TEMPLATE, END_OF_TURN, ROLES
from gptwright.tokenizers.tokenizer import Tokenizer

TOOL = "tool"  # a role that some models' templates write


def render(messages: Sequence[Message], tokenizer: Tokenizer, image: str = "") -> tuple[list[int], list[bool]]:
    """Ids of a conversation, and which of them the assistant says (its words and its end of turn): what SFT learns.

    Where an image stands there is the special token `image`, of a model that sees. Raises `ArtifactError` when the
    tokenizer has no template or one that does not show this, `InputError` when its template refuses a role or the
    order of roles, and for images where there is no such token.
    """
    template = _template(tokenizer)
    _check_images(messages, image)
    if template != CHAT_TEMPLATE:
        return Rendering(messages, tokenizer, template, image=image).with_mask()
    ids: list[int] = []
    learned: list[bool] = []
    for message in messages:
        if message["role"] not in ROLES:
            raise InputError("a role of a conversation", f"'{message['role']}'", nearest(message["role"], ROLES))
        words = [*_content_ids(message, tokenizer, image), tokenizer.special_id(END_OF_TURN)]
        ids += [tokenizer.special_id(ROLES[message["role"]]), *words]
        learned += [False, *[message["role"] == "assistant"] * len(words)]
    return ids, learned


def prompt_ids(
    messages: Sequence[Message], tokenizer: Tokenizer, tools: Sequence[Tool] = (), image: str = ""
) -> list[int]:
    """Ids of a conversation up to where the assistant is to speak, who may call `tools`. Raises as `render` does."""
    template = _template(tokenizer)
    if _has_no_place(template, tokenizer, messages, tools):
        messages, tools = tools_as_text(messages, tools), ()
    if template != CHAT_TEMPLATE:
        _check_images(messages, image)
        return Rendering(messages, tokenizer, template, tools, image).prompt()
    return [*render(messages, tokenizer, image)[0], tokenizer.special_id(ROLES["assistant"])]


def _content_ids(message: Message, tokenizer: Tokenizer, image: str) -> list[int]:
    """Each text by itself, so that none of it becomes an image's place."""
    ids: list[int] = []
    for piece in pieces(message):
        ids += tokenizer.encode(piece) if isinstance(piece, str) else [tokenizer.special_id(image)]
    return ids


def _check_images(messages: Sequence[Message], image: str) -> None:
    if not image and (count := len(images_of(messages))):
        got = "an image in it" if count == 1 else f"{count:,} images in it"
        raise InputError("a conversation of text alone, for a model that cannot see", got,
                         "Use a model that gptwright vision taught to see.")  # fmt: skip


def _has_no_place(template: str, tokenizer: Tokenizer, messages: Sequence[Message], tools: Sequence[Tool]) -> bool:
    """Whether the template would pass over tools, calls or answers of tools that there are."""
    names = tuple(tokenizer.special_tokens.named.items())
    called = bool(tools) or any(message.get("tool_calls") for message in messages)
    answered = any(message["role"] == TOOL for message in messages)
    if template == CHAT_TEMPLATE:
        return called or answered
    return (called and not knows_tools(template, names)) or (answered and not knows_role(template, TOOL, names))


def _template(tokenizer: Tokenizer) -> str:
    if tokenizer.special_tokens.chat_template is None:
        raise ArtifactError("a model with a chat template", "one without",
                            "Use a model that was taught to chat.")  # fmt: skip
    return tokenizer.special_tokens.chat_template


def read_messages(value: object, where: str, load: Callable[[str], bytes] | None = None) -> list[Message]:
    """Checks a list of messages from outside, whose images `load` gets by name, where there may be any.

    Raises `InputError` naming the place and what is wrong there, and as `load` does.
    """
    if not isinstance(value, list) or not value:
        raise InputError(
            f"a list of messages in {where}", repr(value)[:60], 'Write [{"role": "user", "content": "…"}].'
        )
    items = enumerate(cast("list[Any]", value), 1)
    return [_message(item, f"message {number} of {where}", load) for number, item in items]


def read_prompt(fields: Mapping[str, object], where: str, load: Callable[[str], bytes] | None = None) -> list[Message]:
    """The conversation that a line asks to be answered: its "messages", or its "prompt" as the user's words; `load`
    gets its images by name, where there may be any.

    Raises `InputError` naming the place when there is neither, when both are there and differ, or when the assistant
    has the last word, and as `load` does.
    """
    texts = [fields[name] for name in ("messages", "prompt") if fields.get(name) is not None]
    if not texts:
        raise InputError(f'a "prompt" or a list of messages in {where}', f"the fields {', '.join(fields) or '(none)'}",
                         'Write {"prompt": "…"}.')  # fmt: skip
    given = [[{"role": "user", "content": text}] if isinstance(text, str) else text for text in texts]
    messages = same_history(*(read_messages(given[at], where, load) for at in (0, -1)))
    if messages is None:
        raise InputError(f"one prompt in {where}", "'messages' and 'prompt' that differ", "Take one of them away.")
    if messages[-1]["role"] == "assistant":
        raise InputError(f"a prompt that the assistant is to answer in {where}", "one that ends with its answer",
                         "Take the last message away, or give the file to sft as conversations.")  # fmt: skip
    return messages


def same_history(one: Sequence[Message], other: Sequence[Message]) -> list[Message] | None:
    """The longer of two conversations of which the shorter is the end, spaces around texts aside; else None."""
    short, long = (other, one) if len(one) >= len(other) else (one, other)
    ends = zip(reversed(short), reversed(long), strict=False)
    return list(long) if all(_same(a, b) for a, b in ends) else None


def _same(a: Message, b: Message) -> bool:
    texts = a["content"].strip() == b["content"].strip()
    return a["role"] == b["role"] and texts and images_of([a]) == images_of([b])


def _message(item: Any, where: str, load: Callable[[str], bytes] | None) -> Message:
    fields = cast("dict[str, Any]", item) if isinstance(item, dict) else {}
    role, content = fields.get("role"), fields.get("content")
    if not isinstance(role, str) or role not in (*ROLES, TOOL):
        raise InputError(f"a role in {where}", repr(role), nearest(str(role), ROLES))
    if load and isinstance(content, list):
        text, images = read_parts(cast("list[object]", content), load)
        return Message(role=role, content=text, images=images)
    if not isinstance(content, str):
        raise InputError(f"text as content of {where}", repr(content)[:60], "Write the text as a JSON string.")
    return Message(role=role, content=content)

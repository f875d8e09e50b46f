"""What an assistant may call and what came of it, as text: for templates that have no place for tools.

The words are those of Hermes (Nous Research 2024), which Qwen and SmolLM were taught too: a call is JSON between
`<tool_call>` tags, its answer comes in the user's turn.
"""

import json
from collections.abc import Sequence
from itertools import groupby

from gptwright.tokenizers.chat_templates.parts import Message
from gptwright.tokenizers.chat_templates.template import Tool

CALL, END_OF_CALL = "<tool_call>", "</tool_call>"
SHOWN = """You may call these functions:
{listed}
To call one, write
<tool_call>
{{"name": "its name", "arguments": {{…}}}}
</tool_call>"""


def tools_as_text(messages: Sequence[Message], tools: Sequence[Tool]) -> list[Message]:
    """The same conversation in texts alone: tools stand in the system's, calls in the assistant's, answers of tools
    in the user's."""
    told = list[Message]()
    for role, turns in groupby(_with_tools(messages, tools), lambda message: message["role"]):
        if role == "tool":
            told.append(Message(role="user", content="\n".join(map(_text, turns))))
        else:
            told += [_as_text(turn) for turn in turns]
    return told


def _with_tools(messages: Sequence[Message], tools: Sequence[Tool]) -> list[Message]:
    """Tools are told before anything else, behind what the system says."""
    if not tools:
        return [*messages]
    shown = SHOWN.format(listed="\n".join(json.dumps(tool["function"], ensure_ascii=False) for tool in tools))
    if messages and messages[0]["role"] == "system":
        first = messages[0]
        return [{**first, "content": f"{first['content']}\n\n{shown}"}, *messages[1:]]
    return [Message(role="system", content=shown), *messages]


def _as_text(message: Message) -> Message:
    told = Message(role=message["role"], content=_text(message))
    return {**told, "images": message["images"]} if "images" in message else told


def _text(message: Message) -> str:
    if message["role"] == "tool":
        return f"<tool_response>\n{message['content']}\n</tool_response>"
    called = [json.dumps(call["function"], ensure_ascii=False) for call in message.get("tool_calls", ())]
    return "\n".join([*filter(None, [message["content"]]), *(f"{CALL}\n{call}\n{END_OF_CALL}" for call in called)])

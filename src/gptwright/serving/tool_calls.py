"""A reply taken apart while it is written: what is said, and what is called."""

import json
import secrets
from collections.abc import Collection
from typing import Any, NamedTuple, cast

from gptwright.tokenizers.chat_templates.tool_text import CALL, END_OF_CALL


class Call(NamedTuple):
    """A call that a reply makes."""

    id: str
    name: str
    arguments: str
    """JSON"""

    def fields(self) -> dict[str, Any]:
        """As OpenAI has it."""
        return {"id": self.id, "type": "function", "function": self.function()}

    def function(self) -> dict[str, str]:
        """The same without what came after functions."""
        return {"name": self.name, "arguments": self.arguments}


class CallParser:
    """Looks for calls of the functions `names`, between Hermes' tags, or as JSON that is the whole reply (Llama's form,
    and that of a forced call). What cannot be read as a call is text. A reply that may be one is held back until that
    is known, and so is a beginning of a tag."""

    def __init__(self, names: Collection[str]) -> None:
        self.names, self.calls = names, list[Call]()
        self._held, self._begun = "", False

    def feed(self, text: str) -> str:
        """What of the reply so far is text and was not given yet; blanks behind a call are not."""
        said = self._said(text)
        return said if said.strip() or not self.calls else ""

    def _said(self, text: str) -> str:
        self._held += text
        if self.names and not self._begun and self._held.lstrip()[:1] in ("", "{"):
            return ""
        self._begun = True
        said = ""
        while self.names and (start := self._held.find(CALL)) >= 0:
            said += self._take(start)
            end = self._held.find(END_OF_CALL)
            if end < 0:
                return said
            whole = self._take(end + len(END_OF_CALL))
            said += "" if self._call(whole[len(CALL) : end]) else whole
        return said + self._take(len(self._held) - (_beginning(self._held) if self.names else 0))

    def finish(self) -> str:
        """The rest of the text, at the end of the reply."""
        text = self._take(len(self._held))
        # a stop text may have cut off the tag that ends the last call
        if (text.startswith(CALL) or not self._begun) and self._call(text.removeprefix(CALL)):
            return ""
        return text if text.strip() or not self.calls else ""

    def _take(self, count: int) -> str:
        text, self._held = self._held[:count], self._held[count:]
        return text

    def _call(self, text: str) -> bool:
        """Notes the call that a text is, if it is one."""
        try:
            value: Any = json.loads(text)
            fields = cast("dict[str, Any]", value) if isinstance(value, dict) else {}
            name, arguments = fields.get("name"), fields.get("arguments", fields.get("parameters", {}))
            written = json.dumps(arguments, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
            written.encode("utf-8")
        except (ValueError, RecursionError):  # no JSON, NaN, or half of a surrogate pair
            return False
        if not isinstance(name, str) or name not in self.names or not isinstance(arguments, dict):
            return False
        self.calls.append(Call(f"call_{secrets.token_hex(12)}", name, written))
        return True


def _beginning(text: str) -> int:
    """How many of the last characters may be the beginning of a tag."""
    return next((size for size in range(min(len(CALL) - 1, len(text)), 0, -1) if CALL.startswith(text[-size:])), 0)

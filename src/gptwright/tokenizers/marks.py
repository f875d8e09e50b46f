"""Marks in what people write, so that no control token can be read in it once a template has put it into its text.

A mark is a private-use character that stands in no message. It is inserted wherever a control token could begin in a
message and end in it, in the template or in the next message, and taken out again before the text is encoded.
"""

import re
from collections.abc import Sequence

from gptwright.foundations.errors import InputError

_CANDIDATES = [*range(0xE000, 0xF900), *range(0xF0000, 0xFFFFE)]


def choose_mark(texts: Sequence[str]) -> str:
    """A character that occurs in none of the texts. Raises `InputError` when they use all of them."""
    used = set().union(*texts)
    mark = next((chr(code) for code in _CANDIDATES if chr(code) not in used), None)
    if mark is None:
        raise InputError("messages with at least one private-use character unused", "all of them", "Shorten them.")
    return mark


def marked(text: str, tokens: Sequence[str], mark: str) -> str:
    """The text with a mark inside every control token it spells, and where it could begin or end one."""
    core = text.strip()  # templates often strip
    if not core:
        return text
    start, rest = text[: -len(text.lstrip())], text[len(text.rstrip()) :]
    begins = any(core.endswith(token[:n]) for token in tokens for n in range(1, len(token)))
    ends = any(core.startswith(token[n:]) or (n < len(token) - len(core) and token.startswith(core, n))
               for token in tokens for n in range(1, len(token)))  # fmt: skip
    core = _spelt(tuple(tokens)).sub(rf"\g<0>{mark}", core)
    return f"{start}{mark if ends else ''}{core}{mark if begins else ''}{rest}"


def _spelt(tokens: tuple[str, ...]) -> re.Pattern[str]:
    """The first character of every control token that is spelt out, also where two of them overlap."""
    return re.compile(f"(?=(?:{'|'.join(map(re.escape, tokens)) or '(?!)'})).", re.DOTALL)

"""What a model wrote, for a terminal: no text moves the cursor, rings, changes colours, or turns the writing around."""

import sys
import unicodedata
from functools import lru_cache

KEPT = frozenset("\n\t")
TURNING = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
"""marks that turn the direction of what follows"""


def for_terminal(text: str) -> str:
    """With control characters spelled out (`\\x1b`), where a person looks on; a file or a pipe gets every character."""
    return spell_controls(text) if sys.stdout.isatty() else text


def spell_controls(text: str) -> str:
    """Each control character as Python would write it, one by one: however a text is cut, it is the same."""
    return text if text.isprintable() else "".join(map(_spelled, text))


@lru_cache(maxsize=4096)
def _spelled(letter: str) -> str:
    is_control = unicodedata.category(letter) == "Cc" and letter not in KEPT
    return ascii(letter)[1:-1] if is_control or letter in TURNING else letter

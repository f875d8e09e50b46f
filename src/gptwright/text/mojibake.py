"""Text that was read in the wrong encoding once (“cafÃ©” for “café”), mended by ftfy.

Only what ftfy calls an encoding is touched, a line at a time: what is right in any language stays as it is.
"""

from functools import cache
from importlib import import_module
from typing import Any

from gptwright.foundations.errors import ConfigError


def mended(text: str) -> tuple[str, int]:
    """The text, and how many of its lines were mended. Raises `ConfigError` without ftfy."""
    fix, changed = _fix(), 0
    if text.isascii():
        return text, 0
    lines = text.split("\n")
    for at, line in enumerate(lines):
        if not line.isascii() and (better := fix(line)) != line and not _is_a_letter_alone(line):
            lines[at] = better
            changed += 1
    return ("\n".join(lines), changed) if changed else (text, 0)


def _is_a_letter_alone(line: str) -> bool:
    """Whether nothing is wrong in a line but “Â ”, which is a space read in a wrong encoding, or a word."""
    bare = line.replace("Â ", "A ")
    return bool(_fix()(bare) == bare)


@cache
def _fix() -> Any:
    try:
        return import_module("ftfy").fix_encoding
    except ImportError as error:
        raise ConfigError("ftfy to mend text that was read in the wrong encoding", f"none that works here ({error})",
                          "pip install 'gptwright[corpus]'") from error  # fmt: skip

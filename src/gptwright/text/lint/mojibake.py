"""Text that was UTF-8 and was read as something else: "cafÃ©" for "café", and signs that were lost (U+FFFD).

Such text can be told because it can be undone: its characters, written as windows-1252, are UTF-8. Few other texts have
that by chance, and those are asked for more: letters of two bytes that are no accents, for two in a row; a quote behind
a capital letter, for nothing.
"""

import re
from collections.abc import Iterator
from functools import cache

LOST = "\ufffd"
_QUOTES = "“”‘’„‚–—…"


def mojibake(text: str) -> Iterator[tuple[int, str]]:
    """Where text is spoiled, and what it was: (place, "Ã© for é"). Each run once."""
    if text.isascii():
        return
    for match in _spoiled().finditer(text):
        was = _undone(match[0])
        if was is not None and not _is_chance(text, match.start(), match[0], was):
            yield match.start(), f"{match[0]} for {was}"
    for match in re.finditer(f"{LOST}+", text):
        yield match.start(), "a sign that was lost"


def _is_chance(text: str, place: int, spoiled: str, was: str) -> bool:
    """Whether it may stand there with right: one letter of another alphabet, or a capital and a quote behind it."""
    if len(was) == 1 and spoiled[0] not in "ÂÃâð" and len(spoiled) == 2:
        return True
    return len(spoiled) == 2 and spoiled[1] in _QUOTES and text[max(place - 1, 0) : place].isupper()


def _undone(spoiled: str) -> str | None:
    try:
        return bytes(_bytes()[sign] for sign in spoiled).decode()
    except UnicodeDecodeError:
        return None


@cache
def _bytes() -> dict[str, int]:
    """The byte of each character, by windows-1252 and, where it has none, by Latin-1."""
    table = {chr(code): code for code in range(0x80, 0x100)}
    for code in range(0x80, 0xA0):
        table[bytes([code]).decode("cp1252", "ignore") or chr(code)] = code
    return table


@cache
def _spoiled() -> re.Pattern[str]:
    """Runs of what UTF-8's sequences of two to four bytes look like."""
    signs = {code: re.escape(sign) for sign, code in _bytes().items()}
    later = "".join({re.escape(sign) for sign, code in _bytes().items() if code < 0xC0})

    def first(low: int, high: int) -> str:
        return "".join(signs[code] for code in range(low, high))

    sequences = (f"[{first(0xC2, 0xE0)}][{later}]", f"[{first(0xE0, 0xF0)}][{later}]{{2}}",
                 f"[{first(0xF0, 0xF5)}][{later}]{{3}}")  # fmt: skip
    return re.compile(f"(?:{'|'.join(sequences)})+")

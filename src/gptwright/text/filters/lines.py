"""A text's lines and paragraphs: how many are bullets, sentences, short, or there before."""

import re
from collections.abc import Sequence

BULLETS = ("•", "-")
ELLIPSES = ("...", "…")
TERMINAL = frozenset(".!?。！？．｡‼⁇⁈⁉؟۔।॥።፧៕")
SHORT = 30
_PARAGRAPH = re.compile(r"\n{2,}")


def line_signals(text: str) -> dict[str, float]:
    """Shares of lines, and of all lines' characters; blank lines count only beside bullets and ellipses."""
    lines = text.split("\n")
    written = [line for line in lines if line and not line.isspace()]
    paragraphs = _PARAGRAPH.split(text.strip()) if "\n\n" in text else [text.strip()]
    characters = max(sum(map(len, written)), 1)
    lines_again, characters_again = _repeated(written)
    paragraphs_again, paragraph_characters = _repeated(paragraphs)
    count = max(len(written), 1)
    return {
        "bullet_lines": sum([line.lstrip().startswith(BULLETS) for line in written]) / len(lines),
        "ellipsis_lines": sum([line.rstrip().endswith(ELLIPSES) for line in written]) / len(lines),
        "terminal_lines": sum([line[-1] in TERMINAL for line in written]) / count,
        "short_lines": sum([len(line) <= SHORT for line in written]) / count,
        "duplicate_lines": lines_again / count,
        "duplicate_line_characters": characters_again / characters,
        "duplicate_paragraphs": paragraphs_again / len(paragraphs),
        "duplicate_paragraph_characters": paragraph_characters / max(len(text), 1),
    }


def _repeated(parts: Sequence[str]) -> tuple[int, int]:
    """How many were there before, and their characters."""
    once = set(parts)
    if len(once) == len(parts):
        return 0, 0
    return len(parts) - len(once), sum(map(len, parts)) - sum(map(len, once))

"""Cutting long texts into documents, and choosing which documents are held out.

Held-out text is never trained on; it measures what was learned. A whole book in one file could only be in one split,
so it is cut first: at its chapters where they are clearly there, else at paragraphs.
"""

import re
from dataclasses import replace
from hashlib import blake2b
from itertools import pairwise
from typing import Literal, cast

from gptwright.text.documents import Document

Split = Literal["train", "heldout"]

SECTION = 8_000
MIN_SECTION = 1_000
MAX_SECTION = 5 * SECTION
MIN_HEADINGS = 3

_HEADING = re.compile(
    r"^[ \t]*(?:"
    r"(?:CHAPTER|Chapter|BOOK|Book|PART|Part|ACT|Act|STAVE|Stave|CANTO|Canto|LETTER|Letter)[ \t]+"
    r"(?:[IVXLCDM]+|\d+|[A-Z][A-Za-z-]+)\b[^\n]{0,60}"
    r"|[ \u3000]*第[ \t]*[零〇○一二三四五六七八九十百千两\d]+[ \t]*[章回][^\n]{0,40}"
    r")$",
    re.MULTILINE,
)
# From the best place to end a section to the worst: paragraph, line, sentence, word.
_BORDERS = tuple(re.compile(p) for p in (r"\n\s*\n", r"\n", r"[.!?][\"'”’)]* |[。！？][”』」]?", r"\s"))


def sections(document: Document) -> list[Document]:
    """The document's chapters or sections of about 8,000 characters; joined again they are its text.

    A short document, and one whose split its source fixed, stays whole.
    """
    text = document.text
    if document.split is not None or len(text) < 1.5 * SECTION:
        return [document]
    starts = _chapters(text)
    parts = [part for start, end in pairwise([*starts, len(text)]) for part in _shortened(text[start:end])]
    return [replace(document, text=part, title=_title(document, part, i)) for i, part in enumerate(parts, 1)]


def assign_split(document: Document, share: float, seed: int) -> Split:
    """What the source fixed; else "heldout" for about `share` of all texts, chosen by a hash of seed and text."""
    if document.split is not None:
        return cast(Split, document.split)
    return "heldout" if uniform_hash(document.text, seed) < share else "train"


def uniform_hash(text: str, seed: int | str) -> float:
    """A number in [0, 1) that depends on nothing but the text and the seed."""
    digest = blake2b(f"{seed}\n{text}".encode(), digest_size=8).digest()
    return int.from_bytes(digest) / 2**64


def _chapters(text: str) -> list[int]:
    """Where parts begin: only at 0 without clear chapters. Short parts join the next, as in a list of contents."""
    headings = [match.start() for match in _HEADING.finditer(text) if _stands_alone(text, match)]
    if len(headings) < MIN_HEADINGS:
        return [0]
    starts = [0]
    for start in headings:
        if start - starts[-1] >= MIN_SECTION:
            starts.append(start)
    if len(starts) > 1 and len(text) - starts[-1] < MIN_SECTION:
        starts.pop()
    return starts


def _stands_alone(text: str, heading: re.Match[str]) -> bool:
    before = text[max(0, heading.start() - 200) : heading.start()]
    is_chinese = "第" in heading[0]
    return not before.strip() or before.endswith("\n\n") or (is_chinese and before.endswith("\n"))


def _shortened(part: str) -> list[str]:
    """A part that is short enough stays whole; a long one is cut at borders."""
    return [part] if len(part) <= MAX_SECTION and _HEADING.match(part) else _cut_at_borders(part)


def _cut_at_borders(text: str) -> list[str]:
    found: list[str] = []
    start = 0
    while len(text) - start >= 1.5 * SECTION:
        end = _border(text, start + SECTION, start + SECTION + SECTION // 2)
        found.append(text[start:end])
        start = end
    return [*found, text[start:]]


def _border(text: str, earliest: int, latest: int) -> int:
    for border in _BORDERS:
        if match := border.search(text, earliest, latest):
            return match.end()
    return earliest


def _title(document: Document, part: str, number: int) -> str:
    heading = _HEADING.match(part)
    name = heading[0].strip() if heading else str(number)
    return f"{document.title}, {name}" if document.title else name

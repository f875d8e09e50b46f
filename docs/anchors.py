"""Links in pages, and anchors: what GitHub and the site make of headings."""

import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

FENCED = re.compile(r"^(`{3,}).*?^\1$\n?", re.DOTALL | re.MULTILINE)
LINK = re.compile(r"\]\(([^)#\s]*)(#[^)\s]*)?\)")
"""what a link leads to: a file, or nothing for the page itself, and an anchor"""
HEADING = re.compile(r"^#{1,6} (.+)$", re.MULTILINE)


def prose(text: str) -> Iterator[tuple[bool, str]]:
    """The text in parts, each with whether it is a block of code."""
    end = 0
    for block in FENCED.finditer(text):
        yield False, text[end : block.start()]
        yield True, block[0]
        end = block.end()
    yield False, text[end:]


def anchors(page: Path) -> list[str]:
    """One for each heading, in order: letters, digits and hyphens; what comes a second time is numbered."""
    text = "".join(part for code, part in prose(page.read_text(encoding="utf-8")) if not code)
    seen: Counter[str] = Counter()
    found: list[str] = []
    for heading in HEADING.findall(text):
        plain = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).strip().lower()
        anchor = re.sub(r"[^\w\- ]", "", plain).replace(" ", "-")
        found.append(f"{anchor}-{seen[anchor]}" if seen[anchor] else anchor)
        seen[anchor] += 1
    return found

"""Making text plain: one Unicode form, one kind of line end, nothing that a reader does not see, no wrapping paper.

Pure functions; each may be applied again without changing anything.
"""

import re
import unicodedata
from itertools import pairwise
from statistics import median

_LINE_ENDS = re.compile("\r\n?|[\x0b\x0c\x85\u2028\u2029]")
# Zero-width joiners stay: they carry meaning in many scripts and in emoji.
_UNSEEN = re.compile("[\x00-\x08\x0e-\x1f\x7f-\x84\x86-\x9f\u00ad\u200b\u2060\ufeff]")
_SURROGATES = re.compile("[\ud800-\udfff]")
_TRAILING = re.compile("[ \t\u00a0\u3000]+$", re.MULTILINE)
_BLANK_LINES = re.compile("\n{4,}")


def normalise(text: str) -> str:
    """NFC, \\n as newline, no control or zero-width characters, no trailing spaces, over two blank lines as one."""
    text = _LINE_ENDS.sub("\n", text)
    text = _SURROGATES.sub("\ufffd", _UNSEEN.sub("", text))
    if not unicodedata.is_normalized("NFC", text):
        text = unicodedata.normalize("NFC", text)
    return _BLANK_LINES.sub("\n\n", _TRAILING.sub("", text)).strip("\n")


_START = re.compile(
    r"^\*\*\* ?START OF (?:THE|THIS) PROJECT GUTENBERG.*(?:\n(?!\n).*)?\*\*\*$|^\*END\*THE SMALL PRINT.*$", re.M | re.I
)
_END = re.compile(
    r"^\*\*\* ?END OF (?:THE|THIS) PROJECT GUTENBERG.*$|^End of (?:the |this )?Project Gutenberg(?:'s|’s)? .*$",
    re.M | re.I,
)
_CREDITS = re.compile(r"\A\s*(?:E-text prepared by|Produced by|Transcribed by)\b.*(?:\n.+){0,6}\n\n+", re.I)
_LICENCE = re.compile(r"^(?:START: FULL LICENSE|THE FULL PROJECT GUTENBERG LICENSE)$", re.M)


def drop_boilerplate(text: str) -> str:
    """Without Project Gutenberg's header, footer and credits, page-number lines, and lines of web furniture."""
    return _drop_page_numbers(_drop_furniture(_drop_gutenberg(text))).strip("\n")


def _drop_gutenberg(text: str) -> str:
    if "gutenberg" not in text.casefold():
        return text
    # A header stands in the first half and a footer in the second, or it is the text talking about them.
    if start := _START.search(text, 0, max(30_000, len(text) // 2)):
        text = text[start.end() :]
    for mark in (_END, _LICENCE):
        ends = [match.start() for match in mark.finditer(text) if match.start() >= len(text) // 2]
        text = text[: ends[0]] if ends else text
    return _CREDITS.sub("", text, count=1)


_FURNITURE = re.compile(
    r"^[ \t]*(?:(?:skip|jump) to (?:main |page )?(?:content|navigation|search|footer)|toggle (?:navigation|menu|search)"
    r"|(?:accept|reject|allow|manage)(?: all)? cookies|cookie (?:settings|preferences|policy|notice)"
    r"|(?:we|this (?:web)?site) uses? cookies\b.{0,200}|(?:back|return) to top"
    r"|share (?:this )?on (?:facebook|twitter|x|linkedin)"
    r"|\[?(?:pg\.?|page) ?\d{1,4}(?: of \d{1,4})?\]?|[-–—] ?\d{1,4} ?[-–—])[.!]?[ \t]*(?:\n|\Z)",
    re.MULTILINE | re.IGNORECASE,
)


def _drop_furniture(text: str) -> str:
    return _FURNITURE.sub("", text)


_NUMBER_LINE = re.compile(r"^[ \t]*(\d{1,4})[ \t]*$")


def _drop_page_numbers(text: str) -> str:
    """Bare numbers go only when they count up by one at the distance of pages: chapters and verses have numbers too."""
    lines = text.split("\n")
    numbers = [(at, int(match[1])) for at, line in enumerate(lines) if (match := _NUMBER_LINE.match(line))]
    if len(numbers) < 5 or any(later - earlier != 1 for (_, earlier), (_, later) in pairwise(numbers)):
        return text
    distance = median(later - earlier for (earlier, _), (later, _) in pairwise(numbers))
    if not 20 <= distance <= 80:
        return text
    pages = {at for at, _ in numbers}
    return "\n".join(line for at, line in enumerate(lines) if at not in pages)

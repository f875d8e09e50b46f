"""Where a text shows code, or a word as a word: signs there are talked about, and have not leaked."""

import re
from bisect import bisect_right

_SPANS = re.compile(
    r"^[ \t>]*(?P<fence>```+|~~~+)[^\n]*\n.*?^[ \t>]*(?P=fence)[`~]*[ \t]*$"
    r"|(?<!`)(?P<ticks>`{1,2})(?!`)[^\n]*?(?<!`)(?P=ticks)(?!`)"
    r"|<(?P<element>code|pre|kbd|samp)\b[^>]*>.*?</(?P=element)>",
    re.MULTILINE | re.DOTALL,
)
"""between fences, backticks of a line, and elements of HTML; all of them closed"""
_QUOTES = {'"': '"', "'": "'", "“": "”", "‘": "’", "«": "»", "„": "“", "「": "」", "『": "』", "《": "》"}


class CodeSpans:
    """The spans of a text, found when they are first asked for."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._begins: list[int] | None = None
        self._ends: list[int] = []

    def shows(self, begin: int, end: int) -> bool:
        """Whether what stands there is in code, or in quotes of its own."""
        if self._begins is None:
            spans = [match.span() for match in _SPANS.finditer(self._text)]
            self._begins, self._ends = [one for one, _ in spans], [other for _, other in spans]
        number = bisect_right(self._begins, begin) - 1
        if number >= 0 and end <= self._ends[number]:
            return True
        before, after = self._text[max(begin - 1, 0) : begin], self._text[end : end + 1]
        return before in _QUOTES and _QUOTES[before] == after

"""C4's way with a page: lines that are no sentences go, and what is left may say that the page is none either.

As in C4's code: https://github.com/tensorflow/datasets, text/c4_utils.py. Its list of bad words is not ours.
"""

import re
from collections import Counter
from dataclasses import dataclass

END = (".", "?", "!", '"', "'")
POLICY = ("terms of use", "privacy policy", "cookie policy", "uses cookies", "use of cookies", "use cookies")
LONGEST_WORD = 1000
_CITATION = re.compile(r"\[(?:\d*|edit|citation needed)\]")
_SENTENCE = re.compile(r"[.!?…][\"')\]]*[^\S\n]+(?=\S)")
"""The end of a sentence that another follows on its line."""


@dataclass(frozen=True)
class EditedText:
    """The lines that stay, how many went for which reason, and signals: `sentences`, and lines with `lorem_ipsum` or
    `curly_brackets`, which C4 drops a page for."""

    text: str
    cut_lines: Counter[str]
    signals: dict[str, float]


@dataclass(frozen=True)
class LineRules:
    """A line stays with at least `min_words` words between spaces and, if `terminal`, an end of a sentence."""

    min_words: int
    terminal: bool

    def edit(self, text: str) -> EditedText:
        """Without lines against the rules; marks of citations are taken out."""
        kept: list[str] = []
        cut, signals = Counter[str](), Counter[str]()
        doubtful = _is_doubtful(text)
        for line in text.split("\n"):
            bare, fault = self._fault(line.strip())
            if fault is None and doubtful:
                fault = _judge(bare, signals)
            if fault is None:
                kept.append(bare)
            elif line:
                cut[fault] += 1
        edited = "\n".join(kept)
        signals["sentences"] = len(kept) + len(_SENTENCE.findall(edited))
        return EditedText(
            edited.strip(), cut, {name: signals[name] for name in ("sentences", "lorem_ipsum", "curly_brackets")}
        )

    def _fault(self, line: str) -> tuple[str, str | None]:
        """The line without citations, and what is against it."""
        words = line.split()
        if len(line) > LONGEST_WORD and max(map(len, words)) > LONGEST_WORD:
            return line, "endless word"
        if "[" in line:
            line = _CITATION.sub("", line)
        if self.terminal and (not line.endswith(END) or line.endswith("...")):
            return line, "no end of a sentence"
        return line, "few words" if len(words) < self.min_words else None


def _is_doubtful(text: str) -> bool:
    """Whether any line can have what `_judge` looks for."""
    low = text.lower()
    return "{" in text or any(phrase in low for phrase in ("javascript", "lorem ipsum", *POLICY))


def _judge(line: str, signals: Counter[str]) -> str | None:
    low = line.lower()
    signals["lorem_ipsum"] += "lorem ipsum" in low
    if "javascript" in low:
        return "javascript"
    signals["curly_brackets"] += "{" in line
    return "policy" if any(phrase in low for phrase in POLICY) else None

"""Text that a test holds too: found by runs of 13 words, GPT-3's rule (Brown et al. 2020, appendix C)."""

import re
from collections.abc import Iterable

RUN = 13
WORD = re.compile(r"\w+")


def runs(text: str) -> set[str]:
    """Its runs of 13 words, in lower case and without signs; a shorter text has none."""
    words = WORD.findall(text.lower())
    return {" ".join(words[i : i + RUN]) for i in range(len(words) - RUN + 1)}


class Contamination:
    """What the texts of tests say."""

    def __init__(self, tests: Iterable[str]) -> None:
        self._runs = {run for text in tests for run in runs(text)}

    def found(self, text: str) -> str | None:
        """A run that the text shares with a test, if there is one."""
        return min(self._runs & runs(text), default=None)

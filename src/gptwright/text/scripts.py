"""Which script a text is written in, and what tokens stand for in each: a vocabulary is seldom as good for all."""

import unicodedata
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache

SAMPLE = 2_000
"""characters of a text that are looked at"""
NONE = "none"


def script_of(text: str) -> str:
    """The script of most letters at the text's beginning, by Unicode's names: latin, cjk, cyrillic …; or `NONE`."""
    scripts = Counter[str]()
    for character, count in Counter(text[:SAMPLE]).items():
        if character.isalpha():
            scripts[_script(character)] += count
    return scripts.most_common(1)[0][0] if scripts else NONE


@cache
def _script(letter: str) -> str:
    return unicodedata.name(letter, NONE).split(" ")[0].split("-")[0].lower()


@dataclass
class ScriptFigures:
    """Of all texts in a script: tokens without those that close documents, characters, bytes of UTF-8."""

    tokens: int = 0
    characters: int = 0
    bytes: int = 0

    def add(self, tokens: int, text: str) -> None:
        """One text more."""
        self.tokens += tokens
        self.characters += len(text)
        self.bytes += len(text.encode())

    def as_dict(self) -> dict[str, float]:
        """As it stands in stage.json."""
        tokens = max(self.tokens, 1)
        return {
            "tokens": self.tokens,
            "characters_per_token": round(self.characters / tokens, 3),
            "bytes_per_token": round(self.bytes / tokens, 3),
        }


def figures_by_script(texts: Iterable[str], tokens: Iterable[int]) -> dict[str, ScriptFigures]:
    """The figures of every script, that with most tokens first; `tokens` are those of each text."""
    found: dict[str, ScriptFigures] = {}
    for text, count in zip(texts, tokens, strict=True):
        found.setdefault(script_of(text), ScriptFigures()).add(count, text)
    return dict(sorted(found.items(), key=lambda item: (-item[1].tokens, item[0])))

"""Detokenizers that lead back: benchmarks ship words with spaces around every mark, and models read running text.

GPT-2 was measured on such text (Radford et al. 2019, §3.1). What is joined must be what `invert` takes apart again, or
the likelihood would be that of another text: words that would not come back stay apart.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import pairwise

CONTRACTIONS = ("'s", "'m", "'d", "'re", "'ll", "'ve", "n't", "'t")
MARKS = (",", ".", ":", ";", "!", "?", "%", ")", "]", "}")
# A full stop behind these, behind a single letter, and behind letters with full stops between them belongs to the word.
ABBREVIATIONS = r"(?:Mr|Mrs|Ms|Dr|St|Jr|Sr|vs|No|Inc|Corp|Co|Ltd|Gen|Sen|Rep|Gov|Lt|Col|Capt|Prof|etc|\w|\w+\.[\w.]*)\."


@dataclass(frozen=True)
class Detokenizer:
    """How the marks of one benchmark stand in running text.

    `left` stand at the word before them, `right` at the one behind them; `inside` are spelled as their value between
    two words, as `@-@` is a hyphen; `quotes` open and close in turn.
    """

    left: Sequence[str] = (*MARKS, *CONTRACTIONS)
    right: Sequence[str] = ("(", "[", "{", "$", "£", "#")
    inside: Mapping[str, str] = field(default_factory=dict[str, str])
    quotes: Sequence[str] = ('"',)

    def __call__(self, text: str) -> str:
        """The text as it would be written, line by line."""
        return "\n".join(" ".join(self._joined(chunk) for chunk in self._chunks(line.split(" ")))
                         for line in text.split("\n"))  # fmt: skip

    def invert(self, text: str) -> str:
        """The words with spaces around every mark, as the benchmark has them."""
        return "\n".join(" ".join(" ".join(self._apart(word)) for word in line.split(" ")) for line in text.split("\n"))

    def ambiguous(self, text: str) -> int:
        """How many words `invert` would take apart although the benchmark does not."""
        return sum(self._apart(word) != [word] for line in text.split("\n") for word in line.split(" "))

    def _joined(self, chunk: Sequence[str]) -> str:
        written = "".join(self.inside.get(word, word) for word in chunk)
        return written if self._apart(written) == chunk else " ".join(chunk)

    def _chunks(self, words: Sequence[str]) -> Iterator[list[str]]:
        """Runs of words that stand together."""
        chunk, opened = [words[0]], dict[str, bool]()
        for before, after in pairwise(words):
            if before in self.quotes:
                opened[before] = not opened.get(before, False)
            opens, closes = opened.get(before, False), opened.get(after, False)
            glued = before in self.right or after in self.left or before in self.inside or after in self.inside
            if glued or opens or closes:
                chunk.append(after)
            else:
                yield chunk
                chunk = [after]
        yield chunk

    def _apart(self, word: str) -> list[str]:
        """The words and marks of which one is made that stands between spaces."""
        if word in self.inside:
            return [word]
        before, behind = list[str](), list[str]()
        while (found := self._head.match(word)) and len(word) > found.end():
            before.append(found[0])
            word = word[found.end() :]
        while not re.fullmatch(ABBREVIATIONS, word) and (found := self._tail.search(word)) and found.start():
            behind.insert(0, found[0])
            word = word[: found.start()]
        return [*before, *self._split_inside(word), *behind]

    def _split_inside(self, word: str) -> list[str]:
        names = {mark: name for name, mark in self.inside.items()}
        parts = self._between.split(word) if names else [word]
        return [names[part] if number % 2 else part for number, part in enumerate(parts)]

    @cached_property
    def _head(self) -> re.Pattern[str]:
        return re.compile(_any_of((*self.right, *self.quotes)))

    @cached_property
    def _tail(self) -> re.Pattern[str]:
        return re.compile(rf"{_any_of((*self.left, *self.quotes))}$")

    @cached_property
    def _between(self) -> re.Pattern[str]:
        """A hyphen between letters or digits; the marks of numbers between digits."""
        return re.compile(rf"((?<=\d){_any_of(tuple(self.inside.values()))}(?=\d)|(?<=\w)-(?=\w))")


def _any_of(marks: Sequence[str]) -> str:
    return f"(?:{'|'.join(re.escape(mark) for mark in sorted(marks, key=len, reverse=True))})"


DETOKENIZERS: Mapping[str, Detokenizer] = {
    "wikitext": Detokenizer(inside={"@-@": "-", "@,@": ",", "@.@": "."}),
    "ptb": Detokenizer(left=(*CONTRACTIONS, "%"), right=("$",)),
    "1bw": Detokenizer(),
    "cbt": Detokenizer(quotes=("''", "``", '"')),
}

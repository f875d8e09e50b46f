"""The numbers of a document that published filters set thresholds on, each counted when it is asked for."""

from collections.abc import Callable, Iterator, Mapping
from functools import cache, cached_property

import numpy as np

from gptwright.text.filters.lines import ELLIPSES, line_signals
from gptwright.text.filters.repetition import repetition
from gptwright.text.filters.words import DIGIT, LETTER, Hashes, Words, split_words

STOP_WORDS = "the be to of and that have with"


class Signals(Mapping[str, float]):
    """The signals of a text by name; an empty text has them too. A word is what `filters/words.py` takes for one.

    They come in groups, and a group is counted when the first of it is asked for.
    """

    def __init__(self, text: str) -> None:
        self._text = text
        self._counted: dict[str, float] = {"characters": len(text)}

    def __getitem__(self, name: str) -> float:
        if name not in self._counted:
            self._counted |= _groups()[name](self)
        return self._counted[name]

    def __iter__(self) -> Iterator[str]:
        return iter(("characters", *_groups()))

    def __len__(self) -> int:
        return 1 + len(_groups())

    def note(self, counted: Mapping[str, float]) -> None:
        """Takes in signals that were counted elsewhere, when lines were taken out."""
        self._counted |= counted

    @cached_property
    def _words(self) -> Words:
        return split_words(self._text)

    def of_words(self) -> dict[str, float]:
        """How many words, of what length and of what."""
        words, text = self._words, self._text
        is_written = (words.kinds & (LETTER | DIGIT)) != 0
        written, count = int(np.count_nonzero(is_written)), max(len(words), 1)
        return {
            "words": written,
            "mean_word_length": int(words.lengths[is_written].sum()) / max(written, 1),
            "hashes_per_word": text.count("#") / count,
            "ellipses_per_word": sum(map(text.count, ELLIPSES)) / count,
            "words_with_letters": np.count_nonzero(words.kinds & LETTER) / count,
            "stop_words": sum(bool((words.hashes == word).any()) for word in _stop_words()),
            "newlines_per_word": text.count("\n") / count,
        }

    def of_lines(self) -> dict[str, float]:
        """Shares of lines and paragraphs."""
        return line_signals(self._text)

    def of_repetition(self) -> dict[str, float]:
        """Shares of characters in runs of words that are there again."""
        return repetition(self._words, len(self._text))


@cache
def _stop_words() -> Hashes:
    return split_words(STOP_WORDS).hashes


@cache
def _groups() -> dict[str, Callable[[Signals], dict[str, float]]]:
    """The group that counts each signal."""
    nothing = Signals("")
    groups = (nothing.of_words, nothing.of_lines, nothing.of_repetition)
    return {name: getattr(Signals, group.__name__) for group in groups for name in group()}

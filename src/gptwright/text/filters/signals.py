"""The numbers of a document that published filters set thresholds on, each counted when it is asked for."""

from collections.abc import Callable, Iterator, Mapping
from functools import cache, cached_property

import numpy as np

from gptwright.text.documents import Document
from gptwright.text.filters.lines import ELLIPSES, line_signals
from gptwright.text.filters.quality import QualityClassifier
from gptwright.text.filters.repetition import repetition
from gptwright.text.filters.words import DIGIT, LETTER, Hashes, Words, split_words
from gptwright.text.split import uniform_hash

STOP_WORDS = "the be to of and that have with"
OF_LINE_RULES = ("sentences", "lorem_ipsum", "curly_brackets")
"""what is counted besides when lines are taken out"""
LOT = "quality"
"""what the draw is seeded with: never a seed of `--seed`, so that who stays says nothing about who is held out"""


class Signals(Mapping[str, float]):
    """The signals of a text by name; an empty text has them too. A word is what `filters/words.py` takes for one.

    They come in groups, and a group is counted when the first of it is asked for. `quality` is 0 without a classifier.
    """

    def __init__(self, text: str, classifier: QualityClassifier | None = None) -> None:
        self.text, self._classifier = text, classifier
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
        return split_words(self.text)

    def of_words(self) -> dict[str, float]:
        """How many words, of what length and of what."""
        words, text = self._words, self.text
        is_written = (words.kinds & (LETTER | DIGIT)) != 0
        written, count = int(np.count_nonzero(is_written)), max(len(words), 1)
        return {
            "words_and_signs": len(words),
            "words": written,
            "mean_word_length": int(words.lengths[is_written].sum()) / max(written, 1),
            "hashes_per_word": text.count("#") / count,
            "ellipses_per_word": sum(map(text.count, ELLIPSES)) / count,
            "words_with_letters": np.count_nonzero(words.kinds & LETTER) / count,
            "newlines_per_word": text.count("\n") / count,
        }

    def of_stop_words(self) -> dict[str, float]:
        """How many of the `STOP_WORDS` it has."""
        return {"stop_words": int((self._words.hashes == _stop_words()[:, None]).any(1).sum())}

    def of_lines(self) -> dict[str, float]:
        """Shares of lines and paragraphs."""
        return line_signals(self.text)

    def of_repetition(self) -> dict[str, float]:
        """Shares of characters in runs of words that are there again."""
        return repetition(self._words, len(self.text))

    def of_quality(self) -> dict[str, float]:
        """How like good text it is."""
        return {"quality": self._classifier.score(self.text) if self._classifier else 0.0}

    def of_lot(self) -> dict[str, float]:
        """A number in [0, 1) that nothing but the text decides: what is drawn by it, any process draws."""
        return {"lot": uniform_hash(self.text, LOT)}


class SignalCounter:
    """Counts the signals of texts, when they are asked for."""

    def __init__(self, classifier: QualityClassifier | None = None) -> None:
        self._classifier = classifier
        self._last = Signals("", classifier)

    def signals(
        self, document: Document, text: str, edited_by: str = "", noted: Mapping[str, float] | None = None
    ) -> Signals:
        """Those of a text of the document, which the filter `edited_by` made of it and noted signals of, if any."""
        if text != self._last.text:
            self._last = Signals(text, self._classifier)
        self._last.note(noted or {})
        return self._last


@cache
def _stop_words() -> Hashes:
    return split_words(STOP_WORDS).hashes


@cache
def _groups() -> dict[str, Callable[[Signals], dict[str, float]]]:
    """The group that counts each signal."""
    nothing = Signals("")
    groups = (
        nothing.of_words,
        nothing.of_stop_words,
        nothing.of_lines,
        nothing.of_repetition,
        nothing.of_quality,
        nothing.of_lot,
    )
    return {name: getattr(Signals, group.__name__) for group in groups for name in group()}

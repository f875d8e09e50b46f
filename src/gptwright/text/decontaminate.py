"""Taking out of a corpus what tests hold too: GPT-3's rule (Brown et al. 2020, appendix C).

A run of 13 words, in small letters and without signs, that a test has is taken out with 200 characters on either side.
What is left of the text are pieces; those under 200 characters go, and so does a text that falls into more than ten. A
run that over ten documents have is a phrase of the language, and stays.
"""

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256

import numpy as np

from gptwright.text.filters.words import Hashes, Places, mixed, plain_words

RUN = 13
AROUND = 200
MIN_PIECE = 200
MOST_PIECES = 10
MOST_DOCUMENTS = 10
BATCH = 2**18
"""characters of tests whose runs are found at once"""
_STEP = np.uint64(0x94D049BB133111EB)


@dataclass(frozen=True)
class Runs:
    """Where each run of a text begins and ends, in characters, and its hash."""

    begin: Places
    end: Places
    hashes: Hashes


def runs(text: str) -> Runs:
    """Its runs of 13 words, in small letters and without signs; a shorter text has none."""
    words = plain_words(text)
    count = max(len(words) - RUN + 1, 0)
    found = np.zeros(count, np.uint64)
    for place in range(RUN if count else 0):
        found = found * _STEP + words.hashes[place : place + count]
    return Runs(words.begin[:count], words.end[RUN - 1 :], mixed(found))


def _batches(texts: Iterable[str]) -> Iterator[list[str]]:
    """Texts by some hundred kilobytes; one alone whose small letters are not as many as its letters, for it is read
    sign by sign."""
    batch, size = list[str](), 0
    for text in texts:
        if len(text.lower()) != len(text):
            yield [text]
            continue
        batch.append(text)
        size += len(text)
        if size > BATCH:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def _runs_of_each(texts: Sequence[str]) -> Hashes:
    """The hashes of the runs of all texts, of which none reaches into the next."""
    found = runs("\n".join(texts))
    lengths = np.array([len(text) + 1 for text in texts], np.intp)
    text_of = np.repeat(np.arange(len(texts)), lengths)
    return found.hashes[text_of[found.begin] == text_of[found.end - 1]]


class Contamination:
    """What the texts of tests say."""

    def __init__(self, tests: Iterable[str]) -> None:
        found = [_runs_of_each(some) for some in _batches(tests)]
        self._hashes = np.unique(np.concatenate(found)) if found else np.zeros(0, np.uint64)

    @property
    def sha256(self) -> str:
        """Of its runs."""
        return sha256(self._hashes.astype("<u8").tobytes()).hexdigest()

    def __len__(self) -> int:
        """Different runs."""
        return len(self._hashes)

    def found(self, text: str) -> set[int]:
        """The hashes of runs that the text shares with a test."""
        hashes = runs(text).hashes
        return set(hashes[self._is_shared(hashes)].tolist())

    def pieces(self, text: str, phrases: Collection[int] = ()) -> list[str] | None:
        """What is left of a text without the runs that it shares, those in `phrases` aside, and what is around them;
        None when it falls into too many pieces."""
        all_runs = runs(text)
        shared = self._is_shared(all_runs.hashes)
        if phrases:
            shared &= ~np.isin(all_runs.hashes, np.fromiter(phrases, np.uint64, len(phrases)))
        if not shared.any():
            return [text]
        left: list[str] = []
        free = 0
        for begin, end in zip(all_runs.begin[shared].tolist(), all_runs.end[shared].tolist(), strict=True):
            left.append(text[free : max(begin - AROUND, free)])
            free = max(free, end + AROUND)
        left = [piece.strip("\n") for piece in (*left, text[free:]) if piece]
        return [piece for piece in left if len(piece) >= MIN_PIECE] if len(left) <= MOST_PIECES else None

    def _is_shared(self, hashes: Hashes) -> "np.ndarray[tuple[int], np.dtype[np.bool_]]":
        if not len(self._hashes):
            return np.zeros(len(hashes), np.bool_)
        places = np.minimum(self._hashes.searchsorted(hashes), len(self._hashes) - 1)
        return self._hashes[places] == hashes

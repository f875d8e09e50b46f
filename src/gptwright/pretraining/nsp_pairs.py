"""Pairs of spans cut from a token file: [CLS] A [SEP] B [SEP], where B follows A or, half the time, is from elsewhere.

The released code cuts every document once, in order, and keeps the pairs in a file. Here a pair is a pure function of
its key: any number of pairs, no file. Where a text has no sentence ends it is cut anywhere.
"""

from dataclasses import dataclass
from random import Random
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from jaxtyping import Bool, Int
from torch import Tensor

from gptwright.foundations.errors import InputError
from gptwright.text.pack import TokenFile
from gptwright.tokenizers.tokenizer import Tokenizer
from gptwright.training.batches import key

Tokens = npt.NDArray[np.int64]
MARKS = 3  # [CLS] and twice [SEP]
SHORTEST = MARKS + 2  # a token of each span
ENDS = ".!?。！？"
TRIES = 8


@dataclass(frozen=True)
class SpecialIds:
    """The ids that hold a pair together, and those that end a sentence."""

    cls: int
    sep: int
    pad: int
    ends: Tokens

    @staticmethod
    def of(tokenizer: Tokenizer) -> "SpecialIds":
        """Raises `ArtifactError` when the tokenizer is not one for encoders."""
        unknown = tokenizer.special_id("[UNK]")
        ends = [ids[0] for mark in ENDS if len(ids := tokenizer.encode(mark)) == 1 and ids[0] != unknown]
        cls, sep, pad = (tokenizer.special_id(f"[{name}]") for name in ("CLS", "SEP", "PAD"))
        return SpecialIds(cls, sep, pad, np.array(ends, dtype=np.int64))


@dataclass(frozen=True)
class Pairs:
    """Rows of [CLS] A [SEP] B [SEP], padded on the right."""

    ids: Int[Tensor, "B T"]
    segments: Int[Tensor, "B T"]
    """0 up to the first [SEP], 1 behind it"""
    ordinary: Bool[Tensor, "B T"]
    """tokens of A and B"""
    lengths: Int[Tensor, "B"]
    follows: Bool[Tensor, "B"]


class SentencePairs:
    """Raises `InputError` when there are not two documents to take spans from."""

    def __init__(self, tokens: TokenFile, frame: SpecialIds) -> None:
        self.tokens, self.frame = tokens, frame
        self.ends = tokens.documents.astype(np.int64)
        self.usable = np.flatnonzero(np.diff(self.ends, prepend=0) > 2)
        if len(self.usable) < 2:
            raise InputError("at least two documents of two tokens or more", str(len(self.usable)), "Give more text.")

    def batch(self, seed: int, *, rows: int, length: int) -> Pairs:
        """`rows` pairs of at most `length` tokens: a pure function of these."""
        ids = np.full((rows, length), self.frame.pad, dtype=np.int64)
        segments, ordinary = np.zeros_like(ids), np.zeros_like(ids, dtype=bool)
        lengths, follows = np.zeros(rows, dtype=np.int64), np.zeros(rows, dtype=bool)
        for row in range(rows):
            first, second, follows[row] = self._pair(Random(key(seed, row)), length - MARKS)
            a, end = len(first) + 2, len(first) + len(second) + MARKS
            ids[row, :end] = [self.frame.cls, *first, self.frame.sep, *second, self.frame.sep]
            segments[row, a:end] = 1
            ordinary[row, 1 : a - 1] = ordinary[row, a : end - 1] = True
            lengths[row] = end
        arrays: tuple[Any, ...] = (ids, segments, ordinary, lengths, follows)
        return Pairs(*(torch.from_numpy(array) for array in arrays))

    def _pair(self, dice: Random, room: int) -> tuple[Tokens, Tokens, bool]:
        document, passage = self._passage(dice, room)
        cut = dice.choice(self._cuts(passage) or range(1, len(passage)))
        first, second = passage[:cut], passage[cut:]
        follows = dice.random() < 0.5
        # As long as the true one would be, so that the length does not tell the two apart.
        return first, second if follows else self._elsewhere(dice, document, len(second)), follows

    def _cuts(self, passage: Tokens) -> list[int]:
        """Where sentences begin inside the passage."""
        return (np.flatnonzero(np.isin(passage[:-1], self.frame.ends)) + 1).tolist()

    def _elsewhere(self, dice: Random, document: int, room: int) -> Tokens:
        """A span of another document: of `room` tokens, unless documents that long are rare."""
        best = np.empty(0, dtype=np.int64)
        for _ in range(TRIES):
            other, passage = self._passage(dice, room)
            if other != document and len(passage) > len(best):
                best = passage
            if len(best) == room:
                return best
        others = self.usable[self.usable != document] if len(best) == 0 else ()
        return self.tokens.document(int(dice.choice(others)))[:room] if len(others) else best

    def _passage(self, dice: Random, room: int) -> tuple[int, Tokens]:
        """A document, each as likely as it is long, and `room` of its tokens, or all: from the beginning of a sentence,
        unless none begins in as many tokens before."""
        while True:
            place = dice.randrange(len(self.tokens))
            document = int(np.searchsorted(self.ends, place, side="right"))
            start = int(self.ends[document - 1]) if document else 0
            end = int(self.ends[document]) - 1
            if end - start >= 2:
                break
        begin = max(min(place, end - room), start)
        back = max(begin - room, start)
        ends = np.flatnonzero(np.isin(self.tokens.window(back, begin - back), self.frame.ends))
        if len(ends):
            begin = back + int(ends[-1]) + 1
        elif back == start:
            begin = start
        return document, self.tokens.window(begin, min(room, end - begin))

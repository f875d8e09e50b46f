"""Batches of sentence pairs of like length: a pure function of seed and step, as all data is."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from jaxtyping import Int
from torch import Tensor

from gptwright.foundations.errors import ArtifactError, InputError
from gptwright.objectives.language import IGNORED
from gptwright.text.pack import TokenFile
from gptwright.training.batches import WIDTHS, key, shuffled

Integers = npt.NDArray[np.int64]


@dataclass(frozen=True)
class PairBatch:
    """Sources with their end token; what the decoder reads, from the start token on; what it is to say, to the end."""

    source: Int[Tensor, "B S"]
    lengths: Int[Tensor, "B"]
    inputs: Int[Tensor, "B T"]
    targets: Int[Tensor, "B T"]
    step: int = 0
    """of training; dropout is drawn for it"""

    @property
    def rows(self) -> int:
        return len(self.source)


class PairBatches:
    """All pairs that fit into the context, cut into batches of at most `budget` tokens a side, padding counted.

    In every epoch as many batches of the same shapes: pairs that are equally long, to a multiple of 8, change places.
    """

    def __init__(self, tokens: TokenFile, *, start: int, budget: int, context: int, seed: int) -> None:
        """Raises `ArtifactError` when the file holds no pairs, `InputError` when none fits."""
        if not tokens.meta.pairs:
            raise ArtifactError("token files of pairs to translate", "running text", "Run tokenize with --pairs.")
        self.tokens, self.start, self.seed, self.context = tokens, start, seed, context
        ends = tokens.documents.astype(np.int64)
        lengths = np.diff(ends, prepend=0).reshape(-1, 2)  # of source and target, each with its end token
        self.pairs: Integers = np.flatnonzero((lengths <= context).all(1))
        self.left_out = len(lengths) - len(self.pairs)
        if not len(self.pairs):
            raise InputError(f"pairs of at most {context - 1} tokens a side", f"{self.left_out} longer ones",
                             "Raise the model's context.")  # fmt: skip
        self.lengths: Integers = lengths[self.pairs]
        self.widths: Integers = np.minimum(-(-self.lengths // WIDTHS) * WIDTHS, context)
        self.cuts = _cuts(self.widths[self._order(None)], budget)
        self.count = len(self.cuts) - 1
        self._epoch: tuple[int, Integers] = (-1, np.empty(0, np.int64))

    def batch(self, step: int) -> PairBatch:
        """The step's pairs."""
        epoch, index = divmod(step, self.count)
        if self._epoch[0] != epoch:
            self._epoch = epoch, self._order(epoch)
        place = shuffled(index, self.count, key(self.seed, epoch, "batches"))
        return self._collated(self._epoch[1][self.cuts[place] : self.cuts[place + 1]], step)

    def in_order(self) -> list[PairBatch]:
        """All pairs once, always in the same batches."""
        order = self._order(None)
        return [self._collated(order[a:b]) for a, b in zip(self.cuts, self.cuts[1:], strict=False)]

    def pair(self, number: int) -> tuple[list[int], list[int]]:
        """Source, with its end token, and target, without one, of the pair at a place among those that fit."""
        source, target = (self._document(number, side) for side in (0, 1))
        return source.tolist(), target[:-1].tolist()

    def _order(self, epoch: int | None) -> Integers:
        """Places of pairs from the shortest target to the longest; among equals as the epoch has it."""
        count = len(self.pairs)
        chance = np.arange(count) if epoch is None else np.random.default_rng(key(self.seed, epoch)).random(count)
        return np.lexsort((chance, self.widths[:, 0], self.widths[:, 1]))

    def _document(self, number: int, side: int) -> npt.NDArray[Any]:
        """With its end token."""
        document = 2 * int(self.pairs[number]) + side
        length = int(self.lengths[number, side])
        return self.tokens.window(int(self.tokens.documents[document]) - length, length)

    def _collated(self, places: Integers, step: int = 0) -> PairBatch:
        sources, targets = self.widths[places].max(0)
        source = np.zeros((len(places), sources), np.int64)
        inputs = np.zeros((len(places), targets), np.int64)
        wanted = np.full((len(places), targets), IGNORED, np.int64)
        inputs[:, 0] = self.start
        for row, place in enumerate(places):
            from_, to = self._document(place, 0), self._document(place, 1)
            source[row, : len(from_)] = from_
            inputs[row, 1 : len(to)] = to[:-1]
            wanted[row, : len(to)] = to
        lengths = self.lengths[places, 0]
        arrays: tuple[Any, ...] = (source, lengths, inputs, wanted)
        return PairBatch(*(torch.from_numpy(array) for array in arrays), step=step)


def _cuts(widths: Integers, budget: int) -> list[int]:
    """Where batches begin, and the end: as many rows as have room at the width of the widest."""
    cuts, widest = [0], 0
    for place, width in enumerate(widths.max(1).tolist()):
        widest = max(widest, width)
        if place > cuts[-1] and (place + 1 - cuts[-1]) * widest > budget:
            cuts.append(place)
            widest = width
    return [*cuts, len(widths)]

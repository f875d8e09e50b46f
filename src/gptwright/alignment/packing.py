"""Conversations one after another in rows, each read as if it stood alone, so that little of a batch is padding."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Int
from torch import Tensor

from gptwright.objectives.language import IGNORED
from gptwright.tokenizers.padding import padded
from gptwright.training.batches import WIDTHS, TokenBatch

ROW = 96  # tokens of a row: in longer ones attention works on more that masks throw away
PADDING = -1  # the number of what is no conversation's


@dataclass(frozen=True)
class Packing:
    """Rows of at most `length` tokens, or of the longest conversation's; `fewest` at least, one for each process."""

    length: int
    fewest: int = 1

    def batch(self, ids: Sequence[Sequence[int]], targets: Sequence[Sequence[int]], pad: int) -> TokenBatch:
        """All conversations in as few rows as hold them, all of about the same length."""
        lengths = [len(row) for row in ids]
        width = max(self.length, *lengths)
        rows = self._dealt(lengths, width)

        def joined(parts: Sequence[Sequence[int]], value: int) -> Int[Tensor, "B T"]:
            together = [[token for number in row for token in parts[number]] for row in rows]
            return padded(together, value, WIDTHS)[:, :width].to(torch.long)

        documents = [[number] * length for number, length in enumerate(lengths)]
        return TokenBatch(joined(ids, pad), joined(targets, IGNORED), joined(documents, PADDING))

    def _dealt(self, lengths: Sequence[int], width: int) -> list[list[int]]:
        """Which go into each row: the longest first, each to the row that is shortest by then."""
        order = sorted(range(len(lengths)), key=lambda number: -lengths[number])
        for count in range(max(self.fewest, -(-sum(lengths) // width)), len(lengths)):
            rows: list[list[int]] = [[] for _ in range(count)]
            filled = [0] * count
            for number in order:
                shortest = filled.index(min(filled))
                rows[shortest].append(number)
                filled[shortest] += lengths[number]
            if max(filled) <= width:
                return [sorted(row) for row in rows]
        return [[number] for number in range(len(lengths))]

"""Conversations one after another in rows, each read as if it stood alone, so that little of a batch is padding."""

from collections.abc import Sequence

import torch

from gptwright.objectives.language import IGNORED
from gptwright.tokenizers.padding import padded
from gptwright.training.batches import WIDTHS, TokenBatch

ROW = 256  # tokens of a row, where no conversation is longer: in longer rows attention works on what masks throw away
PADDING = -1  # the number of what is no conversation's


def packed(ids: Sequence[Sequence[int]], targets: Sequence[Sequence[int]], pad: int, fewest: int = 1) -> TokenBatch:
    """All conversations in as few rows as hold them, `fewest` at least; rows are of about the same length."""
    lengths = [len(row) for row in ids]
    rows = _dealt(lengths, max(ROW, *lengths), fewest)

    def joined(parts: Sequence[Sequence[int]]) -> list[list[int]]:
        return [[token for number in row for token in parts[number]] for row in rows]

    numbers = joined([[number] * length for number, length in enumerate(lengths)])
    return TokenBatch(
        padded(joined(ids), pad, WIDTHS),
        padded(joined(targets), IGNORED, WIDTHS).to(torch.long),
        padded(numbers, PADDING, WIDTHS),
    )


def _dealt(lengths: Sequence[int], width: int, fewest: int) -> list[list[int]]:
    """Which go into each row: the longest first, each to the row that is shortest by then."""
    order = sorted(range(len(lengths)), key=lambda number: -lengths[number])
    count = max(fewest, -(-sum(lengths) // width))
    while True:
        rows: list[list[int]] = [[] for _ in range(count)]
        filled = [0] * count
        for number in order:
            shortest = filled.index(min(filled))
            rows[shortest].append(number)
            filled[shortest] += lengths[number]
        if max(filled) <= width:
            return [sorted(row) for row in rows if row]
        count += 1

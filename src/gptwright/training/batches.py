"""The order of the data as a pure function of (seed, step): nothing to save, nothing to lose."""

import hashlib
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Int
from torch import Tensor

from gptwright.foundations.errors import InputError
from gptwright.text.pack import TokenFile
from gptwright.training.batch_schedule import BatchSizeSchedule

WIDTHS = 8  # batches' widths come in multiples of this: for every new shape oneDNN compiles and keeps new kernels
EXACT = 4096  # so many things are shuffled by a table, more by a formula


def key(*parts: object) -> int:
    """A 64-bit number from any parts, the same on every machine."""
    return int.from_bytes(hashlib.sha256(repr(parts).encode()).digest()[:8], "little")


def permutation(size: int, seed: int) -> list[int]:
    """A permutation of `size` things chosen by `seed`, each as likely as any other: the order of drawn numbers."""
    drawn = hashlib.shake_256(repr(seed).encode()).digest(8 * size)
    return np.frombuffer(drawn, "<u8").argsort(kind="stable").tolist()


_kept = lru_cache(maxsize=64)(permutation)


def shuffled(index: int, size: int, seed: int) -> int:
    """Where `index` goes in a permutation of `size` things chosen by `seed`.

    Few things are permuted exactly, and the table is kept while it is used. For many a Feistel network needs none; of
    few it would make some orders several times as often as others.
    """
    return _kept(size, seed)[index] if size <= EXACT else _feistel(index, size, seed)


def _feistel(index: int, size: int, seed: int) -> int:
    half = max((size - 1).bit_length() + 1, 2) // 2
    mask = (1 << half) - 1
    while True:
        left, right = index >> half, index & mask
        for turn in range(4):
            mixed = (right * 0x9E3779B97F4A7C15 + seed + turn * 0xC2B2AE3D27D4EB4F) & 0xFFFFFFFFFFFFFFFF
            mixed ^= mixed >> 29
            left, right = right, left ^ ((mixed * 0xBF58476D1CE4E5B9 >> 32) & mask)
        index = left << half | right
        if index < size:
            return index


class TokenBatch(NamedTuple):
    """Ids to read, and at every place the id that is to be predicted there, or IGNORED."""

    ids: Int[Tensor, "B T"]
    targets: Int[Tensor, "B T"]
    documents: Int[Tensor, "B T"] | None = None
    """whose every token is, where several texts share a row that do not see each other"""

    @property
    def rows(self) -> int:
        return len(self.ids)


class Windows:
    """Windows of `length` + 1 tokens from a token file: every epoch in another order and cut at another place."""

    def __init__(self, tokens: TokenFile, length: int, rows: BatchSizeSchedule | int, seed: int) -> None:
        self.tokens, self.length, self.seed = tokens, length, seed
        self.batch_schedule = BatchSizeSchedule(rows) if isinstance(rows, int) else rows
        self.count = (len(tokens) - length - 1) // length
        if self.count < 1:
            raise InputError(f"at least {2 * length + 1} tokens of text to cut windows of {length} from",
                             f"{len(tokens)}", "Add text, or choose a shorter context.")  # fmt: skip

    def batch(self, step: int) -> TokenBatch:
        """The step's windows; the target of every token is the one that follows it."""
        first, count = self.batch_schedule.before(step), self.batch_schedule.rows(step)
        rows = np.stack([self._window(number) for number in range(first, first + count)])
        data = torch.from_numpy(rows)
        return TokenBatch(data[:, :-1], data[:, 1:])

    def _window(self, number: int) -> np.ndarray:
        epoch, index = divmod(number, self.count)
        shift = key(self.seed, epoch, "shift") % self.length
        start = shuffled(index, self.count, key(self.seed, epoch)) * self.length + shift
        return self.tokens.window(start, self.length + 1)


def epoch_order(count: int, take: int, step: int, seed: int) -> list[int]:
    """Indices of the `take` things that step uses, when epochs of `count` things follow each other, each shuffled."""
    numbers = range(step * take, (step + 1) * take)
    return [shuffled(n % count, count, key(seed, n // count)) for n in numbers]

"""Who may look at whom. A mask is an object, so that `attend` can recognise the cases with a faster way."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Bool, Int
from torch import Tensor

from gptwright.foundations.errors import ConfigError


@runtime_checkable
class Mask(Protocol):
    """Says, for queries at given positions, which keys they may see. Every query must see one at least."""

    def allowed(self, queries: Int[Tensor, "#B T"], keys: int) -> Bool[Tensor, "B T S"]:
        """`queries` are absolute positions, one row for all or one for each; keys stand at 0 … keys - 1."""
        ...


class PositionMask(ABC):
    """A mask that asks for nothing but the two positions. Equal ones are equal objects."""

    @abstractmethod
    def sees(self, query: Int[Tensor, "..."], key: Int[Tensor, "..."]) -> Bool[Tensor, "..."]:
        """Whether the query at one absolute position may see the key at another, elementwise."""

    def allowed(self, queries: Int[Tensor, "#B T"], keys: int) -> Bool[Tensor, "B T S"]:
        return self.sees(queries[..., None], torch.arange(keys, device=queries.device))


@dataclass(frozen=True)
class Full(PositionMask):
    """Everybody sees everybody: an encoder's mask."""

    def sees(self, query: Int[Tensor, "..."], key: Int[Tensor, "..."]) -> Bool[Tensor, "..."]:
        return (query >= 0) & (key >= 0)


@dataclass(frozen=True)
class Causal(PositionMask):
    """Every position sees itself and what came before: a decoder's mask."""

    def sees(self, query: Int[Tensor, "..."], key: Int[Tensor, "..."]) -> Bool[Tensor, "..."]:
        return key <= query


@dataclass(frozen=True)
class Banded(PositionMask):
    """The locally banded pattern of GPT-3 (§2.1): itself and the `width` - 1 positions before it."""

    width: int

    def __post_init__(self) -> None:
        _at_least_one("width of the band", self.width)

    def sees(self, query: Int[Tensor, "..."], key: Int[Tensor, "..."]) -> Bool[Tensor, "..."]:
        return (key <= query) & (query - key < self.width)


@dataclass(frozen=True)
class Strided(PositionMask):
    """A band of width `stride`, and every `stride`-th position before it (Child et al. 2019, §4.2), in one softmax."""

    stride: int

    def __post_init__(self) -> None:
        _at_least_one("stride", self.stride)

    def sees(self, query: Int[Tensor, "..."], key: Int[Tensor, "..."]) -> Bool[Tensor, "..."]:
        back = query - key
        return (key <= query) & ((back < self.stride) | (back % self.stride == 0))


@dataclass(frozen=True, eq=False)
class Padded:
    """Keys beyond a row's own length are not seen: by an encoder, or by what looks at an encoder's output."""

    lengths: Int[Tensor, "B"]

    def __post_init__(self) -> None:
        if self.lengths.is_cpu:  # elsewhere asking would make the processor wait for all that was begun
            _at_least_one("length of a row", int(self.lengths.min()))

    def allowed(self, queries: Int[Tensor, "#B T"], keys: int) -> Bool[Tensor, "B T S"]:
        real = torch.arange(keys, device=queries.device) < self.lengths[:, None]
        return real[:, None].expand(-1, queries.shape[1], -1)


@dataclass(frozen=True, eq=False)
class Documents:
    """Texts one after another in a row: who reads sees its own text only. `numbers` says whose every token is."""

    numbers: Int[Tensor, "B T"]

    @staticmethod
    def begun_by(opening: int, ids: Int[Tensor, "B T"]) -> "Documents":
        """The token `opening`, which closes one text, opens the next: what follows is asked for from it alone."""
        return Documents((ids == opening).cumsum(-1))

    def allowed(self, queries: Int[Tensor, "#B T"], keys: int) -> Bool[Tensor, "B T S"]:
        own = self.numbers.gather(1, queries.expand(len(self.numbers), -1))
        return own[..., None] == self.numbers[:, None, :keys]

    def positions(self) -> Int[Tensor, "B T"]:
        """Places in the own document, each beginning at 0, the first also where the row begins in its middle."""
        return torch.arange(self.numbers.shape[1], device=self.numbers.device) - self.begins

    @cached_property
    def begins(self) -> Int[Tensor, "B T"]:
        """Where in the row each token's own document begins."""
        places = torch.arange(self.numbers.shape[1], device=self.numbers.device)
        first = self.numbers.diff(dim=1, prepend=self.numbers[:, :1] - 1) != 0
        return (places * first).cummax(1).values


@dataclass(frozen=True)
class Both:
    """What two masks both allow: `Both(CAUSAL, Padded(lengths))`."""

    first: Mask
    second: Mask

    def allowed(self, queries: Int[Tensor, "#B T"], keys: int) -> Bool[Tensor, "B T S"]:
        return self.first.allowed(queries, keys) & self.second.allowed(queries, keys)


def within(mask: Mask, documents: Documents | None) -> Mask:
    """The mask inside each document, where there are several."""
    return Both(mask, documents) if documents else mask


def _at_least_one(what: str, number: int) -> None:
    if number < 1:
        raise ConfigError(f"a {what} of at least 1", f"{number}", "Give a positive number.")


FULL = Full()
CAUSAL = Causal()

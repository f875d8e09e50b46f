"""What each attention head does: which look back, which copy, and what the network loses without one."""

import copy
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain

import torch
from jaxtyping import Float
from torch import Tensor, nn

from gptwright.interpretability.reading import Reading
from gptwright.layers.attention import Attention, RotaryAttention
from gptwright.models.decoder import Decoder
from gptwright.objectives.language import IGNORED

REPEATED = 32
"""random ids of the sequence that is shown twice, at most"""
SEQUENCES = 4
"""such sequences, over which scores are means"""


@dataclass(frozen=True)
class HeadScores:
    """Of every head, shares of attention from 0 to 1."""

    previous: Float[Tensor, "L H"]
    """to the position before"""
    first: Float[Tensor, "L H"]
    """to the first position, where attention rests that has nothing to look for"""
    induction: Float[Tensor, "L H"]
    """in a random sequence that repeats, to the id behind the same id's last appearance: the head copies (Olsson et al.
    2022, "In-context learning and induction heads")"""


@torch.no_grad()
def head_scores(network: Decoder, seed: int = 0) -> HeadScores:
    """The scores on random ids, each sequence twice in a row."""
    length = min(REPEATED, network.config.context // 2)
    generator = torch.Generator().manual_seed(seed)
    once = torch.randint(network.config.vocab, (SEQUENCES, length), generator=generator)
    weights = torch.stack([layer.mean(0) for layer in network.trace(torch.cat([once, once], 1)).attention])
    second = torch.arange(length, 2 * length)
    every = torch.arange(1, 2 * length)
    return HeadScores(
        previous=weights[..., every, every - 1].mean(-1),
        first=weights[..., every, 0].mean(-1),
        induction=weights[..., second, second - length + 1].mean(-1),
    )


@torch.no_grad()
def ablations(network: Decoder, reading: Reading) -> Iterator[float]:
    """How many nats a token of the text costs more when one head adds nothing, for each head of the first layer, then
    of the second, …. Others may use the network meanwhile: what is changed is a copy with the same tensors."""
    network = copy.deepcopy(network, {id(tensor): tensor for tensor in chain(network.parameters(), network.buffers())})
    whole = _loss(network, reading)
    for attention in attentions(network):
        for head in range(network.config.heads):
            with without_head(attention, head):
                change = _loss(network, reading) - whole
            yield change


def attentions(network: nn.Module) -> Sequence[Attention | RotaryAttention]:
    """Of every layer."""
    return [part for part in network.modules() if isinstance(part, Attention | RotaryAttention)]


@contextmanager
def without_head(attention: Attention | RotaryAttention, head: int) -> Generator[None]:
    """What the head adds to the residual stream is nothing meanwhile."""
    out, width = attention.out, attention.head_width
    try:
        attention.add_module("out", _WithoutColumns(out, slice(head * width, (head + 1) * width)))
        yield
    finally:
        attention.out = out


class _WithoutColumns(nn.Module):
    """An output matrix, of whatever kind, that reads nothing in some columns."""

    def __init__(self, out: nn.Module, columns: slice) -> None:
        super().__init__()
        self.out, self.columns = out, columns

    def forward(self, x: Float[Tensor, "*B W"]) -> Float[Tensor, "*B C"]:
        x = x.clone()
        x[..., self.columns] = 0
        return self.out(x)


def _loss(network: Decoder, reading: Reading) -> float:
    logits, targets = reading.logits(network)[:-1].float(), torch.tensor(reading.targets)
    return nn.functional.cross_entropy(logits, targets, ignore_index=IGNORED).item()

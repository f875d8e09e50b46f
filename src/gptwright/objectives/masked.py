"""Masked words and the next sentence (Devlin et al. 2018, §3.1): what is masked, and what finding it back costs."""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from torch import Tensor

from gptwright.foundations.device import to_device
from gptwright.layers.vocabulary import WHOLE, Vocabulary
from gptwright.objectives.language import IGNORED, next_token_loss

SHARE = 0.15
MASKED, RANDOM = 0.8, 0.1  # of the chosen tokens; the rest stay as they are
ROWS = 64  # chosen states come in multiples of this: for every new number of rows oneDNN compiles new kernels


class MaskedIds(NamedTuple):
    """What the model reads, and the tokens to find: IGNORED at places that were not chosen."""

    ids: Int[Tensor, "B T"]
    targets: Int[Tensor, "B T"]


def mask_tokens(
    ids: Int[Tensor, "B T"], ordinary: Bool[Tensor, "B T"], *, mask: int, vocab: int, seed: int, shard: float = SHARE
) -> MaskedIds:
    """Chooses `shard` of each row's `ordinary` tokens, one at least: 80 % become `mask`, 10 % any token, 10 % stay.

    A pure function of its arguments. A row without an ordinary token gets none chosen.
    """
    random = torch.Generator().manual_seed(seed)
    order = torch.rand(ids.shape, generator=random).masked_fill_(~ordinary, 2.0).argsort(1).argsort(1)
    there = ordinary.sum(1, keepdim=True)
    chosen = order < (there * shard).round().clamp(min=1).minimum(there)
    fate = torch.rand(ids.shape, generator=random)
    others = torch.randint(vocab, ids.shape, generator=random)
    seen = torch.where(fate < MASKED, mask, torch.where(fate < MASKED + RANDOM, others, ids))
    return MaskedIds(torch.where(chosen, seen, ids), torch.where(chosen, ids, IGNORED))


def chosen_states(
    states: Float[Tensor, "B T C"], targets: Int[Tensor, "B T"]
) -> tuple[Float[Tensor, "N C"], Int[Tensor, "N"]]:
    """The states whose token is to be found, with those tokens; filled up with others whose target is IGNORED.

    `targets` may lie on the processor, which then chooses while a GPU that has the states goes on working.
    """
    flat = targets.flatten()
    needed = int((flat != IGNORED).sum())
    rows = min(-(-needed // ROWS) * ROWS, len(flat))
    first = (flat == IGNORED).to(torch.uint8).argsort(stable=True)[:rows]
    return states.flatten(0, 1)[to_device(first, states.device)], flat[first]


def masked_loss(
    states: Float[Tensor, "N C"],
    output: Float[Tensor, "V C"],
    bias: Float[Tensor, "V"],
    targets: Int[Tensor, "N"],
    count: int | None = None,
    vocabulary: Vocabulary = WHOLE,
) -> Float[Tensor, ""]:
    """Mean nats of the tokens to find, or their sum over `count`. `states` are what the output matrix and its bias see.

    The bias is one more column of the matrix, and every state ends in a 1: so there are logits of one chunk only.
    """
    with_one, with_bias = F.pad(states, (0, 1), value=1.0), torch.cat([output, bias[:, None]], 1)
    return next_token_loss(with_one, with_bias, targets, count=count, vocabulary=vocabulary)


def next_sentence_loss(
    logits: Float[Tensor, "B 2"], follows: Bool[Tensor, "B"], count: int | None = None
) -> Float[Tensor, ""]:
    """Mean nats of the right answer, or their sum over `count`.

    The first number of a row is for a second text that follows the first.
    """
    return F.cross_entropy(logits, (~follows).long(), reduction="sum") / (count or len(follows))

"""Induction heads (Olsson et al. 2022): heads that look for what followed when the present token stood there before.

They are what a decoder copies from its context with, and their appearance is when in-context learning begins.
"""

from collections.abc import Collection

import torch
from jaxtyping import Float
from torch import Tensor

from gptwright.foundations.device import device_of
from gptwright.models.decoder import Decoder


@torch.inference_mode()
def induction_scores(
    network: Decoder, ids: Collection[int] = (), *, length: int = 24, rows: int = 16, seed: int = 0
) -> Float[Tensor, "L H"]:
    """Of every layer's heads, the mean weight on the token behind the earlier one, from 0 to 1.

    The text is `length` random tokens, all different, twice over: what follows can only be known by looking back. They
    are drawn from `ids`, or the whole vocabulary where fewer than two are given; few ids, or a short context, make it
    shorter.
    """
    known = torch.tensor(sorted({*ids}) if len({*ids}) > 1 else range(network.config.vocab))
    length = min(length, network.config.context // 2, len(known))
    generator = torch.Generator().manual_seed(seed)
    once = torch.stack([known[torch.randperm(len(known), generator=generator)[:length]] for _ in range(rows)])
    trace = network.trace(once.repeat(1, 2).to(device_of(network)))
    second = torch.arange(length, 2 * length - 1)
    # The token at `second` stood at second − length; what followed it stands one further.
    return torch.stack([weights[:, :, second, second - length + 1].mean((0, 2)) for weights in trace.attention])

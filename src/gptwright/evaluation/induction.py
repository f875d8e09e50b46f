"""Induction heads (Olsson et al. 2022): heads that look for what followed when the present token stood there before.

They are what a decoder copies from its context with, and their appearance is when in-context learning begins.
"""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from gptwright.foundations.device import device_of
from gptwright.models.decoder import Decoder


@torch.inference_mode()
def induction_scores(
    network: Decoder, ids: Sequence[int] | None = None, *, length: int = 24, rows: int = 16, seed: int = 0
) -> Float[Tensor, "L H"]:
    """Of every layer's heads, the mean weight on the token behind the earlier one, from 0 to 1.

    The text is `length` random tokens, all different, twice over: what follows can only be known by looking back. They
    are drawn from `ids`, by default the whole vocabulary; fewer ids, or a short context, make it shorter.
    """
    known = torch.arange(network.config.vocab) if ids is None else torch.tensor(sorted({*ids}))
    length = min(length, network.config.context // 2, len(known))
    generator = torch.Generator().manual_seed(seed)
    once = torch.stack([known[torch.randperm(len(known), generator=generator)[:length]] for _ in range(rows)])
    trace = network.trace(once.repeat(1, 2).to(device_of(network)))
    second = torch.arange(length, 2 * length - 1)
    # The token at `second` stood at second − length; what followed it stands one further.
    return torch.stack([weights[:, :, second, second - length + 1].mean((0, 2)) for weights in trace.attention])

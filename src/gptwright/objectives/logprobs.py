"""Log-probabilities of given tokens, for policies: logits live for one chunk, and again for its gradient."""

from functools import partial

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.utils.checkpoint import checkpoint

CHUNK = 512


def chosen_logprobs(
    states: Float[Tensor, "N C"], output: Float[Tensor, "V C"], tokens: Int[Tensor, "N"], temperature: float
) -> tuple[Float[Tensor, "N"], Float[Tensor, "N"]]:
    """How likely each token was to be drawn at this temperature, in nats, and the entropy of what it was drawn from."""
    of = partial(checkpoint, _of_chunk, use_reentrant=False, preserve_rng_state=False)
    parts = [
        of(some, output, chosen, temperature)
        for some, chosen in zip(states.split(CHUNK), tokens.split(CHUNK), strict=True)
    ]
    logprobs, entropies = zip(*parts, strict=True)
    return torch.cat(logprobs), torch.cat(entropies)


def _of_chunk(states: Tensor, output: Tensor, tokens: Tensor, temperature: float) -> tuple[Tensor, Tensor]:
    scores = (states.float() @ output.T / temperature).log_softmax(-1)
    entropy = -(scores.detach().exp() * scores.detach()).sum(-1)
    return scores.gather(1, tokens[:, None]).squeeze(1), entropy

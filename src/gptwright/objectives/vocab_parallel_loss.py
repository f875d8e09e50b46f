"""Next-token cross-entropy where every process holds a slice of the output matrix: numbers pass, logits never do."""

from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor

from gptwright.kernels.autograd import Context
from gptwright.layers.vocabulary import VocabShard

CHUNK = 1024


def sliced_loss(
    hidden: Float[Tensor, "N C"],
    output: Float[Tensor, "W C"],
    targets: Int[Tensor, "N"],
    ignored: int,
    smoothing: float,
    count: int,
    vocabulary: VocabShard,
) -> Float[Tensor, ""]:
    """What `next_token_loss` gives with the whole matrix, the same number in every process of the slice's group."""
    return SlicedCrossEntropy.apply(hidden, output, targets, ignored, smoothing, count, vocabulary)  # pyright: ignore


class SlicedCrossEntropy(torch.autograd.Function):
    """As `LinearCrossEntropy`: gradients are computed on the way forward, chunk by chunk."""

    @staticmethod
    def forward(ctx: Context, *given: Any) -> Tensor:
        hidden, output, targets, ignored, smoothing, count, vocabulary = given
        weight = output.detach().to(hidden.dtype)
        total = hidden.new_zeros((), dtype=torch.float32)
        d_hidden = torch.empty_like(hidden)
        d_output = torch.zeros_like(output, dtype=torch.float32)
        for states, wanted, d_states in zip(*(x.split(CHUNK) for x in (hidden, targets, d_hidden)), strict=True):
            real = (wanted != ignored)[:, None]
            logits = (states @ weight.T).float()
            nats, d_logits = nats_and_gradient(logits, wanted[:, None], smoothing, vocabulary)
            total += (nats * real).sum()
            d_logits = d_logits.mul_(real).to(hidden.dtype)
            torch.mm(d_logits, weight, out=d_states)
            d_output += d_logits.T @ states
        vocabulary.total(d_hidden)
        ctx.save_for_backward(d_hidden.div_(count), d_output.div_(count).to(output.dtype))
        return total / count

    @staticmethod
    def backward(ctx: Context, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        d_hidden, d_output = ctx.saved_tensors
        return d_hidden * gradients[0].to(d_hidden.dtype), d_output * gradients[0], None, None, None, None, None


def sliced_nats(
    hidden: Float[Tensor, "N C"], output: Float[Tensor, "W C"], targets: Int[Tensor, "N"], vocabulary: VocabShard
) -> Float[Tensor, "N"]:
    """Nats of each target, for evaluation."""
    logits = hidden.float() @ output.float().T
    return nats_and_gradient(logits, targets[:, None], 0.0, vocabulary)[0][:, 0]


def nats_and_gradient(
    logits: Float[Tensor, "N W"], targets: Int[Tensor, "N 1"], smoothing: float, vocabulary: VocabShard
) -> tuple[Float[Tensor, "N 1"], Float[Tensor, "N W"]]:
    """Nats of each target, and the gradient of their sum, in place of the logits of this slice."""
    width = logits.shape[1]
    here = (targets >= vocabulary.first) & (targets < vocabulary.first + width)
    place = torch.where(here, targets - vocabulary.first, 0)
    peak = vocabulary.largest(logits.max(-1, keepdim=True).values)
    likely = (1 - smoothing) * logits.gather(1, place) * here + smoothing / vocabulary.size * logits.sum(-1, True)
    weights = logits.sub_(peak).exp_()
    mass, likely = vocabulary.total(torch.cat([weights.sum(-1, keepdim=True), likely], -1)).chunk(2, -1)
    gradient = weights.div_(mass).sub_(smoothing / vocabulary.size)
    gradient.scatter_add_(1, place, (smoothing - 1) * here.float())
    return mass.log() + peak - likely, gradient

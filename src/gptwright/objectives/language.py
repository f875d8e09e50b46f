"""Next-token cross-entropy, joined with the output matrix so that no (tokens × vocabulary) tensor outlives a chunk."""

from collections.abc import Callable
from functools import cache
from importlib.util import find_spec
from typing import cast

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor

from gptwright.foundations.device import to_device
from gptwright.kernels.autograd import Context
from gptwright.kernels.library import fits
from gptwright.kernels.pointwise import cross_entropy_
from gptwright.layers.vocabulary import WHOLE, VocabShard, Vocabulary
from gptwright.objectives.vocab_parallel_loss import sliced_loss, sliced_nats

CHUNK, ON_A_GPU = 1024, 8192  # rows whose logits live together
ROWS = 256  # rows come in multiples of this: for every new number of rows oneDNN compiles and keeps new kernels
IGNORED = -100


def next_token_loss(
    hidden: Float[Tensor, "*B C"],
    output: Float[Tensor, "W C"],
    targets: Int[Tensor, "*B"],
    smoothing: float = 0.0,
    count: int | None = None,
    vocabulary: Vocabulary = WHOLE,
    weights: Float[Tensor, "*B"] | None = None,
) -> Float[Tensor, ""]:
    """Mean nats over the targets that are not IGNORED. The gradient is computed on the way forward, chunk by chunk.

    With `count` the sum is divided by that number instead: the targets of a whole batch, of which these are a part.
    With `weights` the nats of each target are multiplied by its own first. Of a `vocabulary` in slices, which takes no
    weights, `output` is the own slice.
    `targets` may stay on the processor while `hidden` lies on a GPU: nothing waits, and no IGNORED row is computed.
    With `smoothing` ε the wanted distribution is 1 - ε on the target and ε spread evenly over the vocabulary
    (Szegedy et al. 2016): the loss cannot fall below that distribution's entropy.
    """
    hidden, targets = hidden.flatten(0, -2), targets.flatten()
    if count is None:
        count = int((targets != IGNORED).sum())
    weights = None if weights is None else weights.flatten()
    if targets.is_cpu and (rows := wanted_rows(targets)) is not None:  # elsewhere asking takes longer than it saves
        hidden, targets = hidden[to_device(rows, hidden.device)], targets[rows]
        weights = None if weights is None else weights[to_device(rows, weights.device)]
    targets = to_device(targets, hidden.device)
    if isinstance(vocabulary, VocabShard):
        assert weights is None
        return sliced_loss(hidden, output, targets, IGNORED, smoothing, max(count, 1), vocabulary)
    return LinearCrossEntropy.apply(hidden, output, targets, smoothing, max(count, 1), weights)  # pyright: ignore[reportReturnType]


def wanted_rows(targets: Int[Tensor, "N"]) -> Int[Tensor, "R"] | None:
    """The rows whose targets are not IGNORED, filled up with others to a multiple of `ROWS`; None for all."""
    ignored = targets == IGNORED
    needed = len(targets) - int(ignored.sum())
    rows = min(-(-needed // ROWS) * ROWS, len(targets))
    return None if rows == len(targets) else ignored.to(torch.uint8).argsort(stable=True)[:rows]


class LinearCrossEntropy(torch.autograd.Function):
    """Cross-entropy of `hidden @ output.T`, each row times its weight if there are any, summed and divided by `count`.

    Logits live for one chunk, where they become their own gradient; the output's gradient sums in float32.
    """

    @staticmethod
    def forward(  # pyright: ignore
        ctx: Context,
        hidden: Tensor,
        output: Tensor,
        targets: Tensor,
        smoothing: float,
        count: int,
        weights: Tensor | None,
    ) -> Tensor:
        weight = output.detach().to(hidden.dtype)
        learns, output_learns = ctx.needs_input_grad[:2]
        total = hidden.new_zeros((), dtype=torch.float32)
        d_hidden = torch.empty_like(hidden) if learns else None
        d_output = torch.zeros_like(output, dtype=torch.float32) if output_learns else None
        chunk = CHUNK if hidden.is_cpu else ON_A_GPU
        room = hidden.new_empty(min(chunk, len(hidden)), len(weight))
        of_rows = None if weights is None else to_device(weights, hidden.device)[:, None]
        for first in range(0, len(hidden), chunk):
            rows = slice(first, first + chunk)
            states = hidden[rows]
            logits = torch.mm(states, weight.T, out=room[: len(states)])
            nats = nats_and_gradient_(logits, targets[rows], 1 / count, smoothing)
            if of_rows is not None:
                nats = nats * of_rows[rows, 0]
                logits.mul_(of_rows[rows].to(logits.dtype))
            total += nats.sum()
            if d_hidden is not None:
                torch.mm(logits, weight, out=d_hidden[rows])
            if d_output is not None:
                d_output += logits.T @ states
        ctx.save_for_backward(d_hidden, d_output if d_output is None else d_output.to(output.dtype))
        return total / count

    @staticmethod
    def backward(ctx: Context, *gradients: Tensor) -> tuple[Tensor | None, ...]:  # pyright: ignore
        saved, weight = cast("tuple[Tensor | None, ...]", ctx.saved_tensors), gradients[0]
        if not (weight.is_cpu and weight.item() == 1):  # a pass over the whole output matrix for nothing
            saved = tuple(None if x is None else x * weight.to(x.dtype) for x in saved)
        return *saved, None, None, None, None


def nats_and_gradient_(
    logits: Float[Tensor, "N V"], targets: Int[Tensor, "N"], scale: float, smoothing: float
) -> Float[Tensor, "N"]:
    """Nats of each target, 0 for IGNORED ones; `logits` become `scale` × the gradient of their sum."""
    if fits(logits):
        return cross_entropy_(logits, targets, scale, smoothing)
    way = compiled() if logits.is_cuda and find_spec("triton") else by_torch_
    return way(logits, targets, logits.new_full((), scale, dtype=torch.float32), smoothing)


@cache
def compiled() -> Callable[..., Tensor]:
    """One pass over the logits instead of ten. Compiled on first use, which takes seconds."""
    return torch.compile(by_torch_)


def by_torch_(
    logits: Float[Tensor, "N V"], targets: Int[Tensor, "N"], scale: Float[Tensor, ""], smoothing: float
) -> Float[Tensor, "N"]:
    """`nats_and_gradient_` in torch's own operations."""
    real, wanted = (targets != IGNORED)[:, None], targets.clamp(min=0)[:, None]
    peak, at = logits.max(-1, keepdim=True)
    shard = logits.softmax(-1, dtype=torch.float32)
    nats = peak.float() - shard.gather(1, at).log() - (1 - smoothing) * logits.gather(1, wanted).float()
    if smoothing:
        nats -= smoothing * logits.mean(-1, keepdim=True, dtype=torch.float32)
        shard -= smoothing / logits.shape[1]
    shard.scatter_add_(1, wanted, torch.full_like(nats, smoothing - 1))
    logits.copy_(shard.mul_(real * scale))
    return (nats * real)[:, 0]


@torch.no_grad()
def token_nats(
    hidden: Float[Tensor, "N C"],
    output: Float[Tensor, "W C"],
    targets: Int[Tensor, "N"],
    vocabulary: Vocabulary = WHOLE,
) -> Float[Tensor, "N"]:
    """Nats of each target, for evaluation; IGNORED targets give 0."""

    def of(hidden: Tensor, targets: Tensor) -> Tensor:
        if isinstance(vocabulary, VocabShard):
            return sliced_nats(hidden, output, targets, vocabulary) * (targets != IGNORED)
        logits = hidden.float() @ output.float().T
        return F.cross_entropy(logits, targets, reduction="none", ignore_index=IGNORED)

    return torch.cat([of(*chunk) for chunk in zip(hidden.split(CHUNK), targets.split(CHUNK), strict=True)])

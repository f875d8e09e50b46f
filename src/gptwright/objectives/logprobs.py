"""Log-probabilities of given tokens, for policies. Logits live for one chunk; what they became waits for the gradient
where there is room, and is computed again where there is not."""

from typing import cast

import torch
from jaxtyping import Float, Int
from torch import Tensor

from gptwright.kernels.autograd import Context

CHUNK = 512  # rows whose logits live together
KEPT = 2**24  # most numbers that wait for the gradient


def chosen_logprobs(
    states: Float[Tensor, "N C"], output: Float[Tensor, "V C"], tokens: Int[Tensor, "N"], temperature: float
) -> tuple[Float[Tensor, "N"], Float[Tensor, "N"]]:
    """How likely each token was to be drawn at this temperature, in nats, and the entropy of what it was drawn from.

    The entropy has no gradient.
    """
    return ChosenLogprobs.apply(states.float() / temperature, output, tokens)  # pyright: ignore[reportReturnType]


class ChosenLogprobs(torch.autograd.Function):
    """log softmax(states @ output.T) at the tokens, and the entropies."""

    @staticmethod
    def forward(ctx: Context, states: Tensor, output: Tensor, tokens: Tensor) -> tuple[Tensor, Tensor]:  # pyright: ignore
        logprobs, entropies = torch.empty_like(states[:, 0]), torch.empty_like(states[:, 0])
        room = len(states) * len(output) <= KEPT
        kept = states.new_empty(len(states), len(output)) if room else None
        for rows in _chunks(len(states)):
            logits = states[rows] @ output.T
            shares = torch.softmax(logits, -1, out=None if kept is None else kept[rows])
            total = logits.amax(-1) - shares.amax(-1).log()  # of all exponents: the likeliest token's are in both
            logprobs[rows] = logits.gather(1, tokens[rows, None])[:, 0] - total
            entropies[rows] = total - logits.mul_(shares).sum(-1)
        ctx.save_for_backward(states, output, tokens, kept)
        ctx.mark_non_differentiable(entropies)
        return logprobs, entropies

    @staticmethod
    def backward(ctx: Context, *gradients: Tensor) -> tuple[Tensor | None, ...]:  # pyright: ignore
        states, output, tokens, kept = cast("tuple[Tensor, Tensor, Tensor, Tensor | None]", ctx.saved_tensors)
        d_states = torch.empty_like(states)
        d_output = torch.zeros_like(output) if ctx.needs_input_grad[1] else None
        for rows in _chunks(len(states)):
            shares = (states[rows] @ output.T).softmax(-1) if kept is None else kept[rows]
            weight = gradients[0][rows, None]
            d_logits = (shares * -weight).scatter_add_(1, tokens[rows, None], weight)
            torch.mm(d_logits, output, out=d_states[rows])
            if d_output is not None:
                d_output.addmm_(d_logits.T, states[rows])
        return d_states, d_output, None


def _chunks(count: int) -> list[slice]:
    return [slice(first, first + CHUNK) for first in range(0, count, CHUNK)]

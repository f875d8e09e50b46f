"""GELU, and the gradient of cross-entropy where the logits lie: one pass each instead of many."""

import torch
from jaxtyping import Float, Int
from torch import Tensor

from gptwright.kernels.autograd import Context
from gptwright.kernels.library import library


class Gelu(torch.autograd.Function):
    """x · ½ (1 + tanh(√(2/π) (x + 0.044715 x³))) (Hendrycks & Gimpel 2016), for bf16 and float32 that `fits`."""

    @staticmethod
    def forward(ctx: Context, x: Tensor) -> Tensor:  # pyright: ignore
        ctx.save_for_backward(x)
        return gelu(x)

    @staticmethod
    def backward(ctx: Context, *gradients: Tensor) -> Tensor:  # pyright: ignore
        (x,) = ctx.saved_tensors
        x, dy = x.contiguous(), gradients[0].contiguous()
        dx = torch.empty_like(x)
        library().gelu_backward(x.numel(), x.data_ptr(), dy.data_ptr(), dx.data_ptr(), x.dtype == torch.float32,
                                torch.get_num_threads())  # fmt: skip
        return dx


def gelu(x: Float[Tensor, "*B C"]) -> Float[Tensor, "*B C"]:
    """`Gelu` without what a gradient would want."""
    x = x.contiguous()
    y = torch.empty_like(x)
    library().gelu_forward(x.numel(), x.data_ptr(), y.data_ptr(), x.dtype == torch.float32, torch.get_num_threads())
    return y


def cross_entropy_(
    logits: Float[Tensor, "N V"], targets: Int[Tensor, "N"], scale: float, smoothing: float
) -> Float[Tensor, "N"]:
    """Each target's nats; `logits` become `scale` × their gradient. Negative targets give 0 nats and no gradient."""
    targets, nats = targets.long().contiguous(), torch.empty(len(logits), dtype=torch.float32)
    library().cross_entropy(*logits.shape, logits.data_ptr(), targets.data_ptr(), scale, smoothing,
                         nats.data_ptr(), torch.get_num_threads())  # fmt: skip
    return nats

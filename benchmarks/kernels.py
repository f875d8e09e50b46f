"""The compiled kernels beside PyTorch's operations, and the matrix products that bound a training step.

    python benchmarks/kernels.py [--threads 1] [--rounds 25]

Best of the rounds in milliseconds, forward and backward; attention also with its error against float64. What the
kernels cannot do on this processor is left out.
"""

import argparse
import time
from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from gptwright.foundations.device import use_threads
from gptwright.kernels.attention import causal_attention
from gptwright.kernels.library import library, reason
from gptwright.kernels.pointwise import Gelu
from gptwright.layers.dense import causal_by_blocks

PRODUCTS = ((2048, 384, 1536), (1024, 768, 3072), (1024, 768, 50_304))
HEADS = ((8, 256, 6, 64), (1, 1024, 12, 64), (16, 128, 6, 32))


def fastest(work: Callable[[], object], rounds: int) -> float:
    work()
    times: list[float] = []
    for _ in range(rounds):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return min(times)


def products(rounds: int) -> None:
    """Forward, and the gradients of both factors: GFLOP/s."""
    for dtype in (torch.float32, torch.bfloat16):
        for m, k, n in PRODUCTS:
            x, w, g = torch.randn(m, k).to(dtype), torch.randn(n, k).to(dtype), torch.randn(m, n).to(dtype)
            ways: dict[str, Callable[[], Tensor]] = {"x wᵀ": lambda x=x, w=w: x @ w.T, "g w": lambda g=g, w=w: g @ w,
                                                     "gᵀ x": lambda g=g, x=x: g.T @ x}  # fmt: skip
            rates = (f"{name} {2e-9 * m * k * n / fastest(way, max(rounds // 5, 2)):.0f}" for name, way in ways.items())
            print(f"  {str(dtype).split('.')[1]:9} {m} × {k} × {n}: {', '.join(rates)} GFLOP/s")


def attention(shape: tuple[int, int, int, int], rounds: int) -> None:
    rows, length, heads, width = shape
    fused = torch.randn(rows, length, 3 * heads * width).bfloat16().requires_grad_()
    given = torch.randn(rows, length, heads * width).bfloat16()

    def both(attend: Callable[..., Tensor], x: Tensor, g: Tensor) -> tuple[Tensor, Tensor]:
        q, k, v = (part.unflatten(-1, (-1, width)).transpose(1, 2) for part in x.chunk(3, -1))
        y = attend(q, k, v).transpose(1, 2).flatten(2)
        (gradient,) = torch.autograd.grad(y, x, g)
        return y.detach(), gradient

    def torchs(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        return F.scaled_dot_product_attention(q, k, v, is_causal=True)

    exact = both(torchs, fused.detach().double().requires_grad_(), given.double())
    ways: dict[str, Any] = {"kernel": causal_attention} if library() else {}
    for name, way in (ways | {"by products": causal_by_blocks, "torch's": torchs}).items():
        found = both(way, fused, given)
        errors = (float((a.double() - b).norm() / b.norm()) for a, b in zip(found, exact, strict=True))
        taken = fastest(lambda way=way: both(way, fused, given), rounds) * 1e3
        print(f"  attention {rows} × {heads} heads of {width}, {length} tokens, {name:12} {taken:7.2f} ms  "
              f"errors {', '.join(f'{error:.2%}' for error in errors)}")  # fmt: skip


def gelu(rounds: int) -> None:
    x, given = torch.randn(2048, 1536).bfloat16().requires_grad_(), torch.randn(2048, 1536).bfloat16()
    ways: dict[str, Callable[[], Tensor]] = {"torch's": lambda: F.gelu(x, approximate="tanh")}
    if library():
        ways = {"kernel": lambda: Gelu.apply(x)} | ways  # pyright: ignore
    for name, way in ways.items():
        taken = fastest(lambda way=way: torch.autograd.grad(way(), x, given), rounds) * 1e3
        print(f"  GELU of 2,048 × 1,536, {name:12} {taken:7.2f} ms")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=25)
    given = parser.parse_args()
    use_threads(given.threads)
    print(f"{given.threads} threads; {reason()}")
    products(given.rounds)
    for shape in HEADS:
        attention(shape, given.rounds)
    gelu(given.rounds)


if __name__ == "__main__":
    main()

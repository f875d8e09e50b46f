"""The compiled kernels beside PyTorch's operations, and the matrix products that bound a training step.

    python benchmarks/kernels.py [--threads 1] [--rounds 25]

Best of the rounds in milliseconds, forward and backward; attention also with its error against float64. For inference:
packed linear layers, over copies of a weight that no cache holds, attention to a KV cache, and packing a whole model.
What the kernels cannot do on this processor is left out.
"""

import argparse
import time
from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from gptwright.foundations.device import use_threads
from gptwright.inference.engine import Engine
from gptwright.kernels.attention import causal_attention
from gptwright.kernels.kv_cache_attention import attend_chunk, attend_tokens, chunk_by_torch, tokens_by_torch
from gptwright.kernels.library import can_bf16, reason
from gptwright.kernels.linear import formats, pack
from gptwright.kernels.pointwise import Gelu
from gptwright.layers.attend import attend
from gptwright.layers.dense import causal_by_blocks, masked
from gptwright.layers.masks import CAUSAL, Documents, within
from gptwright.models.catalogue import build
from gptwright.models.gpt2 import GPT2Config

PRODUCTS = ((2048, 384, 1536), (1024, 768, 3072), (1024, 768, 50_304))
HEADS = ((8, 256, 6, 64), (1, 1024, 12, 64), (16, 128, 6, 32))

LINEAR = ((768, 768), (768, 3072), (3072, 768), (768, 50_257))
ROWS = (1, 16, 128, 512)
COLD = 150_000_000  # bytes of weights that are read before the first is read again


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


def both(attend: Callable[..., Tensor], x: Tensor, g: Tensor, width: int) -> tuple[Tensor, Tensor]:
    """Forward and backward through heads of that width, which lie side by side."""
    q, k, v = (part.unflatten(-1, (-1, width)).transpose(1, 2) for part in x.chunk(3, -1))
    y = attend(q, k, v).transpose(1, 2).flatten(2)
    (gradient,) = torch.autograd.grad(y, x, g)
    return y.detach(), gradient


def attention(shape: tuple[int, int, int, int], rounds: int) -> None:
    rows, length, heads, width = shape
    fused = torch.randn(rows, length, 3 * heads * width).bfloat16().requires_grad_()
    given = torch.randn(rows, length, heads * width).bfloat16()

    def torchs(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        return F.scaled_dot_product_attention(q, k, v, is_causal=True)

    exact = both(torchs, fused.detach().double().requires_grad_(), given.double(), width)
    ways: dict[str, Any] = {"kernel": causal_attention} if can_bf16() else {}
    for name, way in (ways | {"by products": causal_by_blocks, "torch's": torchs}).items():
        found = both(way, fused, given, width)
        errors = (float((a.double() - b).norm() / b.norm()) for a, b in zip(found, exact, strict=True))
        taken = fastest(lambda way=way: both(way, fused, given, width), rounds) * 1e3
        print(f"  attention {rows} × {heads} heads of {width}, {length} tokens, {name:12} {taken:7.2f} ms  "
              f"errors {', '.join(f'{error:.2%}' for error in errors)}")  # fmt: skip


def packed(rows: int, length: int, document: int, rounds: int) -> None:
    """Texts of `document` tokens that share rows, as packed conversations do; 4 heads of 32."""
    fused, given = torch.randn(rows, length, 384).bfloat16().requires_grad_(), torch.randn(rows, length, 128).bfloat16()
    documents = Documents((torch.arange(length) // document).expand(rows, length))
    mask = within(CAUSAL, documents)
    allowed = mask.allowed(torch.arange(length)[None], length)
    ways: dict[str, Callable[..., Tensor]] = {"kernel": lambda q, k, v: attend(q, k, v, mask)} if can_bf16() else {}
    for name, way in (ways | {"by products": lambda q, k, v: masked(q, k, v, allowed)}).items():
        taken = fastest(lambda way=way: both(way, fused, given, 32), rounds) * 1e3
        print(f"  {rows} rows of {length} tokens, texts of {document}, {name:12} {taken:7.2f} ms")


def gelu(rounds: int) -> None:
    x, given = torch.randn(2048, 1536).bfloat16().requires_grad_(), torch.randn(2048, 1536).bfloat16()
    ways: dict[str, Callable[[], Tensor]] = {"torch's": lambda: F.gelu(x, approximate="tanh")}
    if can_bf16():
        ways = {"kernel": lambda: Gelu.apply(x)} | ways  # pyright: ignore
    for name, way in ways.items():
        taken = fastest(lambda way=way: torch.autograd.grad(way(), x, given), rounds) * 1e3
        print(f"  GELU of 2,048 × 1,536, {name:12} {taken:7.2f} ms")


def linear(inputs: int, outputs: int, rounds: int) -> None:
    """Microseconds a call, by the number of rows."""
    copies = max(1, COLD // (2 * inputs * outputs))
    weights = [(0.02 * torch.randn(outputs, inputs)).bfloat16() for _ in range(copies)]
    print(f"  linear {inputs} → {outputs}, µs for {', '.join(map(str, ROWS))} rows:")
    ways: dict[str, Callable[[Tensor], Callable[[Tensor], Tensor]]] = {
        "torch's": lambda w: lambda x: F.linear(x, w),
        "oneDNN's packed": reordered,
        **{format: lambda w, format=format: pack(w, format) for format in formats()},
    }
    for name, way in ways.items():
        layers = [way(w) for w in weights]
        taken = list[float]()
        for rows in ROWS:
            x, used = torch.randn(rows, inputs).bfloat16(), layers if rows < 100 else layers[:2]
            work = lambda x=x, used=used: [layer(x) for layer in used]  # noqa: E731
            taken.append(fastest(work, rounds if rows < 100 else max(rounds // 4, 3)) / len(used) * 1e6)
        print(f"    {name:16}" + "".join(f"{each:10,.0f}" for each in taken))


def reordered(weight: Tensor) -> Callable[[Tensor], Tensor]:
    packed = torch.ops.mkldnn._reorder_linear_weight(weight)
    return lambda x: torch.ops.mkldnn._linear_pointwise(x, packed, None, "none", [], "")


def tokens(requests: int, seen: int, dtype: torch.dtype, rounds: int) -> None:
    """One new token of each request."""
    count = max(1, COLD // (requests * seen * 12 * 64 * 2 * dtype.itemsize))
    layers = [[torch.randn(requests * seen, 12, 64).to(dtype) for _ in range(2)] for _ in range(min(count, 12))]
    q, starts = torch.randn(1, 12, requests, 64).to(dtype), torch.arange(requests) * seen
    counts = torch.full_like(starts, seen)

    def all_layers(way: Callable[..., Tensor]) -> list[Tensor]:
        return [way(q, k, v, starts, counts, 0) for k, v in layers]

    for name, way in {"kernel": attend_tokens, "torch's": tokens_by_torch}.items():
        taken = fastest(lambda way=way: all_layers(way), rounds) / len(layers) * 1e6
        print(f"  {requests:2} tokens behind {seen:4}, 12 heads of 64, {dtype}, {name:8} {taken:9,.0f} µs")


def chunk(past: int, dtype: torch.dtype, rounds: int) -> None:
    """128 tokens of a prompt."""
    keys, values = (torch.randn(past + 128, 12, 64).to(dtype) for _ in range(2))
    q = torch.randn(1, 12, 128, 64).to(dtype)
    for name, way in {"kernel": attend_chunk, "torch's": chunk_by_torch}.items():
        taken = fastest(lambda way=way: way(q, keys, values, 0, past, 0), rounds) * 1e6
        print(f"  a chunk of 128 behind {past:4}, {dtype}, {name:8} {taken:9,.0f} µs")


@torch.no_grad()
def inference(rounds: int) -> None:
    for inputs, outputs in LINEAR:
        linear(inputs, outputs, rounds)
    for dtype in (torch.bfloat16, torch.float32):
        for requests in (1, 16):
            for seen in (200, 1000):
                tokens(requests, seen, dtype, rounds)
    for past in (0, 1000):
        chunk(past, torch.bfloat16, rounds)


def refreshing() -> None:
    """What an engine pays after every change of the weights."""
    network = build(GPT2Config(), seed=0)
    for form in ("bfloat16", "int8"):
        engine = Engine(network, dtype=form, kv_cache_gb=0.1)
        print(f"  packing GPT-2 124M anew, {form:9} {fastest(engine.refresh, 3) * 1e3:7.0f} ms")


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
    for length in (96, 256):
        packed(1056 // length, length, 48, given.rounds)
    gelu(given.rounds)
    inference(given.rounds)
    refreshing()


if __name__ == "__main__":
    main()

"""Small layers and their gradients against their formula in float64, by the kernels or, without them, by PyTorch."""

from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from gptwright.kernels.fused import can_fuse, silu_product
from gptwright.kernels.library import can_bf16
from gptwright.layers.feedforward import SwiGLU
from gptwright.layers.norms import RMSNorm
from gptwright.layers.positions import apply_rotary, rotary_angles


def drawn(*shape: int, seed: int = 1) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed)).bfloat16()


def test_only_bf16_with_numbers_side_by_side() -> None:
    x = drawn(2, 16)
    for wanted in (True, False):
        with torch.set_grad_enabled(wanted):
            assert can_fuse(x) == can_bf16()
            assert not can_fuse(x.float())
            assert not can_fuse(drawn(4, 4).T)


def gradients(layer: Callable[..., Tensor], *inputs: Tensor, given: Tensor) -> list[Tensor]:
    leaves = [x.detach().clone().requires_grad_() for x in inputs]
    layer(*leaves).backward(given.to(leaves[0].dtype))
    return [leaf.grad for leaf in leaves if leaf.grad is not None]


def near(found: list[Tensor], exact: list[Tensor]) -> None:
    assert len(found) == len(exact)
    for ours, theirs in zip(found, exact, strict=True):
        assert ours.shape == theirs.shape
        assert float((ours.double() - theirs).norm() / theirs.norm()) < 0.01


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("width", [1, 16, 100])
def test_gradients_of_rms_norm(width: int, threads: int) -> None:
    torch.set_num_threads(threads)
    x, gains, given = drawn(3, 5, width), drawn(width, seed=2).float(), drawn(3, 5, width, seed=3)

    def formula(x: Tensor, gains: Tensor) -> Tensor:
        return x * (x.square().mean(-1, keepdim=True) + 1e-2).rsqrt() * gains

    exact = gradients(formula, x.double(), gains.double(), given=given)
    layer = RMSNorm(width, 1e-2)
    with torch.no_grad():
        layer.weight.copy_(gains)
    found = gradients(layer, x, given=given)
    assert layer.weight.grad is not None
    near([*found, layer.weight.grad], exact)
    frozen = gradients(layer.requires_grad_(False), x, given=given)
    assert torch.equal(frozen[0], found[0])


def gated(gate: Tensor, up: Tensor) -> Tensor:
    return silu_product(gate, up) if can_fuse(gate) else F.silu(gate) * up


def test_gradients_of_swiglu() -> None:
    gate, up, given = drawn(7, 50), drawn(7, 50, seed=2), drawn(7, 50, seed=3)
    exact = gradients(lambda gate, up: F.silu(gate) * up, gate.double(), up.double(), given=given)
    near(gradients(gated, gate, up, given=given), exact)


@pytest.mark.parametrize("rows", [1, 3])
def test_gradients_of_turned_heads(rows: int) -> None:
    x, given = drawn(3, 5, 2, 48).transpose(1, 2), drawn(3, 2, 5, 48, seed=2)
    angles = rotary_angles(torch.arange(rows * 5).view(rows, 5) * 7, 48, 10_000.0)
    exact = gradients(lambda x: apply_rotary(x, angles), x.double(), given=given)
    near(gradients(lambda x: apply_rotary(x, angles), x, given=given), exact)


@torch.inference_mode()
@pytest.mark.parametrize("gains", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("width", [1, 16, 100])
def test_rms_norm(width: int, gains: torch.dtype) -> None:
    norm, x = RMSNorm(width, 1e-5).to(gains), drawn(3, 5, width)
    norm.weight.copy_(drawn(width, seed=2))
    wide = x.double()
    exact = wide * (wide.square().mean(-1, keepdim=True) + 1e-5).rsqrt() * norm.weight.double()
    torch.testing.assert_close(norm(x).double(), exact, atol=1e-6, rtol=4e-3)
    assert torch.equal(norm(torch.zeros_like(x)), torch.zeros_like(x))


@torch.inference_mode()
def test_swiglu() -> None:
    layer, x = SwiGLU(24, 50).bfloat16(), drawn(2, 7, 24)
    gate, up, down = (part.weight.double() for part in (layer.gate, layer.up, layer.down))
    exact = (F.silu(x.double() @ gate.T) * (x.double() @ up.T)) @ down.T
    assert float((layer(x).double() - exact).norm() / exact.norm()) < 0.01


@pytest.mark.parametrize(("rows", "width"), [(1, 64), (2, 48), (1, 8)])
def test_turned_bit_for_bit_as_by_torch(rows: int, width: int) -> None:
    wide = drawn(3, 5, 3 * 2 * width)
    x = wide[..., : 2 * width].unflatten(-1, (2, width)).transpose(1, 2)
    angles = rotary_angles(torch.arange(3 * 5).view(3, 5)[:rows] * 7, width, 10_000.0)
    x = x[:rows] if rows > 1 else x
    left, right = x.chunk(2, dim=-1)
    by_torch = (x * angles.cos + torch.cat([-right, left], dim=-1) * angles.sin).bfloat16()
    for wanted in (True, False):
        with torch.set_grad_enabled(wanted):
            assert torch.equal(apply_rotary(x, angles), by_torch)


@torch.inference_mode()
def test_alone_or_beside_others() -> None:
    norm, x = RMSNorm(64), drawn(300, 64)
    assert torch.equal(norm(x[7:8]), norm(x)[7:8])

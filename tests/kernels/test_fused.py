"""Small layers for inference against their own formula in float64, by the kernels or, without them, by PyTorch."""

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from gptwright.kernels.fused import can_fuse
from gptwright.kernels.library import can_bf16
from gptwright.layers.feedforward import SwiGLU
from gptwright.layers.norms import RMSNorm
from gptwright.layers.positions import apply_rotary, rotary_angles


def drawn(*shape: int, seed: int = 1) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed)).bfloat16()


def test_only_where_no_gradient_is_wanted() -> None:
    x = drawn(2, 16)
    assert not can_fuse(x)
    with torch.no_grad():
        assert can_fuse(x) == can_bf16()
        assert not can_fuse(x.float())
        assert not can_fuse(drawn(4, 4).T)


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
    by_torch = apply_rotary(x, angles)
    with torch.no_grad():
        assert torch.equal(apply_rotary(x, angles), by_torch)


@torch.inference_mode()
def test_alone_or_beside_others() -> None:
    norm, x = RMSNorm(64), drawn(300, 64)
    assert torch.equal(norm(x[7:8]), norm(x)[7:8])

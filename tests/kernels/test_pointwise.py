"""GELU, and cross-entropy in bf16, against float64, by the kernels or, without them, by PyTorch."""

import pytest
import torch
import torch.nn.functional as F

from gptwright.kernels.library import fits
from gptwright.kernels.pointwise import Gelu, cross_entropy_
from gptwright.layers.feedforward import gelu_tanh
from gptwright.objectives.language import IGNORED, nats_and_gradient_

NEAR = {torch.bfloat16: (2e-3, 8e-3), torch.float32: (1e-6, 1e-6)}


@pytest.mark.parametrize("dtype", NEAR)
@pytest.mark.parametrize("length", [1, 16, 1003])
def test_gelu(length: int, dtype: torch.dtype) -> None:
    x = torch.linspace(-9, 9, length).to(dtype).requires_grad_()
    wide = x.detach().double().requires_grad_()
    ours, exact = (Gelu.apply(x) if fits(x, dtype) else gelu_tanh(x)), F.gelu(wide, approximate="tanh")
    given, (atol, rtol) = torch.linspace(1, 2, length).to(dtype), NEAR[dtype]
    if not fits(x, dtype):
        # PyTorch takes 1 - tanh² from a rounded tanh, which x (1 + 3 · 0.044715 x²) makes some twenty times as wrong.
        atol = max(atol, 3e-6)
    assert ours.dtype == dtype
    torch.testing.assert_close(ours.double(), exact, atol=atol, rtol=rtol)
    (mine,), (theirs,) = torch.autograd.grad(ours, x, given), torch.autograd.grad(exact, wide, given.double())
    torch.testing.assert_close(mine.double(), theirs, atol=atol, rtol=rtol)


@pytest.mark.parametrize("dtype", NEAR)
def test_gelu_far_out(dtype: torch.dtype) -> None:
    x = torch.tensor([-1e4, -100.0, 100.0, 1e4]).to(dtype).requires_grad_()
    y = gelu_tanh(x)
    y.sum().backward()
    assert y.tolist() == pytest.approx([0, 0, 100, float(x[3].detach())], abs=1e-20)
    assert x.grad is not None
    assert x.grad.tolist() == pytest.approx([0, 0, 1, 1], abs=1e-20)


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
@pytest.mark.parametrize("vocab", [3, 16, 777])
def test_cross_entropy(vocab: int, smoothing: float) -> None:
    drawn = torch.Generator().manual_seed(vocab)
    logits = (4 * torch.randn(9, vocab, generator=drawn)).bfloat16()
    targets = torch.randint(vocab, (9,), generator=drawn)
    targets[4] = IGNORED
    wide = logits.double().requires_grad_()
    exact = F.cross_entropy(wide, targets, reduction="none", ignore_index=IGNORED, label_smoothing=smoothing)
    exact.sum().backward()
    assert wide.grad is not None
    nats = (cross_entropy_ if fits(logits) else nats_and_gradient_)(logits, targets, 0.25, smoothing)
    torch.testing.assert_close(nats.double(), exact.detach(), atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(logits.double(), 0.25 * wide.grad, atol=1e-4, rtol=8e-3)


def test_great_logits_do_not_overflow() -> None:
    logits = torch.tensor([[1000.0, -1000.0, 0.0]]).bfloat16()
    nats = nats_and_gradient_(logits, torch.tensor([1]), 1.0, 0.0)
    assert nats.item() == 2000
    assert logits.tolist() == [[1, -1, 0]]

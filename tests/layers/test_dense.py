import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from gptwright.layers.dense import BLOCK, MOST_BLOCKS, causal, causal_by_blocks, full, hidden, masked, matmul_attention


def qkv(length: int, *, groups: int = 4, keys: int | None = None) -> list[Tensor]:
    shapes = [(2, 4, length, 8), *[(2, groups, keys or length, 8)] * 2]
    return [torch.randn(shape).requires_grad_() for shape in shapes]


def same(ours: Tensor, theirs: Tensor, inputs: list[Tensor]) -> None:
    """Outputs and gradients."""
    torch.testing.assert_close(ours, theirs, atol=1e-5, rtol=0)
    weight = torch.randn(ours.shape)
    for mine, other in zip(
        torch.autograd.grad((ours * weight).sum(), inputs),
        torch.autograd.grad((theirs * weight).sum(), inputs),
        strict=True,
    ):
        torch.testing.assert_close(mine, other, atol=2e-5, rtol=1e-5)


@pytest.mark.parametrize("groups", [4, 2, 1])
@pytest.mark.parametrize("length", [1, BLOCK - 1, BLOCK, BLOCK + 1, 300])
def test_blocks_equal_fused_attention_forwards_and_backwards(length: int, groups: int) -> None:
    inputs = qkv(length, groups=groups)
    same(causal_by_blocks(*inputs), causal(*inputs), inputs)


def test_long_texts_take_longer_blocks() -> None:
    length = (BLOCK + 3) * MOST_BLOCKS + 5
    inputs = [torch.randn(1, 1, length, 4) for _ in range(3)]
    torch.testing.assert_close(causal_by_blocks(*inputs), causal(*inputs), atol=1e-5, rtol=0)


@pytest.mark.parametrize("groups", [4, 2, 1])
def test_products_equal_fused_attention_whatever_each_row_may_see(groups: int) -> None:
    inputs = qkv(7, groups=groups, keys=11)
    allowed = torch.rand(2, 7, 11) < 0.5
    allowed[:, :, 0] = True
    same(matmul_attention(*inputs, hidden(~allowed, inputs[0])), masked(*inputs, allowed), inputs)
    same(matmul_attention(*inputs, torch.zeros(1, 1, 1)), full(*inputs), inputs)


@pytest.mark.parametrize("groups", [4, 2])
def test_heads_of_a_group_share_their_keys(groups: int) -> None:
    q, k, v = qkv(9, groups=groups)
    every = [x.repeat_interleave(4 // groups, 1) for x in (k, v)]
    torch.testing.assert_close(causal(q, k, v), causal(q, *every), atol=1e-6, rtol=1e-5)
    torch.testing.assert_close(full(q, k, v), full(q, *every), atol=1e-6, rtol=1e-5)


def test_bfloat16_on_the_processor_goes_by_products() -> None:
    inputs = [x.detach().bfloat16() for x in qkv(150)]
    found = causal(*inputs)
    assert found.dtype == torch.bfloat16
    assert torch.equal(found, causal_by_blocks(*inputs))
    exact = F.scaled_dot_product_attention(*(x.float() for x in inputs), is_causal=True)
    torch.testing.assert_close(found.float(), exact, atol=0.05, rtol=0.05)
    every = torch.ones(1, 150, 150, dtype=torch.bool)
    assert torch.equal(full(*inputs), masked(*inputs, every))

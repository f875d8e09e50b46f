import pytest
import torch
import torch.nn.functional as F
from jaxtyping import Bool, Int
from torch import Tensor

from gptwright.layers.attention import BLOCK, Attention, attend, causal_by_blocks
from gptwright.layers.masks import CAUSAL


class Everything:
    """A mask that is not the causal one, so that the general way is taken."""

    def allowed(self, queries: Int[Tensor, "B T"], keys: int) -> Bool[Tensor, "B T S"]:
        return torch.ones(*queries.shape, keys, dtype=torch.bool)


def qkv(length: int, dtype: torch.dtype = torch.float32) -> list[Tensor]:
    return [torch.randn(2, 3, length, 8).to(dtype).requires_grad_() for _ in range(3)]


@pytest.mark.parametrize("length", [1, BLOCK - 1, BLOCK, BLOCK + 1, 300])
def test_blocks_equal_fused_attention_forwards_and_backwards(length: int) -> None:
    inputs = qkv(length)
    weight = torch.randn(2, 3, length, 8)
    ours, theirs = causal_by_blocks(*inputs), F.scaled_dot_product_attention(*inputs, is_causal=True)
    torch.testing.assert_close(ours, theirs, atol=1e-5, rtol=0)
    for mine, other in zip(
        torch.autograd.grad((ours * weight).sum(), inputs),
        torch.autograd.grad((theirs * weight).sum(), inputs),
        strict=True,
    ):
        torch.testing.assert_close(mine, other, atol=2e-5, rtol=1e-5)


def test_bfloat16_on_the_processor_goes_by_blocks() -> None:
    inputs = qkv(150, torch.bfloat16)
    found = attend(*inputs, CAUSAL)
    assert found.dtype == torch.bfloat16
    assert torch.equal(found, causal_by_blocks(*inputs))
    exact = F.scaled_dot_product_attention(*(x.float() for x in inputs), is_causal=True)
    torch.testing.assert_close(found.float(), exact, atol=0.05, rtol=0.05)


def test_any_mask_says_who_sees_whom() -> None:
    inputs = qkv(5)
    torch.testing.assert_close(attend(*inputs, Everything()), F.scaled_dot_product_attention(*inputs))


def test_one_head_by_hand() -> None:
    part = Attention(2, 1)
    with torch.no_grad():
        part.qkv.weight.copy_(torch.eye(2).repeat(3, 1))
        part.qkv.bias.zero_()
        part.out.weight.copy_(torch.eye(2))
        part.out.bias.zero_()
    y = part(torch.tensor([[[1.0, 0.0], [0.0, 2.0]]]), CAUSAL)
    # The second query scores 0 and 4/√2 = 2.8284 → weights 1/(1 + e^2.8284) = 0.05581 and 0.94419.
    torch.testing.assert_close(y, torch.tensor([[[1.0, 0.0], [0.05581, 1.88839]]]), atol=1e-5, rtol=0)


def test_the_future_cannot_change_the_past() -> None:
    part, x = Attention(8, 2), torch.randn(2, 6, 8)
    other = x.clone()
    other[:, 4:] += 1
    assert torch.equal(part(x, CAUSAL)[:, :4], part(other, CAUSAL)[:, :4])

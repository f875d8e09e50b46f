import torch

from gptwright.layers.attention import Attention
from gptwright.layers.masks import CAUSAL


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

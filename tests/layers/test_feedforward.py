import torch

from gptwright.layers.feedforward import FeedForward


def test_by_hand() -> None:
    part = FeedForward(1, 1)
    with torch.no_grad():
        for layer in (part.up, part.down):
            layer.weight.fill_(2.0)
            layer.bias.fill_(1.0)
    # 2·0 + 1 = 1; GELU in its tanh form gives 0.841192 there (the exact one 0.841345); 2 · 0.841192 + 1.
    torch.testing.assert_close(part(torch.zeros(1, 1, 1)).item(), 2.682384, atol=1e-6, rtol=0)

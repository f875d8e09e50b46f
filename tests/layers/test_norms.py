import torch
from torch import nn

from gptwright.layers.norms import LayerNorm, RMSNorm


def test_by_hand() -> None:
    part = RMSNorm(2, epsilon=0.0)
    with torch.no_grad():
        part.weight.copy_(torch.tensor([1.0, 2.0]))
    # Root of the mean square of (3, 4) is √12.5.
    torch.testing.assert_close(part(torch.tensor([3.0, 4.0])), torch.tensor([3.0, 8.0]) / 12.5**0.5)


def test_it_is_torchs() -> None:
    x = torch.randn(3, 5, 8)
    torch.testing.assert_close(RMSNorm(8, 1e-6)(x), nn.RMSNorm(8, 1e-6)(x))


def test_the_format_that_comes_in_goes_out() -> None:
    x = torch.randn(4, 8, dtype=torch.bfloat16)
    found = RMSNorm(8)(x)
    assert found.dtype == torch.bfloat16
    torch.testing.assert_close(found.float(), RMSNorm(8)(x.float()), atol=0.02, rtol=0.01)


def test_a_layer_norm_whose_gains_have_another_format() -> None:
    part, x = LayerNorm(8), torch.randn(4, 8, dtype=torch.bfloat16)
    on_meta = LayerNorm(8, device="meta")(x.to("meta"))
    assert on_meta.dtype == part(x).dtype == torch.bfloat16
    torch.testing.assert_close(part(x).float(), nn.LayerNorm(8)(x.float()), atol=0.02, rtol=0.01)

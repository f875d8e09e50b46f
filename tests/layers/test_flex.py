"""The way of the GPU, carried out without its compiler."""

from inspect import unwrap

import pytest
import torch

from gptwright.layers.dense import masked
from gptwright.layers.flex import block_mask, by_flex
from gptwright.layers.masks import CAUSAL, Banded, PositionMask, Strided

MASKS = [CAUSAL, Banded(1), Banded(7), Banded(130), Strided(5), Strided(16)]


@pytest.fixture(autouse=True)
def untyped(monkeypatch: pytest.MonkeyPatch) -> None:
    """FlexAttention traces `sees`, and cannot trace the checks of shapes that all tests run with."""
    for kind in {type(mask) for mask in MASKS}:
        monkeypatch.setattr(kind, "sees", unwrap(kind.sees))


@pytest.mark.parametrize("groups", [4, 2])
@pytest.mark.parametrize("length", [1, 40, 128, 200])
@pytest.mark.parametrize("mask", MASKS, ids=str)
def test_the_same_as_dense(mask: PositionMask, length: int, groups: int) -> None:
    q, k, v = torch.randn(2, 4, length, 16), torch.randn(2, groups, length, 16), torch.randn(2, groups, length, 16)
    allowed = mask.allowed(torch.arange(length)[None], length)
    torch.testing.assert_close(by_flex(q, k, v, mask), masked(q, k, v, allowed), atol=1e-5, rtol=0)


def test_blocks_that_nobody_sees_are_left_out() -> None:
    blocks = block_mask(Banded(100), 512, torch.device("cpu")).to_dense()[0, 0]
    assert blocks.int().tolist() == [[1, 0, 0, 0], [1, 1, 0, 0], [0, 1, 1, 0], [0, 0, 1, 1]]


def test_equal_masks_share_one_block_mask() -> None:
    device = torch.device("cpu")
    assert block_mask(Banded(9), 256, device) is block_mask(Banded(9), 256, device)
    assert block_mask(Banded(9), 256, device) is not block_mask(Banded(10), 256, device)

"""The pieces; that the outputs are right, and that nothing of size T × T is ever held, is in test_attend."""

import pytest
import torch
from torch import Tensor

from gptwright.layers.sparse import (
    band,
    block_scores,
    by_heads,
    in_blocks,
    shared_softmax,
    windows,
)


def test_a_window_ends_with_its_block() -> None:
    x = torch.arange(12.0).view(1, 12, 1)
    found = windows(x, 6, 3)
    assert found[0, :, :, 0].tolist() == [[0, 1, 2, 3, 4, 5], [3, 4, 5, 6, 7, 8], [6, 7, 8, 9, 10, 11]]
    assert found.data_ptr() == x.data_ptr(), "no key was copied"


@pytest.mark.parametrize(("size", "step"), [(6, 3), (7, 3), (3, 3), (4, 1)])
def test_the_gradient_of_windows_is_that_of_unfold(size: int, step: int) -> None:
    x = torch.randn(2, size + 4 * step, 3, requires_grad=True)
    weight = torch.randn(2, 5, size, 3)
    (ours,) = torch.autograd.grad((windows(x, size, step) * weight).sum(), x)
    (theirs,) = torch.autograd.grad((x.unfold(1, size, step).mT * weight).sum(), x)
    torch.testing.assert_close(ours, theirs)


def test_the_band_of_a_block() -> None:
    # The window's first key is one too far for every query; the last is the last query itself.
    assert band(2, 3, torch.device("cpu")).int().tolist() == [[0, 1, 1, 0, 0], [0, 0, 1, 1, 0], [0, 0, 0, 1, 1]]


def test_the_last_block_is_filled_up() -> None:
    assert in_blocks(torch.arange(1.0, 6).view(1, 5, 1), 2)[0, :, :, 0].tolist() == [[1, 2], [3, 4], [5, 0]]


def test_a_block_meets_its_own_keys() -> None:
    q, k = torch.tensor([1.0, 2, 3, 4]).view(1, 2, 2, 1), torch.tensor([1.0, 10, 100, 1000]).view(1, 2, 2, 1)
    assert block_scores(q, k).tolist() == [[[[1, 10], [2, 20]], [[300, 3000], [400, 4000]]]]


def test_near_and_far_share_one_softmax() -> None:
    near, far = shared_softmax(torch.zeros(1, 1, 1, 2), torch.zeros(1, 1, 1, 3), torch.tensor([[[0, 0, 0, 0, -1e9]]]))
    assert near.tolist() == [[[[0.25, 0.25]]]] and far.tolist() == [[[[0.25, 0.25, 0.0]]]]


@pytest.mark.parametrize("scores", [1, 2**19, 2**30])
def test_heads_go_together_or_alone(scores: int) -> None:
    q, k, v = torch.randn(2, 4, 3, 2), torch.randn(2, 2, 3, 2), torch.randn(2, 2, 3, 2)
    sizes: list[int] = []

    def way(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        sizes.append(len(q))
        return q + 2 * k + 3 * v

    wanted = q + (2 * k + 3 * v).repeat_interleave(2, 1)
    torch.testing.assert_close(by_heads(way, q, k, v, scores), wanted)
    assert sizes == {1: [8], 2**19: [2] * 4, 2**30: [1] * 8}[scores]

"""Attention in bf16 against float64: as near as the format allows, by the kernel or, without it, by matrix products."""

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from gptwright.kernels.attention import LONGEST, can_attend, causal_attention
from gptwright.kernels.library import can_bf16
from gptwright.layers.attend import attend
from gptwright.layers.dense import causal
from gptwright.layers.masks import CAUSAL, Documents, within


def heads(rows: int, length: int, count: int, width: int, seed: int) -> Tensor:
    """Heads as a fused projection leaves them: side by side, in a wider row."""
    wide = torch.randn(rows, length, 3 * count * width, generator=torch.Generator().manual_seed(seed))
    part = wide.bfloat16()[..., count * width : 2 * count * width]
    return part.unflatten(-1, (count, width)).transpose(1, 2).requires_grad_()


def error(ours: Tensor, exact: Tensor) -> float:
    return float((ours.detach().double() - exact.detach()).norm() / exact.detach().norm())


@pytest.mark.parametrize(
    ("rows", "length", "count", "groups", "width"),
    [
        (2, 1, 2, 2, 32),
        (1, 37, 4, 2, 32),
        (2, 64, 2, 1, 64),
        (1, 130, 4, 4, 64),
        (1, 65, 2, 2, 128),
        (1, 257, 1, 1, 96),
        (2, 70, 4, 2, 48),
    ],
)
def test_values_and_gradients(rows: int, length: int, count: int, groups: int, width: int) -> None:
    q, k, v = heads(rows, length, count, width, 1), *(heads(rows, length, groups, width, s) for s in (2, 3))
    ours = causal_attention(q, k, v) if can_attend(q) else causal(q, k, v)
    wide = [x.detach().double().requires_grad_() for x in (q, k, v)]
    exact = F.scaled_dot_product_attention(wide[0], wide[1], wide[2], is_causal=True, enable_gqa=groups != count)
    given = torch.randn(ours.shape, generator=torch.Generator().manual_seed(4)).bfloat16()
    assert error(ours, exact) < 0.01
    for mine, theirs in zip(
        torch.autograd.grad(ours, (q, k, v), given), torch.autograd.grad(exact, wide, given.double()), strict=True
    ):
        assert error(mine, theirs) < 0.01 or float(theirs.norm()) < 1e-9  # one position alone: no gradient to its key


@pytest.mark.parametrize(
    ("cuts", "length", "count", "groups"),
    [((0,), 1, 2, 2), ((0, 5, 6), 37, 4, 2), ((0, 63, 64, 65, 200), 257, 2, 1), ((0, 17, 500, 690), 700, 1, 1)],
)
def test_texts_side_by_side(cuts: tuple[int, ...], length: int, count: int, groups: int) -> None:
    """What each text of a row gets is what it gets alone; the second row is one text."""
    numbers = torch.stack([(torch.arange(length)[:, None] >= torch.tensor(cuts)).sum(1), torch.ones(length).long()])
    q, k, v = heads(2, length, count, 32, 1), *(heads(2, length, groups, 32, s) for s in (2, 3))
    documents = Documents(numbers)
    ours = attend(q, k, v, within(CAUSAL, documents))
    wide = [x.detach().double().requires_grad_() for x in (q, k, v)]
    own = torch.tril(numbers[:, :, None] == numbers[:, None])[:, None]
    exact = F.scaled_dot_product_attention(wide[0], wide[1], wide[2], own, enable_gqa=groups != count)
    given = torch.randn(ours.shape, generator=torch.Generator().manual_seed(4)).bfloat16()
    assert error(ours, exact) < 0.01
    for mine, theirs in zip(
        torch.autograd.grad(ours, (q, k, v), given), torch.autograd.grad(exact, wide, given.double()), strict=True
    ):
        assert error(mine, theirs) < 0.01 or float(theirs.norm()) < 1e-9


def test_great_scores_do_not_overflow() -> None:
    q, k, v = (heads(1, 48, 1, 32, seed).detach() for seed in (1, 2, 3))
    ours = causal(300 * q, 300 * k, v)
    wide = [x.double() for x in (300 * q, 300 * k, v)]
    exact = F.scaled_dot_product_attention(wide[0], wide[1], wide[2], is_causal=True)
    assert error(ours, exact) < 0.02


def test_the_number_of_threads_changes_nothing() -> None:
    q, k, v = (heads(2, 70, 2, 32, seed).detach() for seed in (1, 2, 3))
    before, results = torch.get_num_threads(), list[Tensor]()
    for threads in (1, 2):
        torch.set_num_threads(threads)
        results.append(causal(q, k, v))
    torch.set_num_threads(before)
    assert torch.equal(*results)


def test_what_the_kernel_takes() -> None:
    here = can_bf16()
    q = torch.zeros(1, 1, 2, 64, dtype=torch.bfloat16)
    assert can_attend(q) == here
    assert not can_attend(q.float())
    assert not can_attend(torch.zeros(1, 1, 2, 40, dtype=torch.bfloat16))
    assert not can_attend(torch.zeros(1, 1, LONGEST + 1, 64, dtype=torch.bfloat16))
    assert not can_attend(q.to("meta"))

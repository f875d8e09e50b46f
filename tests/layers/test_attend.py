"""Every way gives what dense attention gives with the mask's own `allowed`: the oracle computes in float64."""

from dataclasses import dataclass

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from jaxtyping import Bool, Int
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from gptwright.layers.attend import attend
from gptwright.layers.masks import CAUSAL, FULL, Banded, Both, Mask, Padded, PositionMask, Strided
from gptwright.layers.sparse import SCORES_AT_ONCE

WIDTHS, LENGTHS = [1, 2, 7, 32, 100, 128, 150], [1, 2, 31, 32, 33, 128, 200, 263]
MASKS = [
    FULL,
    CAUSAL,
    *map(Banded, WIDTHS),
    *map(Strided, WIDTHS),
]


@dataclass(frozen=True)
class Evens(PositionMask):
    """A pattern that nobody knows a faster way for."""

    def sees(self, query: Int[Tensor, "..."], key: Int[Tensor, "..."]) -> Bool[Tensor, "..."]:
        return (query - key) % 2 == 0


def exact(q: Tensor, k: Tensor, v: Tensor, mask: Mask) -> Tensor:
    """softmax(Q Kᵀ / √D) V, written out."""
    k, v = (x.repeat_interleave(q.shape[1] // k.shape[1], 1) for x in (k, v))
    allowed = mask.allowed(torch.arange(q.shape[2])[None], k.shape[2])[:, None]
    scores = (q @ k.mT / q.shape[-1] ** 0.5).masked_fill(~allowed, float("-inf"))
    return scores.softmax(-1) @ v


def compare(mask: Mask, length: int, *, rows: int = 1, groups: int = 2, keys: int | None = None) -> None:
    """Output and gradients to 1e-5. Heads lie beside each other in memory, as projections leave them."""
    shapes = [(rows, length, 2, 8), *[(rows, keys or length, groups, 8)] * 2]
    inputs = [torch.randn(shape).transpose(1, 2).requires_grad_() for shape in shapes]
    doubles = [x.detach().double().requires_grad_() for x in inputs]
    weight = torch.randn(rows, 2, length, 8)
    ours, truth = attend(*inputs, mask), exact(*doubles, mask)
    torch.testing.assert_close(ours.double(), truth, atol=1e-5, rtol=0)
    for mine, other in zip(
        torch.autograd.grad((ours * weight).sum(), inputs),
        torch.autograd.grad((truth * weight).sum(), doubles),
        strict=True,
    ):
        torch.testing.assert_close(mine.double(), other, atol=1e-5, rtol=0)


@pytest.mark.parametrize("length", LENGTHS)
@pytest.mark.parametrize("mask", MASKS, ids=str)
def test_every_mask_at_every_length(mask: Mask, length: int) -> None:
    compare(mask, length)


@given(st.sampled_from([Banded, Strided]), st.integers(1, 60), st.integers(1, 130))
def test_any_number_at_any_length(make: object, number: int, length: int) -> None:
    assert callable(make)
    compare(make(number), length)


@pytest.mark.parametrize("mask", [FULL, CAUSAL, Banded(20), Strided(9), Evens()], ids=str)
def test_rows_and_shared_keys(mask: Mask) -> None:
    compare(mask, 90, rows=3, groups=1)
    compare(mask, 90, rows=2, groups=2)


@pytest.mark.parametrize("groups", [1, 2])
def test_padded_rows_and_other_numbers_of_keys(groups: int) -> None:
    lengths = torch.tensor([5, 1, 9])
    compare(Padded(lengths), 9, rows=3, groups=groups)
    compare(Padded(lengths), 4, rows=3, groups=groups, keys=9)
    compare(FULL, 4, rows=3, groups=groups, keys=9)
    compare(Both(CAUSAL, Padded(lengths)), 9, rows=3, groups=groups)


@pytest.mark.parametrize("mask", [FULL, CAUSAL, Banded(20), Strided(9), Evens()], ids=str)
def test_bfloat16_stays_near_the_exact(mask: Mask) -> None:
    inputs = [torch.randn(2, 4, 150, 8).bfloat16() for _ in range(3)]
    found = attend(*inputs, mask)
    assert found.dtype == torch.bfloat16
    torch.testing.assert_close(found.double(), exact(*(x.double() for x in inputs), mask), atol=0.05, rtol=0.05)


class Largest(TorchDispatchMode):
    """Notes the largest tensor that any operation gives."""

    def __init__(self) -> None:
        super().__init__()
        self.elements = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):  # type: ignore[no-untyped-def]
        result = func(*args, **(kwargs or {}))
        for tensor in torch.utils._pytree.tree_leaves(result):
            if isinstance(tensor, Tensor):
                self.elements = max(self.elements, tensor.untyped_storage().nbytes() // tensor.element_size())
        return result


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("mask", [Banded(32), Strided(32)], ids=str)
def test_nothing_is_held_for_all_pairs(mask: Mask, dtype: torch.dtype, monkeypatch: pytest.MonkeyPatch) -> None:
    """Forwards and backwards at 1,024 places, one head at a time: under an eighth of the 2²⁰ pairs."""
    monkeypatch.setitem(SCORES_AT_ONCE, "cpu", 1)
    inputs = [torch.randn(1, 2, 1024, 8, dtype=dtype, requires_grad=True) for _ in range(3)]
    with Largest() as largest:
        attend(*inputs, mask).sum().backward()
    assert largest.elements < 2**20 // 8

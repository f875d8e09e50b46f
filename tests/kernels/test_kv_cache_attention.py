"""Attention to a KV cache against float64, single tokens and chunks, whatever stands beside them."""

from itertools import pairwise

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from gptwright.kernels.kv_cache_attention import (
    attend_chunk,
    attend_tokens,
    can_attend_cache,
    chunk_by_torch,
    keep,
    tokens_by_torch,
)
from gptwright.kernels.library import can_bf16

DTYPES = (torch.bfloat16, torch.float32)
WIDTHS = ((4, 4, 64), (6, 2, 48), (2, 1, 32), (3, 3, 96), (8, 2, 128), (4, 2, 16))  # heads, of keys, numbers
CHUNKS = ((0, 1, 0), (0, 70, 0), (33, 70, 0), (150, 3, 0), (33, 70, 20), (150, 70, 7))  # past, tokens, band


def drawn(*shape: int, seed: int, dtype: torch.dtype) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed)).to(dtype)


def queries(tokens: int, heads: int, width: int, dtype: torch.dtype) -> Tensor:
    """As a fused projection leaves them: side by side, in a wider row."""
    wide = drawn(tokens, 3 * heads * width, seed=3, dtype=dtype)
    return wide[None, :, : heads * width].unflatten(-1, (heads, width)).transpose(1, 2)


def kv_cache(addresses: int, groups: int, width: int, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
    """Nobody may look at what is not a number."""
    keys, values = (drawn(addresses, groups, width, seed=seed, dtype=dtype) for seed in (1, 2))
    return keys, values


def exact(q: Tensor, keys: Tensor, values: Tensor) -> Tensor:
    k, v = (x.double().transpose(0, 1)[None] for x in (keys, values))
    return F.scaled_dot_product_attention(q.double(), k, v, enable_gqa=True)


def error(ours: Tensor, exact: Tensor) -> float:
    return float((ours.double() - exact).norm() / exact.norm())


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("heads", "groups", "width"), WIDTHS)
@pytest.mark.parametrize("band", [0, 5])
def test_single_tokens(heads: int, groups: int, width: int, dtype: torch.dtype, band: int) -> None:
    keys, values = kv_cache(90, groups, width, dtype)
    starts, seen = torch.tensor([0, 3, 40, 10]), torch.tensor([1, 37, 50, 16])
    q = queries(4, heads, width, dtype)
    for way in (attend_tokens, tokens_by_torch):
        found = way(q, keys, values, starts, seen, band)
        for n, (start, count) in enumerate(zip(starts.tolist(), seen.tolist(), strict=True)):
            first = start + (max(0, count - band) if band else 0)
            whole = exact(q[:, :, n : n + 1], keys[first : start + count], values[first : start + count])
            assert error(found[:, :, n : n + 1], whole) < (1e-2 if dtype == torch.bfloat16 else 1e-5)


@pytest.mark.parametrize("dtype", DTYPES)
def test_others_and_threads_change_nothing(dtype: torch.dtype) -> None:
    keys, values = kv_cache(300, 2, 64, dtype)
    starts, seen, q = torch.tensor([0, 50, 120]), torch.tensor([40, 61, 170]), queries(3, 4, 64, dtype)
    before, results = torch.get_num_threads(), list[Tensor]()
    for threads in (1, 2):
        torch.set_num_threads(threads)
        results.append(attend_tokens(q, keys, values, starts, seen))
        results.append(torch.cat([attend_tokens(q[:, :, n : n + 1], keys, values, starts[n : n + 1], seen[n : n + 1])
                                  for n in range(3)], 2))  # fmt: skip
    torch.set_num_threads(before)
    if can_attend_cache(keys):
        assert all(torch.equal(results[0], result) for result in results)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("heads", "groups", "width"), WIDTHS)
@pytest.mark.parametrize(("past", "tokens", "band"), CHUNKS)
def test_chunks(heads: int, groups: int, width: int, dtype: torch.dtype, past: int, tokens: int, band: int) -> None:
    keys, values = kv_cache(230, groups, width, dtype)
    q = queries(tokens, heads, width, dtype)
    for way in (attend_chunk, chunk_by_torch):
        found = way(q, keys, values, 5, past, band)
        for n in {0, tokens // 2, tokens - 1}:
            last = 5 + past + n + 1
            first = max(5, last - band) if band else 5
            whole = exact(q[:, :, n : n + 1], keys[first:last], values[first:last])
            assert error(found[:, :, n : n + 1], whole) < (2e-2 if dtype == torch.bfloat16 else 1e-5)


@pytest.mark.parametrize("band", [0, 30])
def test_the_cut_into_chunks_changes_nothing(band: int) -> None:
    keys, values = kv_cache(200, 2, 64, torch.bfloat16)
    q = queries(150, 4, 64, torch.bfloat16)
    whole = attend_chunk(q, keys, values, 7, 20, band)
    cuts = (0, 1, 17, 81, 149, 150)
    parts = [attend_chunk(q[:, :, a:b], keys, values, 7, 20 + a, band) for a, b in pairwise(cuts)]
    if can_attend_cache(keys):
        assert torch.equal(torch.cat(parts, 2), whole)


@pytest.mark.parametrize("dtype", DTYPES)
def test_no_tokens_no_work(dtype: torch.dtype) -> None:
    keys, values = kv_cache(4, 2, 32, dtype)
    nobody = torch.zeros(0, dtype=torch.long)
    assert attend_tokens(queries(0, 4, 32, dtype), keys, values, nobody, nobody).shape == (1, 4, 0, 32)


@pytest.mark.parametrize("dtype", DTYPES)
def test_kept_at_their_addresses(dtype: torch.dtype) -> None:
    keys, values = torch.zeros(20, 2, 32, dtype=dtype), torch.zeros(20, 2, 32, dtype=dtype)
    k, addresses = queries(3, 2, 32, dtype), torch.tensor([4, 19, 0])
    keep(k, -k, keys, values, addresses)
    assert torch.equal(keys[addresses], k[0].transpose(0, 1))
    assert torch.equal(values, -keys)
    assert int((keys != 0).any(-1).any(-1).sum()) == 3


def test_what_the_kernels_take() -> None:
    here = can_bf16()
    assert can_attend_cache(torch.zeros(2, 1, 48, dtype=torch.bfloat16)) == here
    assert can_attend_cache(torch.zeros(2, 1, 48)) == here
    assert not can_attend_cache(torch.zeros(2, 1, 40))
    assert not can_attend_cache(torch.zeros(2, 1, 256))
    assert not can_attend_cache(torch.zeros(2, 1, 48, dtype=torch.float16))

import pytest
import torch

from gptwright.inference.contiguous_allocator import Slot
from gptwright.inference.kv_allocator import Copy
from gptwright.inference.kv_cache import KVCache, Span
from gptwright.inference.paged_allocator import BlockTable
from gptwright.layers.attend import attend
from gptwright.layers.masks import CAUSAL, Banded, Mask, Strided
from gptwright.models.llama import Llama, LlamaConfig


def test_it_has_the_shape_of_the_attention() -> None:
    model = Llama(LlamaConfig(vocab=20, context=8, width=24, heads=6, kv_heads=2, layers=3, hidden=12))
    assert KVCache.of(model, 5).keys.shape == (3, 5, 2, 4)
    assert KVCache.token_bytes(model) == 2 * 3 * 2 * 4 * 4


@pytest.mark.parametrize(("source", "target"), [(0, 4), (4, 0), (0, 2), (2, 0)])
def test_copies_read_before_they_write(source: int, target: int) -> None:
    cache = KVCache(2, 8, 1, 3, torch.float32, torch.device("cpu"))
    cache.keys.copy_(torch.arange(8.0)[:, None, None])
    cache.values.copy_(cache.keys)
    cache.apply_copies([Copy(source, target, 4)])
    for kept in (cache.keys, cache.values):
        assert kept[1, target : target + 4, 0, 0].tolist() == list(range(source, source + 4))


@pytest.mark.parametrize("mask", [CAUSAL, Banded(4), Strided(3)])
@pytest.mark.parametrize("width", [8, 16])
@pytest.mark.parametrize("paged", [False, True])
@pytest.mark.parametrize("cuts", [(11, 7), (1, 1, 9, 7), (5, 1, 1, 1, 10)])
def test_two_requests_in_steps_see_what_each_sees_alone(mask: Mask, width: int, paged: bool, cuts: tuple[int]) -> None:
    """Prompts of 11 and 7 tokens, whose answers go on to 18: read in pieces, side by side."""
    cache = KVCache(1, 64, 2, width, torch.float32, torch.device("cpu"))
    allocations = (
        (BlockTable([4, 1, 6, 3, 0], 4, 0), BlockTable([2, 5, 7, 8, 9], 4, 0)) if paged else (Slot(3, 18), Slot(30, 18))
    )
    q, k, v = (torch.randn(2, heads, 18, width) for heads in (4, 2, 2))
    whole = attend(q, k, v, mask)
    found = torch.empty_like(whole)
    first = 0
    for count in cuts:
        spans = [
            Span(allocation, first, count, prompt) for allocation, prompt in zip(allocations, (11, 7), strict=True)
        ]
        step = cache.step(spans)
        assert step.positions(2 * count)[0].tolist() == [*range(first, first + count)] * 2
        flat = (torch.cat([x[0, :, first : first + count], x[1, :, first : first + count]], 1)[None] for x in (q, k, v))
        y = step.layer(0).attend(*flat, mask)
        found[0, :, first : first + count], found[1, :, first : first + count] = y[0].split(count, 1)
        first += count
    torch.testing.assert_close(found, whole, atol=1e-5, rtol=1e-5)

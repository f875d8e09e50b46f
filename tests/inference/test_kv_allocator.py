from collections.abc import Callable
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from gptwright.inference.contiguous_allocator import ContiguousAllocator
from gptwright.inference.kv_allocator import Copy, KVAllocator, PrefixCache
from gptwright.inference.paged_allocator import PagedAllocator
from gptwright.inference.request import Request
from gptwright.inference.sampling import Sampling

TEXT = list(range(100, 120))


def remember(prefix_cache: PrefixCache[int], ids: list[int], location: int) -> None:
    before = None
    for start in range(0, len(ids) - prefix_cache.block_size + 1, prefix_cache.block_size):
        before = prefix_cache.add(before, ids[start : start + prefix_cache.block_size], location)


@given(st.lists(st.lists(st.integers(0, 1), max_size=9)), st.lists(st.integers(0, 1), max_size=9), st.integers(1, 3))
def test_what_is_found_is_the_longest_known_beginning_in_whole_blocks(
    texts: list[list[int]], ids: list[int], block_size: int
) -> None:
    prefix_cache: PrefixCache[int] = PrefixCache(block_size)
    for location, text in enumerate(texts):
        remember(prefix_cache, text, location)
    for max_running in range(len(ids) + 1):
        nodes = prefix_cache.find(ids, max_running)
        known = [
            n for n in range(block_size, max_running + 1, block_size) if any(text[:n] == ids[:n] for text in texts)
        ]
        assert len(nodes) == len(known)
        for end, node in zip(known, nodes, strict=True):
            assert list(node.locations) == [p for p, text in enumerate(texts) if text[:end] == ids[:end]]


def test_equal_hashes_are_not_equal_texts() -> None:
    assert hash((-1, 3)) == hash((-2, 3))
    prefix_cache: PrefixCache[int] = PrefixCache(2)
    prefix_cache.add(None, (-1, 3), 0)
    assert prefix_cache.find([-2, 3], 2) == [] and len(prefix_cache.find([-1, 3], 2)) == 1


def test_what_stood_behind_a_forgotten_beginning_is_not_found_behind_another() -> None:
    prefix_cache: PrefixCache[int] = PrefixCache(1)
    first = prefix_cache.add(None, [1], 0)
    prefix_cache.add(first, [2], 1)
    prefix_cache.discard(first, 0)
    prefix_cache.add(None, [3], 0)
    assert len(prefix_cache.find([3, 2], 2)) == 1
    prefix_cache.add(None, [1], 5)
    assert len(prefix_cache.find([1, 2], 2)) == 1


def test_nodes_without_places_are_gone() -> None:
    prefix_cache: PrefixCache[int] = PrefixCache(1)
    node = prefix_cache.add(None, [1], 0)
    assert prefix_cache.add(None, [1], 1) is node
    prefix_cache.discard(node, 0)
    assert prefix_cache.find([1], 1) == [node]
    prefix_cache.discard(node, 1)
    assert prefix_cache.find([1], 1) == [] and len(prefix_cache) == 0


def test_both_are_memories() -> None:
    assert isinstance(ContiguousAllocator(10), KVAllocator) and isinstance(PagedAllocator(10), KVAllocator)


def test_a_text_read_before_is_found_but_for_its_last_token(allocator: Callable[[Random], KVAllocator]) -> None:
    for seed in range(20):
        store = allocator(Random(seed))
        unit = (
            1 if isinstance(store, ContiguousAllocator) else store.block_size
        )  # a slot is found to the token, blocks are found whole
        first = Request(TEXT[:9], Sampling(max_tokens=1), 0)
        assert store.admit(first) and first.computed == 0
        first.computed = 9
        store.release(first)
        assert first.allocation is None and first.computed == 0
        for length in (9, 13):
            again = Request(TEXT[:length], Sampling(max_tokens=1), 0)
            assert store.admit(again) and again.computed == min(length - 1, 9) // unit * unit
            store.release(again)


def test_what_must_be_read_again_is_not_found(allocator: Callable[[Random], KVAllocator]) -> None:
    store = allocator(Random(0))
    first = Request(TEXT, Sampling(max_tokens=1), 0)
    assert store.admit(first)
    first.computed = len(TEXT)
    store.release(first)
    for max_reused, least in ((0, 0), (4, 4), (9, 8)):
        again = Request(TEXT, Sampling(max_tokens=1), 0, max_reused=max_reused)
        assert store.admit(again) and least <= again.computed <= max_reused
        store.release(again)


def test_other_weights_find_nothing(allocator: Callable[[Random], KVAllocator]) -> None:
    store = allocator(Random(0))
    first = Request(TEXT, Sampling(max_tokens=1), 0)
    assert store.admit(first)
    first.computed = len(TEXT)
    store.release(first)
    store.reset_prefix_cache()
    assert store.admit(again := Request(TEXT, Sampling(max_tokens=1), 0))
    assert again.computed == 0 and store.take_copies() == []


def test_a_copy_says_from_where_to_where() -> None:
    assert Copy(from_address=1, to_address=2, tokens=3) == (1, 2, 3)

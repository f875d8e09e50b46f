from collections.abc import Callable
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from gptwright.inference.contiguous_allocator import ContiguousAllocator
from gptwright.inference.kv_allocator import Copy, KVAllocator, Prefixes
from gptwright.inference.paged_allocator import PagedAllocator
from gptwright.inference.request import Request
from gptwright.inference.sampling import Sampling

TEXT = list(range(100, 120))


def remember(prefixes: Prefixes[int], ids: list[int], place: int) -> None:
    before = None
    for start in range(0, len(ids) - prefixes.size + 1, prefixes.size):
        before = prefixes.add(before, ids[start : start + prefixes.size], place)


@given(st.lists(st.lists(st.integers(0, 1), max_size=9)), st.lists(st.integers(0, 1), max_size=9), st.integers(1, 3))
def test_what_is_found_is_the_longest_known_beginning_in_whole_blocks(
    texts: list[list[int]], ids: list[int], size: int
) -> None:
    prefixes: Prefixes[int] = Prefixes(size)
    for place, text in enumerate(texts):
        remember(prefixes, text, place)
    for most in range(len(ids) + 1):
        nodes = prefixes.find(ids, most)
        known = [n for n in range(size, most + 1, size) if any(text[:n] == ids[:n] for text in texts)]
        assert len(nodes) == len(known)
        for end, node in zip(known, nodes, strict=True):
            assert list(node.places) == [p for p, text in enumerate(texts) if text[:end] == ids[:end]]


def test_equal_hashes_are_not_equal_texts() -> None:
    assert hash((-1, 3)) == hash((-2, 3))
    prefixes: Prefixes[int] = Prefixes(2)
    prefixes.add(None, (-1, 3), 0)
    assert prefixes.find([-2, 3], 2) == [] and len(prefixes.find([-1, 3], 2)) == 1


def test_what_stood_behind_a_forgotten_beginning_is_not_found_behind_another() -> None:
    prefixes: Prefixes[int] = Prefixes(1)
    first = prefixes.add(None, [1], 0)
    prefixes.add(first, [2], 1)
    prefixes.discard(first, 0)
    prefixes.add(None, [3], 0)
    assert len(prefixes.find([3, 2], 2)) == 1
    prefixes.add(None, [1], 5)
    assert len(prefixes.find([1, 2], 2)) == 1


def test_nodes_without_places_are_gone() -> None:
    prefixes: Prefixes[int] = Prefixes(1)
    node = prefixes.add(None, [1], 0)
    assert prefixes.add(None, [1], 1) is node
    prefixes.discard(node, 0)
    assert prefixes.find([1], 1) == [node]
    prefixes.discard(node, 1)
    assert prefixes.find([1], 1) == [] and len(prefixes) == 0


def test_both_are_memories() -> None:
    assert isinstance(ContiguousAllocator(10), KVAllocator) and isinstance(PagedAllocator(10), KVAllocator)


def test_a_text_read_before_is_found_but_for_its_last_token(memory: Callable[[Random], KVAllocator]) -> None:
    for seed in range(20):
        store = memory(Random(seed))
        unit = (
            1 if isinstance(store, ContiguousAllocator) else store.size
        )  # a slot is found to the token, blocks are found whole
        first = Request(TEXT[:9], Sampling(max_tokens=1), 0)
        assert store.admit(first) and first.computed == 0
        first.computed = 9
        store.release(first)
        assert first.lease is None and first.computed == 0
        for length in (9, 13):
            again = Request(TEXT[:length], Sampling(max_tokens=1), 0)
            assert store.admit(again) and again.computed == min(length - 1, 9) // unit * unit
            store.release(again)


def test_what_must_be_read_again_is_not_found(memory: Callable[[Random], KVAllocator]) -> None:
    store = memory(Random(0))
    first = Request(TEXT, Sampling(max_tokens=1), 0)
    assert store.admit(first)
    first.computed = len(TEXT)
    store.release(first)
    for recall, least in ((0, 0), (4, 4), (9, 8)):
        again = Request(TEXT, Sampling(max_tokens=1), 0, recall=recall)
        assert store.admit(again) and least <= again.computed <= recall
        store.release(again)


def test_other_weights_find_nothing(memory: Callable[[Random], KVAllocator]) -> None:
    store = memory(Random(0))
    first = Request(TEXT, Sampling(max_tokens=1), 0)
    assert store.admit(first)
    first.computed = len(TEXT)
    store.release(first)
    store.forget()
    assert store.admit(again := Request(TEXT, Sampling(max_tokens=1), 0))
    assert again.computed == 0 and store.copies() == []


def test_a_copy_says_from_where_to_where() -> None:
    assert Copy(from_address=1, to_address=2, tokens=3) == (1, 2, 3)

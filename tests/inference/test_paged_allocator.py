from gptwright.inference.paged_allocator import BlockTable, PagedAllocator
from gptwright.inference.request import Request
from gptwright.inference.sampling import Sampling


def request(text: str, tokens: int = 1) -> Request:
    return Request([ord(letter) for letter in text], Sampling(max_tokens=tokens), 0)


def blocks_of(request: Request) -> list[int]:
    assert isinstance(request.allocation, BlockTable)
    return request.allocation.blocks


def admitted(allocator: PagedAllocator, text: str) -> Request:
    it = request(text)
    assert allocator.admit(it)
    return it


def read(allocator: PagedAllocator, text: str) -> Request:
    """A request that has read all its ids."""
    it = admitted(allocator, text)
    it.computed = len(it.ids)
    assert allocator.grow(it, 0)
    return it


def test_a_token_stands_in_its_block() -> None:
    assert BlockTable([7, 2], 3, 0).addresses(0, 6) == [21, 22, 23, 6, 7, 8]


def test_room_is_given_block_by_block() -> None:
    allocator = PagedAllocator(4, block_size=4)
    it = read(allocator, "abcde")
    assert len(blocks_of(it)) == 2 and allocator.free == 8
    assert allocator.grow(it, 3) and allocator.free == 8
    assert allocator.grow(it, 4) and allocator.free == 4
    assert not allocator.grow(it, 12) and allocator.free == 4, "nothing is taken when not all is there"
    allocator.release(it)
    assert allocator.free == 16


def test_full_blocks_are_shared_where_they_lie_while_their_reader_runs() -> None:
    allocator = PagedAllocator(8, block_size=2)
    first, second = read(allocator, "abcdefg"), request("abcdxy")
    assert allocator.admit(second)
    assert second.computed == 4 and blocks_of(second)[:2] == blocks_of(first)[:2]
    assert not set(blocks_of(second)[2:]) & set(blocks_of(first))
    assert allocator.take_copies() == []
    allocator.release(first)
    assert allocator.free == 2 * (8 - 3)
    allocator.release(second)
    assert allocator.free == 16


def test_a_block_that_is_not_full_is_not_shared() -> None:
    allocator = PagedAllocator(8, block_size=4)
    first, second = read(allocator, "abcdef"), request("abcdefgh")
    assert allocator.admit(second)
    assert second.computed == 4 and blocks_of(second)[1] != blocks_of(first)[1]


def test_equal_blocks_after_other_beginnings_are_not_shared() -> None:
    allocator = PagedAllocator(8, block_size=2)
    read(allocator, "abxy")
    other = request("cdxyz")
    assert allocator.admit(other) and other.computed == 0


def test_what_was_read_twice_at_once_is_found_as_long_as_one_copy_is_left() -> None:
    allocator = PagedAllocator(8, block_size=2)
    both = [request("abcd"), request("abcd")]
    for it in both:
        assert allocator.admit(it)
    for it in both:
        it.computed = 4
        allocator.release(it)
    allocator.release(read(allocator, "123456789abc"))  # all that was never used, and one of the two
    again = admitted(allocator, "abcd")
    assert again.computed == 2


def test_the_least_recently_used_is_overwritten_first_and_ends_before_beginnings() -> None:
    allocator = PagedAllocator(6, block_size=2)
    for text in ("abcd", "efgh"):
        allocator.release(read(allocator, text))
    allocator.release(read(allocator, "abcd"))
    four = admitted(allocator, "12345678")  # two that are empty, then "gh" and "ef"
    allocator.release(four)
    kept = admitted(allocator, "abcde")
    assert kept.computed == 4
    allocator.release(kept)
    lost = admitted(allocator, "efghi")
    assert lost.computed == 0


def test_the_beginning_of_a_text_outlives_its_end_and_full_blocks_those_that_nobody_can_find() -> None:
    allocator = PagedAllocator(4, block_size=2)
    allocator.release(read(allocator, "abcdefg"))
    allocator.release(admitted(allocator, "12"))  # "g" goes, not "ef"
    assert len(allocator.prefix_cache.find([ord(letter) for letter in "abcdef"], 6)) == 3
    allocator.release(admitted(allocator, "1234"))
    assert len(allocator.prefix_cache.find([ord(letter) for letter in "abcdef"], 6)) == 2


def test_a_newcomer_leaves_a_block_for_each_who_may_grow() -> None:
    allocator = PagedAllocator(4, block_size=2)
    first, second = read(allocator, "abcd"), request("efgh")
    assert not allocator.admit(second)
    third = admitted(allocator, "ef")
    assert allocator.grow(first, 2)
    allocator.release(first)
    allocator.release(third)
    alone = admitted(allocator, "12345678")
    assert allocator.free == 0
    allocator.release(alone)


def test_blocks_in_use_are_not_counted_as_free_when_they_are_found() -> None:
    allocator = PagedAllocator(3, block_size=2)
    allocator.release(read(allocator, "abcd"))
    assert not allocator.admit(request("abcdefgh"))
    it = admitted(allocator, "abcdef")
    assert it.computed == 4 and allocator.free == 0

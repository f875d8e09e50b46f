from gptwright.inference.paged_allocator import PagedAllocator, Table
from gptwright.inference.request import Request
from gptwright.inference.sampling import Sampling


def request(text: str, tokens: int = 1) -> Request:
    return Request([ord(letter) for letter in text], Sampling(max_tokens=tokens), 0)


def blocks_of(request: Request) -> list[int]:
    assert isinstance(request.lease, Table)
    return request.lease.blocks


def admitted(memory: PagedAllocator, text: str) -> Request:
    it = request(text)
    assert memory.admit(it)
    return it


def read(memory: PagedAllocator, text: str) -> Request:
    """A request that has read all its ids."""
    it = admitted(memory, text)
    it.computed = len(it.ids)
    assert memory.grow(it, 0)
    return it


def test_a_token_stands_in_its_block() -> None:
    assert Table([7, 2], 3, 0).addresses(0, 6) == [21, 22, 23, 6, 7, 8]


def test_room_is_given_block_by_block() -> None:
    memory = PagedAllocator(4, size=4)
    it = read(memory, "abcde")
    assert len(blocks_of(it)) == 2 and memory.free == 8
    assert memory.grow(it, 3) and memory.free == 8
    assert memory.grow(it, 4) and memory.free == 4
    assert not memory.grow(it, 12) and memory.free == 4, "nothing is taken when not all is there"
    memory.release(it)
    assert memory.free == 16


def test_full_blocks_are_shared_where_they_lie_while_their_reader_runs() -> None:
    memory = PagedAllocator(8, size=2)
    first, second = read(memory, "abcdefg"), request("abcdxy")
    assert memory.admit(second)
    assert second.computed == 4 and blocks_of(second)[:2] == blocks_of(first)[:2]
    assert not set(blocks_of(second)[2:]) & set(blocks_of(first))
    assert memory.copies() == []
    memory.release(first)
    assert memory.free == 2 * (8 - 3)
    memory.release(second)
    assert memory.free == 16


def test_a_block_that_is_not_full_is_not_shared() -> None:
    memory = PagedAllocator(8, size=4)
    first, second = read(memory, "abcdef"), request("abcdefgh")
    assert memory.admit(second)
    assert second.computed == 4 and blocks_of(second)[1] != blocks_of(first)[1]


def test_equal_blocks_after_other_beginnings_are_not_shared() -> None:
    memory = PagedAllocator(8, size=2)
    read(memory, "abxy")
    other = request("cdxyz")
    assert memory.admit(other) and other.computed == 0


def test_what_was_read_twice_at_once_is_found_as_long_as_one_copy_is_left() -> None:
    memory = PagedAllocator(8, size=2)
    both = [request("abcd"), request("abcd")]
    for it in both:
        assert memory.admit(it)
    for it in both:
        it.computed = 4
        memory.release(it)
    memory.release(read(memory, "123456789abc"))  # all that was never used, and one of the two
    again = admitted(memory, "abcd")
    assert again.computed == 2


def test_the_least_recently_used_is_overwritten_first_and_ends_before_beginnings() -> None:
    memory = PagedAllocator(6, size=2)
    for text in ("abcd", "efgh"):
        memory.release(read(memory, text))
    memory.release(read(memory, "abcd"))
    four = admitted(memory, "12345678")  # two that are empty, then "gh" and "ef"
    memory.release(four)
    kept = admitted(memory, "abcde")
    assert kept.computed == 4
    memory.release(kept)
    lost = admitted(memory, "efghi")
    assert lost.computed == 0


def test_the_beginning_of_a_text_outlives_its_end_and_full_blocks_those_that_nobody_can_find() -> None:
    memory = PagedAllocator(4, size=2)
    memory.release(read(memory, "abcdefg"))
    memory.release(admitted(memory, "12"))  # "g" goes, not "ef"
    assert len(memory.prefixes.find([ord(letter) for letter in "abcdef"], 6)) == 3
    memory.release(admitted(memory, "1234"))
    assert len(memory.prefixes.find([ord(letter) for letter in "abcdef"], 6)) == 2


def test_a_newcomer_leaves_a_block_for_each_who_may_grow() -> None:
    memory = PagedAllocator(4, size=2)
    first, second = read(memory, "abcd"), request("efgh")
    assert not memory.admit(second)
    third = admitted(memory, "ef")
    assert memory.grow(first, 2)
    memory.release(first)
    memory.release(third)
    alone = admitted(memory, "12345678")
    assert memory.free == 0
    memory.release(alone)


def test_blocks_in_use_are_not_counted_as_free_when_they_are_found() -> None:
    memory = PagedAllocator(3, size=2)
    memory.release(read(memory, "abcd"))
    assert not memory.admit(request("abcdefgh"))
    it = admitted(memory, "abcdef")
    assert it.computed == 4 and memory.free == 0

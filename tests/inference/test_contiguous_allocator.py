from gptwright.inference.contiguous_allocator import ContiguousAllocator, Slot
from gptwright.inference.kv_allocator import Copy
from gptwright.inference.request import Request
from gptwright.inference.sampling import Sampling


def request(text: str, tokens: int = 1) -> Request:
    return Request([ord(letter) for letter in text], Sampling(max_tokens=tokens), 0)


def slot(request: Request) -> tuple[int, int]:
    """From where to where."""
    assert isinstance(request.allocation, Slot)
    return request.allocation.start, request.allocation.end


def admitted(allocator: ContiguousAllocator, text: str, tokens: int = 1) -> Request:
    it = request(text, tokens)
    assert allocator.admit(it)
    return it


def read(allocator: ContiguousAllocator, text: str, tokens: int = 1) -> Request:
    """A request that has read all its ids."""
    it = admitted(allocator, text, tokens)
    it.computed = len(it.ids)
    assert allocator.grow(it, 0)
    return it


def little(addresses: int, margin: int = 0) -> ContiguousAllocator:
    return ContiguousAllocator(addresses, margin, block_size=2)


def layout(allocator: ContiguousAllocator) -> str:
    """One letter an address: rented ones in capitals, gaps as dots."""
    parts: list[str] = []
    for part in allocator.slots:
        text = "".join(map(chr, part.request.ids)) if part.request else "".join(map(chr, part.cached))
        parts.append((text.upper() if part.request else text).ljust(part.room, "." if part.is_gap else "_"))
    return "".join(parts)


def test_tokens_stand_side_by_side() -> None:
    allocator = little(10)
    read(allocator, "abc")
    second = read(allocator, "de")
    assert second.allocation and list(second.allocation.addresses(0, 2)) == [3, 4]
    assert layout(allocator) == "ABCDE....."


def test_a_slot_has_a_margin_but_no_more_than_its_request_can_use() -> None:
    allocator = ContiguousAllocator(1000, margin=8)
    short = admitted(allocator, "abc", tokens=4)
    assert slot(short) == (0, 6)
    some = admitted(allocator, "abc", tokens=100)
    assert slot(some) == (6, 17)
    long = admitted(allocator, "x" * 100, tokens=100)
    assert slot(long) == (17, 17 + 125)


def test_what_was_computed_stays_and_is_found_to_the_token() -> None:
    allocator = little(12)
    allocator.release(read(allocator, "abcde"))
    assert layout(allocator) == "abcde......."
    it = admitted(allocator, "abcxy")
    assert it.computed == 3
    assert allocator.take_copies() == [Copy(0, 5, 3)] and allocator.take_copies() == []
    assert layout(allocator) == "abcdeABCXY.."


def test_a_text_that_goes_on_takes_its_slot_over() -> None:
    allocator = little(12)
    allocator.release(read(allocator, "abcde"))
    it = admitted(allocator, "abcdefg")
    assert it.computed == 5
    assert allocator.take_copies() == [] and layout(allocator) == "ABCDEFG....."


def test_a_slot_is_taken_over_by_one_only() -> None:
    allocator = little(20)
    allocator.release(read(allocator, "abcde"))
    for start in (0, 7, 14):
        it = admitted(allocator, "abcdef")
        assert it.computed == 5 and slot(it)[0] == start - start // 7


def test_a_slot_that_can_be_taken_over_goes_before_one_that_must_be_copied() -> None:
    allocator = little(20)
    first = read(allocator, "abcde")
    allocator.release(read(allocator, "abcde"))
    assert allocator.take_copies() == [Copy(0, 5, 4)] and slot(first) == (0, 5)
    assert slot(admitted(allocator, "abcdef")) == (5, 11) and allocator.take_copies() == []


def test_the_beginning_of_one_who_runs_is_copied() -> None:
    allocator = little(12)
    first = read(allocator, "abcd")
    second = admitted(allocator, "abcx")
    assert second.computed == 3 and allocator.take_copies() == [Copy(0, 4, 3)]
    assert slot(first) == (0, 4)


def test_nothing_that_is_not_computed_yet_is_found() -> None:
    allocator = little(12)
    first = admitted(allocator, "abcdef")
    first.computed = 3
    assert allocator.grow(first, 3)
    second = admitted(allocator, "abcdef")
    assert second.computed == 3


def test_a_slot_grows_where_it_is_when_what_is_behind_is_free() -> None:
    allocator = little(10, margin=2)
    first = read(allocator, "abcd", tokens=9)
    assert slot(first) == (0, 6)
    assert allocator.grow(first, 3) and slot(first) == (0, 9)
    assert allocator.take_copies() == [] and first.computed == 4


def test_a_slot_moves_when_somebody_is_behind_it() -> None:
    allocator = little(16, margin=1)
    first = read(allocator, "abc", tokens=9)
    second = read(allocator, "defg")
    assert slot(first) == (0, 4)
    assert allocator.grow(first, 2) and slot(first) == (8, 14)
    assert allocator.take_copies() == [Copy(0, 8, 3)] and slot(second) == (4, 8)
    assert layout(allocator) == "....DEFGABC___.."


def test_a_slot_slides_over_itself_when_that_is_all_there_is() -> None:
    allocator = little(10)
    first, second, third = read(allocator, "ab"), read(allocator, "cdef", tokens=5), read(allocator, "gh")
    allocator.release(first)
    assert layout(allocator) == "abCDEF_GH."
    assert allocator.grow(second, 3) and slot(second) == (0, 7) and slot(third) == (7, 9)
    assert allocator.take_copies() == [Copy(2, 0, 4)] and layout(allocator) == "CDEF___GH."


def test_no_room_changes_nothing() -> None:
    allocator = little(9)
    first, second = read(allocator, "abcd", tokens=9), read(allocator, "efgh")
    before = layout(allocator)
    assert before == "ABCD_EFGH"
    assert not allocator.grow(first, 2) and not allocator.admit(request("i"))
    assert layout(allocator) == before and allocator.take_copies() == [] and slot(second) == (5, 9)


def test_the_least_recently_used_is_overwritten_first() -> None:
    allocator = little(12)
    texts = [read(allocator, text) for text in ("abcd", "efgh", "ijkl")]
    for index in (1, 0, 2):
        allocator.release(texts[index])
    read(allocator, "1234")
    assert layout(allocator) == "abcd1234ijkl"
    read(allocator, "abcd")
    assert allocator.take_copies() == [Copy(0, 8, 3)] and layout(allocator) == "abcd1234ABCD"


def test_of_neighbours_that_are_overwritten_together_the_newest_counts() -> None:
    allocator = little(16)
    texts = [read(allocator, text) for text in ("abcd", "efgh", "ijkl", "mnop")]
    for index in (3, 0, 1, 2):
        allocator.release(texts[index])
    read(allocator, "12345678")
    assert layout(allocator) == "12345678ijklmnop"


def test_the_beginning_of_a_long_text_stays_when_its_end_is_overwritten() -> None:
    allocator = little(10)
    allocator.release(read(allocator, "abcdefghij"))
    read(allocator, "123")
    assert layout(allocator) == "abcdefg123"
    allocator = little(10)
    allocator.release(read(allocator, "abcdefghij"))
    assert allocator.admit(request("123456789")) and layout(allocator) == ".123456789"


def test_a_source_may_be_overwritten_by_its_own_copy() -> None:
    allocator = little(8)
    allocator.release(read(allocator, "abcdefgh"))
    it = admitted(allocator, "abcdxyz")
    assert it.computed == 4
    assert allocator.take_copies() == [Copy(0, 1, 4)] and layout(allocator) == ".ABCDXYZ"


def test_gaps_side_by_side_are_one() -> None:
    allocator = little(9)
    for it in [read(allocator, text) for text in "abc"]:
        allocator.release(it)
    assert layout(allocator) == "........." and len(allocator.slots) == 1

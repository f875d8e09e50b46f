from gptwright.inference.contiguous_allocator import ContiguousAllocator, Slot
from gptwright.inference.kv_allocator import Copy
from gptwright.inference.request import Request
from gptwright.inference.sampling import Sampling


def request(text: str, tokens: int = 1) -> Request:
    return Request([ord(letter) for letter in text], Sampling(max_tokens=tokens), 0)


def slot(request: Request) -> tuple[int, int]:
    """From where to where."""
    assert isinstance(request.lease, Slot)
    return request.lease.start, request.lease.end


def admitted(memory: ContiguousAllocator, text: str, tokens: int = 1) -> Request:
    it = request(text, tokens)
    assert memory.admit(it)
    return it


def read(memory: ContiguousAllocator, text: str, tokens: int = 1) -> Request:
    """A request that has read all its ids."""
    it = admitted(memory, text, tokens)
    it.computed = len(it.ids)
    assert memory.grow(it, 0)
    return it


def little(addresses: int, margin: int = 0) -> ContiguousAllocator:
    return ContiguousAllocator(addresses, margin, size=2)


def layout(memory: ContiguousAllocator) -> str:
    """One letter an address: rented ones in capitals, gaps as dots."""
    parts: list[str] = []
    for part in memory.slots:
        text = "".join(map(chr, part.request.ids)) if part.request else "".join(map(chr, part.remembered))
        parts.append((text.upper() if part.request else text).ljust(part.room, "." if part.gap else "_"))
    return "".join(parts)


def test_tokens_stand_side_by_side() -> None:
    memory = little(10)
    read(memory, "abc")
    second = read(memory, "de")
    assert second.lease and list(second.lease.addresses(0, 2)) == [3, 4]
    assert layout(memory) == "ABCDE....."


def test_a_slot_has_a_margin_but_no_more_than_its_request_can_use() -> None:
    memory = ContiguousAllocator(1000, margin=8)
    short = admitted(memory, "abc", tokens=4)
    assert slot(short) == (0, 6)
    some = admitted(memory, "abc", tokens=100)
    assert slot(some) == (6, 17)
    long = admitted(memory, "x" * 100, tokens=100)
    assert slot(long) == (17, 17 + 125)


def test_what_was_computed_stays_and_is_found_to_the_token() -> None:
    memory = little(12)
    memory.release(read(memory, "abcde"))
    assert layout(memory) == "abcde......."
    it = admitted(memory, "abcxy")
    assert it.computed == 3
    assert memory.copies() == [Copy(0, 5, 3)] and memory.copies() == []
    assert layout(memory) == "abcdeABCXY.."


def test_a_text_that_goes_on_takes_its_slot_over() -> None:
    memory = little(12)
    memory.release(read(memory, "abcde"))
    it = admitted(memory, "abcdefg")
    assert it.computed == 5
    assert memory.copies() == [] and layout(memory) == "ABCDEFG....."


def test_a_slot_is_taken_over_by_one_only() -> None:
    memory = little(20)
    memory.release(read(memory, "abcde"))
    for start in (0, 7, 14):
        it = admitted(memory, "abcdef")
        assert it.computed == 5 and slot(it)[0] == start - start // 7


def test_a_slot_that_can_be_taken_over_goes_before_one_that_must_be_copied() -> None:
    memory = little(20)
    first = read(memory, "abcde")
    memory.release(read(memory, "abcde"))
    assert memory.copies() == [Copy(0, 5, 4)] and slot(first) == (0, 5)
    assert slot(admitted(memory, "abcdef")) == (5, 11) and memory.copies() == []


def test_the_beginning_of_one_who_runs_is_copied() -> None:
    memory = little(12)
    first = read(memory, "abcd")
    second = admitted(memory, "abcx")
    assert second.computed == 3 and memory.copies() == [Copy(0, 4, 3)]
    assert slot(first) == (0, 4)


def test_nothing_that_is_not_computed_yet_is_found() -> None:
    memory = little(12)
    first = admitted(memory, "abcdef")
    first.computed = 3
    assert memory.grow(first, 3)
    second = admitted(memory, "abcdef")
    assert second.computed == 3


def test_a_slot_grows_where_it_is_when_what_is_behind_is_free() -> None:
    memory = little(10, margin=2)
    first = read(memory, "abcd", tokens=9)
    assert slot(first) == (0, 6)
    assert memory.grow(first, 3) and slot(first) == (0, 9)
    assert memory.copies() == [] and first.computed == 4


def test_a_slot_moves_when_somebody_is_behind_it() -> None:
    memory = little(16, margin=1)
    first = read(memory, "abc", tokens=9)
    second = read(memory, "defg")
    assert slot(first) == (0, 4)
    assert memory.grow(first, 2) and slot(first) == (8, 14)
    assert memory.copies() == [Copy(0, 8, 3)] and slot(second) == (4, 8)
    assert layout(memory) == "....DEFGABC___.."


def test_a_slot_slides_over_itself_when_that_is_all_there_is() -> None:
    memory = little(10)
    first, second, third = read(memory, "ab"), read(memory, "cdef", tokens=5), read(memory, "gh")
    memory.release(first)
    assert layout(memory) == "abCDEF_GH."
    assert memory.grow(second, 3) and slot(second) == (0, 7) and slot(third) == (7, 9)
    assert memory.copies() == [Copy(2, 0, 4)] and layout(memory) == "CDEF___GH."


def test_no_room_changes_nothing() -> None:
    memory = little(9)
    first, second = read(memory, "abcd", tokens=9), read(memory, "efgh")
    before = layout(memory)
    assert before == "ABCD_EFGH"
    assert not memory.grow(first, 2) and not memory.admit(request("i"))
    assert layout(memory) == before and memory.copies() == [] and slot(second) == (5, 9)


def test_the_least_recently_used_is_overwritten_first() -> None:
    memory = little(12)
    texts = [read(memory, text) for text in ("abcd", "efgh", "ijkl")]
    for index in (1, 0, 2):
        memory.release(texts[index])
    read(memory, "1234")
    assert layout(memory) == "abcd1234ijkl"
    read(memory, "abcd")
    assert memory.copies() == [Copy(0, 8, 3)] and layout(memory) == "abcd1234ABCD"


def test_of_neighbours_that_are_overwritten_together_the_newest_counts() -> None:
    memory = little(16)
    texts = [read(memory, text) for text in ("abcd", "efgh", "ijkl", "mnop")]
    for index in (3, 0, 1, 2):
        memory.release(texts[index])
    read(memory, "12345678")
    assert layout(memory) == "12345678ijklmnop"


def test_the_beginning_of_a_long_text_stays_when_its_end_is_overwritten() -> None:
    memory = little(10)
    memory.release(read(memory, "abcdefghij"))
    read(memory, "123")
    assert layout(memory) == "abcdefg123"
    memory = little(10)
    memory.release(read(memory, "abcdefghij"))
    assert memory.admit(request("123456789")) and layout(memory) == ".123456789"


def test_a_source_may_be_overwritten_by_its_own_copy() -> None:
    memory = little(8)
    memory.release(read(memory, "abcdefgh"))
    it = admitted(memory, "abcdxyz")
    assert it.computed == 4
    assert memory.copies() == [Copy(0, 1, 4)] and layout(memory) == ".ABCDXYZ"


def test_gaps_side_by_side_are_one() -> None:
    memory = little(9)
    for it in [read(memory, text) for text in "abc"]:
        memory.release(it)
    assert layout(memory) == "........." and len(memory.slots) == 1

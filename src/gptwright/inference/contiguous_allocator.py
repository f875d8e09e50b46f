"""The cache in contiguous ranges: a CPU reads keys that lie side by side several times as fast.

The cache is divided into slots. Each is held by one request, or cached (free, with the keys of a text at its start),
or a gap (free and empty). A slot grows into the free slots behind it, or moves. A cached prefix is copied, or its slot
is taken over. The least recently used is overwritten first.
"""

from collections.abc import Hashable, Sequence
from typing import NamedTuple

from gptwright.inference.kv_allocator import Copy, Node, PrefixCache
from gptwright.inference.request import Request


class Slot:
    """`room` addresses from `start` on, and the tokens whose keys lie at the first of them."""

    def __init__(self, start: int, room: int, request: Request | None = None) -> None:
        self.start, self.room, self.request = start, room, request
        self.cached: Sequence[Hashable] = ()
        self.nodes: list[Node[Slot]] = []
        self.last_used = 0

    def addresses(self, first: int, end: int) -> range:
        """Cache addresses of the tokens from position `first` up to `end`."""
        return range(self.start + first, self.start + end)

    @property
    def end(self) -> int:
        """The first address behind it."""
        return self.start + self.room

    @property
    def is_gap(self) -> bool:
        """Whether it is free and empty."""
        return self.request is None and not self.cached

    def common_prefix(self, keys: Sequence[Hashable], known: int, most: int) -> int:
        """Length of the common prefix of its tokens and keys[:most]; the first `known` are known to be equal."""
        text, length = (self.request.keys, self.request.computed) if self.request else (self.cached, self.room)
        most = min(most, length)
        while known < most and text[known] == keys[known]:
            known += 1
        return known


class Window(NamedTuple):
    """Neighbouring slots, and the most recent use of a text that would be overwritten there."""

    loss: int
    first: int
    last: int


class ContiguousAllocator:
    """A `KVAllocator` of `addresses` tokens; prefixes of `block_size` tokens and more are cached.

    A slot has room for `margin` tokens more than it needs at the time, or for a quarter more in long texts, but for
    no more than its request can reach.
    """

    def __init__(self, addresses: int, margin: int = 64, block_size: int = 16) -> None:
        self.capacity, self.margin, self.block_size = addresses, margin, block_size
        self.slots: list[Slot] = []
        self.reset_prefix_cache()

    @property
    def free(self) -> int:
        """Tokens of the slots that no request holds."""
        return sum(slot.room for slot in self.slots if not slot.request)

    def reset_prefix_cache(self) -> None:
        """Drops every cached prefix. No request may hold a slot at this time."""
        assert not any(slot.request for slot in self.slots)
        self.prefix_cache: PrefixCache[Slot] = PrefixCache(self.block_size)
        self.slots = [Slot(0, self.capacity)]
        self._copies: list[Copy] = []
        self._clock = 0

    def take_copies(self) -> list[Copy]:
        """The copies to make before the next step, in this order; each is returned once."""
        take_copies, self._copies = self._copies, []
        return take_copies

    def admit(self, request: Request) -> bool:
        """A slot for all its ids and a margin, with the longest cached prefix in it."""
        source, found = self._longest_prefix(request)
        whole = source is not None and not source.request and found == len(source.cached)
        room = self._with_margin(request, len(request.ids))
        return self._place(request, room, source, found, current=source if whole else None)

    def grow(self, request: Request, tokens: int) -> bool:
        """Room for `tokens` more than are computed, in place or elsewhere; full blocks go into the prefix cache."""
        slot = self._slot(request)
        self._register_blocks(request, slot)
        needed = request.computed + tokens
        return needed <= slot.room or any(
            self._place(request, room, slot, request.computed, current=slot)
            for room in (self._with_margin(request, needed), needed)
        )

    def release(self, request: Request) -> None:
        """Frees the slot; what was computed stays cached until its addresses are needed, the rest becomes a gap."""
        slot = self._slot(request)
        self._register_blocks(request, slot)
        self._clock += 1
        slot.request, slot.cached, slot.last_used = None, request.keys[: request.computed], self._clock
        request.allocation, request.computed = None, 0
        end = slot.end
        self._shorten(slot, len(slot.cached))
        slot.room = len(slot.cached)
        self._replace(self.slots.index(slot), 1, [slot, Slot(slot.end, end - slot.end)])

    def _slot(self, request: Request) -> Slot:
        assert isinstance(request.allocation, Slot)
        return request.allocation

    def _with_margin(self, request: Request, tokens: int) -> int:
        return max(tokens, min(tokens + max(self.margin, tokens // 4), request.max_cached))

    def _longest_prefix(self, request: Request) -> tuple[Slot | None, int]:
        """The slot with the longest cached prefix, preferably one that can be taken over, and the prefix length."""
        nodes = self.prefix_cache.find(request.keys, request.reusable)
        if not nodes:
            return None, 0
        known = len(nodes) * self.block_size
        most = min(request.reusable, known + self.block_size)
        lengths = {slot: slot.common_prefix(request.keys, known, most) for slot in nodes[-1].locations}
        best = max(lengths, key=lambda slot: (lengths[slot], len(slot.cached) == lengths[slot]))
        self._clock += 1
        best.last_used = self._clock
        return best, lengths[best]

    def _place(self, request: Request, room: int, source: Slot | None, tokens: int, current: Slot | None) -> bool:
        """Gives the request a slot with the first tokens of `source` in it.

        `current` is the slot that it leaves or stays in; nothing there is lost. Copies are made in order, so a source
        may be overwritten as soon as its copy is queued.
        """
        window = self._best_window(room, current)
        if window is None:
            return False
        if current:
            current.request = None
            self._shorten(current, 0)
        slot = self._carve(window, room, request)
        if current and current in self.slots:
            self._replace(self.slots.index(current), 1, [current])
        if source and source.start != slot.start and tokens:
            self._copies.append(Copy(source.start, slot.start, tokens))
        request.allocation, request.computed = slot, tokens
        self._register_blocks(request, slot)
        return True

    def _best_window(self, room: int, current: Slot | None) -> Window | None:
        """The fewest neighbouring slots with `room` addresses and the oldest texts, preferably in place."""
        best = self._in_place(room, current) if current else None
        first = total = 0
        for last, slot in enumerate(self.slots):
            if slot.request and slot is not current:
                first, total = last + 1, 0
                continue
            total += slot.room
            while total - self.slots[first].room >= room:
                total -= self.slots[first].room
                first += 1
            if total >= room and (best is None or slot.last_used < best.loss):
                window = self._window(first, last, current)
                best = window if best is None or window.loss < best.loss else best
        return best

    def _in_place(self, room: int, current: Slot) -> Window | None:
        first = last = self.slots.index(current)
        while self.slots[last].end - current.start < room:
            last += 1
            if last == len(self.slots) or self.slots[last].request:
                return None
        return self._window(first, last, current)

    def _window(self, first: int, last: int, current: Slot | None) -> Window:
        return Window(
            max([0 if slot is current else slot.last_used for slot in self.slots[first : last + 1]]), first, last
        )

    def _carve(self, window: Window, room: int, request: Request) -> Slot:
        """A slot at the window's start, or at its end if a cached text lies at the start, whose prefix then stays."""
        taken = self.slots[window.first : window.last + 1]
        head, end = taken[0], taken[-1].end
        slot = Slot(head.start if head.is_gap else end - room, room, request)
        for other in taken:
            self._shorten(other, max(0, slot.start - other.start))
        head.room = slot.start - head.start
        self._replace(window.first, len(taken), [head, slot, Slot(slot.end, end - slot.end)])
        return slot

    def _replace(self, first: int, count: int, slots: list[Slot]) -> None:
        """Replaces `count` slots by others, and merges neighbouring gaps."""
        begin, end = first, first + count
        while begin and self.slots[begin - 1].is_gap:
            begin -= 1
        while end < len(self.slots) and self.slots[end].is_gap:
            end += 1
        joined: list[Slot] = []
        for slot in self.slots[begin:first] + slots + self.slots[first + count : end]:
            if joined and slot.is_gap and joined[-1].is_gap:
                joined[-1].room += slot.room
            elif slot.room:
                joined.append(slot)
        self.slots[begin:end] = joined

    def _shorten(self, slot: Slot, tokens: int) -> None:
        """Keeps the first tokens of a text. Less than a block cannot be found again, so it is dropped."""
        while len(slot.nodes) * self.block_size > tokens:
            self.prefix_cache.discard(slot.nodes.pop(), slot)
        slot.cached = slot.cached[:tokens] if slot.nodes else ()
        slot.last_used = slot.last_used if slot.nodes else 0

    def _register_blocks(self, request: Request, slot: Slot) -> None:
        """Adds the blocks that became full to the prefix cache."""
        while (end := (len(slot.nodes) + 1) * self.block_size) <= request.computed:
            before = slot.nodes[-1] if slot.nodes else None
            slot.nodes.append(self.prefix_cache.add(before, request.keys[end - self.block_size : end], slot))

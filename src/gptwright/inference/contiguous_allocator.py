"""Memory in contiguous ranges of one arena: a processor reads keys that lie side by side several times as fast.

The arena is cut into slots. Each is rented by one request, or remembered (free, with the keys of a text at its
beginning), or a gap (free and empty). A slot grows into what is free behind it, or moves. A beginning that is found
is copied, or its slot is taken over. What was not used for longest is overwritten first.
"""

from collections.abc import Sequence
from typing import NamedTuple

from gptwright.inference.kv_allocator import Copy, Node, Prefixes
from gptwright.inference.request import Request


class Slot:
    """The addresses from `start` on, `room` of them, and the tokens whose keys lie at its beginning."""

    def __init__(self, start: int, room: int, request: Request | None = None) -> None:
        self.start, self.room, self.request = start, room, request
        self.remembered: list[int] = []
        self.nodes: list[Node[Slot]] = []
        self.used = 0

    def addresses(self, first: int, end: int) -> range:
        """Of the tokens from position `first` up to `end`."""
        return range(self.start + first, self.start + end)

    @property
    def end(self) -> int:
        """The address behind it."""
        return self.start + self.room

    @property
    def gap(self) -> bool:
        """Whether it is free and empty."""
        return self.request is None and not self.remembered

    def common(self, ids: Sequence[int], known: int, most: int) -> int:
        """Tokens at its beginning that ids[:most] begins with too; the first `known` are known to be equal."""
        text, length = (self.request.ids, self.request.computed) if self.request else (self.remembered, self.room)
        most = min(most, length)
        while known < most and text[known] == ids[known]:
            known += 1
        return known


class Window(NamedTuple):
    """Neighbouring slots, and how recently the last of the texts was used that would be overwritten there."""

    loss: int
    first: int
    last: int


class ContiguousAllocator:
    """A `Memory` of `addresses` tokens; beginnings of `size` tokens and more are found.

    A slot has room for `margin` tokens more than it needs at the time, or for a quarter more in long texts, but not
    for more than its request can come to.
    """

    def __init__(self, addresses: int, margin: int = 64, size: int = 16) -> None:
        self.most_tokens, self.margin, self.size = addresses, margin, size
        self.slots: list[Slot] = []
        self.forget()

    @property
    def free(self) -> int:
        """Tokens of the slots that nobody has."""
        return sum(slot.room for slot in self.slots if not slot.request)

    def forget(self) -> None:
        """Nothing computed so far is found any more. Nobody may have a slot at this time."""
        assert not any(slot.request for slot in self.slots)
        self.prefixes: Prefixes[Slot] = Prefixes(self.size)
        self.slots = [Slot(0, self.most_tokens)]
        self._copies: list[Copy] = []
        self._clock = 0

    def copies(self) -> list[Copy]:
        """To be carried out before the next step, in this order, each told once."""
        copies, self._copies = self._copies, []
        return copies

    def admit(self, request: Request) -> bool:
        """A slot for all its ids and a margin; the longest known beginning is in it already."""
        source, found = self._find(request)
        whole = source is not None and not source.request and found == len(source.remembered)
        room = self._with_margin(request, len(request.ids))
        return self._settle(request, room, source, found, home=source if whole else None)

    def grow(self, request: Request, tokens: int) -> bool:
        """Room for so many more than are computed, where it is or elsewhere; what is computed by now is found."""
        slot = self._slot(request)
        self._note(request, slot)
        needed = request.computed + tokens
        return needed <= slot.room or any(
            self._settle(request, room, slot, request.computed, home=slot)
            for room in (self._with_margin(request, needed), needed)
        )

    def release(self, request: Request) -> None:
        """Frees the slot; what was computed is found until its addresses are needed, the rest is a gap."""
        slot = self._slot(request)
        self._note(request, slot)
        self._clock += 1
        slot.request, slot.remembered, slot.used = None, request.ids[: request.computed], self._clock
        request.lease, request.computed = None, 0
        end = slot.end
        self._shorten(slot, len(slot.remembered))
        slot.room = len(slot.remembered)
        self._replace(self.slots.index(slot), 1, [slot, Slot(slot.end, end - slot.end)])

    def _slot(self, request: Request) -> Slot:
        assert isinstance(request.lease, Slot)
        return request.lease

    def _with_margin(self, request: Request, tokens: int) -> int:
        return max(tokens, min(tokens + max(self.margin, tokens // 4), request.longest))

    def _find(self, request: Request) -> tuple[Slot | None, int]:
        """The slot with the longest beginning of the ids, rather one that can be taken over, and the length."""
        nodes = self.prefixes.find(request.ids, request.recallable)
        if not nodes:
            return None, 0
        known = len(nodes) * self.size
        most = min(request.recallable, known + self.size)
        lengths = {slot: slot.common(request.ids, known, most) for slot in nodes[-1].places}
        best = max(lengths, key=lambda slot: (lengths[slot], len(slot.remembered) == lengths[slot]))
        self._clock += 1
        best.used = self._clock
        return best, lengths[best]

    def _settle(self, request: Request, room: int, source: Slot | None, tokens: int, home: Slot | None) -> bool:
        """Gives the request a slot with the first tokens of `source` in it.

        `home` is a slot that it leaves, or stays in; nothing there is lost. As every copy is made in its turn, a
        source may be overwritten as soon as its copy is noted.
        """
        window = self._best_window(room, home)
        if window is None:
            return False
        if home:
            home.request = None
            self._shorten(home, 0)
        slot = self._take(window, room, request)
        if home and home in self.slots:
            self._replace(self.slots.index(home), 1, [home])
        if source and source.start != slot.start and tokens:
            self._copies.append(Copy(source.start, slot.start, tokens))
        request.lease, request.computed = slot, tokens
        self._note(request, slot)
        return True

    def _best_window(self, room: int, home: Slot | None) -> Window | None:
        """Where `room` addresses can be had with the least loss, rather in place: as few neighbours as suffice."""
        best = self._in_place(room, home) if home else None
        first = total = 0
        for last, slot in enumerate(self.slots):
            if slot.request and slot is not home:
                first, total = last + 1, 0
                continue
            total += slot.room
            while total - self.slots[first].room >= room:
                total -= self.slots[first].room
                first += 1
            if total >= room and (best is None or slot.used < best.loss):
                window = self._window(first, last, home)
                best = window if best is None or window.loss < best.loss else best
        return best

    def _in_place(self, room: int, home: Slot) -> Window | None:
        first = last = self.slots.index(home)
        while self.slots[last].end - home.start < room:
            last += 1
            if last == len(self.slots) or self.slots[last].request:
                return None
        return self._window(first, last, home)

    def _window(self, first: int, last: int, home: Slot | None) -> Window:
        return Window(max([0 if slot is home else slot.used for slot in self.slots[first : last + 1]]), first, last)

    def _take(self, window: Window, room: int, request: Request) -> Slot:
        """A slot at the window's beginning; or at its end where it begins with a text, whose own beginning stays."""
        taken = self.slots[window.first : window.last + 1]
        head, end = taken[0], taken[-1].end
        slot = Slot(head.start if head.gap else end - room, room, request)
        for other in taken:
            self._shorten(other, max(0, slot.start - other.start))
        head.room = slot.start - head.start
        self._replace(window.first, len(taken), [head, slot, Slot(slot.end, end - slot.end)])
        return slot

    def _replace(self, first: int, count: int, slots: list[Slot]) -> None:
        """Puts slots in the place of `count` others, and makes one gap of gaps that lie side by side."""
        begin, end = first, first + count
        while begin and self.slots[begin - 1].gap:
            begin -= 1
        while end < len(self.slots) and self.slots[end].gap:
            end += 1
        joined: list[Slot] = []
        for slot in self.slots[begin:first] + slots + self.slots[first + count : end]:
            if joined and slot.gap and joined[-1].gap:
                joined[-1].room += slot.room
            elif slot.room:
                joined.append(slot)
        self.slots[begin:end] = joined

    def _shorten(self, slot: Slot, tokens: int) -> None:
        """Keeps the first tokens of a text. Less than a block cannot be found, so it is not kept."""
        while len(slot.nodes) * self.size > tokens:
            self.prefixes.discard(slot.nodes.pop(), slot)
        slot.remembered = slot.remembered[:tokens] if slot.nodes else []
        slot.used = slot.used if slot.nodes else 0

    def _note(self, request: Request, slot: Slot) -> None:
        """Lets others find the blocks that became full."""
        while (end := (len(slot.nodes) + 1) * self.size) <= request.computed:
            before = slot.nodes[-1] if slot.nodes else None
            slot.nodes.append(self.prefixes.add(before, request.ids[end - self.size : end], slot))

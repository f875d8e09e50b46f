"""Memory in blocks of equal size, handed out one by one (paged attention, Kwon et al. 2023).

A request has a table of blocks that may lie anywhere, so no room is lost between requests and nothing ever moves.
Full blocks of equal beginnings are shared: nobody writes to a full block.
"""

from collections import OrderedDict

from gptwright.inference.kv_allocator import Copy, Node, Prefixes
from gptwright.inference.request import Request


class Table:
    """A request's blocks in the order of its tokens. The first `known` of them are full and found by others."""

    def __init__(self, blocks: list[int], size: int, known: int) -> None:
        self.blocks, self.size, self.known = blocks, size, known

    @property
    def room(self) -> int:
        """Tokens that fit."""
        return len(self.blocks) * self.size

    def addresses(self, first: int, end: int) -> list[int]:
        """Of the tokens from position `first` up to `end`."""
        return [self.blocks[place // self.size] * self.size + place % self.size for place in range(first, end)]


class PagedAllocator:
    """A `Memory` of `blocks` blocks of `size` tokens."""

    def __init__(self, blocks: int, size: int = 64) -> None:
        self.size, self.most_tokens = size, blocks * size
        self._tables = 0
        self.forget()

    @property
    def free(self) -> int:
        """Tokens of the blocks that nobody has."""
        return len(self._free) * self.size

    def forget(self) -> None:
        """Nothing computed so far is found any more. Nobody may have blocks at this time."""
        assert not self._tables
        blocks = self.most_tokens // self.size
        self.prefixes: Prefixes[int] = Prefixes(self.size)
        self._nodes: list[Node[int] | None] = [None] * blocks
        self._holders = [0] * blocks
        self._free = OrderedDict[int, None].fromkeys(range(blocks))  # the first is the next to be overwritten

    def copies(self) -> list[Copy]:
        """None: blocks are shared where they lie."""
        return []

    def admit(self, request: Request) -> bool:
        """Blocks for all its ids; those of a known beginning are shared. One more stays free for each who may grow."""
        found = [next(iter(node.places)) for node in self.prefixes.find(request.ids, request.recallable)]
        needed = self._count(len(request.ids)) - len(found)
        revived = sum(self._holders[block] == 0 for block in found)
        if needed + revived + self._tables > len(self._free):
            return False
        for block in found:
            self._hold(block)
        blocks = found + [self._take() for _ in range(needed)]
        request.lease, request.computed = Table(blocks, self.size, len(found)), len(found) * self.size
        self._tables += 1
        return True

    def grow(self, request: Request, tokens: int) -> bool:
        """Blocks for so many more than are computed; those that are full by now are found."""
        table = self._table(request)
        self._note(request, table)
        needed = self._count(request.computed + tokens) - len(table.blocks)
        if needed > len(self._free):
            return False
        for _ in range(needed):
            table.blocks.append(self._take())
        return True

    def release(self, request: Request) -> None:
        """Takes the blocks back, the last one first: a beginning is of use without its end, not the other way round."""
        table = self._table(request)
        self._note(request, table)
        for block in reversed(table.blocks):
            self._holders[block] -= 1
            if not self._holders[block]:
                self._free[block] = None
                self._free.move_to_end(block, last=self._nodes[block] is not None)
        request.lease, request.computed = None, 0
        self._tables -= 1

    def _count(self, tokens: int) -> int:
        return -(-tokens // self.size)

    def _table(self, request: Request) -> Table:
        assert isinstance(request.lease, Table)
        return request.lease

    def _note(self, request: Request, table: Table) -> None:
        """Lets others find the blocks that became full."""
        while (end := (table.known + 1) * self.size) <= request.computed:
            before = self._nodes[table.blocks[table.known - 1]] if table.known else None
            block = table.blocks[table.known]
            self._nodes[block] = self.prefixes.add(before, request.ids[end - self.size : end], block)
            table.known += 1

    def _hold(self, block: int) -> None:
        self._free.pop(block, None)
        self._holders[block] += 1

    def _take(self) -> int:
        """The block that was of no use for longest."""
        block = next(iter(self._free))
        if node := self._nodes[block]:
            self.prefixes.discard(node, block)
            self._nodes[block] = None
        self._hold(block)
        return block

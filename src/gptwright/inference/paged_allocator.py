"""The cache in blocks of equal size, allocated one by one (PagedAttention, Kwon et al. 2023).

A request has a table of blocks that may lie anywhere, so nothing is lost between requests and nothing ever moves.
Full blocks of equal prefixes are shared: a full block is never written to.
"""

from collections import OrderedDict

from gptwright.inference.kv_allocator import Copy, Node, PrefixCache
from gptwright.inference.request import Request


class BlockTable:
    """A request's blocks in the order of its tokens. The first `registered` of them are in the prefix cache."""

    def __init__(self, blocks: list[int], block_size: int, registered: int) -> None:
        self.blocks, self.block_size, self.registered = blocks, block_size, registered

    @property
    def room(self) -> int:
        """Tokens that fit into the blocks."""
        return len(self.blocks) * self.block_size

    def addresses(self, first: int, end: int) -> list[int]:
        """Of the tokens from position `first` up to `end`."""
        return [
            self.blocks[place // self.block_size] * self.block_size + place % self.block_size
            for place in range(first, end)
        ]


class PagedAllocator:
    """A `KVAllocator` of `blocks` blocks of `block_size` tokens."""

    def __init__(self, blocks: int, block_size: int = 64) -> None:
        self.block_size, self.capacity = block_size, blocks * block_size
        self._tables = 0
        self.reset_prefix_cache()

    @property
    def free(self) -> int:
        """Tokens of the blocks that no request holds."""
        return len(self._free) * self.block_size

    def reset_prefix_cache(self) -> None:
        """Drops every cached prefix. No request may hold blocks at this time."""
        assert not self._tables
        blocks = self.capacity // self.block_size
        self.prefix_cache: PrefixCache[int] = PrefixCache(self.block_size)
        self._nodes: list[Node[int] | None] = [None] * blocks
        self._ref_counts = [0] * blocks
        self._free = OrderedDict[int, None].fromkeys(range(blocks))  # the first is the next to be overwritten

    def take_copies(self) -> list[Copy]:
        """None: blocks are shared where they lie."""
        return []

    def admit(self, request: Request) -> bool:
        """Blocks for all its ids; those of a cached prefix are shared. One more stays free for each request."""
        found = [next(iter(node.locations)) for node in self.prefix_cache.find(request.keys, request.reusable)]
        needed = self._count(len(request.ids)) - len(found)
        revived = sum(self._ref_counts[block] == 0 for block in found)
        if needed + revived + self._tables > len(self._free):
            return False
        for block in found:
            self._acquire(block)
        blocks = found + [self._take_block() for _ in range(needed)]
        request.allocation, request.computed = (
            BlockTable(blocks, self.block_size, len(found)),
            len(found) * self.block_size,
        )
        self._tables += 1
        return True

    def grow(self, request: Request, tokens: int) -> bool:
        """Blocks for `tokens` more than are computed; those that are full by now go into the prefix cache."""
        table = self._table(request)
        self._register_blocks(request, table)
        needed = self._count(request.computed + tokens) - len(table.blocks)
        if needed > len(self._free):
            return False
        for _ in range(needed):
            table.blocks.append(self._take_block())
        return True

    def release(self, request: Request) -> None:
        """Frees the blocks, the last one first: a prefix is of use without its end, not the other way round."""
        table = self._table(request)
        self._register_blocks(request, table)
        for block in reversed(table.blocks):
            self._ref_counts[block] -= 1
            if not self._ref_counts[block]:
                self._free[block] = None
                self._free.move_to_end(block, last=self._nodes[block] is not None)
        request.allocation, request.computed = None, 0
        self._tables -= 1

    def _count(self, tokens: int) -> int:
        return -(-tokens // self.block_size)

    def _table(self, request: Request) -> BlockTable:
        assert isinstance(request.allocation, BlockTable)
        return request.allocation

    def _register_blocks(self, request: Request, table: BlockTable) -> None:
        """Adds the blocks that became full to the prefix cache."""
        while (end := (table.registered + 1) * self.block_size) <= request.computed:
            before = self._nodes[table.blocks[table.registered - 1]] if table.registered else None
            block = table.blocks[table.registered]
            self._nodes[block] = self.prefix_cache.add(before, request.keys[end - self.block_size : end], block)
            table.registered += 1

    def _acquire(self, block: int) -> None:
        self._free.pop(block, None)
        self._ref_counts[block] += 1

    def _take_block(self) -> int:
        """The least recently used free block; what it cached is dropped."""
        block = next(iter(self._free))
        if node := self._nodes[block]:
            self.prefix_cache.discard(node, block)
            self._nodes[block] = None
        self._acquire(block)
        return block

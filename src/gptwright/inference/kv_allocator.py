"""Allocation of the key-value cache, and the prefix cache.

The cache holds the keys and values of a fixed number of tokens. A request is allocated a part of it. What it computed
stays after it ended until the addresses are needed, and a request with the same prefix does not compute it again.
"""

from collections.abc import Hashable, Sequence
from itertools import count
from typing import Generic, NamedTuple, Protocol, TypeVar, runtime_checkable

from gptwright.inference.request import Request

Location = TypeVar("Location")


class Copy(NamedTuple):
    """Copy the keys and values of `tokens` addresses.

    Copies are made in order, before anything else is written. Each reads everything before it writes: the two ranges
    may overlap.
    """

    from_address: int
    to_address: int
    tokens: int


@runtime_checkable
class KVAllocator(Protocol):
    """Gives requests addresses of the key-value cache, and finds cached prefixes."""

    block_size: int
    """prefixes are cached in blocks of so many tokens"""
    capacity: int
    """tokens of the whole cache"""

    @property
    def free(self) -> int:
        """Tokens that are not allocated to a request."""
        ...

    def admit(self, request: Request) -> bool:
        """Allocates addresses for all its ids and sets `computed` to the length of the cached prefix. False: not enough
        are free."""
        ...

    def grow(self, request: Request, tokens: int) -> bool:
        """Makes room for `tokens` more than are computed, and adds full blocks to the prefix cache. False: not enough
        addresses are free."""
        ...

    def release(self, request: Request) -> None:
        """Frees the addresses. What was computed stays in the prefix cache until they are needed."""
        ...

    def reset_prefix_cache(self) -> None:
        """Drops every cached prefix, because the weights changed. No request may hold addresses at this time."""
        ...

    def take_copies(self) -> list[Copy]:
        """The copies to make before the next step; each is returned once."""
        ...


class Node(Generic[Location]):
    """A cached prefix: a whole number of blocks, and the locations of the keys and values of its last block."""

    def __init__(self, number: int, key: tuple[int, tuple[Hashable, ...]]) -> None:
        self.number, self.key = number, key
        self.locations: dict[Location, None] = {}


class PrefixCache(Generic[Location]):
    """The tree of all cached prefixes.

    A node's key is the number of its parent and the keys (`Request.keys`) of its own block, so a dict finds it by a
    hash and then compares them: two prefixes match only if they are equal from the first token on, content included.
    Numbers are never reused, so a child of a dropped node is not found below another.
    """

    def __init__(self, block_size: int) -> None:
        self.block_size = block_size
        self._numbers = count(1)
        self._nodes: dict[tuple[int, tuple[Hashable, ...]], Node[Location]] = {}

    def find(self, keys: Sequence[Hashable], most: int) -> list[Node[Location]]:
        """The nodes of the longest cached prefix of keys[:most], block by block."""
        nodes: list[Node[Location]] = []
        number = 0
        for start in range(0, most - self.block_size + 1, self.block_size):
            node = self._nodes.get((number, tuple(keys[start : start + self.block_size])))
            if node is None:
                break
            nodes.append(node)
            number = node.number
        return nodes

    def add(self, before: Node[Location] | None, block: Sequence[Hashable], location: Location) -> Node[Location]:
        """Records that the keys and values of `block`, which follows the prefix `before`, lie at `location`."""
        key = (before.number if before else 0, tuple(block))
        node = self._nodes.get(key)
        if node is None:
            node = self._nodes[key] = Node(next(self._numbers), key)
        node.locations[location] = None
        return node

    def discard(self, node: Node[Location], location: Location) -> None:
        """Removes a location, and the node with its last one."""
        del node.locations[location]
        if not node.locations:
            del self._nodes[node.key]

    def __len__(self) -> int:
        return len(self._nodes)

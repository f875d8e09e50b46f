"""Memory of what a model has read: who may write where, and what another has read already.

One arena holds the keys and values of `addresses` tokens. A request rents a part of it. What it computed stays there
after it ended until the place is needed, and whoever begins with the same tokens does not read them again.
"""

from collections.abc import Sequence
from itertools import count
from typing import Generic, NamedTuple, Protocol, TypeVar, runtime_checkable

from gptwright.inference.request import Request

Place = TypeVar("Place")


class Copy(NamedTuple):
    """What stands at `tokens` addresses has to stand elsewhere too.

    Copies are made one after another in their order, all before anything else is written. Each reads everything
    before it writes: the two ranges may overlap.
    """

    from_address: int
    to_address: int
    tokens: int


@runtime_checkable
class KVAllocator(Protocol):
    """Where requests keep their keys and values."""

    size: int
    """texts are found by their beginnings in blocks of so many tokens"""
    most_tokens: int
    """that one request can have when it is alone"""

    @property
    def free(self) -> int:
        """Tokens for which nobody has room."""
        ...

    def admit(self, request: Request) -> bool:
        """Rents it room for all its ids; `computed` is how many of them are there already. False: not now."""
        ...

    def grow(self, request: Request, tokens: int) -> bool:
        """Room for so many more than are computed, which from now on are found. False: there is none."""
        ...

    def release(self, request: Request) -> None:
        """Takes its room back; what was computed is found until the room is needed."""
        ...

    def forget(self) -> None:
        """Nothing computed so far is found any more: the weights changed. Nobody may have room at this time."""
        ...

    def copies(self) -> list[Copy]:
        """To be carried out before the next step, each told once."""
        ...


class Node(Generic[Place]):
    """A beginning of texts: a whole number of blocks, and where the keys and values of its last block lie."""

    def __init__(self, number: int, name: tuple[int, tuple[int, ...]]) -> None:
        self.number, self.name = number, name
        self.places: dict[Place, None] = {}


class Prefixes(Generic[Place]):
    """The tree of all beginnings in memory.

    A node's name is the number of the node before it and the tokens of its own block, so a dict finds it by a hash
    and compares the tokens: two texts are taken for one only if they are equal from the first token on. Numbers are
    never used again, so what stood behind a forgotten node is not found behind another.
    """

    def __init__(self, size: int) -> None:
        self.size = size
        self._numbers = count(1)
        self._nodes: dict[tuple[int, tuple[int, ...]], Node[Place]] = {}

    def find(self, ids: Sequence[int], most: int) -> list[Node[Place]]:
        """The nodes of the longest beginning of ids[:most] that is known, block by block."""
        nodes: list[Node[Place]] = []
        number = 0
        for start in range(0, most - self.size + 1, self.size):
            node = self._nodes.get((number, tuple(ids[start : start + self.size])))
            if node is None:
                break
            nodes.append(node)
            number = node.number
        return nodes

    def add(self, before: Node[Place] | None, block: Sequence[int], place: Place) -> Node[Place]:
        """Remembers that the keys and values of `block`, coming after what `before` stands for, lie at `place`."""
        name = (before.number if before else 0, tuple(block))
        node = self._nodes.get(name)
        if node is None:
            node = self._nodes[name] = Node(next(self._numbers), name)
        node.places[place] = None
        return node

    def discard(self, node: Node[Place], place: Place) -> None:
        """They do not lie there any longer."""
        del node.places[place]
        if not node.places:
            del self._nodes[node.name]

    def __len__(self) -> int:
        return len(self._nodes)

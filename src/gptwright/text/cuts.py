"""What a text lost on its way, by reason, in characters and in bytes of UTF-8."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field


def utf8_size(text: str) -> int:
    """The bytes that a text takes."""
    return len(text) if text.isascii() else len(text.encode("utf-8", "surrogatepass"))


@dataclass(frozen=True, slots=True)
class Cuts:
    """A loss is below nothing where a step made the text longer. What a reader left out, before it gave the text, is
    there in characters alone."""

    characters: Counter[str] = field(default_factory=Counter[str])
    bytes: Counter[str] = field(default_factory=Counter[str])

    @classmethod
    def by_reader(cls, characters: Mapping[str, int]) -> "Cuts":
        """What a reader left out."""
        return cls(Counter(characters))

    def count(self, reason: str, before: str, after: str) -> str:
        """The text after a step, its loss counted."""
        if after is not before:
            self.characters[reason] += len(before) - len(after)
            self.bytes[reason] += utf8_size(before) - utf8_size(after)
        return after

    def copy(self) -> "Cuts":
        """Cuts that can be counted on without a change of these."""
        return Cuts(Counter(self.characters), Counter(self.bytes))

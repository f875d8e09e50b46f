"""What every family offers: its configuration, its model, its presets, and its names in the ecosystem's folders."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

from jaxtyping import Float, Int
from torch import Tensor, nn

from gptwright.layers.cache import Cache


@runtime_checkable
class Decoder(Protocol):
    """A language model that reads from left to right. Families' models have this shape."""

    config: Any
    embed: nn.Embedding

    def hidden(self, ids: Int[Tensor, "B T"], cache: Cache | None = None) -> Float[Tensor, "B T C"]: ...
    def logits(self, hidden: Float[Tensor, "*B C"]) -> Float[Tensor, "*B V"]: ...
    def new_cache(self, rows: int, capacity: int) -> Cache: ...
    def initialise(self, seed: int) -> None: ...


@dataclass(frozen=True, kw_only=True)
class Family:
    """One architecture. `tensors` maps our names to Hugging Face's: keys that begin with a dot may stand anywhere,
    others only at the start. `transposed` lists the endings of their names that are stored the other way round.
    `constants` are settings of theirs that a folder must not contradict; `dropouts` are written as 0 and not read."""

    name: str
    config: type
    model: type[nn.Module]
    presets: Mapping[str, Any]
    language_model: str
    scorer: str
    prefix: str
    sizes: Mapping[str, str]
    constants: Mapping[str, Any]
    dropouts: tuple[str, ...]
    tensors: Mapping[str, str]
    transposed: tuple[str, ...]

    def theirs(self, ours: str) -> str:
        """Our parameter's name as Hugging Face writes it, without the prefix."""
        name = ours
        for mine, other in self.tensors.items():
            if mine.startswith("."):
                name = name.replace(mine, other)
            elif name.startswith(mine):
                name = other + name[len(mine) :]
        return name

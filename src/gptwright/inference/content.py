"""Content that is no text: embeddings in place of placeholder ids of a prompt, such as those of an image.

The ids of two prompts may be equal while their images differ, so the prefix cache compares a hash of the content too.
"""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import torch
from jaxtyping import Float, Int
from torch import Tensor

from gptwright.layers.cache import CacheView


@dataclass(frozen=True, eq=False)
class Content:
    """What a network reads at one position instead of the embedding of its id."""

    key: bytes
    """a hash of the content: equal keys share a cached prefix"""
    embedding: Float[Tensor, "C"]

    @classmethod
    def of(cls, embedding: Float[Tensor, "C"]) -> "Content":
        """Content that is known by its embedding alone."""
        return cls(hashlib.sha256(embedding.detach().float().cpu().numpy().tobytes()).digest(), embedding)


class Embeddings(NamedTuple):
    """Embeddings of a row of ids: at these positions they replace those of the ids."""

    positions: Int[Tensor, "N"]
    values: Float[Tensor, "N C"]


class ContentDecoder(Protocol):
    """A decoder that reads embeddings at placeholder positions; it says so with `reads_content`."""

    reads_content: bool

    def hidden(
        self, ids: Int[Tensor, "1 T"], cache: CacheView, *, embeddings: Embeddings
    ) -> Float[Tensor, "1 T C"]: ...


def embeddings_of(parts: Iterable[tuple[Mapping[int, Content], int, int]], device: torch.device) -> Embeddings | None:
    """The embeddings of a step, from each request's content, first position and number of tokens; None without any."""
    at, places, values = 0, list[int](), list[Tensor]()
    for content, first, count in parts:
        for position in range(first, first + count) if content else ():
            if position in content:
                places.append(at + position - first)
                values.append(content[position].embedding)
        at += count
    return Embeddings(torch.tensor(places, device=device), torch.stack(values).to(device)) if places else None

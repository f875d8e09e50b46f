"""Content that is no text: embeddings in place of placeholder ids of a prompt, such as those of an image.

The ids of two prompts may be equal while their images differ, so the prefix cache compares a hash of the content too.
"""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from gptwright.layers.embedding import Embeddings


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

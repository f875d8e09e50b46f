"""Keys and values of positions already read, one row a sequence, each row with its own length."""

from typing import Protocol, runtime_checkable

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor

from gptwright.layers.masks import Mask


@runtime_checkable
class LayerCacheView(Protocol):
    """What one layer has read before."""

    def attend(
        self, q: Float[Tensor, "B H T D"], k: Float[Tensor, "B G T D"], v: Float[Tensor, "B G T D"], mask: Mask
    ) -> Float[Tensor, "B H T D"]:
        """Keeps the new keys and values, and lets the queries see them and what came before."""
        ...


@runtime_checkable
class CacheView(Protocol):
    """What was read before the tokens at hand, and where these stand."""

    def positions(self, tokens: int) -> Int[Tensor, "#B T"]:
        """Of the next `tokens` of every row."""
        ...

    def layer(self, index: int) -> LayerCacheView:
        """The part of one layer."""
        ...


class Cache:
    """Memory for `rows` sequences of at most `capacity` tokens over all layers of a decoder.

    Rows start empty. A first read may hold rows of different lengths, padded on the right; after it every row takes
    one token at a time. What lies beyond a row's length is never seen: masks compare with the row's own positions.
    """

    def __init__(
        self,
        layers: int,
        rows: int,
        heads: int,
        capacity: int,
        head_width: int,
        dtype: torch.dtype,
        device: torch.device | None = None,
    ) -> None:
        shape = (layers, rows, heads, capacity, head_width)
        self.keys, self.values = (torch.zeros(shape, dtype=dtype, device=device) for _ in range(2))
        self.lengths: Int[Tensor, "B"] = torch.zeros(rows, dtype=torch.long, device=device)
        self.capacity = capacity

    def positions(self, tokens: int) -> Int[Tensor, "B T"]:
        """Where the next `tokens` of every row will stand."""
        return self.lengths[:, None] + torch.arange(tokens, device=self.lengths.device)

    def layer(self, index: int) -> "LayerCache":
        """The part of one layer."""
        return LayerCache(self, index)

    def advance(self, tokens: Int[Tensor, "B"]) -> None:
        """Counts `tokens` as read in every row, once all layers have stored them."""
        self.lengths += tokens

    def reorder(self, rows: Int[Tensor, "R"]) -> None:
        """Row i goes on from what row `rows[i]` holds; rows may be named several times, or left out."""
        if torch.equal(rows, torch.arange(len(self.lengths), device=rows.device)):
            return
        used = int(self.lengths.max())
        kept = self.keys[:, rows, :, :used], self.values[:, rows, :, :used]
        self.keys, self.values = self.keys[:, : len(rows)], self.values[:, : len(rows)]
        self.keys[..., :used, :], self.values[..., :used, :] = kept
        self.lengths = self.lengths[rows]


def positions_of(ids: Int[Tensor, "B T"], cache: CacheView | None, context: int) -> Int[Tensor, "#B T"]:
    """Where the ids stand: from 0 on, or behind what was read before. Raises `IndexError` beyond the context."""
    length = ids.shape[1]
    if cache is not None:
        return cache.positions(length)
    if length > context:
        raise IndexError(f"{length} tokens in a context of {context}")
    return torch.arange(length, device=ids.device)[None]


class LayerCache:
    """One layer's view of a `Cache`."""

    def __init__(self, cache: Cache, index: int) -> None:
        self.cache, self.index = cache, index

    def attend(
        self, q: Float[Tensor, "B H T D"], k: Float[Tensor, "B G T D"], v: Float[Tensor, "B G T D"], mask: Mask
    ) -> Float[Tensor, "B H T D"]:
        """Keeps the new keys and values, and lets the queries see them and what came before."""
        positions = self.cache.positions(q.shape[2])
        k, v = self.append(k, v)
        allowed = mask.allowed(positions, k.shape[2])[:, None]
        return F.scaled_dot_product_attention(q, k, v, allowed, enable_gqa=k.shape[1] < q.shape[1])

    def append(
        self, keys: Float[Tensor, "B H T D"], values: Float[Tensor, "B H T D"]
    ) -> tuple[Float[Tensor, "B H S D"], Float[Tensor, "B H S D"]]:
        """Stores T new tokens a row and returns everything stored so far, as long as the longest row."""
        all_keys, all_values = self.cache.keys[self.index], self.cache.values[self.index]
        where = self.cache.positions(keys.shape[2])
        rows = torch.arange(len(where), device=where.device)[:, None]
        all_keys[rows, :, where] = keys.transpose(1, 2)
        all_values[rows, :, where] = values.transpose(1, 2)
        end = int(where[:, -1].max()) + 1
        return all_keys[:, :, :end], all_values[:, :, :end]

"""The key-value cache of all requests, one tensor a layer, and attention that reads it in place.

A step is flat: the tokens of all its requests in one row. `StepCacheView` gives a model their positions and, layer by
layer, stores their keys and values and attends for each request to its own.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, cast

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor

from gptwright.foundations.device import device_of
from gptwright.inference.kv_allocator import Copy
from gptwright.inference.request import Allocation
from gptwright.kernels.attention import heads_like
from gptwright.kernels.kv_cache_attention import attend_chunk, attend_tokens, can_attend_cache, keep
from gptwright.layers.masks import CAUSAL, Banded, Causal, Mask
from gptwright.models.decoder import Decoder

CALL, COPIED = 12e-6, 5e9  # seconds that one call of attention costs, bytes a second that are copied


@dataclass(frozen=True)
class Span:
    """Tokens of one request: `count` of them from position `first` on; those from `prompt` on are of its response."""

    allocation: Allocation
    first: int
    count: int
    prompt: int

    @property
    def end(self) -> int:
        return self.first + self.count

    @property
    def prompt_count(self) -> int:
        """How many of them belong to the prompt."""
        return min(max(self.prompt - self.first, 0), self.count)


class KVCache:
    """Keys and values of `addresses` tokens: two tensors of (layers, addresses, heads, head width)."""

    def __init__(
        self, layers: int, addresses: int, heads: int, head_width: int, dtype: torch.dtype, device: torch.device
    ) -> None:
        shape = (layers, addresses, heads, head_width)
        self.keys, self.values = (torch.empty(shape, dtype=dtype, device=device) for _ in range(2))

    @classmethod
    def of(cls, network: Decoder, addresses: int) -> "KVCache":
        """A cache for the network's layers."""
        attention = cast(Any, network.blocks[0]).attention
        return cls(len(network.blocks), addresses, attention.kv_heads, attention.head_width, network.matrix_dtype,
                   device_of(network))  # fmt: skip

    @staticmethod
    def token_bytes(network: Decoder) -> int:
        """Bytes that the keys and values of one token take."""
        attention = cast(Any, network.blocks[0]).attention
        return 2 * len(network.blocks) * attention.kv_heads * attention.head_width * network.matrix_dtype.itemsize

    def apply_copies(self, copies: Iterable[Copy]) -> None:
        """Copies ranges of tokens, one after another."""
        for copy in copies:
            overlap = abs(copy.from_address - copy.to_address) < copy.tokens
            for cache in (self.keys, self.values):
                source = cache[:, copy.from_address : copy.from_address + copy.tokens]
                cache[:, copy.to_address : copy.to_address + copy.tokens] = source.clone() if overlap else source

    def step(self, spans: Sequence[Span]) -> "StepCacheView":
        """The view of a step that reads the tokens of these spans."""
        return StepCacheView(self, spans)


class StepCacheView:
    """A `CacheView` for one row of tokens, some of each request."""

    def __init__(self, kv_cache: KVCache, spans: Sequence[Span]) -> None:
        self.kv_cache, self.spans = kv_cache, spans
        self.device = kv_cache.keys.device
        places = [place for span in spans for place in range(span.first, span.end)]
        self._positions = torch.tensor([places], device=self.device)
        found = [address for span in spans for address in span.allocation.addresses(span.first, span.end)]
        self.addresses = torch.tensor(found, device=self.device)

    def positions(self, tokens: int) -> Int[Tensor, "1 T"]:
        """Position of each token in its own request."""
        return self._positions

    def layer(self, index: int) -> "LayerCacheView":
        return LayerCacheView(self, self.kv_cache.keys[index], self.kv_cache.values[index])

    @cached_property
    def ranges(self) -> "Ranges | None":
        """What the kernels need, if every request's tokens are contiguous."""
        if not can_attend_cache(self.kv_cache.keys[0]):
            return None
        starts: list[int] = []
        for span in self.spans:
            where = span.allocation.addresses(0, span.end)
            if not isinstance(where, range):
                return None
            starts.append(where.start)
        return Ranges(self.spans, starts)

    @cached_property
    def padded(self) -> tuple[Int[Tensor, "B S"], Int[Tensor, "B 1"]] | None:
        """Padded addresses of all that each request attends to, and positions, if each reads one token; on a CPU if one
        copy into one tensor costs less than a call for each."""
        if len(self.spans) == 1 or any(span.count > 1 for span in self.spans):
            return None
        most = max(span.end for span in self.spans)
        cache = self.kv_cache.keys[0]
        copied = 2 * most * cache[0].numel() * cache.element_size()
        if cache.is_cpu and copied / COPIED > CALL:
            return None
        rows = [[*span.allocation.addresses(0, span.end), *[0] * (most - span.end)] for span in self.spans]
        return torch.tensor(rows, device=self.device), self._positions.T


class Ranges:
    """A step's spans as the kernels take them: response tokens in one call, each prompt chunk in its own.

    The two kernels round differently. So a response token always goes through the first, whether it was sampled,
    drafted or is read again, and a text does not depend on the other requests of the batch.
    """

    def __init__(self, spans: Sequence[Span], starts: Sequence[int]) -> None:
        places: list[int] = []
        seen: list[int] = []
        firsts: list[int] = []
        self.chunks: list[tuple[slice, int, int]] = []
        at = 0
        for span, start in zip(spans, starts, strict=True):
            if span.prompt_count:
                self.chunks.append((slice(at, at + span.prompt_count), start, span.first))
            places += range(at + span.prompt_count, at + span.count)
            seen += range(span.first + span.prompt_count + 1, span.end + 1)
            firsts += [start] * (span.count - span.prompt_count)
            at += span.count
        self.all_single, self.one_chunk = not self.chunks, not places and len(spans) == 1
        self.places, self.starts, self.seen = (torch.tensor(numbers) for numbers in (places, firsts, seen))


class LayerCacheView:
    """One layer of a `StepCacheView`."""

    def __init__(self, step: StepCacheView, keys: Float[Tensor, "A G D"], values: Float[Tensor, "A G D"]) -> None:
        self.step, self.keys, self.values = step, keys, values

    def attend(
        self, q: Float[Tensor, "1 H T D"], k: Float[Tensor, "1 G T D"], v: Float[Tensor, "1 G T D"], mask: Mask
    ) -> Float[Tensor, "1 H T D"]:
        """Stores the new keys and values, then attends for each request to its own."""
        step = self.step
        keep(k, v, self.keys, self.values, step.addresses)
        if isinstance(mask, Causal | Banded) and step.ranges:
            return self._by_kernels(q, step.ranges, mask.width if isinstance(mask, Banded) else 0)
        if step.padded:
            return self._together(q, *step.padded, mask)
        parts, start = [], 0
        for span in step.spans:
            parts.append(self._alone(q[:, :, start : start + span.count], span, mask))
            start += span.count
        return parts[0] if len(parts) == 1 else torch.cat(parts, 2)

    def _by_kernels(self, q: Float[Tensor, "1 H T D"], ranges: Ranges, band: int) -> Float[Tensor, "1 H T D"]:
        if ranges.all_single:
            return attend_tokens(q, self.keys, self.values, ranges.starts, ranges.seen, band)
        if ranges.one_chunk:
            _, start, past = ranges.chunks[0]
            return attend_chunk(q, self.keys, self.values, start, past, band)
        y = heads_like(q)
        if len(ranges.places):
            singles = q[:, :, ranges.places]
            y[:, :, ranges.places] = attend_tokens(singles, self.keys, self.values, ranges.starts, ranges.seen, band)
        for where, start, past in ranges.chunks:
            y[:, :, where] = attend_chunk(q[:, :, where], self.keys, self.values, start, past, band)
        return y

    def _alone(self, q: Float[Tensor, "1 H T D"], span: Span, mask: Mask) -> Float[Tensor, "1 H T D"]:
        where = span.allocation.addresses(0, span.end)
        inside = slice(where.start, where.stop) if isinstance(where, range) else where
        k, v = (cache[inside].transpose(0, 1)[None] for cache in (self.keys, self.values))
        grouped = k.shape[1] != q.shape[1]
        if mask == CAUSAL and (span.count == 1 or span.first == 0):
            return F.scaled_dot_product_attention(q, k, v, is_causal=span.count > 1, enable_gqa=grouped)
        allowed = mask.allowed(torch.arange(span.first, span.end, device=q.device)[None], span.end)
        return F.scaled_dot_product_attention(q, k, v, allowed[:, None], enable_gqa=grouped)

    def _together(
        self, q: Float[Tensor, "1 H B D"], rows: Int[Tensor, "B S"], positions: Int[Tensor, "B 1"], mask: Mask
    ) -> Float[Tensor, "1 H B D"]:
        k, v = (cache[rows].transpose(1, 2) for cache in (self.keys, self.values))
        allowed = mask.allowed(positions, rows.shape[1])[:, None]
        grouped = k.shape[1] != q.shape[1]
        y = F.scaled_dot_product_attention(q.permute(2, 1, 0, 3), k, v, allowed, enable_gqa=grouped)
        return y.permute(2, 1, 0, 3)

"""Beginnings that several sequences share are read once, with gradients: first they, then the endings that see them.

    beginnings = Beginnings(lengths, context)
    decoder.hidden(ids, beginnings)
    states = decoder.hidden(endings, Endings(beginnings, counts))

An ending sees of its beginning what it would see in one piece, by every mask that asks for positions and looks back.
"""

from collections.abc import Sequence

import torch
from jaxtyping import Bool, Float, Int, Shaped
from torch import Tensor

from gptwright.layers.attend import attend
from gptwright.layers.cache import CacheView, LayerCacheView
from gptwright.layers.dense import masked
from gptwright.layers.masks import Mask, PositionMask


class Beginnings(CacheView):
    """Keeps the keys and values of every layer. Of row b the first `lengths[b]` tokens are real, and may be none."""

    def __init__(self, lengths: Int[Tensor, "B"], context: int) -> None:
        self.lengths, self.context = lengths, context
        self.kept: dict[int, tuple[Float[Tensor, "B G P D"], Float[Tensor, "B G P D"]]] = {}

    def positions(self, tokens: int) -> Int[Tensor, "1 P"]:
        """What pads a row may lie beyond the context, where there is no position."""
        return torch.arange(tokens, device=self.lengths.device)[None].clamp(max=self.context - 1)

    def layer(self, index: int) -> LayerCacheView:
        return _Keeping(self, index)


class _Keeping(LayerCacheView):
    def __init__(self, beginnings: Beginnings, index: int) -> None:
        self.beginnings, self.index = beginnings, index

    def attend(
        self, q: Float[Tensor, "B H P D"], k: Float[Tensor, "B G P D"], v: Float[Tensor, "B G P D"], mask: Mask
    ) -> Float[Tensor, "B H P D"]:
        self.beginnings.kept[self.index] = k, v
        return attend(q, k, v, mask)


class Endings(CacheView):
    """So many rows as `counts` says go on from each beginning, in order; their tokens are real from the first on."""

    def __init__(self, beginnings: Beginnings, counts: Sequence[int]) -> None:
        self.beginnings, self.counts = beginnings, counts
        self.starts: Int[Tensor, "N"] = self.repeated(beginnings.lengths)
        self._allowed: dict[Mask, Bool[Tensor, "N A S"]] = {}

    def positions(self, tokens: int) -> Int[Tensor, "N A"]:
        """What pads a row may lie beyond the context, where there is no position."""
        return self._places(tokens).clamp(max=self.beginnings.context - 1)

    def layer(self, index: int) -> LayerCacheView:
        return _Following(self, index)

    def repeated(self, x: Shaped[Tensor, "B *A"]) -> Shaped[Tensor, "N *A"]:
        """Each beginning's part once for each of its endings; the gradient is a plain sum, far faster than that of
        choosing rows by numbers."""
        each = zip(x.split(1), self.counts, strict=True)
        return torch.cat([part.expand(count, *x.shape[1:]) for part, count in each])

    def allowed(self, mask: Mask, before: int, tokens: int) -> Bool[Tensor, "N A S"]:
        """Which of the keys, `before` of the beginning and `tokens` of the ending, each token of the ending sees."""
        if mask not in self._allowed:
            assert isinstance(mask, PositionMask)
            own, early = (
                self._places(tokens),
                torch.arange(before, device=self.starts.device).expand(len(self.starts), -1),
            )
            seen = mask.sees(own[:, :, None], torch.cat([early, own], 1)[:, None])
            real = torch.cat([early < self.starts[:, None], torch.ones_like(own, dtype=torch.bool)], 1)
            self._allowed[mask] = seen & real[:, None]
        return self._allowed[mask]

    def _places(self, tokens: int) -> Int[Tensor, "N A"]:
        return self.starts[:, None] + torch.arange(tokens, device=self.starts.device)


class _Following(LayerCacheView):
    def __init__(self, endings: Endings, index: int) -> None:
        self.endings, self.index = endings, index

    def attend(
        self, q: Float[Tensor, "N H A D"], k: Float[Tensor, "N G A D"], v: Float[Tensor, "N G A D"], mask: Mask
    ) -> Float[Tensor, "N H A D"]:
        before = [self.endings.repeated(kept) for kept in self.endings.beginnings.kept[self.index]]
        keys, values = (torch.cat(both, 2) for both in zip(before, (k, v), strict=True))
        return masked(q, keys, values, self.endings.allowed(mask, before[0].shape[2], k.shape[2]))

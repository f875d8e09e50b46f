"""The stack of a transformer: its blocks one after another, and how attention and feed-forward stand in them."""

from collections.abc import Iterable

from jaxtyping import Float
from torch import Tensor, nn

from gptwright.layers.cache import CacheView, LayerCacheView
from gptwright.layers.masks import Mask
from gptwright.layers.positions import Angles
from gptwright.layers.trace import Trace


class PostNorm(nn.Module):
    """A norm after each residual sum (Vaswani et al. 2017, §5.4: `dropout` before it)."""

    def __init__(
        self, attention: nn.Module, norm1: nn.Module, mlp: nn.Module, norm2: nn.Module, dropout: float = 0.0
    ) -> None:
        super().__init__()
        self.attention, self.mlp = attention, mlp
        self.norm1, self.norm2 = norm1, norm2
        self.drop: nn.Module = nn.Dropout(dropout)

    def forward(
        self, x: Float[Tensor, "B T C"], mask: Mask, cache: LayerCacheView | None = None
    ) -> Float[Tensor, "B T C"]:
        x = self.norm1(x + self.drop(self.attention(x, mask, cache)))
        return self.norm2(x + self.drop(self.mlp(x)))


class PreNorm(nn.Module):
    """A norm before each branch, and nothing on the way around it (Radford et al. 2019, §2.3).

    What a branch adds passes through `drop`: see `set_dropout`.
    """

    def __init__(self, norm1: nn.Module, attention: nn.Module, norm2: nn.Module, mlp: nn.Module) -> None:
        super().__init__()
        self.norm1, self.norm2 = norm1, norm2
        self.attention, self.mlp = attention, mlp
        self.drop: nn.Module = nn.Identity()

    def forward(
        self, x: Float[Tensor, "B T C"], mask: Mask, *others: Angles | LayerCacheView | None
    ) -> Float[Tensor, "B T C"]:
        """`others` are what the attention asks besides: rotary angles, what it has read before."""
        x = x + self.drop(self.attention(self.norm1(x), mask, *others))
        return x + self.drop(self.mlp(self.norm2(x)))


def set_dropout(network: nn.Module, share: float) -> None:
    """While training, silences this share of what every branch of every block adds (residual dropout)."""
    for part in network.modules():
        if isinstance(part, PreNorm | PostNorm):
            part.drop = nn.Dropout(share) if share else nn.Identity()


def run_blocks(
    blocks: nn.ModuleList,
    x: Float[Tensor, "B T C"],
    masks: Iterable[Mask],
    *angles: Angles,
    cache: CacheView | None,
) -> Float[Tensor, "B T C"]:
    """Each block with its mask and its part of the cache, if any; `angles` where positions turn queries and keys."""
    trace = cache if isinstance(cache, Trace) else None
    if trace:
        trace.states.append(x)
    for index, (block, mask) in enumerate(zip(blocks, masks, strict=False)):
        x = block(x, mask, *angles, cache.layer(index) if cache else None)
        if trace:
            trace.states.append(x)
    return x

"""The stack of a transformer: its blocks one after another."""

from collections.abc import Iterable

from jaxtyping import Float
from torch import Tensor, nn

from gptwright.layers.cache import CacheView
from gptwright.layers.masks import Mask
from gptwright.layers.positions import Angles
from gptwright.layers.trace import Trace


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

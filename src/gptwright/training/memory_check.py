"""Whether a batch fits into memory, said before the first step: a machine that has promised too much kills instead."""

from torch import nn

from gptwright.foundations.device import device_of, free_memory
from gptwright.foundations.errors import MemoryShort

ID = 8 + 8  # bytes of a token and its target


def check_memory(network: nn.Module, rows: int, length: int, micro_batches: int = 1) -> None:
    """Raises `MemoryShort` when a step's `rows` of `length` tokens, in so many pieces, need more than is free.

    The least that they need: the ids, and what goes into every linear layer that learns and out of every one, kept for
    the backward pass.
    On a GPU the ids alone: what is too much there is refused by torch, and done in more pieces.
    """
    tokens = rows * length
    ids, free = ID * tokens, free_memory()
    kept = sum(
        (layer.in_features * _learns(layer) + layer.out_features) * layer.weight.element_size()
        for layer in network.modules()
        if isinstance(layer, nn.Linear)
    )
    on_processor = device_of(network).type == "cpu"
    needed = ids + (kept * -(-rows // micro_batches) * length if on_processor else 0)
    if needed > free:
        with_more_micro_batches = -(-kept * tokens // max(free - ids, 1))
        more = (
            f", or more pieces: {with_more_micro_batches:,}"
            if on_processor and ids < free / 2 and with_more_micro_batches <= rows
            else ""
        )
        raise MemoryShort(f"memory for a batch of {rows:,} rows × {length:,} tokens, {needed / 1e9:,.1f} GB at least",
                            f"{free / 1e9:.1f} GB free", f"Give fewer rows, a shorter length{more}.")  # fmt: skip


def _learns(layer: nn.Module) -> bool:
    return any(parameter.requires_grad for parameter in layer.parameters())

"""torch.compile where it pays: elementwise work of a block in a few kernels. It takes a minute, then a GPU is not idle.

Alone a block is one unit. Where FSDP gathers layers one by one, compiled code must not reach across what it gathers, so
each layer and each norm is a unit.
"""

import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext

import torch
from torch import nn

from gptwright.layers.norms import LayerNorm, RMSNorm
from gptwright.training.distributed.tensor_parallel import PLANS


def compile_parts(network: nn.Module, *, alone: bool) -> None:
    """Each unit is compiled when it first computes; its parameters and names stay as they are."""
    for part in blocks(network) if alone else layers(network):
        part.compile()


def force_eager() -> AbstractContextManager[None]:
    """Inside, nothing is compiled: for looks on the way, whose shapes are all different."""
    if "torch._dynamo" not in sys.modules:
        return nullcontext()  # nothing was compiled, and importing the compiler takes seconds
    return torch.compiler.set_stance("force_eager")


def blocks(network: nn.Module) -> Iterator[nn.Module]:
    """Members of the model's lists, and the norms between them and its output."""
    yield from (block for part in network.modules() if isinstance(part, nn.ModuleList) for block in part)
    yield from (part for part in network.children() if isinstance(part, LayerNorm | RMSNorm))


def layers(network: nn.Module) -> Iterator[nn.Module]:
    """What the plan knows, and norms."""
    yield from (part for part in network.modules() if type(part) in PLANS or isinstance(part, LayerNorm | RMSNorm))

"""A network prepared for writing: the same wiring and the same parameters, its matrices packed for speed.

A decoding step reads every matrix once, so their size in memory is its speed: bf16 halves it, int8 and int4 again.
What is packed is a copy, made anew by `refresh` after the parameters changed; everything else is shared.
"""

import copy
from itertools import chain
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from gptwright.foundations.device import device_of, fast_dtype
from gptwright.foundations.errors import ConfigError, nearest
from gptwright.kernels.linear import Packed
from gptwright.layers.vocabulary import Vocabulary
from gptwright.models.decoder import Decoder

FORMATS = ("float32", "bfloat16", "int8", "int4")
LARGE = 30_000_000  # parameters from which on memory, and no longer the calls, takes a step's time


class PackedLinear(nn.Module):
    """A linear layer that computes with a packed copy of its matrix."""

    def __init__(self, linear: nn.Linear, form: str) -> None:
        super().__init__()
        self.weight, self.bias = linear.weight, linear.bias
        self.packed = Packed(linear.weight.detach(), form)

    def forward(self, x: Float[Tensor, "*B I"]) -> Float[Tensor, "*B O"]:
        return self.packed(x, self.bias)

    def refresh(self) -> None:
        self.packed.refresh(self.weight.detach())


class PackedVocabulary(Vocabulary):
    """Logits from a packed copy of the output matrix."""

    def __init__(self, output: Float[Tensor, "V C"], form: str) -> None:
        self.packed = Packed(output.detach(), form)

    def scored(self, hidden: Float[Tensor, "*B C"], output: Float[Tensor, "V C"]) -> Float[Tensor, "*B V"]:
        return self.packed(hidden, out_dtype=torch.float32)

    def refresh(self, output: Float[Tensor, "V C"]) -> None:
        self.packed.refresh(output.detach())


def chosen_format(network: Decoder) -> str:
    """bf16 for a large model where it is the faster format on its device (measured), else what its matrices have."""
    if sum(p.numel() for p in network.parameters()) < LARGE:
        return _name(network.matrix_dtype)
    return _name(fast_dtype(device_of(network).type))


def prepared(network: Decoder, form: str) -> Decoder:
    """A view of the network that computes in the format called `form`; "auto" is `chosen_format`.

    The network itself where nothing is to be packed. Raises `ConfigError` for another name.
    """
    form = chosen_format(network) if form == "auto" else form
    if form not in FORMATS:
        raise ConfigError("a number format", f"'{form}'", nearest(form, FORMATS))
    if form == _name(network.matrix_dtype) == "float32" or not device_of(network).type == "cpu":
        return network
    view = _sharing(network)
    for module in list(view.modules()):
        for name, child in module.named_children():
            if type(child) is nn.Linear:
                setattr(module, name, PackedLinear(child, form))
    view.vocabulary = PackedVocabulary(view.output, form)
    view.states = torch.float32 if form == "float32" else torch.bfloat16
    return view


def refresh(view: Decoder) -> None:
    """Packs anew, after the parameters changed."""
    for module in view.modules():
        if isinstance(module, PackedLinear):
            module.refresh()
    if isinstance(view.vocabulary, PackedVocabulary):
        view.vocabulary.refresh(view.output)


def _sharing(network: Decoder) -> Any:
    """A copy of the modules, not of their tensors."""
    return copy.deepcopy(network, {id(t): t for t in chain(network.parameters(), network.buffers())})


def _name(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")

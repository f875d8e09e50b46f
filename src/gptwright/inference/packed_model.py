"""A network packed for inference: the same wiring and parameters, its matrices packed for speed.

A decoding step reads every matrix once, so their size in memory is its speed: bf16 halves it, int8 and int4 again.
What is packed is a copy, made anew by `refresh` after the parameters changed; everything else is shared.
"""

import copy
from collections.abc import Mapping
from functools import partial
from itertools import chain
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from gptwright.foundations.device import device_of, fast_dtype
from gptwright.foundations.errors import ConfigError, nearest
from gptwright.kernels.linear import Format, formats, pack
from gptwright.layers.lora import AdaptedLayer, LoRALinear, merged_weight
from gptwright.layers.vocabulary import Vocabulary
from gptwright.models.decoder import Decoder

KERNELS: dict[str, Format] = {"float32": "fp32", "bfloat16": "bf16", "int8": "int8", "int4": "int4"}
LARGE = 30_000_000  # parameters from which on reading them, and no longer the calls, takes a step's time


class PackedLinear(nn.Module):
    """A linear layer that computes with a packed copy of its matrix, a low-rank path merged into it."""

    def __init__(self, linear: nn.Linear, format: Format) -> None:
        super().__init__()
        self.weight, self.bias = linear.weight, linear.bias
        self.matrix = partial(merged_weight, linear)
        self.packed = pack(self.matrix(), format)

    def forward(self, x: Float[Tensor, "*B I"]) -> Float[Tensor, "*B O"]:
        return self.packed(x, self.bias)

    def refresh(self) -> None:
        self.packed.refresh(self.matrix())


class PackedVocabulary(Vocabulary):
    """Logits from a packed copy of the output matrix."""

    def __init__(self, output: Float[Tensor, "V C"], format: Format) -> None:
        self.packed = pack(output, format)

    def scored(self, hidden: Float[Tensor, "*B C"], output: Float[Tensor, "V C"]) -> Float[Tensor, "*B V"]:
        return self.packed(hidden, out_dtype=torch.float32)

    def refresh(self, output: Float[Tensor, "V C"]) -> None:
        self.packed.refresh(output)


def auto_dtype(network: Decoder) -> str:
    """For a large model the faster of bf16 and float32 on its device (measured), else what its matrices have."""
    if sum(p.numel() for p in network.parameters()) < LARGE:
        return dtype_of(network)
    return _name(fast_dtype(device_of(network).type))


def pack_model(network: Decoder, dtype: str) -> Decoder:
    """A view of the network that computes in the number format `dtype`; "auto" is `auto_dtype`.

    The network itself where nothing is to be packed. Raises `ConfigError` for another name, and for a format that the
    network's matrices do not have where there is no packing.
    """
    own = dtype_of(network)
    if own not in ("float32", "bfloat16"):
        raise ConfigError("a network in float32 or bfloat16", own, "Convert it first.")
    dtype = auto_dtype(network) if dtype == "auto" else dtype
    if dtype not in KERNELS:
        raise ConfigError("a number format", f"'{dtype}'", nearest(dtype, KERNELS))
    can_pack = device_of(network).type == "cpu" and _is_whole(network)
    if dtype == own and not (can_pack and KERNELS[dtype] in formats()):
        return network
    if not can_pack:
        raise ConfigError(f"{own}, the network's own format", dtype,
                          "Others are packed for whole networks on a CPU only.")  # fmt: skip
    return _pack(share_tensors(network), dtype)


def _pack(view: Decoder, dtype: str) -> Decoder:
    """Replaces the linear layers and the output matrix of the view by packed ones."""
    for module in list(view.modules()):
        for name, child in module.named_children():
            if isinstance(child, LoRALinear) or type(child) is nn.Linear:
                setattr(module, name, PackedLinear(child, KERNELS[dtype]))
    view.vocabulary = PackedVocabulary(view.output, KERNELS[dtype])
    view.states = {"float32": torch.float32, "bfloat16": torch.bfloat16}.get(dtype) or fast_dtype()
    return view


def refresh(view: Decoder) -> None:
    """Packs anew, after the parameters changed."""
    for module in view.modules():
        if isinstance(module, PackedLinear):
            module.refresh()
    if isinstance(view.vocabulary, PackedVocabulary):
        view.vocabulary.refresh(view.output)


def _is_whole(network: Decoder) -> bool:
    """Whether no part of it lies in another process: what passes between processes hooks into the modules."""
    return not any(module._forward_pre_hooks or module._forward_hooks for module in network.modules())  # pyright: ignore[reportPrivateUsage]


def share_tensors(network: Decoder) -> Any:
    """A copy of the modules, not of their tensors and packed matrices."""
    packed: list[Any] = [module.packed for module in network.modules() if isinstance(module, PackedLinear)]
    packed += [network.vocabulary.packed] if isinstance(network.vocabulary, PackedVocabulary) else []
    return copy.deepcopy(network, {id(t): t for t in chain(network.parameters(), network.buffers(), packed)})


def with_paths(network: Decoder, paths: Mapping[str, tuple[Tensor, Tensor]]) -> Decoder:
    """A network of the same tensors and packed matrices with low-rank paths A, B beside its layers, by their names."""
    found = share_tensors(network)
    for name, (a, b) in paths.items():
        found.set_submodule(name, AdaptedLayer(found.get_submodule(name), a, b))
    return found


def dtype_of(network: Decoder) -> str:
    """Of its matrices."""
    return _name(network.matrix_dtype)


def _name(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")

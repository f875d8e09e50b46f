"""A decoder as the script of a page reads it: its wiring in words and numbers, its matrices as int8.

The wiring is read off the network's parts, so whatever is built of these parts is written, and the rest refused.
"""

from base64 import b64encode
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from zlib import compress

import numpy as np
import torch
from torch import Tensor, nn

from gptwright.foundations.errors import ArtifactError
from gptwright.layers.attention import Attention
from gptwright.layers.blocks import PostNorm, PreNorm
from gptwright.layers.feedforward import Activation, FeedForward, SwiGLU, gelu_tanh, squared_relu
from gptwright.layers.linear import parts_of
from gptwright.layers.masks import Banded, Causal, Mask, Strided
from gptwright.layers.norms import LayerNorm, RMSNorm
from gptwright.layers.positions import rotary_rates
from gptwright.models.catalogue import family_of
from gptwright.models.decoder import Decoder
from gptwright.models.formats.int8 import quantized
from gptwright.models.gpt1 import GPT1
from gptwright.models.gpt2 import GPT2
from gptwright.models.llama import Llama
from gptwright.models.modern import Modern, UnitNorm

FUSED = ("query", "key", "value")
ACTIVATIONS: dict[Activation, str] = {gelu_tanh: "gelu", squared_relu: "squared_relu"}
BLOCKS: dict[type[nn.Module], str] = {PreNorm: "before", PostNorm: "after"}


def page_model(network: Decoder) -> dict[str, Any]:
    """Sizes, wiring, the names and shapes of all tensors, and their numbers: float32 first (vectors, then the scales of
    every matrix), then the int8 of every matrix, compressed (zlib), in base64.

    Raises `ArtifactError` for a decoder with a part that pages do not compute.
    """
    config: Any = network.config
    attention: Any = network.blocks[0].attention
    tensors = _Tensors.of(network)
    return {
        "family": family_of(config).name,
        "layers": config.layers,
        "context": config.context,
        "width": config.width,
        "heads": config.heads,
        "kvHeads": attention.kv_heads,
        "headWidth": attention.head_width,
        **_wiring(network),
        "norms": {name: _norm(part) for name, part in network.named_modules() if _is_norm(part)},
        "matrices": tensors.matrices,
        "vectors": tensors.vectors,
        "numbers": tensors.packed(),
    }


def _wiring(network: Decoder) -> dict[str, Any]:
    config: Any = network.config
    match network:
        case GPT1() | GPT2():
            rates = None
        case Llama() | Modern():
            scaling = getattr(config, "scaling", None)
            rates = rotary_rates(config.width // config.heads, config.base, scaling).tolist()
        case _:
            raise _unknown(family_of(config).name)
    block, mlp = (_only(network, part) for part in ("", "mlp"))
    if block not in BLOCKS or mlp not in (FeedForward, SwiGLU):
        raise _unknown(f"a {block.__name__} with a {mlp.__name__}")
    return {
        "rates": rates,  # radians a token of each pair that positions turn
        "norm": BLOCKS[block],
        "normsInput": isinstance(network, Modern),
        "activation": "silu" if mlp is SwiGLU else _activation(network),
        "masks": [_mask(network.masks[layer % len(network.masks)]) for layer in range(config.layers)],
        "output": "unembed" if getattr(network, "unembed", None) is not None else "embed",
    }


def _only(network: Decoder, part: str) -> type[nn.Module]:
    """The type of a part of all blocks. Raises `ArtifactError` where they differ."""
    types = {type(block.get_submodule(part)) for block in network.blocks}
    if len(types) > 1:
        raise _unknown("blocks of several kinds")
    return types.pop()


def _activation(network: Decoder) -> str:
    mlps: list[Any] = [block.mlp for block in network.blocks]
    first: Activation = mlps[0].activation
    if first not in ACTIVATIONS or any(mlp.activation is not first for mlp in mlps):
        raise _unknown(f"the activation {getattr(first, '__name__', 'of a block')}")
    return ACTIVATIONS[first]


def _mask(mask: Mask) -> dict[str, Any]:
    match mask:
        case Causal():
            return {"kind": "causal"}
        case Banded(width):
            return {"kind": "banded", "reach": width}
        case Strided(stride):
            return {"kind": "strided", "reach": stride}
        case _:
            raise _unknown(f"the mask {type(mask).__name__}")


def _is_norm(part: nn.Module) -> bool:
    return isinstance(part, LayerNorm | RMSNorm | UnitNorm)


def _norm(part: nn.Module) -> dict[str, Any]:
    match part:
        case LayerNorm():
            return {"centred": True, "epsilon": part.eps}
        case RMSNorm():
            return {"centred": False, "epsilon": part.epsilon}
        case _:
            return {"centred": False, "epsilon": torch.finfo(torch.float32).eps}


def _unknown(what: str) -> ArtifactError:
    return ArtifactError("a decoder of parts that a page computes (GPT-1, 2, 3, LLaMA, modern)", what,
                         "Serve it with gptwright serve, or export it with --to hf.")  # fmt: skip


@dataclass
class _Tensors:
    """Names and shapes in the order of the numbers; what is fused is written apart."""

    matrices: dict[str, list[int]] = field(default_factory=dict[str, list[int]])
    vectors: dict[str, int] = field(default_factory=dict[str, int])
    floats: list[bytes] = field(default_factory=list[bytes])
    scales: list[bytes] = field(default_factory=list[bytes])
    steps: list[bytes] = field(default_factory=list[bytes])

    @classmethod
    def of(cls, network: Decoder) -> "_Tensors":
        found = cls()
        for name, tensor in _apart(network):
            if tensor.dim() == 2:
                found._matrix(name.removesuffix(".weight"), tensor)
            else:
                found.vectors[name] = len(tensor)
                found.floats.append(_bytes(tensor.float()))
        return found

    def _matrix(self, name: str, matrix: Tensor) -> None:
        values, scales = quantized(matrix)
        self.matrices[name] = list(values.shape)
        self.scales.append(_bytes(scales))
        self.steps.append(values.numpy().tobytes())

    def packed(self) -> str:
        return b64encode(compress(b"".join([*self.floats, *self.scales, *self.steps]), 9)).decode()


def _apart(network: Decoder) -> Iterator[tuple[str, Tensor]]:
    """Every parameter once, queries, keys and values each by itself."""
    fused = {name: part.qkv for name, part in network.named_modules() if isinstance(part, Attention)}
    for name, parameter in network.named_parameters():
        owner, _, kind = name.rpartition(".qkv.")
        if owner not in fused:
            yield name, parameter.detach()
            continue
        for part, rows in zip(FUSED, parameter.detach().chunk(parts_of(fused[owner])), strict=True):
            yield f"{owner}.{part}.{kind}", rows


def _bytes(numbers: Tensor) -> bytes:
    return numbers.cpu().numpy().astype(np.dtype("<f4")).tobytes()

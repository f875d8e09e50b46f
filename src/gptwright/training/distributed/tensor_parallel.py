"""Every layer in parts, one a process of the mesh's `tensor` axis: which of its matrices are cut, and how.

The plan is a table of the classes of layers/, so that a family wired from them needs none of its own. What is in no
row of the table (norms, positions, heads) is whole in every process.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from gptwright.foundations.errors import ConfigError
from gptwright.layers.attention import Attention, CrossAttention, RotaryAttention
from gptwright.layers.feedforward import FeedForward, SwiGLU
from gptwright.layers.linear import parts_of
from gptwright.layers.parallel import PartialEmbedding, PartialLinear, entering
from gptwright.layers.vocabulary import VocabShard
from gptwright.models.config import ModelConfig

if TYPE_CHECKING:
    from torch.distributed import ProcessGroup


@dataclass(frozen=True)
class Plan:
    """`outputs` are linear layers cut by outputs, the one of `inputs` by inputs. x enters the layer itself, or
    each of the parts that `enters` names."""

    outputs: tuple[str, ...]
    inputs: str
    enters: tuple[str, ...] = ("",)


PLANS: Mapping[type[nn.Module], Plan] = {
    Attention: Plan(("qkv",), "out"),
    RotaryAttention: Plan(("query", "key", "value"), "out"),
    CrossAttention: Plan(("query", "key", "value"), "out", enters=("query", "key", "value")),
    FeedForward: Plan(("up",), "down"),
    SwiGLU: Plan(("gate", "up"), "down"),
}


@dataclass(frozen=True)
class ShardSpec:
    """A tensor in equal parts along `dim`, each of `parts` equal runs of it taken by itself."""

    dim: int
    parts: int = 1

    def of(self, tensor: Tensor, part: int, parts: int) -> Tensor:
        """The part that one process holds."""
        runs = tensor.unflatten(self.dim, (self.parts, parts, -1))
        return runs.select(self.dim + 1, part).flatten(self.dim, self.dim + 1).contiguous()


def check_parts(config: ModelConfig, parts: int) -> None:
    """Raises `ConfigError` when a size of the model is not a multiple of the `tensor` axis."""
    for name in ("heads", "kv_heads", "hidden", "vocab"):
        size = getattr(config, name, parts)
        if size % parts:
            raise ConfigError(f"{name} that are a multiple of the mesh's tensor axis, {parts}", f"{size:,}",
                              "Lower --mesh.tensor, or change the model's size.")  # fmt: skip


@torch.no_grad()
def shard_layers(
    network: nn.Module, part: int, parts: int, group: "ProcessGroup"
) -> tuple[dict[str, ShardSpec], set[str]]:
    """Leaves in `network` what this process holds of it.

    Returns how each parameter that is no longer whole was cut, and which whole ones see a part of the heads only, so
    that their gradients must be added up: gains of norms inside of layers.
    """
    cuts, inside = dict[str, ShardSpec](), set[str]()
    for name, layer in list(network.named_modules()):
        if plan := PLANS.get(type(layer)):
            cuts |= {f"{name}.{key}": cut for key, cut in _cut_layer(layer, plan, part, parts, group).items()}
            others = [(child, part) for child, part in layer.named_children() if not isinstance(part, nn.Linear)]
            inside |= {f"{name}.{child}.{key}" for child, part in others for key, _ in part.named_parameters()}
    return cuts | _cut_vocabulary(network, part, parts, group), inside


def _cut_layer(layer: Any, plan: Plan, part: int, parts: int, group: Any) -> dict[str, ShardSpec]:
    cuts: dict[str, ShardSpec] = {}
    for name in plan.outputs:
        linear = getattr(layer, name)
        for key in (key for key, value in linear.named_parameters() if value is not None):
            cuts[f"{name}.{key}"] = cut = ShardSpec(0, parts_of(linear))
            setattr(linear, key, nn.Parameter(cut.of(getattr(linear, key), part, parts)))
    whole = getattr(layer, plan.inputs)
    cuts[f"{plan.inputs}.weight"] = cut = ShardSpec(1)
    setattr(layer, plan.inputs, PartialLinear(nn.Parameter(cut.of(whole.weight, part, parts)), whole.bias, group))
    for name in plan.enters:
        layer.get_submodule(name).register_forward_pre_hook(entering(group))
    if hasattr(layer, "kv_heads"):
        layer.kv_heads //= parts
    return cuts


def _cut_vocabulary(network: Any, part: int, parts: int, group: Any) -> dict[str, ShardSpec]:
    """The embedding, an output matrix of its own, and an output bias: rows stand for tokens."""
    size: int = network.config.vocab
    rows = {id(network.embed.weight), id(network.output), id(getattr(network, "output_bias", None))}
    names = [name for name, parameter in network.named_parameters() if id(parameter) in rows]
    for name in names:
        owner, _, key = name.rpartition(".")
        module = network.get_submodule(owner)
        setattr(module, key, nn.Parameter(ShardSpec(0).of(getattr(module, key), part, parts)))
    first = size // parts * part
    network.embed = PartialEmbedding(network.embed.weight, first, group)
    network.vocabulary = VocabShard(first, size, group)
    return dict.fromkeys(names, ShardSpec(0))

"""One copy of a model on several processes: FSDP2 deals its parameters, and gathers each layer's when it computes.

Gathered are the layers of a block together, and for the whole step what lies outside: embeddings, norms, which a step
begins and ends with. Replicas need no engine of their own: FSDP adds their gradients up.
"""

import warnings
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn

from gptwright.models.catalogue import family_of
from gptwright.models.config import config_of
from gptwright.training.distributed.layout import Layout
from gptwright.training.distributed.tensor_parallel import PLANS, ShardSpec, check_parts, shard_layers
from gptwright.training.distributed.world import World
from gptwright.training.optimizer import Optimizer, refuse_lost

STAY_GATHERED = 2**31  # bytes of parameters that stay gathered from forward to backward: half the gathering saved
WHOLE_MODEL = ("hidden", "encode", "decode")
METHODS = ("keys_and_values", "attend_to")


def shard_model(network: nn.Module, world: World) -> Layout:
    """Moves the model to its device and leaves there what this process holds. Every process has built the same.

    Raises `ConfigError` when the model's sizes do not fit the mesh.
    """
    shapes = {name: parameter.shape for name, parameter in network.named_parameters()}
    if world.axes is None:
        network.to(world.device)
        return Layout(world, shapes, {})
    check_parts(config_of(network), world.mesh.tensor)
    cuts, inside = dict[str, ShardSpec](), set[str]()
    if world.mesh.tensor > 1:
        cuts, inside = shard_layers(network, world.part, world.mesh.tensor, world.axes["tensor"].get_group())
    if world.mesh.replicate * world.mesh.shard > 1:
        _shard(network, world)
    else:
        network.to(world.device)
    return Layout(world, shapes, cuts, inside)


def _shard(network: Any, world: World) -> None:
    from torch.distributed.fsdp import FSDPModule, MixedPrecisionPolicy, fully_shard, register_fsdp_forward_method

    warnings.filterwarnings("ignore", "FSDP2-wrapped module")  # views come out of modules, and nobody writes into them
    size = sum(parameter.nbytes for parameter in network.parameters())
    options: dict[str, Any] = {
        "mesh": world.axes["replicate", "shard"] if world.mesh.replicate > 1 else world.axes["shard"],
        "mp_policy": MixedPrecisionPolicy(reduce_dtype=torch.float32),
    }
    for unit in units(network):
        fully_shard(unit, reshard_after_forward=size > STAY_GATHERED, **options)
    fully_shard(network, **options)
    for module in network.modules():
        if isinstance(module, FSDPModule):
            # A step's parts add up to its mean already: gradients are summed, not averaged.
            module.set_gradient_divide_factor(1.0)
            module.set_force_sum_reduction_for_comms(True)
            # What is gathered first in inference mode could never be trained: so it is gathered now.
            module.unshard()
            module.reshard()
    for module in network.modules():
        for name in WHOLE_MODEL if module is network else METHODS:
            if isinstance(module, FSDPModule) and hasattr(module, name):
                register_fsdp_forward_method(module, name)  # pyright: ignore[reportArgumentType]


def gather_model(network: nn.Module, optimizer: Optimizer) -> nn.Module | None:
    """The whole model of float32 masters in the first process, on the processor; None in the others, which help."""
    layout, tensors = optimizer.layout, dict[str, Tensor]()
    for name, master in optimizer.masters.items():
        whole = layout.whole(name, master.detach())
        if layout.world.first:
            tensors[name] = whole.cpu()
    if not layout.world.first:
        return None
    refuse_lost(tensors)
    config = config_of(network)
    with torch.device("meta"):
        model = family_of(config).model(config)
    model.load_state_dict(tensors, assign=True)
    return model.requires_grad_(False)


def units(network: nn.Module) -> Iterator[nn.Module | list[nn.Module]]:
    """What is gathered together: layers of one block, unless some of their methods are called alone; linear layers
    outside of blocks; inside of layers what has another format. Children come before their parents."""
    inside: set[nn.Module] = set()
    for parent in network.modules():
        layers = [child for child in parent.children() if type(child) in PLANS]
        inside |= {part for layer in layers for part in layer.modules()}
        yield from _units_of(layers)
    yield from (part for part in network.modules() if isinstance(part, nn.Linear) and part not in inside)


def _units_of(layers: list[nn.Module]) -> Iterator[nn.Module | list[nn.Module]]:
    """Of one block: what in its layers is not linear and has parameters, and then the layers."""
    for layer in layers:
        yield from (
            part
            for part in layer.children()
            if not isinstance(part, nn.Linear) and next(part.parameters(), None) is not None
        )
    yield from (layer for layer in layers if hasattr(layer, METHODS[0]))
    if together := [layer for layer in layers if not hasattr(layer, METHODS[0])]:
        yield together

"""Gradients in, weights changed: float32 masters, so that matrices may live in bfloat16, clipping, and an update rule.

The rule is a part: `AdamW` of the papers, or `Muon`.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Protocol, runtime_checkable

import torch
from torch import Tensor, nn

from gptwright.foundations.errors import ConfigError
from gptwright.layers.linear import fused_matrices
from gptwright.training.adamw import AdamW
from gptwright.training.distributed.layout import ALL, Layout, local


@runtime_checkable
class Update(Protocol):
    """A rule at work: the owner of its moments."""

    def step(self, rate: float) -> None:
        """Changes its tensors by their gradients."""
        ...

    def tensors(self) -> dict[str, Tensor]:
        """All that must be saved, as plain tensors: no pickle in checkpoints."""
        ...

    def restore(self, tensors: Mapping[str, Tensor]) -> None:
        """Puts back what `tensors` gave."""
        ...


@runtime_checkable
class OptimizerConfig(Protocol):
    """Settings of a way to turn gradients into steps."""

    def over(self, masters: Mapping[str, Tensor], layout: Layout, fused: Mapping[str, int], /) -> Update:
        """The rule at work on these float32 tensors, parts of wholes as the layout says; those that are `fused` are
        made of so many matrices of equal rows."""
        ...


def cast_linears(module: nn.Module, dtype: torch.dtype) -> None:
    """Keeps the weights of linear layers in `dtype`; embeddings and norms stay in float32."""
    for part in module.modules():
        if isinstance(part, nn.Linear):
            part.to(dtype)


def master_of(parameter: nn.Parameter) -> Tensor:
    """The float32 numbers that lie here: the parameter's own, or a copy of those of another format."""
    whole = parameter.dtype == torch.float32 and local(parameter) is parameter
    return parameter if whole else local(parameter.detach()).float()


class Optimizer:
    """The masters of a model's parameters that learn, and a rule that changes them; frozen ones cost nothing here."""

    def __init__(self, network: nn.Module, rule: OptimizerConfig | None = None, layout: Layout = ALL) -> None:
        self.parameters = {name: part for name, part in network.named_parameters() if part.requires_grad}
        self.layout = layout
        self.masters = {name: master_of(parameter) for name, parameter in self.parameters.items()}
        self.update = (rule or AdamW()).over(self.masters, layout, fused_matrices(network))
        self.skipped = 0

    def step(self, rate: float, clip: float, limit: float = float("inf")) -> float:
        """Clips, updates and clears the gradients; returns their norm. Only one below `limit` changes anything."""
        for name, master in self.masters.items():
            parameter = self.parameters[name]
            if master is not parameter:
                master.grad = None if parameter.grad is None else local(parameter.grad).float()
        gradients = {name: master.grad for name, master in self.masters.items() if master.grad is not None}
        self.layout.complete(gradients)
        total = self.layout.norm(gradients)
        nn.utils.clip_grads_with_norm_(self.masters.values(), clip, total, foreach=True)
        norm = float(total)
        if norm < limit:
            self.update.step(rate)
            self._show()
        else:
            self.skipped += 1
        self.forget_gradients()
        return norm

    def forget_gradients(self) -> None:
        """As if no backward pass had been."""
        for master, parameter in zip(self.masters.values(), self.parameters.values(), strict=True):
            master.grad = parameter.grad = None

    def tensors(self) -> dict[str, Tensor]:
        """Masters, what the rule keeps, and how many steps were skipped."""
        masters = {f"master.{name}": master.detach() for name, master in self.masters.items()}
        return {"skipped": torch.tensor(self.skipped)} | masters | self.update.tensors()

    @torch.no_grad()
    def _show(self) -> None:
        """Gives the model what has changed in masters that are copies of another format."""
        for name, master in self.masters.items():
            if (parameter := self.parameters[name]).dtype != master.dtype:
                local(parameter).copy_(master)

    @torch.no_grad()
    def restore(self, tensors: dict[str, Tensor]) -> None:
        """Puts back what `tensors` gave, into the masters and the model's parameters."""
        self.skipped = int(tensors["skipped"])
        for name, master in self.masters.items():
            master.copy_(tensors[f"master.{name}"])
        self._show()
        self.update.restore(tensors)


def refuse_lost(weights: Mapping[str, Tensor]) -> None:
    """Raises `ConfigError` when weights are not finite: a model of them says nothing."""
    if lost := next((name for name, weight in weights.items() if not weight.detach().isfinite().all()), None):
        raise ConfigError("finite weights after training", f"others in {lost}",
                          "Begin again in a new folder, with a lower rate or a longer warmup.")  # fmt: skip


def frozen_weights(network: nn.Module) -> dict[str, Tensor]:
    """Of all that does not learn, as it is before `cast_linears` rounds it."""
    return {name: parameter.data for name, parameter in network.named_parameters() if not parameter.requires_grad}


def restore_master_weights(
    network: nn.Module, optimizer: Optimizer, frozen: Mapping[str, Tensor] = MappingProxyType({})
) -> None:
    """Gives the model its float32 master weights, for evaluation and export, and to what was `frozen` its own.

    Raises `ConfigError` when they are no numbers any more.
    """
    refuse_lost(optimizer.masters)
    network.float()
    for name, master in optimizer.masters.items():
        optimizer.parameters[name].data = master.detach()
    for name, weight in frozen.items():
        network.get_parameter(name).data = weight
    network.requires_grad_(False)

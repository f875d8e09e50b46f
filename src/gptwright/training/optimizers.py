"""The update rules by name."""

from collections.abc import Callable

import torch

from gptwright.training.adamw import AdamW
from gptwright.training.muon import Muon
from gptwright.training.optimizer import OptimizerConfig


def adamw(weight_decay: float, beta2: float, epsilon: float, dtype: torch.dtype) -> AdamW:
    """The papers' rule, for all parameters, in float32 whatever the model's `dtype`."""
    return AdamW(weight_decay=weight_decay, betas=(0.9, beta2), epsilon=epsilon)


def muon(weight_decay: float, beta2: float, epsilon: float, dtype: torch.dtype) -> Muon:
    """Muon for the matrices of the blocks, in the model's `dtype`; AdamW for the rest."""
    return Muon(weight_decay=weight_decay, dtype=dtype, others=adamw(weight_decay, beta2, epsilon, dtype))


OPTIMIZERS: dict[str, Callable[[float, float, float, torch.dtype], OptimizerConfig]] = {"adamw": adamw, "muon": muon}

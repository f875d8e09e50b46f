"""The update rules by name."""

from collections.abc import Callable

import torch

from gptwright.training.adamw import AdamW
from gptwright.training.muon import Muon
from gptwright.training.optimizer import OptimizerConfig


def adamw(weight_decay: float, dtype: torch.dtype, beta2: float = 0.95, epsilon: float = 1e-8) -> AdamW:
    """The papers' rule, for all parameters, in float32 whatever the model's `dtype`."""
    return AdamW(weight_decay=weight_decay, betas=(0.9, beta2), epsilon=epsilon)


def muon(weight_decay: float, dtype: torch.dtype, beta2: float = 0.95, epsilon: float = 1e-8) -> Muon:
    """Muon for the matrices of the blocks, in the model's `dtype`; AdamW for the rest."""
    return Muon(weight_decay=weight_decay, dtype=dtype, others=adamw(weight_decay, dtype, beta2, epsilon))


OPTIMIZERS: dict[str, Callable[..., OptimizerConfig]] = {"adamw": adamw, "muon": muon}

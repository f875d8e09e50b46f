"""Initial weights, by a seeded generator, so that a model is a pure function of its sizes and its seed."""

from collections.abc import Iterator
from math import sqrt

import torch
from torch import nn

from gptwright.layers.linear import ends_residual, fused_matrices


@torch.no_grad()
def normal_weights(model: nn.Module, seed: int, spread: float, residual: float | None = None) -> None:
    """Matrices from N(0, `spread`²), those that end a residual branch from N(0, `residual`²); biases 0, gains 1."""
    random = torch.Generator().manual_seed(seed)
    ends = {id(parameter) for part in model.modules() if ends_residual(part) for parameter in part.parameters()}
    for _, matrix in _matrices(model):
        of_branch = residual if id(matrix) in ends else None
        matrix.normal_(0.0, spread if of_branch is None else of_branch, generator=random)


@torch.no_grad()
def truncated_weights(model: nn.Module, seed: int, spread: float) -> None:
    """Matrices from N(0, `spread`²), nothing beyond two spreads (which leaves 0.88 of one); biases 0, gains 1."""
    random = torch.Generator().manual_seed(seed)
    for _, matrix in _matrices(model):
        nn.init.trunc_normal_(matrix, 0.0, spread, -2 * spread, 2 * spread, generator=random)


@torch.no_grad()
def uniform_weights(model: nn.Module, seed: int) -> None:
    """Glorot & Bengio 2010: matrices from U(±√(6 / (inputs + outputs))), embeddings from N(0, 1/width).

    A fused projection to queries, keys and values is three matrices.
    """
    random = torch.Generator().manual_seed(seed)
    fused = fused_matrices(model)
    embeddings = {id(part.weight) for part in model.modules() if isinstance(part, nn.Embedding)}
    for name, matrix in _matrices(model):
        if id(matrix) in embeddings:
            matrix.normal_(0.0, matrix.shape[1] ** -0.5, generator=random)
        else:
            bound = sqrt(6 / (matrix.shape[1] + matrix.shape[0] // fused.get(name, 1)))
            matrix.uniform_(-bound, bound, generator=random)


def _matrices(model: nn.Module) -> Iterator[tuple[str, nn.Parameter]]:
    """All that is to be drawn; vectors are set on the way, gains to 1 and biases to 0."""
    for name, parameter in model.named_parameters():
        if parameter.dim() == 1:
            parameter.fill_(1.0 if name.endswith("weight") else 0.0)
        else:
            yield name, parameter

"""What a linear layer says of its matrix: how many it is made of, and whether a residual branch ends there.

It stands on the module, so that it stays when its parameters are cast, cut or dealt to several processes.
"""

from torch import Tensor, nn


def marked_linear(inputs: int, outputs: int, *, bias: bool = True, parts: int = 1, residual: bool = False) -> nn.Linear:
    """A linear layer of `parts` matrices of equal rows; with `residual` its outputs are added to what went around."""
    linear = nn.Linear(inputs, outputs, bias=bias)
    linear.__dict__ |= {"parts": parts, "residual": residual}
    return linear


def with_weight(linear: nn.Linear, weight: Tensor) -> nn.Linear:
    """A plain linear layer as this one is, its bias and its marks too, with another matrix of the same shape."""
    plain = nn.Linear(linear.in_features, linear.out_features, bias=False, device="meta")
    plain.weight, plain.bias = nn.Parameter(weight, requires_grad=False), linear.bias
    plain.__dict__ |= {"parts": parts_of(linear), "residual": ends_residual(linear)}
    return plain


def parts_of(module: nn.Module) -> int:
    """Of how many matrices, of equal rows each, its weight is made: 3 where queries, keys and values are one."""
    return getattr(module, "parts", 1)


def ends_residual(module: nn.Module) -> bool:
    """Whether its outputs are the end of a residual branch."""
    return getattr(module, "residual", False)


def fused_matrices(network: nn.Module) -> dict[str, int]:
    """The names of the weights that are made of several matrices, and of how many."""
    return {f"{name}.weight": parts_of(part) for name, part in network.named_modules() if parts_of(part) > 1}

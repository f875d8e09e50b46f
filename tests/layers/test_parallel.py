"""With a group of one process; tests/training has groups of several."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.distributed as dist
from torch import nn

from gptwright.layers.parallel import CopyToTensorParallel, PartialEmbedding, PartialLinear, entering


@pytest.fixture
def group(tmp_path: Path) -> Iterator[Any]:
    dist.init_process_group("gloo", init_method=f"file://{tmp_path / 'meet'}", rank=0, world_size=1)
    yield dist.group.WORLD
    dist.destroy_process_group()


def test_a_linear_layer_that_sees_all_inputs(group: Any) -> None:
    whole, x = nn.Linear(6, 4), torch.randn(3, 6, requires_grad=True)
    part = PartialLinear(whole.weight, whole.bias, group)
    assert isinstance(part, nn.Linear) and dict(part.named_parameters()).keys() == {"weight", "bias"}
    torch.testing.assert_close(part(x), whole(x))
    expected = torch.autograd.grad(whole(x).square().sum(), [x, whole.weight, whole.bias])
    for found, wanted in zip(
        torch.autograd.grad(part(x).square().sum(), [x, whole.weight, whole.bias]), expected, strict=True
    ):
        torch.testing.assert_close(found, wanted)


def test_tokens_of_other_processes_are_zeros_here(group: Any) -> None:
    whole, ids = nn.Embedding(10, 3), torch.tensor([[3, 9, 4], [0, 5, 6]])
    part = PartialEmbedding(nn.Parameter(whole.weight[4:7].detach().clone()), 4, group)
    here = (ids >= 4) & (ids < 7)
    torch.testing.assert_close(part(ids), whole(ids) * here[..., None])
    part(ids).sum().backward()
    assert part.weight.grad is not None and part.weight.grad[:, 0].tolist() == [1.0, 1.0, 1.0]


def test_what_enters_is_unchanged(group: Any) -> None:
    x = torch.randn(2, 3, requires_grad=True)
    layer = nn.Linear(3, 3)
    expected = layer(x)
    layer.register_forward_pre_hook(entering(group))
    torch.testing.assert_close(layer(x), expected)
    (gradient,) = torch.autograd.grad(CopyToTensorParallel.apply(x, group).square().sum(), x)
    torch.testing.assert_close(gradient, 2 * x)

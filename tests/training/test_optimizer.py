from collections.abc import Iterator

import pytest
import torch
from torch import Tensor, nn

from gptwright.training.adamw import AdamW
from gptwright.training.muon import Muon
from gptwright.training.optimizer import Optimizer, OptimizerConfig, cast_linears


def network() -> nn.Sequential:
    torch.manual_seed(5)
    return nn.Sequential(nn.Embedding(7, 4), nn.Linear(4, 6), nn.LayerNorm(6), nn.Linear(6, 7))


def loss(model: nn.Module, step: int) -> Tensor:
    ids = torch.randint(7, (8,), generator=torch.Generator().manual_seed(step))
    x = model.get_submodule("0")(ids)
    for name in ("1", "2", "3"):
        part = model.get_submodule(name)
        x = part(x.to(next(part.parameters()).dtype))
    return nn.functional.cross_entropy(x.float(), (ids * 3) % 7)


def train(model: nn.Module, optimizer: Optimizer, steps: range) -> Iterator[float]:
    for step in steps:
        loss(model, step).backward()
        yield optimizer.step(0.01 * (step + 1), clip=0.5)


RULES = {"adamw": AdamW(), "muon": Muon(dtype=torch.float32)}


@pytest.mark.parametrize("rule", RULES.values(), ids=RULES)
def test_masters_are_float32_and_bfloat16_matrices_are_their_rounding(rule: OptimizerConfig) -> None:
    model = network()
    cast_linears(model, torch.bfloat16)
    assert [str(p.dtype)[6:] for p in model.parameters()] == [
        "float32",
        *["bfloat16"] * 2,
        *["float32"] * 2,
        *["bfloat16"] * 2,
    ]
    optimizer = Optimizer(model, rule)
    list(train(model, optimizer, range(3)))
    for name, parameter in model.named_parameters():
        assert optimizer.masters[name].dtype == torch.float32
        assert torch.equal(optimizer.masters[name].to(parameter.dtype), parameter)
    low = model.get_parameter("1.weight")
    assert not torch.equal(optimizer.masters["1.weight"], low.float()), "the master knows more than the matrix shows"


def test_steps_smaller_than_bfloat16_can_hold_are_not_lost() -> None:
    model = nn.Linear(1, 1, bias=False)
    nn.init.ones_(model.weight)
    cast_linears(model, torch.bfloat16)
    optimizer = Optimizer(model, AdamW(weight_decay=0.0))
    for _ in range(100):
        model.weight.grad = torch.ones_like(model.weight)
        optimizer.step(1e-4, clip=1.0)
    assert model.weight.item() == pytest.approx(0.99, abs=4e-3)
    assert optimizer.masters["weight"].item() == pytest.approx(0.99, abs=1e-4)


@pytest.mark.parametrize("rule", RULES.values(), ids=RULES)
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_what_was_saved_goes_on_bit_for_bit(dtype: torch.dtype, rule: OptimizerConfig) -> None:
    def fresh() -> tuple[nn.Module, Optimizer]:
        model = network()
        cast_linears(model, dtype)
        return model, Optimizer(model, rule)

    model, optimizer = fresh()
    list(train(model, optimizer, range(3)))
    saved = {name: tensor.clone() for name, tensor in optimizer.tensors().items()}
    list(train(model, optimizer, range(3, 6)))
    again, restored = fresh()
    restored.restore(saved)
    list(train(again, restored, range(3, 6)))
    assert all(torch.equal(a, b) for a, b in zip(model.parameters(), again.parameters(), strict=True))
    before, after = optimizer.tensors(), restored.tensors()
    assert before.keys() == after.keys()
    assert all(torch.equal(before[name], after[name]) for name in before)


@pytest.mark.parametrize("rule", RULES.values(), ids=RULES)
@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_a_gradient_that_is_not_finite_is_skipped_and_counted(bad: float, rule: OptimizerConfig) -> None:
    model = network()
    optimizer = Optimizer(model, rule)
    list(train(model, optimizer, range(2)))
    before = {name: tensor.clone() for name, tensor in optimizer.tensors().items()}
    loss(model, 2).backward()
    weight = model.get_parameter("1.weight")
    assert weight.grad is not None
    weight.grad[0, 0] = bad
    norm = optimizer.step(0.1, clip=1.0)
    assert not norm < float("inf")
    assert optimizer.skipped == 1
    assert all(torch.equal(before[name], tensor) for name, tensor in optimizer.tensors().items() if name != "skipped")
    assert all(p.grad is None for p in model.parameters())
    again = network()
    restored = Optimizer(again, rule)
    restored.restore(optimizer.tensors())
    assert restored.skipped == 1


def test_frozen_weights_have_no_master_no_moments_and_no_gradient() -> None:
    model = network()
    for name in ("0", "1"):
        model.get_submodule(name).requires_grad_(False)
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    optimizer = Optimizer(model, AdamW())
    list(train(model, optimizer, range(2)))
    learned = {"2.weight", "2.bias", "3.weight", "3.bias"}
    assert optimizer.masters.keys() == learned
    assert {name.split(".", 1)[1] for name in optimizer.tensors() if "." in name} == learned
    loss(model, 3).backward()
    assert {name for name, parameter in model.named_parameters() if parameter.grad is not None} == learned
    assert {name for name, tensor in model.state_dict().items() if not tensor.equal(before[name])} == learned

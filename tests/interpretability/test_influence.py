"""First-order influence is the change by one tiny step, and the product of two gradients; weights stay as they were."""

import pytest
import torch
from torch import Tensor, nn

from gptwright.interpretability.influence import gradient, moved, slopes
from gptwright.models.gpt2 import GPT2

RATE = 1e-4


def losses(model: nn.Module, x: Tensor, y: Tensor) -> Tensor:
    return (model(x)[:, 0] - y).square()


@pytest.fixture
def linear() -> tuple[nn.Linear, Tensor, Tensor]:
    torch.manual_seed(0)
    return nn.Linear(4, 1).double(), torch.randn(6, 4).double(), torch.randn(6).double()


def test_by_hand(linear: tuple[nn.Linear, Tensor, Tensor]) -> None:
    """Of a linear model and squares, ∇ᵢ · ∇ⱼ = 4 rᵢ rⱼ (xᵢ · xⱼ + 1)."""
    model, x, y = linear
    direction = gradient(model, losses(model, x[:1], y[:1]).sum())
    found = slopes(model, direction, lambda: losses(model, x, y).detach())
    rest = (model(x)[:, 0] - y).detach()
    torch.testing.assert_close(found, 4 * rest * rest[0] * (x @ x[0] + 1), rtol=1e-6, atol=1e-8)


def test_it_is_what_one_tiny_step_on_each_example_changes(linear: tuple[nn.Linear, Tensor, Tensor]) -> None:
    model, x, y = linear
    direction = gradient(model, losses(model, x[:1], y[:1]).sum())
    found = slopes(model, direction, lambda: losses(model, x, y).detach())
    before = losses(model, x[:1], y[:1]).item()
    for at in range(len(x)):
        step = gradient(model, losses(model, x[at : at + 1], y[at : at + 1]).sum())
        with moved(model, step, -RATE):
            change = before - losses(model, x[:1], y[:1]).item()
        assert change / RATE == pytest.approx(found[at].item(), rel=0.01, abs=0.01)


def test_of_a_network_it_is_the_product_of_gradients_and_leaves_the_weights(network: GPT2) -> None:
    torch.manual_seed(1)
    network.requires_grad_(True)
    ids = torch.randint(0, network.config.vocab, (5, 12))

    def nats(rows: Tensor) -> Tensor:
        logits = network(rows[:, :-1])
        every = nn.functional.cross_entropy(logits.flatten(0, 1), rows[:, 1:].flatten(), reduction="none")
        return every.view(len(rows), -1).sum(1)

    own = [gradient(network, nats(ids[at : at + 1]).sum()) for at in range(5)]
    exact = torch.stack([sum((own[0][n].double() * each[n].double()).sum() for n in each) for each in own])  # type: ignore[arg-type]
    before = {name: each.clone() for name, each in network.state_dict().items()}
    with torch.no_grad():
        found = slopes(network, own[0], lambda: nats(ids))
    torch.testing.assert_close(found, exact, rtol=0.02, atol=float(0.01 * exact.abs().max()))
    assert all(torch.equal(each, before[name]) for name, each in network.state_dict().items())


def test_no_direction_is_no_slope_and_a_fault_moves_nothing(linear: tuple[nn.Linear, Tensor, Tensor]) -> None:
    model, x, y = linear
    assert slopes(model, {}, lambda: losses(model, x, y).detach()).tolist() == [0.0] * 6
    before = model.weight.detach().clone()
    with pytest.raises(RuntimeError, match="stop"), moved(model, {"weight": torch.ones(1, 4).double()}, 1.0):
        raise RuntimeError("stop")
    assert torch.equal(model.weight, before)

"""The moving average of the weights, and the best of them, over a stop too."""

import pytest
import torch
from torch import nn

from gptwright.training.adamw import AdamW
from gptwright.training.kept_weights import KeepWeights, KeptWeights
from gptwright.training.optimizer import Optimizer


def learner(decay: float) -> tuple[nn.Linear, Optimizer, KeptWeights]:
    torch.manual_seed(1)
    layer = nn.Linear(3, 2)
    optimizer = Optimizer(layer, KeepWeights(AdamW(), decay))
    assert isinstance(optimizer.update, KeptWeights)
    return layer, optimizer, optimizer.update


def step(layer: nn.Linear, optimizer: Optimizer) -> None:
    layer(torch.ones(1, 3)).square().sum().backward()
    optimizer.step(0.1, 1.0)


def test_the_average_is_the_papers_and_is_what_stays() -> None:
    layer, optimizer, kept = learner(0.9)
    wanted = layer.weight.detach().clone()
    for _ in range(5):
        step(layer, optimizer)
        wanted = 0.9 * wanted + 0.1 * layer.weight.detach()
    torch.testing.assert_close(kept.average["weight"], wanted)
    kept.put_back()
    torch.testing.assert_close(layer.weight.detach(), wanted)


def test_the_rule_itself_is_left_as_it_was() -> None:
    (layer, optimizer, _), plain = learner(0.9), nn.Linear(3, 2)
    plain.load_state_dict(layer.state_dict())
    alone = Optimizer(plain, AdamW())
    for _ in range(3):
        step(layer, optimizer)
        step(plain, alone)
    assert torch.equal(layer.weight, plain.weight)


@pytest.mark.parametrize("decay", [0.0, 0.5])
def test_the_best_comes_back_and_a_stop_changes_nothing(decay: float) -> None:
    (layer, optimizer, kept), (other, stopped, same) = learner(decay), learner(decay)
    step(layer, optimizer)
    best = (kept.average or dict(layer.named_parameters()))["weight"].detach().clone()
    kept.keep_best()
    step(layer, optimizer)
    stopped.restore({name: tensor.clone() for name, tensor in optimizer.tensors().items()})
    for each in ((layer, optimizer), (other, stopped)):
        step(*each)
    for name, tensor in optimizer.tensors().items():
        assert torch.equal(tensor, stopped.tensors()[name]), name
    same.put_back()
    assert torch.equal(other.weight, best)


def test_without_either_the_weights_stay() -> None:
    layer, optimizer, kept = learner(0.0)
    step(layer, optimizer)
    now = layer.weight.detach().clone()
    kept.put_back()
    assert torch.equal(layer.weight, now)

"""The epoch that is taken is the best by what is held out, and its weights are those of its end."""

from pathlib import Path

import pytest
import torch

from gptwright.alignment.demonstrations import Demonstration, Demonstrations
from gptwright.evaluation.perplexity import answer_loss
from gptwright.inference.engine import Engine
from gptwright.inference.sampling import Sampling
from gptwright.models.gpt2 import GPT2
from gptwright.models.heads import RewardModel
from gptwright.tasks.best_epoch import BestEpoch, HeldoutLoss, HeldoutReward
from gptwright.training.optimizer import Optimizer

EXAMPLES = [Demonstration([1, 5, 9], [5, 9, 2]), Demonstration([1, 7], [7, 2])]


class Scripted(HeldoutLoss):
    """Says what it was told, one after the other."""

    def __init__(self, *values: float) -> None:
        object.__setattr__(self, "values", iter(values))

    def __call__(self) -> float:
        return next(self.values)  # type: ignore[attr-defined]


class ScriptedReward(HeldoutReward):
    def __init__(self, *values: float) -> None:
        object.__setattr__(self, "values", iter(values))

    __call__ = Scripted.__call__


@pytest.mark.parametrize(
    ("measure", "best"),
    [
        (Scripted(3.0, 1.0, 2.0), 2),
        (Scripted(1.0, 1.0, 1.0), 1),
        (Scripted(3.0, 2.0, 1.0), 3),
        (ScriptedReward(-3.0, -1.0, -2.0), 2),
        (ScriptedReward(0.5, 0.5, -2.0), 1),
    ],
)
def test_the_best_epochs_weights_are_taken(
    network: GPT2, tmp_path: Path, measure: HeldoutLoss | HeldoutReward, best: int
) -> None:
    optimizer = Optimizer(network.requires_grad_(True))
    curve: dict[str, float] = {}
    epochs = BestEpoch(measure, [2, 4, 6], optimizer, tmp_path / "best.safetensors", curve)
    logged = [dict(epochs.after(step)) for step in range(1, 3)]
    for step in range(3, 7):
        with torch.no_grad():
            network.norm.bias.fill_(step)
        logged.append(dict(epochs.after(step)))
    assert [line.get("epoch") for line in logged] == [None, 1, None, 2, None, 3]
    assert epochs.best == best and list(curve) == ["1", "2", "3"]
    before = float(network.norm.bias.detach()[0])
    epochs.take()
    taken = float(network.norm.bias.detach()[0])
    assert before == 6 and (taken == 2 * best or (best == 1 and taken not in (3, 4, 5, 6)))
    found = epochs.evaluations()["epochs"]
    assert found.metrics == {f"epoch {n}": v for n, v in curve.items()} and found.notes["taken"] == str(best)


def test_without_epochs_nothing_is_measured_or_taken(network: GPT2, tmp_path: Path) -> None:
    optimizer = Optimizer(network.requires_grad_(True))
    epochs = BestEpoch(None, [], optimizer, tmp_path / "best.safetensors", {})
    before = [master.clone() for master in optimizer.masters.values()]
    assert epochs.after(1) == {} == epochs.evaluations()
    epochs.take()
    assert all(torch.equal(a, b) for a, b in zip(before, optimizer.masters.values(), strict=True))
    assert not list(tmp_path.iterdir())


def test_held_out_loss_is_that_of_the_answers(network: GPT2) -> None:
    conversations = Demonstrations(EXAMPLES, 2, 1, pad=0)
    assert HeldoutLoss(network, conversations)() == answer_loss(network, conversations.in_order())


def test_held_out_reward_is_the_mean_over_the_likeliest_answers(network: GPT2) -> None:
    reward = RewardModel(network)
    torch.nn.init.normal_(reward.head.score.weight)
    engine = Engine(network, [2])
    prompts = [[1, 5, 9], [1, 7], *[[1, 4, n] for n in range(3, 40)]]
    measure = HeldoutReward(engine, prompts, reward, 0, 6)
    answers = engine.generate(prompts, Sampling(temperature=0.0, max_tokens=6))
    with torch.inference_mode():
        scores = [float(reward(torch.tensor([a.ids]), torch.tensor([len(a.ids) - 1]))) for a in answers]
    assert measure() == pytest.approx(sum(scores) / len(scores), abs=1e-5)

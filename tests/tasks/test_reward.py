"""A reward model learns the order that it is shown; the control, shown shuffled orders, learns none."""

from collections.abc import Callable

import pytest
import torch

from gptwright.alignment.rankings import RankedIds
from gptwright.models.catalogue import build
from gptwright.models.gpt2 import GPT2Config
from gptwright.models.heads import Classifier, RewardModel
from gptwright.tasks.reward import SHUFFLES, RewardTask, control_of
from gptwright.training.adamw import AdamW
from gptwright.training.batch_shard import WHOLE
from gptwright.training.optimizer import Optimizer

CONFIG = GPT2Config(vocab=16, context=16, width=16, heads=2, layers=1)
Kind = Callable[..., RewardModel | Classifier]
# An answer is better the larger its first token is.
ITEMS = [
    RankedIds([[first, 1, 2 + i % 3] for first in (4 + i % 2, 8 + i % 4, 13 - i % 2)], [3, 2, 1]) for i in range(48)
]


def learned(kind: Kind) -> RewardTask:
    learner = RewardTask(kind(build(CONFIG, seed=2)), ITEMS[:32], 8, 1, 0)
    optimizer = Optimizer(learner, AdamW(weight_decay=0.0))
    for step in range(40):
        for loss in learner.loss(learner.batch(step), WHOLE):
            loss.backward()
        optimizer.step(0.01, 1.0)
    return learner


def test_before_learning_every_pair_is_a_tie() -> None:
    right, pairs = RewardTask(RewardModel(build(CONFIG)), ITEMS, 8, 1, 0).right_pairs(ITEMS[32:])
    assert right.tolist() == [[1.5] * 16] and pairs.tolist() == [3] * 16


def test_ranks_are_learned() -> None:
    right, pairs = learned(RewardModel).right_pairs(ITEMS[32:])
    assert right.sum() > 0.95 * pairs.sum()


def test_the_mean_of_the_control_is_a_half_though_its_heads_differ() -> None:
    right, pairs = learned(control_of).right_pairs(ITEMS[32:])
    accuracies = (right.sum(1) / pairs.sum()).tolist()
    assert len(accuracies) == SHUFFLES
    assert max(accuracies) - min(accuracies) > 0.2, "the heads learn something, only nothing true"
    assert sum(accuracies) / SHUFFLES == pytest.approx(0.5, abs=0.15)


@pytest.mark.parametrize("kind", [RewardModel, control_of])
def test_pieces_and_shares_add_up(kind: Kind, split_as_whole: Callable[..., None]) -> None:
    ties = [RankedIds(item.rows, [1, 1, 1]) for item in ITEMS[:3]]
    fewer = [RankedIds(item.rows[:2], [2, 1]) for item in ITEMS[3:7]]
    learner = RewardTask(kind(build(CONFIG, seed=2)), [*ties, *fewer, *ITEMS[7:12]], 7, 1, 0)
    with torch.no_grad():
        for parameter in learner.parameters():
            parameter.normal_(0.0, 0.3)
    split_as_whole(learner, lambda shard: learner.loss(learner.batch(1), shard))


def test_every_head_has_its_own_shuffle() -> None:
    control = RewardTask(control_of(build(CONFIG)), ITEMS, 8, 1, 0)
    assert len({str([item.ranks for item in items]) for items in control.items_of_heads}) == SHUFFLES
    assert torch.equal(control.model.head.score.weight, torch.zeros(SHUFFLES, 16))

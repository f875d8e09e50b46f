"""A policy learns rankings by itself; what answers share falls out; it is its own reference before the first step."""

from collections.abc import Callable

import pytest
import torch

from gptwright.alignment.answer_logprobs import compared
from gptwright.alignment.rankings import RankedIds
from gptwright.models.catalogue import build
from gptwright.models.decoder import Decoder
from gptwright.models.gpt2 import GPT2Config
from gptwright.tasks.dpo import DPOTask
from gptwright.training.adamw import AdamW
from gptwright.training.batch_shard import WHOLE
from gptwright.training.batches import TokenBatch
from gptwright.training.next_token import TextMixture
from gptwright.training.optimizer import Optimizer
from gptwright.training.train_state import TrainState
from gptwright.training.train_step import train_steps

# Of two answers to a prompt, the one whose first token is larger is better.
ITEMS = [RankedIds([[3, 3 + i % 2, 5, 6 + i % 5, 1], [3, 3 + i % 2, 5, 12 - i % 3, 2, 1]], [2, 1]) for i in range(40)]
NAMED = [(f"prompt {i}", item) for i, item in enumerate(ITEMS)]


class Text:
    def batch(self, step: int) -> TokenBatch:
        ids = torch.tensor([[3, 4, 5, 6 + (step + row) % 4] for row in range(8)])
        return TokenBatch(ids[:, :-1], ids[:, 1:])


def tiny() -> Decoder:
    return build(GPT2Config(vocab=16, context=16, width=16, heads=2, layers=1), seed=2)


def task(policy: Decoder, weight: float = 0.0, beta: float = 0.5, smoothing: float = 0.0) -> DPOTask:
    train, heldout = compared(policy, NAMED[:32], 0), compared(policy, NAMED[32:], 0)
    return DPOTask(policy=policy, train=train, heldout=heldout, auxiliary=TextMixture(policy, [Text()], weight),
                   rows=8, seed=1, pad=0, beta=beta, smoothing=smoothing)  # fmt: skip


def accuracy(learner: DPOTask) -> float:
    return learner.evaluate(0).estimates["pair_accuracy"].value


def learned(learner: DPOTask, *stops: int) -> DPOTask:
    optimizer, state = Optimizer(learner.policy, AdamW(weight_decay=0.0)), TrainState()
    for stop in stops:
        list(train_steps(learner, optimizer, lambda step: 0.01, state, steps=stop))
    return learner


def test_it_begins_as_its_reference_and_learns_the_order() -> None:
    learner = task(tiny())
    assert accuracy(learner) == 0.5
    (first,) = [part for part in learner.loss(learner.batch(0), WHOLE) if part.item()]
    assert first.item() == pytest.approx(0.693147, abs=1e-5), "ln 2: every margin is 0"
    assert accuracy(learned(learner, 30)) > 0.95


def test_it_goes_on_where_it_stopped() -> None:
    whole, stopped = learned(task(tiny(), weight=0.5), 4), learned(task(tiny(), weight=0.5), 1, 4)
    assert all(map(torch.equal, whole.policy.parameters(), stopped.policy.parameters()))


def test_smoothing_keeps_the_margins_small() -> None:
    def margin(smoothing: float) -> float:
        learner = learned(task(tiny(), smoothing=smoothing), 40)
        rewards = learner.rewards(learner.train)
        return float((rewards[:, 1] - rewards[:, 0]).detach().mean())

    assert margin(0.3) < 0.6 * margin(0.0)


def test_pieces_and_shares_add_up(split_as_whole: Callable[..., None]) -> None:
    learner = learned(task(tiny(), weight=0.5), 2)
    split_as_whole(learner.policy, lambda shard: learner.loss(learner.batch(3), shard))

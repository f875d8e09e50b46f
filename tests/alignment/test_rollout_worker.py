"""Scored rollouts, and REINFORCE on them by the loop of every task: another algorithm is no more than its loss."""

from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from gptwright.alignment.rollout import Rollout, ScoredRollout, recompute_logprobs
from gptwright.alignment.rollout_worker import NormalizedReward, RolloutWorker, ScoredRollouts
from gptwright.inference.engine import Engine
from gptwright.inference.sampling import Sampling
from gptwright.models.catalogue import build
from gptwright.models.gpt2 import GPT2, GPT2Config
from gptwright.models.heads import RewardModel
from gptwright.objectives.ppo import masked_mean
from gptwright.training.adamw import AdamW
from gptwright.training.batch_shard import BatchShard
from gptwright.training.evaluation import Evaluation
from gptwright.training.optimizer import Optimizer
from gptwright.training.train_state import TrainState
from gptwright.training.train_step import train_steps

PROMPT, WANTED, END = [3, 4], 7, 2


class Reinforce:
    """REINFORCE; an answer's baseline is the mean score of the others to the same prompt (Kool et al. 2019)."""

    def __init__(self, policy: GPT2, rollouts: ScoredRollouts) -> None:
        self.policy, self.rollouts = policy, rollouts

    def batch(self, step: int) -> ScoredRollout:
        return self.rollouts.batch(step)

    def loss(self, batch: ScoredRollout, shard: BatchShard) -> Iterator[Tensor]:
        others = (batch.scores.sum() - batch.scores) / (batch.rows - 1)
        count = int(batch.rollout.response_mask.sum())
        for rows in shard.slices(batch.rows):
            part = batch.rollout.rows(torch.arange(rows.start, rows.stop))
            logprobs, _, _ = recompute_logprobs(self.policy, None, part, temperature=1.0)
            yield -masked_mean((batch.scores - others)[rows, None] * logprobs, part.response_mask, count)

    def evaluate(self, step: int) -> Evaluation:
        with torch.no_grad():
            wanted = self.policy(torch.tensor([PROMPT]))[0, -1].softmax(-1)[WANTED]
        return Evaluation(metrics={"wanted": float(wanted)})


def reward(rollout: Rollout) -> Tensor:
    return (rollout.tokens[:, 0] == WANTED).float()


def task() -> Reinforce:
    def tiny() -> GPT2:
        return build(GPT2Config(vocab=12, context=8, width=16, heads=2, layers=1), seed=4)

    policy, sampling = tiny(), Sampling(temperature=1.0, max_tokens=3)
    worker = RolloutWorker(engine=Engine(policy, [END]), sampling=sampling, pad=1, seed=1)
    rollouts = ScoredRollouts(worker=worker, prompts=[PROMPT], episodes=24, reward=reward, reference=tiny())
    return Reinforce(policy, rollouts)


@pytest.mark.parametrize("micro_batches", [1, 3])
def test_a_bandit_is_solved_without_a_value_head(micro_batches: int) -> None:
    learned = task()
    optimizer = Optimizer(learned.policy, AdamW(weight_decay=0.0, epsilon=1e-5))
    assert learned.evaluate(0).metrics["wanted"] < 0.15
    state = TrainState(micro_batches=micro_batches)
    steps = list(train_steps(learned, optimizer, lambda step: 0.01, state, steps=60))
    assert len(steps) == state.done == 60
    assert learned.evaluate(60).metrics["wanted"] > 0.9


def test_the_loss_of_its_shards_adds_up(split_as_whole: Callable[..., None]) -> None:
    learned = task()
    batch = learned.batch(0)
    split_as_whole(learned.policy, lambda shard: learned.loss(batch, shard))


def test_scored_rollouts_are_a_pure_function_of_weights_and_step() -> None:
    one, same = task().rollouts, task().rollouts
    batch = one.batch(3)
    assert torch.equal(batch.rollout.tokens, same.batch(3).rollout.tokens)
    assert not torch.equal(batch.rollout.tokens, same.batch(4).rollout.tokens)
    torch.testing.assert_close(batch.reference, batch.rollout.logprobs, msg="the reference is what the policy began as")
    assert (batch.rollout.values == 0).all()
    assert torch.equal(batch.scores, reward(batch.rollout))


def test_rewards_start_at_mean_0_and_spread_1_and_no_end_has_a_fixed_one() -> None:
    rollout = task().batch(0).rollout
    model = RewardModel(build(GPT2Config(vocab=12, context=8, width=16, heads=2, layers=1), seed=2))
    torch.nn.init.normal_(model.head.score.weight)
    fitted = NormalizedReward.fitted(model, rollout)
    scores = fitted(replace(rollout, ended=torch.ones_like(rollout.ended)))
    assert float(scores.mean()) == pytest.approx(0, abs=1e-4)
    assert float(scores.std(unbiased=False)) == pytest.approx(1, abs=1e-4)
    ended = torch.arange(len(rollout)) % 2 == 0
    found = fitted(replace(rollout, ended=ended))
    assert torch.equal(found[ended], scores[ended]) and (found[~ended] == -1).all()

"""Scored rollouts, and REINFORCE on them by the loop of every task: another algorithm is no more than its loss."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest
import torch
from torch import Tensor

from gptwright.alignment.prompts import Prompt
from gptwright.alignment.rewards import WeightedSum
from gptwright.alignment.rollout import Rollout, ScoredRollout, recompute_logprobs
from gptwright.alignment.rollout_worker import RolloutWorker, ScoredRollouts
from gptwright.foundations.errors import InputError
from gptwright.inference.engine import Engine
from gptwright.inference.sampling import Sampling
from gptwright.models.catalogue import build
from gptwright.models.gpt2 import GPT2, GPT2Config
from gptwright.models.heads import ScalarHead
from gptwright.objectives.ppo import masked_mean
from gptwright.text.jsonl import Line
from gptwright.training.adamw import AdamW
from gptwright.training.batch_shard import BatchShard
from gptwright.training.evaluation import Evaluation
from gptwright.training.optimizer import Optimizer, cast_linears
from gptwright.training.train_state import TrainState
from gptwright.training.train_step import train_steps

WANTED, END = 7, 2
PROMPT = Prompt(Line({}, ""), [], [3, 4])


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


def reward(rollout: Rollout, prompts: Sequence[Prompt]) -> Tensor:
    assert all(row[: len(prompt)].tolist() == prompt for row, prompt in zip(rollout.ids, prompts, strict=True))
    return (rollout.tokens[:, 0] == WANTED).float()


def task(**more: Any) -> Reinforce:
    def tiny() -> GPT2:
        return build(GPT2Config(vocab=12, context=8, width=16, heads=2, layers=1), seed=4)

    policy, sampling = tiny(), Sampling(temperature=1.0, max_tokens=3)
    worker = RolloutWorker(engine=Engine(policy, [END]), sampling=sampling, pad=1, seed=1)
    rollouts = ScoredRollouts(worker=worker, reference=tiny(),
                              **{"prompts": [PROMPT], "episodes": 24, "reward": reward} | more)  # fmt: skip
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
    assert torch.equal(batch.scores, reward(batch.rollout, [PROMPT] * batch.rows))


def test_a_prompt_has_its_samples_side_by_side_and_a_watched_judge_is_kept() -> None:
    prompts = [Prompt(Line({}, ""), [], [3, word]) for word in (4, 5, 6)]
    learned = task(prompts=prompts, episodes=6, samples=2, gold=lambda rollout, prompts: -reward(rollout, prompts))
    batch = learned.rollouts.batch(0)
    asked = batch.rollout.ids[:, 1].tolist()
    assert asked[::2] == asked[1::2] and sorted(asked[::2]) == [4, 5, 6]
    assert batch.gold is not None and torch.equal(batch.gold, -batch.scores)


def test_a_reward_that_is_no_number_is_named_with_its_update() -> None:
    broken = WeightedSum([(1.0, lambda rollout, prompts: torch.full((len(rollout),), float("nan")))])
    with pytest.raises(InputError, match="in update 4"):
        task(reward=broken).rollouts.batch(3)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_in_bfloat16_numbers_are_those_of_the_parts_that_are_read_together(dtype: torch.dtype) -> None:
    network, head = build(GPT2Config(vocab=64, context=64, width=576, heads=9, layers=1), seed=4), ScalarHead(576)
    head.score.weight.data.normal_(generator=torch.Generator().manual_seed(1))
    cast_linears(network, dtype)
    worker = RolloutWorker(engine=Engine(network, [END]), sampling=Sampling(temperature=0.8, max_tokens=8), pad=1,
                           seed=5, value_head=head)  # fmt: skip
    prompts = [Prompt(Line({}, ""), [], list(range(3, last))) for last in (4, 40)]
    rollouts = ScoredRollouts(worker=worker, prompts=prompts, episodes=32, samples=16, reward=reward,
                              reference=network)  # fmt: skip
    parts = [torch.arange(0, 32, 3), torch.tensor([n for n in range(32) if n % 3])]
    read, whole = rollouts.batch(0, parts), rollouts.batch(0)
    for rows in parts if dtype == torch.bfloat16 else [torch.arange(32)]:
        with torch.no_grad():
            found = recompute_logprobs(network, head, read.rollout.rows(rows), 0.8)
        noted = (read.rollout.logprobs, read.rollout.values, read.rollout.entropy)
        assert all(torch.equal(mine[rows], theirs) for mine, theirs in zip(noted, found, strict=True))
        assert dtype == torch.float32 or torch.equal(read.reference[rows], found[0])
    alike = whole.reference if dtype == torch.bfloat16 else read.rollout.logprobs
    assert torch.equal(whole.rollout.logprobs, alike), "float32 knows no parts; without them all rows are one"

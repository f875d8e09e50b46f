"""GRPO and RLOO: a bandit is solved without a value head, in parts as in the whole, and again as before."""

from collections.abc import Callable, Iterator, Sequence

import pytest
import torch
from torch import Tensor

from gptwright.alignment.groups import Algorithm, GroupTrainer, Judged, equal_groups
from gptwright.alignment.grpo import GRPO
from gptwright.alignment.prompts import Prompt
from gptwright.alignment.rloo import RLOO
from gptwright.alignment.rollout import Rollout
from gptwright.alignment.rollout_worker import RolloutWorker, ScoredRollouts
from gptwright.alignment.updates import Update
from gptwright.inference.engine import Engine
from gptwright.inference.sampling import Sampling
from gptwright.kernels.library import can_bf16
from gptwright.models.catalogue import build
from gptwright.models.gpt2 import GPT2, GPT2Config
from gptwright.text.jsonl import Line
from gptwright.training.adamw import AdamW
from gptwright.training.batch_shard import BatchShard
from gptwright.training.optimizer import Optimizer, cast_linears
from gptwright.training.train_state import TrainState
from step_task import StepBatch, StepTask

PROMPTS, WANTED, END = [Prompt(Line({}, ""), [], ids) for ids in ([3, 4], [5])], 7, 2
ALGORITHMS = [GRPO(samples=8, beta=0.02), RLOO(samples=8, beta=0.02)]
both = pytest.mark.parametrize("algorithm", ALGORITHMS, ids=["grpo", "rloo"])


def reward(rollout: Rollout, prompts: Sequence[Prompt]) -> Tensor:
    return (rollout.tokens[:, 0] == WANTED).float()


def tiny() -> GPT2:
    return build(GPT2Config(vocab=12, context=8, width=16, heads=2, layers=1), seed=4)


class Learner:
    """A tiny policy with all that makes it learn."""

    def __init__(self, algorithm: Algorithm, temperature: float = 1.0, auxiliary: StepTask | None = None) -> None:
        self.policy, self.state = tiny(), TrainState()
        sampling = Sampling(temperature=temperature, max_tokens=3)
        worker = RolloutWorker(engine=Engine(self.policy, [END]), sampling=sampling, pad=1, seed=5)
        self.rollouts = ScoredRollouts(worker=worker, prompts=PROMPTS, episodes=64, samples=8, reward=reward,
                                       reference=tiny())  # fmt: skip
        self.trainer = GroupTrainer[StepBatch](
            policy=self.policy, optimizer=Optimizer(self.policy, AdamW(weight_decay=0.0, epsilon=1e-5)),
            algorithm=algorithm, temperature=temperature, epochs=2, minibatches=2, auxiliary=auxiliary,
        )  # fmt: skip

    def learn(self, updates: int) -> list[Update]:
        return list(self.trainer.train(self.rollouts, lambda step: 0.01, self.state, updates=updates, seed=5))

    def wanted(self) -> float:
        with torch.no_grad():
            return float(self.policy(torch.tensor([PROMPTS[0]]))[0, -1].softmax(-1)[WANTED])


@both
def test_a_bandit_is_solved_without_a_value_head(algorithm: Algorithm) -> None:
    learner = Learner(algorithm)
    assert learner.wanted() < 0.15
    updates = learner.learn(15)
    assert learner.wanted() > 0.9
    assert updates[-1].metrics["equal_groups"] > updates[0].metrics["equal_groups"], "all right says nothing more"


@both
@pytest.mark.parametrize("temperature", [1.0, 0.7])
def test_the_policy_begins_as_its_reference_and_as_its_sampler(algorithm: Algorithm, temperature: float) -> None:
    first = Learner(algorithm, temperature).learn(1)[0].metrics
    assert first["first_ratio_error"] < 1e-5
    assert first["kl_nats"] == pytest.approx(0, abs=1e-6) and first["kl_k3_nats"] == pytest.approx(0, abs=1e-6)
    wanted = {"score", "score_std", "answer_tokens", "ended", "entropy_nats", "gradient_norm", "beta", "clip_fraction"}
    assert wanted < first.keys()


@both
def test_it_goes_on_where_it_stopped(algorithm: Algorithm) -> None:
    whole, stopped = Learner(algorithm), Learner(algorithm)
    assert whole.learn(3) == stopped.learn(1) + stopped.learn(3)
    assert torch.equal(whole.policy.embed.weight, stopped.policy.embed.weight)


@both
def test_the_reference_holds_the_policy_back(algorithm: Algorithm) -> None:
    def far(beta: float) -> float:
        kind = type(algorithm)
        return Learner(kind(samples=8, beta=beta)).learn(8)[-1].metrics["kl_k3_nats"]  # pyright: ignore

    assert far(4.0) < 0.4 * far(0.0)


@both
def test_pieces_and_shares_add_up(algorithm: Algorithm, split_as_whole: Callable[..., None]) -> None:
    learner = Learner(algorithm)
    scored = learner.rollouts.batch(0)
    judged = Judged(scored.rollout, scored.reference - 0.1, torch.randn(64)).at(torch.arange(9))
    with torch.no_grad():
        learner.policy.embed.weight += 0.02 * torch.randn_like(learner.policy.embed.weight)
    split_as_whole(learner.policy, lambda shard: learner.trainer.losses(judged, shard, {}))


@both
def test_text_beside_is_asked_for_once_a_minibatch(algorithm: Algorithm) -> None:
    asked = list[int]()

    def text(step: int, shard: BatchShard) -> Iterator[Tensor]:
        asked.append(step)
        yield learner.policy(torch.tensor([[5, 6]])).square().mean()

    learner = Learner(algorithm, auxiliary=StepTask(text))
    learner.learn(2)
    assert asked == list(range(8))


def test_groups_of_one_score_are_counted() -> None:
    assert equal_groups(torch.tensor([1.0, 1.0, 0.0, 1.0, 2.0, 2.0]), 2) == pytest.approx(2 / 3)


@both
def test_answers_to_a_prompt_stand_side_by_side(algorithm: Algorithm) -> None:
    scored = Learner(algorithm).rollouts.batch(0)
    assert scored.rollout.prompt_lengths.view(8, 8).unique(dim=1).shape == (8, 1)


@both
def test_in_bfloat16_the_first_ratio_is_1_too(algorithm: Algorithm) -> None:
    """With prompts of many lengths, which minibatches part, so that a text is read in other shapes than with them all:
    this model's numbers are others there."""
    ragged = [Prompt(Line({}, ""), [], list(range(3, 4 + 7 * length))) for length in range(1, 7)]
    # Without our kernels a row's numbers are the same in every shape, and a model of this width takes two minutes.
    heads = 9 if can_bf16() else 1
    size = GPT2Config(vocab=64, context=64, width=64 * heads, heads=heads, layers=1)
    policy, reference = (build(size, seed=4) for _ in "ab")
    for network in (policy, reference):
        cast_linears(network, torch.bfloat16)
    worker = RolloutWorker(engine=Engine(policy, [END]), sampling=Sampling(temperature=0.8, max_tokens=12), pad=1,
                           seed=5)  # fmt: skip
    rollouts = ScoredRollouts(worker=worker, prompts=ragged, episodes=48, samples=8, reference=reference,
                              reward=lambda rollout, _: (rollout.tokens[:, 0] % 2).float())  # fmt: skip
    trainer = GroupTrainer[StepBatch](
        policy=policy, optimizer=Optimizer(policy, AdamW(weight_decay=0.0, epsilon=1e-5)), algorithm=algorithm,
        temperature=0.8, epochs=2, minibatches=2,
    )  # fmt: skip
    state = TrainState(micro_batches=2)
    first, second = (each.metrics for each in trainer.train(rollouts, lambda step: 0.001, state, updates=2, seed=5))
    assert first["repeat_error"] == second["repeat_error"] == 0
    assert first["kl_nats"] == first["kl_k3_nats"] == 0 < second["kl_k3_nats"]

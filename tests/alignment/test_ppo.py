from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor

from gptwright.alignment.ppo import Episodes, PPOConfig, PPOTrainer, episodes_of, losses
from gptwright.alignment.prompts import Prompt
from gptwright.alignment.rollout import Rollout, ScoredRollout, collect_rollout, recompute_logprobs
from gptwright.alignment.rollout_worker import RolloutWorker, ScoredRollouts
from gptwright.alignment.updates import Update, minibatch_rows
from gptwright.inference.engine import Engine
from gptwright.inference.sampling import Sampling
from gptwright.models.catalogue import build
from gptwright.models.gpt2 import GPT2, GPT2Config
from gptwright.models.heads import Critic, PolicyAndValue, RewardModel
from gptwright.text.jsonl import Line
from gptwright.training.adamw import AdamW
from gptwright.training.batch_shard import BatchShard
from gptwright.training.optimizer import Optimizer
from gptwright.training.train_state import TrainState
from step_task import StepBatch, StepTask

TINY = GPT2Config(vocab=12, context=8, width=16, heads=2, layers=1)
WANTED, END = 7, 2
PROMPT, OTHER = (Prompt(Line({}, ""), [], ids) for ids in ([3, 4], [5]))
CONFIG = PPOConfig(beta=0.0, value_weight=0.1, temperature=1.0)


def reward(rollout: Rollout, prompts: Sequence[Prompt] = ()) -> Tensor:
    """1 for the answers that begin with the token that is wanted."""
    return (rollout.tokens[:, 0] == WANTED).float()


class Agent:
    """A tiny policy with its value head and optimiser."""

    def __init__(self, critic: Critic | None = None) -> None:
        self.policy: GPT2 = build(TINY, seed=4)
        self.both = PolicyAndValue(self.policy, critic)
        self.writer = Engine(self.policy, [END])
        self.train_state = TrainState()
        self.optimizer = Optimizer(self.both, AdamW(weight_decay=0.0, epsilon=1e-5))

    def roll(self, seed: int, temperature: float = 1.0) -> Rollout:
        sampling = Sampling(temperature=temperature, max_tokens=3, seed=seed)
        return collect_rollout(self.writer, self.both.value, [PROMPT] * 64, sampling, pad=1)

    def trainer(
        self, config: PPOConfig = CONFIG, auxiliary: StepTask | None = None, passes: tuple[int, int] = (2, 2)
    ) -> PPOTrainer[StepBatch]:
        epochs, minibatches = passes
        return PPOTrainer(agent=self.both, optimizer=self.optimizer, config=config, auxiliary=auxiliary, epochs=epochs,
                          minibatches=minibatches)  # fmt: skip

    def learn(
        self,
        rollout: Rollout,
        seed: int,
        config: PPOConfig = CONFIG,
        auxiliary: StepTask | None = None,
        passes: tuple[int, int] = (2, 2),
    ) -> dict[str, float]:
        scored = ScoredRollout(rollout, rollout.logprobs, reward(rollout))
        return self.trainer(config, auxiliary, passes).update(scored, self.train_state, rate=0.01, seed=seed)

    def wanted(self) -> float:
        """The probability of the token that is rewarded."""
        with torch.no_grad():
            return float(self.policy(torch.tensor([PROMPT]))[0, -1].softmax(-1)[WANTED])


def test_a_bandit_is_solved() -> None:
    agent = Agent()
    assert agent.wanted() < 0.15
    for number in range(15):
        agent.learn(agent.roll(number), number)
    assert agent.wanted() > 0.9


def test_training_yields_each_update_and_goes_on_where_it_stopped() -> None:
    def trained(*stops: int) -> tuple[Agent, list[Update], list[int]]:
        agent, asked, updates = Agent(), list[int](), list[Update]()

        def auxiliary(step: int, shard: BatchShard) -> Iterator[Tensor]:
            asked.append(step)
            yield agent.policy(torch.tensor([[5, 6]])).square().mean()

        worker = RolloutWorker(engine=agent.writer, sampling=Sampling(temperature=1.0, max_tokens=3), pad=1, seed=5,
                               value_head=agent.both.value)  # fmt: skip
        rollouts = ScoredRollouts(worker=worker, prompts=[PROMPT, OTHER], episodes=8, reward=reward,
                                  reference=Agent().policy)  # fmt: skip
        trainer = agent.trainer(auxiliary=StepTask(auxiliary))
        for stop in stops:
            updates += trainer.train(rollouts, lambda step: 0.01, agent.train_state, updates=stop, seed=5)
        return agent, updates, asked

    (whole, updates, asked), (stopped, same, _) = trained(3), trained(1, 3)
    assert [update.number for update in updates] == [1, 2, 3] and updates == same
    assert updates[0].metrics["kl_nats"] == pytest.approx(0.0, abs=1e-5) and updates[2].metrics["kl_k3_nats"] > 0
    assert asked == list(range(12)), "of two epochs of two minibatches each"
    assert torch.equal(whole.policy.embed.weight, stopped.policy.embed.weight)


@pytest.mark.parametrize("temperature", [1.0, 0.7])
def test_the_first_ratio_is_1(temperature: float) -> None:
    agent = Agent()
    config = PPOConfig(beta=0.1, value_weight=0.1, temperature=temperature)
    for number in range(3):
        metrics = agent.learn(agent.roll(number, temperature), number, config, passes=(1, 1))
        assert metrics["first_ratio_error"] < 1e-5
        assert (metrics["kl_nats"], metrics["kl_k3_nats"]) == (0.0, 0.0), "the policy is its own reference here"


def test_the_reference_holds_the_policy_back() -> None:
    def far(beta: float) -> float:
        agent, start = Agent(), Agent()
        for number in range(8):
            rollout = agent.roll(number)
            with torch.no_grad():
                reference = recompute_logprobs(start.policy, None, rollout, 1.0)[0]
            config = PPOConfig(beta=beta, value_weight=0.1, temperature=1.0)
            scored = ScoredRollout(rollout, reference, reward(rollout))
            metrics = agent.trainer(config).update(scored, agent.train_state, rate=0.01, seed=number)
        return metrics["kl_k3_nats"]

    assert far(2.0) < 0.2 * far(0.0)


def test_the_critic_learns_what_to_expect() -> None:
    agent = Agent()
    config = PPOConfig(beta=0.0, value_weight=1.0, temperature=1.0)
    losses = [agent.learn(agent.roll(number), number, config, passes=(4, 1))["value_loss"] for number in range(12)]
    assert losses[-1] < losses[0]


def test_a_critic_of_its_own_learns_and_the_policys_trunk_hears_nothing_of_it() -> None:
    agent = Agent(Critic(RewardModel(build(TINY, seed=5))))
    config = replace(CONFIG, value_weight=1.0)
    losses = [agent.learn(agent.roll(number), number, config, passes=(4, 1))["value_loss"] for number in range(12)]
    assert losses[-1] < losses[0] and agent.wanted() > 0.5
    rollout = agent.roll(20)
    values = recompute_logprobs(agent.policy, agent.both.value, rollout, 1.0)[1]
    values.sum().backward()
    assert all(parameter.grad is None for parameter in agent.policy.parameters())


def test_beta_adapts_from_update_to_update_and_is_kept_where_it_is_saved() -> None:
    agent = Agent()
    config = replace(CONFIG, beta=0.5, kl_target=0.01, kl_horizon=640)
    trainer = agent.trainer(config)
    with torch.no_grad():
        rollout = agent.roll(0)
        far = ScoredRollout(rollout, rollout.logprobs - 1.0, reward(rollout))
    metrics = [trainer.update(far, agent.train_state, rate=0.001, seed=n) for n in range(2)]
    assert [m["beta"] for m in metrics] == [0.5, pytest.approx(0.51)]
    assert trainer.state == {"beta": pytest.approx(0.5202)}
    assert Agent().trainer().state == {}


@pytest.mark.parametrize("change", [{"kl": "k3", "beta": 0.5}, {"gamma": 0.5}, {"lam": 0.2}, {"whiten_rewards": True}])
def test_every_option_of_the_rewards_changes_what_is_learned(change: dict[str, Any]) -> None:
    rollout = Agent().roll(1)
    scored = ScoredRollout(rollout, rollout.logprobs - 0.3, reward(rollout))
    plain, changed = (episodes_of(scored, config, config.beta) for config in (CONFIG, replace(CONFIG, **change)))
    assert not torch.allclose(plain.advantage, changed.advantage, atol=1e-3)


def test_clipping_counts_what_it_stops() -> None:
    free, bound = Agent(), Agent()
    assert free.learn(free.roll(1), 1, replace(CONFIG, clip=9.0))["clip_fraction"] == 0.0
    assert 0 < bound.learn(bound.roll(1), 1, replace(CONFIG, clip=0.001))["clip_fraction"] < 1


def test_an_update_is_a_pure_function_of_its_seed() -> None:
    one, same, other = Agent(), Agent(), Agent()
    for agent, seed in ((one, 1), (same, 1), (other, 2)):
        agent.learn(agent.roll(0), seed)
    assert torch.equal(one.policy.embed.weight, same.policy.embed.weight)
    assert not torch.equal(one.policy.embed.weight, other.policy.embed.weight)


def test_further_losses_are_asked_for_once_a_minibatch_and_move_the_policy() -> None:
    agent, alone, asked = Agent(), Agent(), list[int]()

    def auxiliary(number: int, shard: BatchShard) -> Iterator[Tensor]:
        asked.append(number)
        yield agent.policy(torch.tensor([[5, 6]])).square().mean()

    agent.learn(agent.roll(0), 0, auxiliary=StepTask(auxiliary))
    alone.learn(alone.roll(0), 0)
    assert asked == [0, 1, 2, 3]
    assert not torch.equal(agent.policy.embed.weight, alone.policy.embed.weight)


def test_pieces_and_shares_add_up(split_as_whole: Callable[..., None]) -> None:
    agent = Agent()
    rollout = agent.roll(2)
    with torch.no_grad():
        agent.policy.embed.weight += 0.02 * torch.randn_like(agent.policy.embed.weight)
        agent.both.value.score.weight += 0.1
    episodes = Episodes(rollout, torch.randn_like(rollout.values), torch.randn_like(rollout.values)).at(torch.arange(9))
    split_as_whole(agent.both, lambda shard: losses(agent.both, CONFIG, episodes, shard, {}))


def test_figures_of_pieces_are_those_of_the_minibatch() -> None:
    whole, parted = Agent(), Agent()
    parted.train_state.micro_batches = 3
    assert whole.learn(whole.roll(1), 1) == pytest.approx(parted.learn(parted.roll(1), 1), rel=1e-3, abs=1e-5)


def test_figures_by_hand() -> None:
    agent = Agent()
    rollout = agent.roll(5)
    metrics = agent.learn(rollout, 5)
    assert metrics["score"] == pytest.approx(float((rollout.tokens[:, 0] == WANTED).float().mean()))
    assert metrics["ended"] == pytest.approx(float(rollout.ended.float().mean()))
    assert metrics["answer_tokens"] == pytest.approx(float(rollout.response_mask.sum() / 64))
    assert metrics["entropy_nats"] == pytest.approx(2.48, abs=0.05), "ln 12 for a policy that knows nothing"


@pytest.mark.parametrize("count", [128, 100, 10, 9, 6, 5, 4])
@pytest.mark.parametrize("parts", [1, 3, 4])
def test_a_pass_has_as_many_minibatches_as_asked_for_of_like_size(count: int, parts: int) -> None:
    found = list(minibatch_rows(count, 2, parts, seed=1))
    for epoch in (found[:parts], found[parts:]):
        sizes = [len(rows) for rows in epoch]
        assert len(sizes) == parts and max(sizes) - min(sizes) <= 1
        assert sorted(torch.cat(epoch).tolist()) == list(range(count))

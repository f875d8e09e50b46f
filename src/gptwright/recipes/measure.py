"""How fast this machine is at each kind of work: measured for a few seconds on the real models and losses."""

from dataclasses import dataclass
from typing import Any

import torch

from gptwright.alignment.ppo import Update, update
from gptwright.alignment.rankings import RankedIds, batch_rankings
from gptwright.alignment.rollout import Judged, read_again, roll_out
from gptwright.engine.engine import Engine
from gptwright.engine.sampling import Sampling
from gptwright.foundations.device import fast_dtype
from gptwright.models.catalogue import build
from gptwright.models.heads import PolicyAndValue, RewardModel
from gptwright.objectives.ranking import ranking_loss
from gptwright.pretraining.speed import losses, seconds_of, step_seconds
from gptwright.training.course import Course
from gptwright.training.optimizer import Optimizer, hold_matrices_in

# Tokens of a batch's width, padding included: conversations to learn, prompts, their sampled answers, ranked answers.
CONVERSATION, PROMPT, ANSWER, RANKED = 40, 12, 40, 72


@dataclass(frozen=True, kw_only=True)
class Shape:
    """What one step of each stage holds."""

    rows: int = 16
    length: int = 128
    conversations: int = 20
    mix_rows: int = 1
    rankings: int = 16
    answers: int = 4
    episodes: int = 128
    epochs: int = 2
    minibatches: int = 4
    demonstration_rows: int = 12
    ppo_mix_rows: int = 1


@dataclass(frozen=True, kw_only=True)
class Speeds:
    """Seconds of one step of each kind; `answer` is for one of many sampled answers, `window` for reading one."""

    pretrain_step: float
    sft_step: float
    reward_step: float
    ppo_update: float
    answer: float
    window: float


def measure(model: Any, shape: Shape) -> Speeds:
    """Runs each kind of work a few times on random tokens; `model` is a configuration. Takes 5 to 10 seconds."""
    conversation = (shape.conversations, CONVERSATION)
    return Speeds(
        pretrain_step=pretrain_seconds(model, shape),
        sft_step=step_seconds(model, conversation, (shape.mix_rows, shape.length)),
        reward_step=_reward_seconds(model, shape),
        ppo_update=_ppo_seconds(model, shape),
        answer=_answer_seconds(model),
        window=_window_seconds(model, shape.length),
    )


def pretrain_seconds(model: Any, shape: Shape) -> float:
    """One pretraining step only, to choose a size by."""
    return step_seconds(model, (shape.rows, shape.length))


def _reward_seconds(model: Any, shape: Shape) -> float:
    reward = RewardModel(build(model))
    hold_matrices_in(reward.trunk, fast_dtype())
    optimizer = Optimizer(reward.named_parameters())
    row = torch.randint(model.vocab, (RANKED,)).tolist()
    item = RankedIds([row] * shape.answers, list(range(1, shape.answers + 1)))
    ids, last, ranks = batch_rankings([item] * shape.rankings, 0)

    def step() -> None:
        ranking_loss(reward(ids, last).view_as(ranks), ranks).backward()
        optimizer.step(1e-4, 1.0)

    return seconds_of(step)


def _ppo_seconds(model: Any, shape: Shape) -> float:
    network: Any = build(model)
    agent = PolicyAndValue(network)
    reward = RewardModel(build(model))
    optimizer = Optimizer(agent.named_parameters())
    course = Course()
    settings = Update(beta=0.1, epochs=shape.epochs, minibatches=shape.minibatches, value_weight=0.1, temperature=1.0)
    prompts = torch.randint(model.vocab, (shape.episodes, PROMPT)).tolist()
    memories = [
        torch.randint(model.vocab, (shape.ppo_mix_rows, shape.length)),
        torch.randint(model.vocab, (shape.demonstration_rows, CONVERSATION)),
    ]

    writer = Engine(network, [0])

    def step() -> None:
        rollout = roll_out(writer, agent.value, prompts, Sampling(max_tokens=ANSWER, temperature=1.0), 0)
        with torch.no_grad():
            scores = reward(rollout.ids, rollout.last)
            judged = Judged(rollout, read_again(network, None, rollout, 1.0)[0], scores)
        update(agent, optimizer, course, judged, settings, rate=1e-5, seed=0,
               also=lambda number, share: losses(network, memories))  # fmt: skip

    return seconds_of(step, enough=2)


def _answer_seconds(model: Any) -> float:
    writer = Engine(build(model), [0])
    prompts = torch.randint(model.vocab, (128, PROMPT)).tolist()
    sampling = Sampling(max_tokens=ANSWER, temperature=1.0)
    return seconds_of(lambda: writer.generate(prompts, sampling), 2) / 128


def _window_seconds(model: Any, length: int) -> float:
    network: Any = build(model)
    ids = torch.randint(model.vocab, (16, length))
    with torch.inference_mode():
        return seconds_of(lambda: network.logits(network.hidden(ids)), 3) / 16

"""How fast this machine is at each kind of work: measured for a few seconds on the real models and losses."""

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass

import torch

from gptwright.alignment.answer_batch import AnswerBatch, by_prompt
from gptwright.alignment.demonstrations import GROUP, Demonstration, Demonstrations
from gptwright.alignment.packing import ROW, Packing
from gptwright.alignment.ppo import PPOConfig, PPOTrainer
from gptwright.alignment.rankings import RankedIds
from gptwright.alignment.rollout import ScoredRollout, collect_rollout, recompute_logprobs
from gptwright.foundations.device import fast_dtype
from gptwright.inference.engine import Engine
from gptwright.inference.sampling import Sampling
from gptwright.layers.lora import choose_learners
from gptwright.models.catalogue import build
from gptwright.models.config import ModelConfig
from gptwright.models.heads import PolicyAndValue, RewardModel
from gptwright.objectives.ranking import ranking_loss
from gptwright.training.batch_shard import WHOLE
from gptwright.training.batches import TokenBatch
from gptwright.training.next_token import TextMixture
from gptwright.training.optimizer import Optimizer, cast_linears
from gptwright.training.optimizers import OPTIMIZERS
from gptwright.training.throughput import seconds_of, step_seconds
from gptwright.training.train_state import TrainState

# Tokens: of conversations, as uneven as those of the teaching set are, of one with what pads it beside others, of a
# prompt, of its sampled answer, of a prompt with one.
CONVERSATIONS = (15, 19, 22, 25, 27, 28, 30, 32, 34, 36, 38, 39, 41, 43, 45, 50, 64, 87, 132, 176)
PADDED_CONVERSATION, PROMPT, ANSWER, RANKED = 70, 18, 30, 48
WINDOWS = 16  # that are read at once


@dataclass(frozen=True, kw_only=True)
class Shape:
    """What one step of each stage holds, and who turns the gradients of what predicts text into steps."""

    optimizer: str = "muon"
    batch_size: int = 8
    sequence_length: int = 256
    """the whole context: where no text has been read, a conversation's later turns fall apart"""
    conversations: int = 20
    ptx_batch_size: int = 1
    rankings: int = 16
    answers: int = 4
    episodes: int = 128
    epochs: int = 2
    minibatches: int = 4
    sft_batch_size: int = 20
    ppo_ptx_batch_size: int = 1
    ppo_ptx_weight: float = 1.5
    """of text and conversations beside PPO's loss: with 0.5 what was taught of the world outside is forgotten"""
    best_conversations: float = 0.33
    """share mixed in beside PPO's loss: all of them, in every style, pull against the one that is preferred"""
    lora: int = 8
    """ppo's rank: a policy all of whose weights learn at such rates gains the style and loses the facts"""


@dataclass(frozen=True, kw_only=True)
class Speeds:
    """Seconds of one step of each kind; `answer` is for one of many sampled answers, `window` for reading one."""

    pretrain_step: float
    sft_step: float
    reward_step: float
    ppo_update: float
    answer: float
    window: float


class RandomText:
    """The same batch of ids drawn at random in every step."""

    def __init__(self, vocab: int, rows: int, length: int) -> None:
        self.ids = torch.randint(vocab, (rows, length))

    def batch(self, step: int) -> TokenBatch:
        return TokenBatch(self.ids, self.ids)


def random_conversations(model: ModelConfig, rows: int) -> Demonstrations:
    """As many as are sorted by length together, of random ids, packed as sft packs them."""
    lengths = [min(length, model.context) for length in CONVERSATIONS]
    ids = [torch.randint(model.vocab, (lengths[i % len(lengths)],)).tolist() for i in range(rows * GROUP)]
    return Demonstrations([Demonstration(row, row) for row in ids], rows, 0, 0, Packing(min(ROW, model.context)))


# The same in pretraining steps, of the size nano on two cores: for what there is no time to measure.
USUAL = Speeds(pretrain_step=1.0, sft_step=0.75, reward_step=1.0, ppo_update=30.0, answer=0.03, window=0.035)


def usual(pretrain_step: float) -> Speeds:
    """What the speeds mostly are where a pretraining step takes so long."""
    return Speeds(**{kind: pretrain_step * steps for kind, steps in asdict(USUAL).items()})


def measure(model: ModelConfig, shape: Shape, pretrain_step: float, seconds: float) -> Speeds:
    """Runs each kind of work a few times on random tokens, in about as many `seconds`; `model` is a configuration.

    What has no time left, on a machine that is very slow or busy, is taken to be as many pretraining steps as is usual.
    """
    ends = time.perf_counter() + seconds
    kinds: dict[str, Callable[[float], float]] = {
        "answer": lambda most: _answer_seconds(model, shape.episodes, most),
        "reward_step": lambda most: _reward_seconds(model, shape, most),
        "window": lambda most: _window_seconds(model, shape.sequence_length, most),
        "ppo_update": lambda most: _ppo_seconds(model, shape, found["answer"], most),
        "sft_step": lambda most: _sft_seconds(model, shape, most),
    }  # fmt: skip
    # How many of a kind one try of it is.
    tried = {"answer": shape.episodes, "window": WINDOWS, "ppo_update": 0.2, "sft_step": GROUP}
    found, expected = {"pretrain_step": pretrain_step}, asdict(usual(pretrain_step))
    for waiting, (name, seconds_in) in zip(range(len(kinds), 0, -1), kinds.items(), strict=True):
        most = (ends - time.perf_counter()) / waiting
        found[name] = seconds_in(most) if expected[name] * tried.get(name, 1.0) < most else expected[name]
    return Speeds(**found)


def pretrain_seconds(model: ModelConfig, shape: Shape, at_most: float) -> float:
    """One pretraining step only, to choose a size by."""
    return step_seconds(
        model, (shape.batch_size, shape.sequence_length), optimizer_name=shape.optimizer, at_most=at_most
    )


def _sft_seconds(model: ModelConfig, shape: Shape, at_most: float) -> float:
    network, dtype = build(model), fast_dtype()
    cast_linears(network, dtype)
    optimizer = Optimizer(network, OPTIMIZERS[shape.optimizer](0.1, dtype))
    conversations = random_conversations(model, shape.conversations)
    text = RandomText(model.vocab, shape.ptx_batch_size, shape.sequence_length)
    mixture = TextMixture(network, [conversations, text])

    def steps() -> None:
        """Short conversations and long ones, each with shapes that the processor has not met before."""
        for number in range(GROUP):
            for loss in mixture.loss(mixture.batch(number), WHOLE):
                loss.backward()
            optimizer.step(1e-4, 1.0)

    return seconds_of(steps, 3, at_most) / GROUP


def _reward_seconds(model: ModelConfig, shape: Shape, at_most: float) -> float:
    reward = RewardModel(build(model))
    cast_linears(reward.trunk, fast_dtype())
    optimizer = Optimizer(reward)
    prompt, answers = torch.randint(model.vocab, (RANKED,)).tolist(), range(1, shape.answers + 1)
    rows = [[*prompt[:PROMPT], number, *prompt[PROMPT + 1 :]] for number in answers]
    item = RankedIds(rows, [*answers])
    batch = AnswerBatch.of_items([item] * shape.rankings, 0)

    def step() -> None:
        rewards = by_prompt(reward.head(batch.states(reward)), batch.ranks)
        ranking_loss(rewards, batch.ranks).backward()
        optimizer.step(1e-4, 1.0)

    return seconds_of(step, at_most=at_most)


def _ppo_seconds(model: ModelConfig, shape: Shape, answer: float, at_most: float) -> float:
    """An update is its answers, and so many optimiser steps; one of these is measured, with the readings before it."""
    network = build(model)
    choose_learners(network, shape.lora, 0)
    agent = PolicyAndValue(network)
    reward = RewardModel(build(model))
    optimizer = Optimizer(agent)
    train_state = TrainState()
    config = PPOConfig(beta=0.1, value_weight=0.1, temperature=1.0)
    prompts = torch.randint(model.vocab, (max(shape.episodes // shape.minibatches, 1), PROMPT)).tolist()
    text = [
        RandomText(model.vocab, shape.ppo_ptx_batch_size, shape.sequence_length),
        RandomText(model.vocab, shape.sft_batch_size, PADDED_CONVERSATION),
    ]
    trainer = PPOTrainer(agent=agent, optimizer=optimizer, config=config, epochs=1, minibatches=1,
                         auxiliary=TextMixture(network, text))  # fmt: skip
    rollout = collect_rollout(
        Engine(network, [0]), agent.value, prompts, Sampling(max_tokens=ANSWER, temperature=1.0), 0
    )

    def step() -> None:
        with torch.no_grad():
            scores = reward(rollout.ids, rollout.last)
            scored = ScoredRollout(rollout, recompute_logprobs(network, None, rollout, 1.0)[0], scores)
        trainer.update(scored, train_state, rate=1e-5, seed=0)

    return shape.episodes * answer + shape.epochs * shape.minibatches * seconds_of(step, enough=3, at_most=at_most)


def _answer_seconds(model: ModelConfig, together: int, at_most: float) -> float:
    writer = Engine(build(model), [0])
    prompts = torch.randint(model.vocab, (together, PROMPT)).tolist()
    sampling = Sampling(max_tokens=ANSWER, temperature=1.0)
    return seconds_of(lambda: writer.generate(prompts, sampling), 2, at_most) / together


def _window_seconds(model: ModelConfig, length: int, at_most: float) -> float:
    network = build(model)
    ids = torch.randint(model.vocab, (WINDOWS, length))
    with torch.inference_mode():
        return seconds_of(lambda: network.logits(network.hidden(ids)), 3, at_most) / WINDOWS

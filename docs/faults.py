"""Known faults of alignment, each put on purpose into a short run, so that you see what it does and what doctor says.

    python docs/faults.py temperature-mismatch --run runs/start
    python docs/faults.py --list

The run lends its models and prompts and stays as it is. Prints how the curves went, and the doctor's findings.
"""

import argparse
import json
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from unittest.mock import patch

import torch
from torch import nn

import gptwright.stages.ppo as ppo_stage
from gptwright.alignment.ppo import PPOTrainer
from gptwright.configs.ppo import PPO
from gptwright.configs.reward import Reward
from gptwright.foundations.metrics import read_metrics
from gptwright.inference.engine import Engine
from gptwright.inference.sampling import Sampling
from gptwright.objectives import ppo as objective
from gptwright.recipes.stage import execute_stage
from gptwright.reporting.checks.finding import Finding
from gptwright.reporting.collect import collect
from gptwright.stages.doctor import diagnose
from gptwright.text.jsonl import read_objects, write_objects
from gptwright.text.rule_labeller import RULES

Patches = Callable[[], Iterator[None]]
CURVES = ("score", "kl_nats", "answer_tokens", "ended", "explained_variance", "first_ratio_error", "surprise_gap_nats")
LEVELS = "▁▂▃▄▅▆▇█"


@dataclass(frozen=True)
class Fault:
    """What it is in a line; what it changes in the options; what it changes in the code."""

    what: str
    changed: Callable[[PPO], PPO] = lambda config: config
    patched: Callable[[], Any] | None = None


@contextmanager
def sampled(**changes: Any) -> Iterator[None]:
    """The sampler draws otherwise than it is told to."""
    generate = Engine.generate

    def otherwise(engine: Engine, prompts: Any, sampling: Sampling) -> Any:
        return generate(engine, prompts, replace(sampling, **changes) if sampling.sampled_logprobs else sampling)

    with patch.object(Engine, "generate", otherwise):
        yield


@contextmanager
def dropout() -> Iterator[None]:
    """The trainer's passes silence a tenth of every block's output."""
    update = PPOTrainer.update

    def noisy(trainer: PPOTrainer[Any], *given: Any, **named: Any) -> Any:
        with ExitStack() as stack:
            for block in trainer.agent.policy.blocks:
                handle = block.register_forward_hook(lambda *seen: nn.functional.dropout(seen[-1], 0.1))
                stack.callback(handle.remove)
            return update(trainer, *given, **named)

    with patch.object(PPOTrainer, "update", noisy):
        yield


@contextmanager
def reward_one_early() -> Iterator[None]:
    """The score stands on the token before the last."""
    token_rewards = objective.token_rewards

    def early(*given: Any, **named: Any) -> torch.Tensor:
        return token_rewards(*given, **named).roll(-1, 1)

    with patch.object(objective, "token_rewards", early):
        yield


@contextmanager
def reference_is_the_policy() -> Iterator[None]:
    """The reference is no copy: it learns too."""
    load, loaded = ppo_stage.load_decoder, {}

    def once(path: Path) -> Any:
        return loaded.setdefault(path, load(path))

    with patch.object(ppo_stage, "load_decoder", once):
        yield


@contextmanager
def paid_for_length() -> Iterator[None]:
    """A rule that counts words."""
    with patch.dict(RULES, {"longest": lambda line, answer: float(len(answer.split()))}):
        yield


def by_rule(config: PPO, rule: str) -> PPO:
    return replace(config, reward=None, rule=rule)


FAULTS = {
    "temperature-mismatch": Fault(
        "sampled at half the temperature that the log-probabilities are taken at", patched=lambda: sampled(temperature=0.35)
    ),
    "truncated-sampling": Fault("sampled with top-p 0.7, compared with the whole distribution",
                                patched=lambda: sampled(top_p=0.7)),
    "dropout-on": Fault("dropout stays on while the policy learns", patched=dropout),
    "misplaced-reward": Fault("the score stands on the token before the last", patched=reward_one_early),
    "drifted-reference": Fault("the reference is no frozen copy of the policy", patched=reference_is_the_policy),
    "dead-value-head": Fault("the value head does not learn", lambda config: replace(config, value_weight=0.0)),
    "never-ends": Fault("answers are cut before they can end", lambda config: replace(config, max_tokens=4)),
    "length-hacking": Fault("words are paid for", lambda config: replace(by_rule(config, "longest"), beta=0.0),
                            paid_for_length),
    "mode-collapse": Fault("nothing holds the policy, and it learns fast",
                           lambda config: replace(config, beta=0.0, epochs=8, learning_rate=4e-3)),
    "kl-blow-up": Fault("nothing holds the policy",
                        lambda config: replace(config, beta=0.0, epochs=4, learning_rate=2e-3)),
}  # fmt: skip

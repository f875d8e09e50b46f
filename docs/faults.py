"""Known faults of alignment, each put on purpose into a short run, so that you see what it does and what doctor says.

    python docs/faults.py temperature-mismatch --run runs/start
    python docs/faults.py --list

The run lends its models and prompts and stays as it is. Prints how the curves went, and the doctor's findings.
"""

import argparse
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from unittest.mock import patch

import torch
from torch import nn

import gptwright.stages.policy as policy_stage
from gptwright.alignment.ppo import PPOTrainer
from gptwright.configs.ppo import PPO
from gptwright.foundations.metrics import read_metrics
from gptwright.inference.engine import Engine
from gptwright.inference.sampling import Sampling
from gptwright.objectives import ppo as objective
from gptwright.recipes.stage import execute_stage
from gptwright.reporting.collect import collect
from gptwright.stages.doctor import diagnose
from gptwright.text.rule_labeller import RULES

CURVES = ("score", "kl_nats", "answer_tokens", "ended", "explained_variance", "first_ratio_error", "surprise_gap_nats",
          "heldout_kl_nats", "heldout_score", "heldout_gold")  # fmt: skip
LEVELS = "▁▂▃▄▅▆▇█"


@dataclass(frozen=True)
class Fault:
    """What it is in a line; what it changes in the options; what it changes in the code."""

    what: str
    options: Mapping[str, Any] = field(default_factory=dict[str, Any])
    faster: float = 1.0
    """how many times the learning rate"""
    patched: Callable[[], Any] | None = None


@contextmanager
def sampled(**changes: Any) -> Iterator[None]:
    """The sampler draws otherwise than it is told to."""
    generate = Engine.generate

    def otherwise(engine: Engine, prompts: Any, sampling: Sampling, *more: Any) -> Any:
        return generate(engine, prompts, replace(sampling, **changes) if sampling.sampled_logprobs else sampling, *more)

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
    load, loaded = policy_stage.load_writer, {}

    def once(path: Path) -> Any:
        return loaded.setdefault(path, load(path))

    with patch.object(policy_stage, "load_writer", once):
        yield


@contextmanager
def paid_for(**rules: Callable[[str], float]) -> Iterator[None]:
    """Rules that no person would set."""
    given = {name: lambda line, answer, rule=rule: rule(answer) for name, rule in rules.items()}
    with patch.dict(RULES, given):
        yield


def words(answer: str) -> float:
    return float(len(answer.split()))


def repeats(answer: str) -> float:
    said = answer.split()
    return float(len(said) - len({*said}))


def one_letter(answer: str) -> float:
    return float(answer.count("e"))


FAULTS = {
    "temperature-mismatch": Fault("sampled at half the temperature that the log-probabilities are taken at",
                                  patched=lambda: sampled(temperature=0.35)),
    "truncated-sampling": Fault("sampled with top-p 0.7, compared with the whole distribution",
                                patched=lambda: sampled(top_p=0.7)),
    "dropout-on": Fault("dropout stays on while the policy learns", patched=dropout),
    "misplaced-reward": Fault("the score stands on the token before the last", patched=reward_one_early),
    "drifted-reference": Fault("the reference is no frozen copy of the policy", patched=reference_is_the_policy),
    "dead-value-head": Fault("the value head does not learn", {"value_weight": 0.0}),
    "never-ends": Fault("answers are cut before they can end", {"max_tokens": 4}),
    "length-hacking": Fault("words are paid for", {"reward": None, "rule": "words", "beta": 0.0}, 2.5,
                            lambda: paid_for(words=words)),
    "mode-collapse": Fault("saying words again is paid for, and nothing holds the policy",
                           {"reward": None, "rule": "repeats", "beta": 0.0, "epochs": 4}, 2.5,
                           lambda: paid_for(repeats=repeats)),
    "kl-blow-up": Fault("one letter is paid for, and nothing holds the policy",
                        {"reward": None, "rule": "letter", "beta": 0.0, "epochs": 4}, 2.5,
                        lambda: paid_for(letter=one_letter)),
    "over-optimisation": Fault("a reward model is followed as far as it leads, and nothing holds the policy",
                               {"beta": 0.0, "ptx_weight": 0.0, "schedule": "constant", "evaluate_every": 2}, 2.0),
}  # fmt: skip


def faulty(name: str, config: PPO, out: Path) -> Path:
    """The folder of a ppo with that fault. Raises `KeyError` for an unknown one."""
    fault = FAULTS[name]
    with fault.patched() if fault.patched else nullcontext():
        rate = fault.faster * config.learning_rate
        return execute_stage("ppo", replace(config, learning_rate=rate, **fault.options), out).path


def sparkline(values: Sequence[float]) -> str:
    """How a curve goes, as a row of blocks."""
    low, high = min(values), max(values)
    return "".join(LEVELS[int((value - low) / ((high - low) or 1) * (len(LEVELS) - 1))] for value in values)


def show(folder: Path) -> None:
    """Prints the curves of a policy and what the doctor finds."""
    lines = read_metrics(folder / "metrics.jsonl")
    for name in CURVES:
        values = [float(line[name]) for line in lines if line.get(name) is not None]
        if values:
            print(f"  {name:20} {sparkline(values)}  {values[0]:.4g} → {values[-1]:.4g}")
    for finding in diagnose(folder):
        if finding.fault:
            print(finding.line)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("fault", choices=[*FAULTS, "none"])
    parser.add_argument("--run", type=Path, default=Path("runs/start"), help="a finished run, as `start` leaves it")
    parser.add_argument("--out", type=Path, default=Path("runs/faults"))
    parser.add_argument("--updates", type=int, default=10)
    given = parser.parse_args()
    run = collect(given.run)
    folders = {stage.role: stage.path for stage in run.lineage}
    config = PPO(policy=folders["sft"], reward=folders["reward"], prompts=folders["rank"] / "prompts.jsonl",
                 tokens=folders["tokenize"], updates=given.updates, episodes=64, heldout_prompts=64)  # fmt: skip
    if given.fault == "none":
        show(execute_stage("ppo", config, given.out / "none").path)
    else:
        print(f"{given.fault}: {FAULTS[given.fault].what}")
        show(faulty(given.fault, config, given.out / given.fault))


if __name__ == "__main__":
    main()

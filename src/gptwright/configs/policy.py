"""Options that the stages share which improve a policy: ppo, grpo, rloo and dpo, and of rejection."""

from pathlib import Path
from typing import Annotated, get_args

from gptwright.configs.training import AdapterOptions, Dtype, TrainingOptions
from gptwright.configs.validation import known
from gptwright.foundations.errors import ConfigError
from gptwright.foundations.processes import several
from gptwright.foundations.settings import Count, Range, Rate, Rows, Seed, Size, Weight, settings
from gptwright.text.rule_labeller import RULES


@settings
class AnsweringOptions:
    """Of a model that answers already, and is measured on held-out prompts."""

    policy: Path
    """folder of sft: where the policy begins, and the reference it is held to"""
    max_tokens: Size = 48
    """an answer's length at most"""
    temperature: Annotated[float, Range(0, 100, above=True)] = 0.7
    """of sampling, and of the probabilities that are compared"""
    heldout_prompts: Count = 256
    """held-out prompts to judge"""
    seed: Seed = 1
    """order of the prompts, and sampling"""


@settings
class ScoringOptions(AnsweringOptions):
    """Of answers that are scored: to which prompts, and who scores them."""

    prompts: Path
    """JSON Lines of prompts; those with "split": "heldout" measure the result"""
    reward: Path | None = None
    """folder of reward: the model that scores the answers"""
    rule: str = ""
    """name of a rule that scores them, alone or beside the reward model"""
    rule_weight: Weight = 1.0
    """weight of the rule's score"""
    normalize_rewards: bool = True
    """the reward model's scores in standard deviations of the reference's"""
    unended_score: Annotated[float, Range(-1000, 1000)] = -1.0
    """what it scores an answer that does not end (the EOS trick)"""
    reward_clip: Weight = 0.0
    """scores are cut to ± this; 0: they are not"""

    def __post_init__(self) -> None:
        if not (self.reward or self.rule):
            raise ConfigError("reward or rule", "neither", "Give --reward DIR, --rule NAME, or both.")
        if self.rule:
            known(self.rule, RULES, "rule")


@settings
class PolicyOptions(AnsweringOptions, TrainingOptions, AdapterOptions):
    """Of a policy that learns: what it must not unlearn."""

    tokens: Path
    """folder of tokenize: pretraining text mixed in (PPO-ptx)"""
    conversations: tuple[Path, ...] = ()
    """JSON Lines of conversations mixed in, so that what was taught is not unlearned"""
    questions: Path | None = None
    """JSON Lines of questions, to see what the policy unlearns"""
    ptx_batch_size: Rows = 1
    """windows of pretraining text an optimiser step"""
    sft_batch_size: Rows = 12
    """conversations an optimiser step"""
    ptx_weight: Weight = 0.5
    """weight of the losses of text and conversations"""
    sequence_length: Size = 128
    """tokens of such a window"""
    dtype: Dtype = "float32"
    """format of the matrices: float32, bfloat16, or auto: the faster one here, measured"""

    def __post_init__(self) -> None:
        known(self.dtype, get_args(Dtype), "number format to train in")


@settings
class RolloutOptions(ScoringOptions, PolicyOptions):
    """Of a policy that learns from its own answers: how many a step takes."""

    updates: Count = 20
    """rollouts, each followed by optimisation"""
    episodes: Rows = 128
    """answers a rollout"""
    epochs: Count = 2
    """passes over a rollout"""
    minibatches: Count = 4
    """optimiser steps a pass"""
    beta: Weight = 0.06
    """weight of the KL to the reference"""
    learning_rate: Rate = 8e-4
    """peak learning rate"""
    save_every: Count = 5
    """updates between checkpoints"""
    micro_batches: Count = 1
    """micro-batches of a minibatch, one after the other: more need less memory"""
    best_conversations: Annotated[float, Range(0, 1, above=True)] = 1.0
    """share of `conversations` that is mixed in: those whose answers the reward model scores best"""
    rollout_workers: Annotated[int, Range(0, 1024)] = 0
    """processes of Ray that answer the prompts; 0: this one does"""

    def __post_init__(self) -> None:
        ScoringOptions.__post_init__(self)
        PolicyOptions.__post_init__(self)
        if self.minibatches > self.episodes:
            raise ConfigError(f"minibatches of at most the {self.episodes} episodes", f"{self.minibatches}",
                              "Lower minibatches or raise episodes.")  # fmt: skip
        lacks = "reward model" if self.reward is None else "" if self.conversations else "conversations"
        if self.best_conversations < 1 and lacks:
            raise ConfigError("a reward model and conversations beside best_conversations", f"no {lacks}",
                              "Give --reward DIR and --conversations FILE, or leave it out.")  # fmt: skip
        if self.rollout_workers and several():
            raise ConfigError("rollout_workers or torchrun", "both", "Take the workers, or let torchrun's share.")

"""Options that the stages share which train a model, each written once."""

from dataclasses import field
from typing import Annotated, Literal, get_args

from gptwright.configs.validation import known
from gptwright.foundations.errors import ConfigError
from gptwright.foundations.settings import FREE, Count, Range, Rate, Rows, Seed, Threads, Weight, settings

OPTIMIZERS = ("adamw", "muon")
Dtype = Literal["auto", "float32", "bfloat16"]
"""number formats to train in; "auto" is the faster one on this machine, measured"""


@settings
class TrainingOptions:
    """How a training runs, whatever it learns; a stage overrides the defaults that differ."""

    learning_rate: Rate = 3e-3
    """peak learning rate"""
    threads: Threads = 2
    """processor threads; another number gives slightly other weights"""
    device: str = field(default="auto", metadata=FREE)
    """what computes: cuda, mps, cpu, or auto: the first of these that is there"""
    save_every: Count = 400
    """steps between checkpoints"""
    keep_checkpoints: Count = 2
    """checkpoints that stay"""
    micro_batches: Count = 1
    """micro-batches a step, one after the other: more need less memory"""
    seed: Seed = 1
    """order of the data"""


@settings
class AdapterOptions:
    """Of a training that goes on from a model: finetune, sft, vision, reward and ppo."""

    lora: Annotated[int, Range(0, 1024)] = 0
    """LoRA's rank: low-rank paths beside the attention's matrices learn, all else is frozen; 0: every weight learns"""


@settings
class SupervisedOptions(TrainingOptions):
    """Of a training on examples from files: pretrain, sft and reward."""

    steps: Count = 1000
    """optimiser steps"""
    batch_size: Rows = 16
    """examples a step"""
    weight_decay: Weight = 0.1
    """weight decay of matrices"""
    dtype: Dtype = "auto"
    """format of the matrices: float32, bfloat16, or auto: the faster one here, measured"""

    def __post_init__(self) -> None:
        known(self.dtype, get_args(Dtype), "number format to train in")


@settings
class TextOptions(SupervisedOptions):
    """Of a training to predict text, by which all of a model's matrices learn: pretrain and sft."""

    optimizer: str = "adamw"
    """who turns gradients into steps: adamw, as the papers have it, or muon for the blocks' matrices"""

    def __post_init__(self) -> None:
        super().__post_init__()
        known(self.optimizer, OPTIMIZERS, "rule")


@settings
class AdaptedTextOptions(TextOptions, AdapterOptions):
    """Of a training that goes on from a model and predicts text: codex, sft and vision."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.lora and self.optimizer != "adamw":
            raise ConfigError("optimizer adamw beside lora, whose paths are no whole matrices", self.optimizer,
                              "Leave one of them out.")  # fmt: skip

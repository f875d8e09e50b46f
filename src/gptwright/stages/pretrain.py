"""pretrain: a model learns from a corpus what its kind can learn there; a decoder, to predict the next token."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import nn

from gptwright.foundations.device import format_name, matrix_dtype, use_threads
from gptwright.foundations.errors import ConfigError
from gptwright.foundations.progress import say
from gptwright.foundations.runs import StageFolder
from gptwright.generation.export import export
from gptwright.models.catalogue import ModelConfig, build, check_sizes, count, family_of, preset
from gptwright.pretraining.lesson import Lesson, Material
from gptwright.pretraining.masked import MaskedWords
from gptwright.pretraining.next_token import NextToken
from gptwright.pretraining.translation import Translation
from gptwright.stages.limits import at_least, known, positive, within_context
from gptwright.stages.samples import write_samples
from gptwright.stages.tokenize import open_tokenizer, open_tokens
from gptwright.training.adamw import AdamW
from gptwright.training.checkpoint import averaged_masters
from gptwright.training.muon import Muon
from gptwright.training.optimise import optimise
from gptwright.training.optimizer import Optimizer, Rule, hold_matrices_in
from gptwright.training.schedules import SCHEDULES
from gptwright.training.session import session

LESSONS: Mapping[str, Callable[[Material], Lesson]] = {
    "decoder": NextToken,
    "encoder": MaskedWords,
    "encoder-decoder": Translation,
}
NANO = preset("gpt2-nano")


@dataclass(frozen=True, kw_only=True)
class Pretrain:
    """Train a model from nothing on packed text."""

    tokens: Path
    """folder of tokenize"""
    model: ModelConfig = NANO
    """sizes, all at once by a preset's name (--model gpt2-124m) or one by one; the vocab is the tokenizer's"""
    steps: int = 1000
    """optimiser steps"""
    rows: int = 16
    """windows a step; of pairs to translate, rows × length tokens a side"""
    length: int = 128
    """tokens a window; the model may see up to its context"""
    rate: float = 3e-3
    """peak learning rate"""
    warmup: int = 50
    """steps of rising rate"""
    optim: str = "adamw"
    """who turns gradients into steps: adamw, as the papers have it, or muon for the blocks' matrices"""
    schedule: str = "trapezoid"
    """how the rate goes: trapezoid, cosine, linear or inverse-root"""
    decay: float = 0.1
    """weight decay of matrices"""
    beta2: float = 0.95
    """Adam's memory of squared gradients"""
    epsilon: float = 1e-8
    """what Adam adds to their root"""
    dtype: str = "fast"
    """format of the matrices: float32, bfloat16, or fast: the faster one here, measured"""
    threads: int = 2
    """processor threads; another number gives slightly other weights"""
    evaluate_every: int = 200
    """steps between looks at held-out text"""
    save_every: int = 400
    """steps between checkpoints"""
    keep: int = 2
    """checkpoints that stay"""
    pieces: int = 1
    """micro-batches a step, one after the other: more need less memory"""
    average: int = 1
    """the model is the mean of the last so many checkpoints"""
    seed: int = 1
    """initial weights and order of the data"""

    def __post_init__(self) -> None:
        positive(self, "steps", "rows", "length", "rate", "epsilon", "threads", "evaluate_every", "save_every",
                 "keep", "pieces", "average")  # fmt: skip
        at_least(0, self, "warmup", "decay")
        known(self.schedule, SCHEDULES, "schedule")
        known(self.optim, RULES, "rule")
        check_sizes(self.model)
        within_context(self.length, self.model.context)
        if self.average > (saved := -(-self.steps // self.save_every)):
            raise ConfigError(f"an average of at most the {saved} checkpoints that are saved", f"{self.average}",
                              "Lower save_every or average.")  # fmt: skip


def adamw(config: Pretrain, dtype: torch.dtype) -> AdamW:
    """For all parameters."""
    return AdamW(decay=config.decay, betas=(0.9, config.beta2), epsilon=config.epsilon)


def muon(config: Pretrain, dtype: torch.dtype) -> Muon:
    """For the matrices of the blocks, AdamW for the rest."""
    return Muon(decay=config.decay, dtype=dtype, others=adamw(config, dtype))


RULES: Mapping[str, Callable[[Pretrain, torch.dtype], Rule]] = {"adamw": adamw, "muon": muon}


def run(config: Pretrain, folder: StageFolder) -> dict[str, Any]:
    """Leaves `model/` (a Hugging Face folder), samples.md, metrics.jsonl and the last checkpoints."""
    use_threads(config.threads)
    tokenizer = open_tokenizer(config.tokens)
    network: Any = build(replace(config.model, vocab=tokenizer.vocab), config.seed)
    kind = family_of(config.model).kind
    train, heldout = (
        open_tokens(config.tokens, split, tokenizer, pairs=kind == "encoder-decoder") for split in ("train", "heldout")
    )
    lesson = LESSONS[kind](Material(network=network, tokenizer=tokenizer, train=train, heldout=heldout,
                                    rows=config.rows, length=config.length, seed=config.seed))  # fmt: skip
    format = folder.once("dtype", lambda: format_name(config.dtype))
    dtype = matrix_dtype(format)
    hold_matrices_in(network, dtype)
    optimizer = Optimizer(network.named_parameters(), RULES[config.optim](config, dtype))
    tokens = config.steps * lesson.tokens_per_step
    say(f"pretrain: {count(network):,} parameters, {tokens:,} tokens, matrices in {format}")
    kept = max(config.keep, config.average)
    with session(
        folder, optimizer, steps=config.steps, save_every=config.save_every, kept=kept, pieces=config.pieces
    ) as run:
        rate = SCHEDULES[config.schedule](config.rate, config.steps, config.warmup)
        for step in optimise(optimizer, lesson.losses, rate, run.course, steps=config.steps):
            if step.number % config.evaluate_every == 0:
                look = lesson.look(step.number)
                folder.metrics.log(step.number, **look.figures)
                write_samples(folder, step.number, look.samples)
            run.record(step.number, loss_nats=step.loss, gradient_norm=step.gradient_norm, rate=step.rate,
                       tokens_per_second=lesson.tokens_per_step / step.seconds)  # fmt: skip
    release(network, optimizer)
    if config.average > 1:
        take_average(network, folder / "checkpoints", config.average)
    export(network, tokenizer, folder / "model")
    figures = lesson.measure()
    shown = [(name, value) for name, value in figures.items() if isinstance(value, float)]
    say(f"pretrain: held-out text: {', '.join(f'{name} {value:.3f}' for name, value in shown)}")
    return {
        "parameters": count(network),
        "tokens": tokens,
        "epochs": round(lesson.epochs(config.steps), 2),
        **figures,
        "skipped_steps": optimizer.skipped,
        "dtype": format,
    }


def release(network: nn.Module, optimizer: Optimizer) -> None:
    """Gives the model its float32 master weights, for evaluation and export."""
    network.float()
    for name, parameter in network.named_parameters():
        parameter.data = optimizer.masters[name].detach()
    network.requires_grad_(False)


@torch.no_grad()
def take_average(network: nn.Module, checkpoints: Path, count: int) -> None:
    """Gives a released model the mean of its last checkpoints."""
    parameters = dict(network.named_parameters())
    for name, mean in averaged_masters(checkpoints, count):
        parameters[name].copy_(mean)

"""reward: learn from rankings which answers people prefer (InstructGPT §3.5, step 2)."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from gptwright.alignment.rankings import (
    RankedIds,
    batch_rankings,
    ranked_ids,
    rankings_of_step,
    read_rankings,
    with_shuffled_ranks,
)
from gptwright.evaluation.intervals import share
from gptwright.foundations.device import fast_dtype, use_threads
from gptwright.foundations.durable import write_json
from gptwright.foundations.errors import InputError
from gptwright.foundations.progress import say
from gptwright.foundations.runs import StageFolder
from gptwright.generation.export import export
from gptwright.generation.model import Model, load
from gptwright.models.heads import RewardModel
from gptwright.objectives.ranking import pair_accuracy, ranking_loss
from gptwright.stages.limits import at_least, positive
from gptwright.stages.pretrain import release
from gptwright.tokenizers.chat import PAD
from gptwright.training.optimise import optimise
from gptwright.training.optimizer import Optimizer, hold_matrices_in
from gptwright.training.schedules import linear
from gptwright.training.session import session


@dataclass(frozen=True, kw_only=True)
class Reward:
    """Train a reward model on ranked answers."""

    base: Path
    """folder of sft, whose model becomes the trunk"""
    rankings: tuple[Path, ...]
    """JSON Lines of ranked answers, or of chosen/rejected pairs"""
    shuffled: bool = False
    """the control: deal the ranks anew, so that held-out accuracy must fall to a half"""
    steps: int = 100
    """optimiser steps"""
    rows: int = 16
    """prompts a step, each with all its answers"""
    rate: float = 3e-4
    """peak learning rate"""
    decay: float = 0.01
    """weight decay of matrices"""
    threads: int = 2
    """processor threads; another number gives slightly other weights"""
    save_every: int = 100
    """steps between checkpoints"""
    seed: int = 1
    """order of the data, and the control's deal"""

    def __post_init__(self) -> None:
        positive(self, "steps", "rows", "rate", "threads", "save_every")
        at_least(0, self, "decay")


def run(config: Reward, folder: StageFolder) -> dict[str, Any]:
    """Leaves `model/` (a sequence classifier of one number) and evaluation.json: held-out pairs ordered rightly."""
    use_threads(config.threads)
    base = load(config.base)
    model = RewardModel(base.network)  # pyright: ignore[reportArgumentType]
    train, heldout = _read(config, base)
    before = _accuracy(model, heldout, base)
    hold_matrices_in(model.trunk, fast_dtype())
    optimizer = Optimizer(model.named_parameters(), decay=config.decay, epsilon=1e-5)
    pad = base.tokenizer.control(PAD)

    def losses(step: int) -> Iterator[Tensor]:
        ids, last, ranks = batch_rankings(rankings_of_step(train, config.rows, step, config.seed), pad)
        yield ranking_loss(model(ids, last).view_as(ranks), ranks)

    with session(folder, optimizer, steps=config.steps, save_every=config.save_every) as run:
        rate = linear(config.rate, config.steps, warmup=5)
        for step in optimise(optimizer, losses, rate, first=run.first, steps=config.steps):
            run.record(step.number, loss_nats=step.loss, gradient_norm=step.gradient_norm, rate=step.rate)
    release(model, optimizer)
    export(model, base.tokenizer, folder / "model")
    after = _accuracy(model, heldout, base)
    write_json(folder / "evaluation.json", {"before": before, "after": after})
    name = "reward (control, shuffled ranks)" if config.shuffled else "reward"
    say(f"{name}: {after['value']:.1%} of {after['count']} held-out pairs right "
        f"({after['low']:.1%} to {after['high']:.1%}), {before['value']:.1%} before")  # fmt: skip
    return {"train_rankings": len(train), "heldout_pairs": after["count"], "pair_accuracy": after["value"]}


def _read(config: Reward, base: Model) -> tuple[list[RankedIds], list[RankedIds]]:
    rankings = [ranking for path in config.rankings for ranking in read_rankings(path)]
    useful = [r for r in rankings if len(set(r.ranks)) > 1]
    train = [ranked_ids(r, base.tokenizer, base.context) for r in useful if r.split == "train"]
    heldout = [ranked_ids(r, base.tokenizer, base.context) for r in useful if r.split == "heldout"]
    if not heldout:
        cut = max(1, len(train) // 10)
        train, heldout = train[cut:], train[:cut]
    if not train:
        raise InputError("at least two rankings with an untied pair", f"{len(useful)}", "Collect more rankings.")
    return (with_shuffled_ranks(train, config.seed) if config.shuffled else train), heldout


@torch.inference_mode()
def _accuracy(model: RewardModel, items: Sequence[RankedIds], base: Model) -> dict[str, float]:
    right, pairs = 0.0, 0
    for start in range(0, len(items), 32):
        ids, last, ranks = batch_rankings(items[start : start + 32], base.tokenizer.control(PAD))
        accuracy, count = pair_accuracy(model(ids, last).view_as(ranks), ranks)
        right, pairs = right + accuracy * count, pairs + count
    return vars(share(right, pairs))

"""reward: learn from rankings which answers people prefer (InstructGPT §3.5, step 2)."""

from collections.abc import Sequence
from dataclasses import field
from pathlib import Path
from typing import Any

from gptwright.alignment.rankings import RankedIds, ranked_ids, read_rankings
from gptwright.alignment.reward import Ranked, Shuffled
from gptwright.evaluation.intervals import Estimate, mean, share
from gptwright.foundations.device import format_name, matrix_dtype, use_device, use_threads
from gptwright.foundations.durable import write_json
from gptwright.foundations.errors import InputError
from gptwright.foundations.progress import say
from gptwright.foundations.runs import FREE, StageFolder
from gptwright.foundations.settings import Count, Rate, Rows, Seed, Threads, Weight, settings
from gptwright.generation.export import export
from gptwright.generation.load import load_decoder
from gptwright.generation.model import Model
from gptwright.models.heads import RewardModel
from gptwright.training.adamw import AdamW
from gptwright.training.optimise import optimise
from gptwright.training.optimizer import Optimizer, hold_matrices_in, release
from gptwright.training.room import check_room
from gptwright.training.schedules import linear
from gptwright.training.session import session


@settings
class Reward:
    """Train a reward model on ranked answers."""

    base: Path
    """folder of sft, whose model becomes the trunk"""
    rankings: tuple[Path, ...]
    """JSON Lines of ranked answers, or of chosen/rejected pairs"""
    shuffled: bool = False
    """the control: many heads, each learning ranks dealt anew; their mean on held-out pairs must be a half"""
    steps: Count = 100
    """optimiser steps"""
    rows: Rows = 16
    """prompts a step, each with all its answers"""
    rate: Rate = 3e-4
    """peak learning rate"""
    decay: Weight = 0.01
    """weight decay of matrices"""
    dtype: str = "fast"
    """format of the matrices: float32, bfloat16, or fast: the faster one here, measured"""
    threads: Threads = 2
    """processor threads; another number gives slightly other weights"""
    device: str = field(default="auto", metadata=FREE)
    """what computes: cuda, mps, cpu, or auto: the first of these that is there"""
    save_every: Count = 100
    """steps between checkpoints"""
    keep: Count = 2
    """checkpoints that stay"""
    pieces: Count = 1
    """micro-batches a step, one after the other: more need less memory"""
    seed: Seed = 1
    """order of the data, and the control's deals"""


def run(config: Reward, folder: StageFolder) -> dict[str, Any]:
    """Leaves `model/` (a sequence classifier of one number) and evaluation.json: held-out pairs ordered rightly.

    The control leaves no model: nobody should be judged by it.
    """
    use_threads(config.threads)
    device = use_device(config.device)
    base = load_decoder(config.base)
    model = RewardModel(base.network)  # pyright: ignore[reportArgumentType]
    train, heldout = _read(config, base)
    typical = sum(len(ids) for ranking in train for ids in ranking.rows) // len(train)
    check_room(model, config.rows, typical, config.pieces)
    learner = (Shuffled if config.shuffled else Ranked)(model, train, config.rows, config.seed, base.tokenizer.pad)
    learner.to(device)
    before = _accuracy(learner, heldout)
    hold_matrices_in(model.trunk, matrix_dtype(folder.once("dtype", lambda: format_name(config.dtype, device.type))))
    optimizer = Optimizer(learner.named_parameters(), AdamW(decay=config.decay, epsilon=1e-5))
    with session(
        folder, optimizer, steps=config.steps, save_every=config.save_every, kept=config.keep, pieces=config.pieces
    ) as run:
        rate = linear(config.rate, config.steps, warmup=5)
        for step in optimise(optimizer, learner.losses, rate, run.course, steps=config.steps):
            run.record(step.number, loss_nats=step.loss, gradient_norm=step.gradient_norm, rate=step.rate)
    release(learner, optimizer)
    if isinstance(learner, Ranked):
        export(model, base.tokenizer, folder / "model")
    after = _accuracy(learner, heldout)
    write_json(folder / "evaluation.json", {"before": vars(before), "after": vars(after)})
    name = "reward (control, shuffled ranks)" if config.shuffled else "reward"
    interval = f"{after.low:.1%} to {after.high:.1%}"
    say(f"{name}: {after.value:.1%} of held-out pairs right ({interval}), {before.value:.1%} before")
    return {"train_rankings": len(train), "heldout_rankings": len(heldout), "pair_accuracy": after.value}


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
    return train, heldout


def _accuracy(learner: Ranked | Shuffled, heldout: Sequence[RankedIds]) -> Estimate:
    """Of one model by its pairs; of the control by its heads, whose spread is what chance does."""
    accuracies, pairs = learner.accuracies(heldout)
    return share(accuracies[0] * pairs, pairs) if len(accuracies) == 1 else mean(accuracies)

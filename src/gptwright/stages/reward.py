"""reward: learn from rankings which answers people prefer (InstructGPT §3.5, step 2)."""

from collections.abc import Sequence
from dataclasses import field
from pathlib import Path
from typing import Any

from gptwright.alignment.judge import Judge
from gptwright.alignment.prompts import text_of
from gptwright.alignment.rankings import RankedIds, Ranking, comparable, read_rankings
from gptwright.alignment.reward import RewardTask, ShuffledControl
from gptwright.evaluation.intervals import Estimate, mean, share_by_group
from gptwright.foundations.atomic_io import write_json
from gptwright.foundations.device import format_name, matrix_dtype, use_device, use_threads
from gptwright.foundations.intake import Intake
from gptwright.foundations.progress import say
from gptwright.foundations.runs import FREE, StageFolder
from gptwright.foundations.settings import Count, Rate, Rows, Seed, Threads, Weight, settings
from gptwright.models.heads import RewardModel
from gptwright.pipelines.export import export
from gptwright.pipelines.load import load_decoder
from gptwright.pipelines.model import Model
from gptwright.text.heldout import HeldoutSplit, assign_splits, normalised
from gptwright.training.adamw import AdamW
from gptwright.training.memory_check import check_memory
from gptwright.training.optimizer import Optimizer, cast_linears, restore_master_weights
from gptwright.training.schedules import linear
from gptwright.training.session import session
from gptwright.training.train_step import optimise


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
    batch_size: Rows = 16
    """prompts a step, each with all its answers"""
    learning_rate: Rate = 3e-4
    """peak learning rate"""
    weight_decay: Weight = 0.01
    """weight decay of matrices"""
    dtype: str = "fast"
    """format of the matrices: float32, bfloat16, or fast: the faster one here, measured"""
    threads: Threads = 2
    """processor threads; another number gives slightly other weights"""
    device: str = field(default="auto", metadata=FREE)
    """what computes: cuda, mps, cpu, or auto: the first of these that is there"""
    save_every: Count = 100
    """steps between checkpoints"""
    keep_checkpoints: Count = 2
    """checkpoints that stay"""
    micro_batches: Count = 1
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
    sides = _read(config, base)
    train, heldout = ([ids for _, ids in side] for side in (sides.train, sides.heldout))
    prompts = [normalised(text_of(ranking.messages)) for ranking, _ in sides.heldout]
    typical = sum(len(ids) for ranking in train for ids in ranking.rows) // len(train)
    check_memory(model, config.batch_size, typical, config.micro_batches)
    learner = (ShuffledControl if config.shuffled else RewardTask)(
        model, train, config.batch_size, config.seed, base.tokenizer.pad_id
    )
    learner.to(device)
    before = _accuracy(learner, heldout, prompts)
    cast_linears(
        model.trunk, matrix_dtype(folder.freeze_choice("dtype", lambda: format_name(config.dtype, device.type)))
    )
    optimizer = Optimizer(learner.named_parameters(), AdamW(weight_decay=config.weight_decay, epsilon=1e-5))
    with session(
        folder,
        optimizer,
        steps=config.steps,
        save_every=config.save_every,
        keep_checkpoints=config.keep_checkpoints,
        micro_batches=config.micro_batches,
    ) as run:
        rate = linear(config.learning_rate, config.steps, warmup=5)
        for step in optimise(optimizer, learner.losses, rate, run.train_state, steps=config.steps):
            run.record(step.number, loss_nats=step.loss, gradient_norm=step.gradient_norm, learning_rate=step.rate)
    restore_master_weights(learner, optimizer)
    if isinstance(learner, RewardTask):
        export(model, base.tokenizer, folder / "model")
    after = _accuracy(learner, heldout, prompts)
    write_json(folder / "evaluation.json", {"before": vars(before), "after": vars(after)})
    name = "reward (control, shuffled ranks)" if config.shuffled else "reward"
    interval = f"{after.low:.1%} to {after.high:.1%}"
    say(f"{name}: {after.value:.1%} of held-out pairs right ({interval}), {before.value:.1%} before")
    labellers = Judge.count(ranking.labeller for side in (sides.train, sides.heldout) for ranking, _ in side)
    return {"train_rankings": len(train), "heldout_rankings": len(heldout), "pair_accuracy": after.value,
            "labellers": labellers}  # fmt: skip


def _read(config: Reward, base: Model) -> HeldoutSplit[tuple[Ranking, RankedIds]]:
    """Both sides, no prompt on both. Raises `InputError` when one of them has nothing to compare."""
    intake = Intake("reward (control)" if config.shuffled else "reward")
    files = [comparable(read_rankings(path), base.tokenizer, base.context, intake) for path in config.rankings]
    sides = assign_splits(files, lambda pair: text_of(pair[0].messages), lambda pair: pair[0].split)
    intake.drop("whose prompt is held out", count=sides.left_out)
    for side, name in ((sides.train, "to train on"), (sides.heldout, "held out")):
        intake.require(side, f"at least two rankings of other prompts, one {name}, with an untied pair each",
                       "Collect more rankings.")  # fmt: skip
    times = config.steps * config.batch_size / len(sides.train)
    intake.tell(f"{len(sides.train):,} rankings to train on, {times:.1f} times each, {len(sides.heldout):,} held out")
    return sides


def _accuracy(learner: RewardTask | ShuffledControl, heldout: Sequence[RankedIds], prompts: Sequence[str]) -> Estimate:
    """Of one model by its prompts' pairs; of the control by its heads, whose spread is what chance does."""
    right, pairs = learner.right_pairs(heldout)
    if len(right) == 1:
        return share_by_group(zip(prompts, right[0].tolist(), pairs.tolist(), strict=True))
    return mean((right.sum(1) / pairs.sum()).tolist())

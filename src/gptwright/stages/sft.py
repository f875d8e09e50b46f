"""sft: supervised fine-tuning on conversations; only what the assistant says is learned (InstructGPT §3.5, step 1)."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import ceil
from pathlib import Path
from typing import Any

from gptwright.alignment.demonstrations import (
    Conversation,
    Demonstration,
    Demonstrations,
    best_answers,
    continuations,
    demonstrations,
    read_conversations,
)
from gptwright.alignment.packing import ROW, Packing
from gptwright.alignment.prompts import text_of
from gptwright.configs.sft import PRESETS, SFT
from gptwright.configs.validation import within_context
from gptwright.evaluation.answers import open_questions
from gptwright.evaluation.heldout_data import HeldoutData
from gptwright.evaluation.perplexity import require_window
from gptwright.foundations.device import device_of, matrix_dtype, use_threads
from gptwright.foundations.intake import Intake
from gptwright.foundations.progress import say
from gptwright.foundations.runs import StageFolder, stage_file
from gptwright.inference.engine import Engine
from gptwright.layers.blocks import set_dropout
from gptwright.layers.lora import choose_learners
from gptwright.models.catalogue import build, count
from gptwright.pipelines.adapter import leave_adapter
from gptwright.pipelines.export import export
from gptwright.pipelines.load import load_decoder
from gptwright.pipelines.model import Model
from gptwright.stages.reward_model import open_reward_model
from gptwright.stages.stored_labels import stored_labels
from gptwright.stages.together import dtype_of
from gptwright.stages.tokenize import open_tokens
from gptwright.store.ranking_lines import read_rankings
from gptwright.tasks.best_epoch import BestEpoch, HeldoutLoss, HeldoutReward
from gptwright.tasks.sft import CHAT_DEFAULTS, SFTTask
from gptwright.text.heldout import assign_splits, normalised
from gptwright.text.jsonl import read_objects
from gptwright.tokenizers.chat_templates.chat import Message, prompt_ids
from gptwright.training.batches import Windows
from gptwright.training.distributed.layout import Replicas
from gptwright.training.distributed.world import World, replicas
from gptwright.training.evaluation import write_evaluations
from gptwright.training.memory_check import check_memory
from gptwright.training.optimizer import Optimizer, cast_linears, restore_master_weights
from gptwright.training.optimizers import OPTIMIZERS
from gptwright.training.schedules import SCHEDULES
from gptwright.training.session import session
from gptwright.training.train_step import train_steps

SMALL = 10**9  # parameters below which a preset's rate is too low
PROMPTS = 256  # held-out prompts by whose answers the epoch is chosen, at most


def run(config: SFT, folder: StageFolder) -> dict[str, object]:
    """Leaves `model/`, metrics.jsonl and evaluation.json: right answers and text loss of untrained, base and result."""
    preset, config = config.preset, config.resolved
    use_threads(config.threads)
    together = replicas(config.device)
    base = load_decoder(config.base)
    _note_rate(config, preset, base)
    shown = stored_labels(folder, config.from_store, "demonstrations")
    config = replace(config, conversations=(*config.conversations, *shown))
    found = _read(config, base, stored_labels(folder, config.from_store, "rankings"))
    task = _task(config, base, found, together)
    network, shard = base.network.to(together.device), together.batch_shard(config.micro_batches)
    shard.check_rows(config.batch_size)
    measure = _measure(config, base, found) if config.epochs else None
    choose_learners(network, config.lora, config.seed)
    set_dropout(network, config.dropout)
    cast_linears(network, dtype := matrix_dtype(dtype_of(config.dtype, folder, together)))
    rule = OPTIMIZERS[config.optimizer](config.weight_decay, dtype)
    optimizer = Optimizer(network, rule, Replicas(together))
    check_memory(network, -(-config.batch_size // shard.ranks), task.typical_length, config.micro_batches)
    check_memory(network, config.ptx_batch_size, config.sequence_length, config.micro_batches)
    ends = [ceil(epoch * len(found.train) / config.batch_size) for epoch in range(1, config.epochs + 1)]
    steps = ends[-1] if ends else config.steps
    rate = SCHEDULES[config.schedule](config.learning_rate, steps, config.warmup)
    with session(folder, optimizer, config, steps=steps) as run:
        epochs = BestEpoch(measure, ends, optimizer, folder / "best.safetensors", run.state.setdefault("epochs", {}))
        for step in train_steps(task, optimizer, rate, run.train_state, steps=steps, shard=shard):
            answers, text = together.total(task.parts).tolist()
            run.record(step.number, **step.metrics, answer_nats=answers, text_nats=text, **epochs.after(step.number))
    if not together.first:
        return {}
    set_dropout(network, 0.0)
    epochs.take()
    restore_master_weights(network, optimizer)
    if config.lora:
        leave_adapter(network, optimizer, config.base, folder / "adapter")
    export(network, base.tokenizer, folder / "model", CHAT_DEFAULTS)
    return _evaluate(config, folder, task, epochs)


def _note_rate(config: SFT, preset: str, base: Model) -> None:
    """A paper's rate is that of its sizes: at it a small model learns next to nothing."""
    parameters = count(base.network)
    if preset and config.learning_rate == PRESETS[preset]["learning_rate"] and parameters < SMALL:
        say(f"sft: the rate of {preset}, {config.learning_rate:g}, is for {SMALL:,} parameters and more; a model of "
            f"{parameters:,} learns little at it: give --learning-rate beside the preset, such as 0.0005")  # fmt: skip


@dataclass(frozen=True)
class Shown:
    """Conversations as ids, and of the held-out ones what is to be answered."""

    train: list[Demonstration]
    heldout: list[Demonstration]
    asked: list[list[Message]]


def _task(config: SFT, base: Model, found: Shown, together: World) -> SFTTask:
    """Everything that is read and measured, checked before the first step."""
    within_context(config.sequence_length, base.context)
    questions = open_questions(config.questions, base, Intake("sft"))
    text, heldout = (open_tokens(config.tokens, split, base.tokenizer) for split in ("train", "heldout"))
    require_window(heldout, config.sequence_length)
    windows = Windows(text, config.sequence_length, config.ptx_batch_size, config.seed + 1)
    packing = Packing(min(ROW, base.context), together.process.count) if config.pack else None
    conversations = Demonstrations(found.train, config.batch_size, config.seed, base.tokenizer.pad_id, packing)
    data = HeldoutData(heldout, config.sequence_length, questions, _heldout(config, base, found))
    return SFTTask(base, conversations, windows, data)


def _heldout(config: SFT, base: Model, found: Shown) -> Demonstrations:
    return Demonstrations(found.heldout, config.batch_size, config.seed, base.tokenizer.pad_id)


def _measure(config: SFT, base: Model, found: Shown) -> HeldoutLoss | HeldoutReward:
    """By what the epoch is chosen."""
    intake = Intake("sft")
    if config.reward is None:
        intake.require(found.heldout, "held-out conversations to choose the epoch by", 'Name lines "split": "heldout".')
        say("sft: the epoch is chosen by the loss of held-out answers; with --reward by a reward model")
        return HeldoutLoss(base.network, _heldout(config, base, found))
    reward = open_reward_model(config.reward, base)
    context = min(base.context, reward.config.context)
    most = min(CHAT_DEFAULTS.sampling.max_tokens, context // 2)
    ids = [prompt_ids(messages, base.tokenizer) for messages in found.asked]
    prompts = [prompt for prompt in ids if len(prompt) <= context - most][:PROMPTS]
    intake.require(prompts, f"held-out prompts of at most {context - most:,} tokens to choose the epoch by",
                   'Name lines "split": "heldout".')  # fmt: skip
    say(f"sft: the epoch is chosen by what the reward model says of answers to {len(prompts):,} held-out prompts")
    engine = Engine(base.network, base.tokenizer.stop_ids)
    return HeldoutReward(engine, prompts, reward.to(device_of(base.network)), base.tokenizer.pad_id, most)


def _read(config: SFT, base: Model, ranked: Sequence[Path]) -> Shown:
    """What is learned, and what conversations hold out. Raises `InputError` when nothing can be learned."""
    found, intake = _conversations(config, ranked)
    sides = _sides(found, intake, need=config.epochs > 0)
    train, heldout = (demonstrations(side, base.tokenizer, base.context, intake) for side in sides)
    intake.require(train, "conversations to train on", 'Add lines, or correct their "split" or "language".')
    times = config.epochs or config.steps * config.batch_size / len(train)
    held = f", {len(heldout):,} held out" if heldout else ""
    intake.report(f"{len(train):,} conversations to train on, {times:.1f} times each{held}")
    return Shown(train, heldout, [conversation.asked for conversation in sides[1]])


def _sides(found: list[Conversation], intake: Intake, *, need: bool) -> tuple[list[Conversation], list[Conversation]]:
    """As the lines say; nothing is taught whose prompt is held out.

    Where no line says that it is held out, none is, but for a `need`: then a tenth of the prompts.
    """
    if need and all(c.split != "heldout" for c in found):
        sides = assign_splits([found], lambda c: text_of(c.asked), lambda c: c.split)
        return sides.train, sides.heldout
    held = {normalised(text_of(c.asked)) for c in found if c.split == "heldout"}
    train: list[Conversation] = []
    for conversation in found:
        if conversation.split == "heldout":
            continue
        if held and normalised(text_of(conversation.asked)) in held:
            intake.drop("whose prompt is held out", conversation.where)
        else:
            train.append(conversation)
    return train, [c for c in found if c.split == "heldout"]


def _conversations(config: SFT, ranked: Sequence[Path]) -> tuple[list[Conversation], Intake]:
    """All that the assistant may be taught, and what was passed over while reading."""
    intake = Intake("sft")
    found = [conversation for path in config.conversations for conversation in read_conversations(path, intake)]
    found += best_answers([read_rankings(path) for path in (config.rankings, *ranked) if path], intake)
    if config.text:
        texts = [str(line["text"]) for line in read_objects(stage_file(config.text, "train.jsonl", "prepare"))]
        found += continuations(texts, config.continuations, config.seed)
    return found, intake


def _evaluate(config: SFT, folder: StageFolder, task: SFTTask, epochs: BestEpoch) -> dict[str, Any]:
    """The same questions, text and held-out conversations for the untrained model, the pretrained one and this one."""
    base = load_decoder(config.base)
    untrained = Model(build(base.network.config, 0), base.tokenizer, "")
    found = {
        "untrained": task.measure_untaught(untrained),
        "pretrained": task.measure_untaught(base),
        "sft": task.evaluate(config.steps),
    }
    write_evaluations(folder.path, found | epochs.evaluations())
    before, after = found["pretrained"].metrics, found["sft"].metrics
    metrics: dict[str, Any] = {"heldout_nats_rise": (rise := after["heldout_nats"] - before["heldout_nats"])}
    if epochs.curve:
        metrics["epoch"] = epochs.best
        say(f"sft: epoch {epochs.best} of {config.epochs} is taken")
    if (name := "heldout_answer_nats") in after:
        metrics[name] = after[name]
        say(f"sft: held-out answers {after[name]:.2f} nats a token, {before[name]:.2f} before")
    for kind, estimate in found["sft"].estimates.items():
        metrics[f"right {kind}"] = estimate.value
        say(f"sft: {kind}: {estimate.value:.0%} right ({estimate.low:.0%} to {estimate.high:.0%})")
    say(f"sft: held-out text {rise:+.2f} nats a token")
    return metrics

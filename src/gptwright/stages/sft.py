"""sft: supervised fine-tuning on conversations; only what the assistant says is learned (InstructGPT §3.5, step 1)."""

from typing import Any

from gptwright.alignment.demonstrations import (
    Conversation,
    Demonstrations,
    continuations,
    demonstrations,
    read_conversations,
)
from gptwright.alignment.prompts import text_of
from gptwright.alignment.rankings import read_rankings
from gptwright.configs.sft import SFT
from gptwright.configs.validation import within_context
from gptwright.evaluation.answers import open_questions
from gptwright.evaluation.heldout_data import HeldoutData
from gptwright.evaluation.perplexity import require_window
from gptwright.foundations.device import format_name, matrix_dtype, use_device, use_threads
from gptwright.foundations.intake import Intake
from gptwright.foundations.progress import say
from gptwright.foundations.runs import StageFolder, stage_file
from gptwright.layers.lora import choose_learners
from gptwright.models.catalogue import build
from gptwright.pipelines.adapter import leave_adapter
from gptwright.pipelines.export import export
from gptwright.pipelines.load import load_decoder
from gptwright.pipelines.model import Model
from gptwright.stages.tokenize import open_tokens
from gptwright.tasks.sft import CHAT_DEFAULTS, SFTTask
from gptwright.text.heldout import assign_splits, normalised
from gptwright.text.jsonl import read_objects
from gptwright.tokenizers.chat_templates.chat import Message
from gptwright.training.adamw import AdamW
from gptwright.training.batches import Windows
from gptwright.training.evaluation import write_evaluations
from gptwright.training.memory_check import check_memory
from gptwright.training.optimizer import Optimizer, cast_linears, restore_master_weights
from gptwright.training.schedules import linear
from gptwright.training.session import session
from gptwright.training.train_step import train_steps


def run(config: SFT, folder: StageFolder) -> dict[str, object]:
    """Leaves `model/`, metrics.jsonl and evaluation.json: exact answers and text loss of untrained, base and result."""
    use_threads(config.threads)
    device = use_device(config.device)
    base = load_decoder(config.base)
    task = task_of(config, base)
    network = base.network.to(device)
    choose_learners(network, config.lora, config.seed)
    cast_linears(network, matrix_dtype(folder.freeze_choice("dtype", lambda: format_name(config.dtype, device.type))))
    optimizer = Optimizer(network, AdamW(weight_decay=config.weight_decay))
    check_memory(network, config.batch_size, task.typical_length, config.micro_batches)
    check_memory(network, config.ptx_batch_size, config.sequence_length, config.micro_batches)
    rate = linear(config.learning_rate, config.steps, warmup=20)
    with session(folder, optimizer, config, steps=config.steps) as run:
        for step in train_steps(task, optimizer, rate, run.train_state, steps=config.steps):
            run.record(step.number, **step.metrics)
    restore_master_weights(network, optimizer)
    if config.lora:
        leave_adapter(network, optimizer, config.base, folder / "adapter")
    export(network, base.tokenizer, folder / "model", CHAT_DEFAULTS)
    return _evaluate(config, folder, task)


def task_of(config: SFT, base: Model) -> SFTTask:
    """Everything that is read and measured, checked before the first step."""
    within_context(config.sequence_length, base.context)
    questions = open_questions(config.questions, base, Intake("sft"))
    text, heldout = (open_tokens(config.tokens, split, base.tokenizer) for split in ("train", "heldout"))
    require_window(heldout, config.sequence_length)
    windows = Windows(text, config.sequence_length, config.ptx_batch_size, config.seed + 1)
    conversations, heldout_conversations = _demonstrations(config, base)
    data = HeldoutData(heldout, config.sequence_length, questions, heldout_conversations)
    return SFTTask(base, conversations, windows, data)


def _demonstrations(config: SFT, base: Model) -> tuple[Demonstrations, Demonstrations]:
    """What is learned, and what conversations hold out. Raises `InputError` when nothing can be learned."""
    found, intake = _conversations(config)
    train, heldout = (demonstrations(side, base.tokenizer, base.context, intake) for side in _sides(found, intake))
    intake.require(train, "conversations to train on", 'Add lines, or correct their "split" or "language".')
    times = config.steps * config.batch_size / len(train)
    held = f", {len(heldout):,} held out" if heldout else ""
    intake.report(f"{len(train):,} conversations to train on, {times:.1f} times each{held}")
    pad = base.tokenizer.pad_id
    return Demonstrations(train, config.batch_size, config.seed, pad), Demonstrations(
        heldout, config.batch_size, config.seed, pad
    )


def _sides(found: list[Conversation], intake: Intake) -> tuple[list[Conversation], list[Conversation]]:
    """As the lines say; none is held out that does not say so, and nothing is taught whose prompt is held out."""
    held = {normalised(text_of(c.messages[:-1])) for c in found if c.split == "heldout"}
    train: list[Conversation] = []
    for conversation in found:
        if conversation.split == "heldout":
            continue
        if held and normalised(text_of(conversation.messages[:-1])) in held:
            intake.drop("whose prompt is held out", conversation.where)
        else:
            train.append(conversation)
    return train, [c for c in found if c.split == "heldout"]


def _conversations(config: SFT) -> tuple[list[Conversation], Intake]:
    """All that the assistant may be taught, and what was passed over while reading."""
    intake = Intake("sft")
    found = [conversation for path in config.conversations for conversation in read_conversations(path, intake)]
    if config.rankings:
        sides = assign_splits([read_rankings(config.rankings)], lambda r: text_of(r.messages), lambda r: r.split)
        for ranking in sides.train:
            best = Message(role="assistant", content=ranking.best)
            found.append(Conversation([*ranking.messages, best], "train", ranking.where))
        for ranking in sides.heldout:
            intake.drop("ranked, held out for reward", ranking.where)
    if config.text:
        texts = [str(line["text"]) for line in read_objects(stage_file(config.text, "train.jsonl", "prepare"))]
        found += continuations(texts, config.continuations, config.seed)
    return found, intake


def _evaluate(config: SFT, folder: StageFolder, task: SFTTask) -> dict[str, Any]:
    """The same questions, text and held-out conversations for the untrained model, the pretrained one and this one."""
    base = load_decoder(config.base)
    untrained = Model(build(base.network.config, 0), base.tokenizer, "")
    found = {
        "untrained": task.measure(untrained),
        "pretrained": task.measure(base),
        "sft": task.evaluate(config.steps),
    }
    write_evaluations(folder.path, found)
    before, after = found["pretrained"].metrics, found["sft"].metrics
    metrics: dict[str, Any] = {"heldout_nats_rise": (rise := after["heldout_nats"] - before["heldout_nats"])}
    if (name := "heldout_answer_nats") in after:
        metrics[name] = after[name]
        say(f"sft: held-out answers {after[name]:.2f} nats a token, {before[name]:.2f} before")
    for kind, estimate in found["sft"].estimates.items():
        metrics[f"exact {kind}"] = estimate.value
        say(f"sft: {kind}: {estimate.value:.0%} exact ({estimate.low:.0%} to {estimate.high:.0%})")
    say(f"sft: held-out text {rise:+.2f} nats a token")
    return metrics

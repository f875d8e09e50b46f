"""sft: supervised fine-tuning on conversations; only what the assistant says is learned (InstructGPT §3.5, step 1)."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

from torch import Tensor

from gptwright.alignment.demonstrations import (
    Conversation,
    Demonstrations,
    continuations,
    demonstrations,
    read_conversations,
)
from gptwright.alignment.prompts import text_of
from gptwright.alignment.rankings import read_rankings
from gptwright.evaluation.answers import Question, exact_answers, open_questions
from gptwright.evaluation.perplexity import answer_loss, require_window, text_loss
from gptwright.foundations.atomic_io import write_json
from gptwright.foundations.device import device_of, format_name, matrix_dtype, use_device, use_threads
from gptwright.foundations.intake import Intake
from gptwright.foundations.progress import say
from gptwright.foundations.runs import FREE, StageFolder, stage_file
from gptwright.foundations.settings import Count, Range, Rate, Rows, Seed, Size, Threads, Weight, settings
from gptwright.inference.sampling import Sampling
from gptwright.models.catalogue import build
from gptwright.pipelines.export import export
from gptwright.pipelines.load import load_decoder
from gptwright.pipelines.model import Model
from gptwright.pretraining.next_token import next_token_losses
from gptwright.stages.tokenize import open_tokens
from gptwright.stages.validation import within_context
from gptwright.text.heldout import assign_splits, normalised
from gptwright.text.jsonl import read_objects
from gptwright.text.pack import TokenFile
from gptwright.tokenizers.chat_templates.chat import Message
from gptwright.training.adamw import AdamW
from gptwright.training.batch_shard import BatchShard
from gptwright.training.batches import Windows
from gptwright.training.memory_check import check_memory
from gptwright.training.optimizer import Optimizer, cast_linears, restore_master_weights
from gptwright.training.schedules import linear
from gptwright.training.session import session
from gptwright.training.train_step import optimise

CHAT_DEFAULTS = Sampling(temperature=0.3, max_tokens=96)


@settings
class SFT:
    """Teach a pretrained model to answer, from conversations."""

    base: Path
    """folder of pretrain"""
    conversations: tuple[Path, ...]
    """JSON Lines of {"messages": [...]}"""
    tokens: Path
    """folder of tokenize: pretraining text is mixed in, so that the language is not forgotten"""
    text: Path | None = None
    """folder of prepare: "Continue: ..." demonstrations are cut from it"""
    rankings: Path | None = None
    """JSON Lines of ranked answers; the best ones show what to say"""
    questions: Path | None = None
    """JSON Lines of {"messages", "answer", "kind"} to measure exact answers on"""
    steps: Count = 1000
    """optimiser steps"""
    batch_size: Rows = 20
    """conversations a step"""
    continuations: Annotated[int, Range(0, 10**6)] = 1000
    """"Continue: ..." demonstrations cut from the text"""
    ptx_batch_size: Rows = 1
    """windows of pretraining text a step"""
    sequence_length: Size = 128
    """tokens of such a window"""
    learning_rate: Rate = 3e-3
    """peak learning rate"""
    weight_decay: Weight = 0.1
    """weight decay of matrices"""
    dtype: str = "fast"
    """format of the matrices: float32, bfloat16, or fast: the faster one here, measured"""
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


def run(config: SFT, folder: StageFolder) -> dict[str, Any]:
    """Leaves `model/`, metrics.jsonl and evaluation.json: exact answers and text loss of untrained, base and result."""
    use_threads(config.threads)
    device = use_device(config.device)
    base = load_decoder(config.base)
    within_context(config.sequence_length, base.context)
    questions = open_questions(config.questions, base, Intake("sft"))
    heldout = require_window(open_tokens(config.tokens, "heldout", base.tokenizer), config.sequence_length)
    windows = Windows(
        open_tokens(config.tokens, "train", base.tokenizer),
        config.sequence_length,
        config.ptx_batch_size,
        config.seed + 1,
    )
    shown, told = _demonstrations(config, base)
    network: Any = base.network.requires_grad_(True).to(device)  # pyright: ignore
    cast_linears(network, matrix_dtype(folder.freeze_choice("dtype", lambda: format_name(config.dtype, device.type))))
    optimizer = Optimizer(network.named_parameters(), AdamW(weight_decay=config.weight_decay))
    typical = sum(len(example.ids) for example in shown.examples) // len(shown.examples)
    check_memory(network, config.batch_size, typical, config.micro_batches)
    check_memory(network, config.ptx_batch_size, config.sequence_length, config.micro_batches)

    def losses(step: int, shard: BatchShard) -> Iterator[Tensor]:
        for ids, targets in (shown.batch(step), windows.batch(step)):
            yield from next_token_losses(network, ids, targets, shard)

    with session(
        folder,
        optimizer,
        steps=config.steps,
        save_every=config.save_every,
        keep_checkpoints=config.keep_checkpoints,
        micro_batches=config.micro_batches,
    ) as run:
        rate = linear(config.learning_rate, config.steps, warmup=20)
        for step in optimise(optimizer, losses, rate, run.train_state, steps=config.steps):
            run.record(step.number, loss_nats=step.loss, gradient_norm=step.gradient_norm, learning_rate=step.rate)
    restore_master_weights(network, optimizer)
    export(network, base.tokenizer, folder / "model", CHAT_DEFAULTS)
    tuned = Model(network, base.tokenizer, "sft", CHAT_DEFAULTS)
    return _evaluate(config, folder, tuned, Measures(heldout, told, questions))


@dataclass(frozen=True)
class Measures:
    """What the models are measured on at the end, made ready before the first step."""

    text: TokenFile
    answers: Demonstrations
    questions: list[Question]


def _demonstrations(config: SFT, base: Model) -> tuple[Demonstrations, Demonstrations]:
    """What is learned, and what conversations hold out. Raises `InputError` when nothing can be learned."""
    found, intake = _conversations(config)
    train, heldout = (demonstrations(side, base.tokenizer, base.context, intake) for side in _sides(found, intake))
    intake.require(train, "conversations to train on", 'Add lines, or correct their "split" or "language".')
    times = config.steps * config.batch_size / len(train)
    held = f", {len(heldout):,} held out" if heldout else ""
    intake.tell(f"{len(train):,} conversations to train on, {times:.1f} times each{held}")
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


def _evaluate(config: SFT, folder: StageFolder, tuned: Model, measures: Measures) -> dict[str, Any]:
    """The same questions, text and held-out conversations for the untrained model, the pretrained one and this one."""
    base = load_decoder(config.base)
    models = {"untrained": Model(build(base.network.config, 0), base.tokenizer, ""), "pretrained": base, "sft": tuned}
    table: dict[str, Any] = {}
    for name, model in models.items():
        model.network.to(device_of(tuned.network))
        loss = text_loss(model.network, measures.text, length=config.sequence_length, windows=200)
        answers = exact_answers(model, measures.questions)
        told = measures.answers
        table[name] = {
            "heldout_nats": loss.nats,
            "heldout_bits_per_byte": loss.bits_per_byte,
            "exact_answers": {kind: vars(estimate) for kind, estimate in answers.items()},
            **({"heldout_answer_nats": answer_loss(model.network, told.in_order())} if told.examples else {}),
        }
    write_json(folder / "evaluation.json", table)
    rise = table["sft"]["heldout_nats"] - table["pretrained"]["heldout_nats"]
    metrics: dict[str, Any] = {"heldout_nats_rise": rise}
    if measures.answers.examples:
        before, after = (table[name]["heldout_answer_nats"] for name in ("pretrained", "sft"))
        metrics["heldout_answer_nats"] = after
        say(f"sft: held-out answers {after:.2f} nats a token, {before:.2f} before")
    for kind, estimate in table["sft"]["exact_answers"].items():
        metrics[f"exact {kind}"] = estimate["value"]
        say(f"sft: {kind}: {estimate['value']:.0%} exact ({estimate['low']:.0%} to {estimate['high']:.0%})")
    say(f"sft: held-out text {rise:+.2f} nats a token")
    return metrics

"""pretrain: a model learns from a corpus what its kind can learn there; a decoder, to predict the next token."""

from collections.abc import Callable, Mapping
from dataclasses import field, replace
from pathlib import Path
from typing import Annotated, Any

from gptwright.foundations.device import FORMATS, describe_device, format_name, matrix_dtype, use_threads
from gptwright.foundations.errors import ConfigError
from gptwright.foundations.progress import say
from gptwright.foundations.runs import FREE, StageFolder
from gptwright.foundations.settings import (
    Amount,
    Count,
    Epsilon,
    Range,
    Rate,
    Rows,
    Seed,
    Size,
    Threads,
    Weight,
    settings,
)
from gptwright.kernels.library import reason
from gptwright.models.catalogue import (
    ModelConfig,
    build,
    check_sizes,
    count,
    family_of,
    preset,
)
from gptwright.pipelines.export import export
from gptwright.pretraining.masked import MaskedWords
from gptwright.pretraining.next_token import NextToken
from gptwright.pretraining.nsp_pairs import SHORTEST
from gptwright.pretraining.scaling_law import rate_warning
from gptwright.pretraining.task import Task, TaskInputs
from gptwright.pretraining.translation import Translation
from gptwright.stages.budgets import check_budget_conflicts, within_budget
from gptwright.stages.samples import write_samples
from gptwright.stages.tokenize import open_tokenizer, open_tokens
from gptwright.stages.validation import known, within_context
from gptwright.training.batch_schedule import BatchSizeSchedule
from gptwright.training.checkpoint import take_average
from gptwright.training.compile import compile_parts, force_eager
from gptwright.training.distributed.mesh import ONE_COPY, Mesh, World, world
from gptwright.training.distributed.sharding import gather_model, shard_model
from gptwright.training.distributed.tensor_parallel import check_parts
from gptwright.training.memory_check import check_memory
from gptwright.training.optimizer import Optimizer, cast_linears, restore_master_weights
from gptwright.training.optimizers import OPTIMIZERS
from gptwright.training.schedules import SCHEDULES, Schedule
from gptwright.training.session import session
from gptwright.training.train_step import optimise

LESSONS: Mapping[str, Callable[[TaskInputs], Task]] = {
    "decoder": NextToken,
    "encoder": MaskedWords,
    "encoder-decoder": Translation,
}
NANO = preset("gpt2-nano")
WARMUP = 50


@settings
class Pretrain:
    """Train a model from nothing on packed text."""

    tokens: Path
    """folder of tokenize"""
    model: ModelConfig = NANO
    """sizes, all at once by a preset's name (--model gpt2-124m) or one by one; the vocab is the tokenizer's"""
    minutes: Annotated[float, Range(0, 10**6)] = 0.0
    """how long it may take: width, layers, batch_size, steps, learning_rate are chosen, and Muon; the model's family"""
    total_tokens: Annotated[int, Range(0, 10**15)] = 0
    """or how many tokens it is to read"""
    flops: Annotated[float, Range(0, 1e30)] = 0.0
    """or how much arithmetic it is to do"""
    steps: Count = 1000
    """optimiser steps"""
    batch_size: Rows = 16
    """windows a step; of pairs to translate, batch_size × sequence_length tokens a side"""
    initial_batch_size: Annotated[int, Range(0, 10**6)] = 0
    """windows of the first step, when the batch is to grow (GPT-3); 0: all steps have as many"""
    batch_ramp_tokens: Annotated[int, Range(0, 10**15)] = 0
    """tokens over which it grows"""
    sequence_length: Size = 128
    """tokens a window; the model may see up to its context"""
    document_mask: bool = False
    """a decoder sees nothing of the documents beside its own; GPT-2 and GPT-3 see what is before"""
    learning_rate: Rate = 3e-3
    """peak learning rate"""
    warmup: Amount | None = None
    """steps of rising rate, half of a run below 100; a step with half the rows is half a step (default: 50)"""
    optimizer: str = "adamw"
    """who turns gradients into steps: adamw, as the papers have it, or muon for the blocks' matrices"""
    schedule: str = "wsd"
    """how the rate goes: wsd, cosine, cosine-to-zero, linear or inverse-root"""
    weight_decay: Weight = 0.1
    """weight decay of matrices"""
    beta2: Annotated[float, Range(0, 1, below=True)] = 0.95
    """Adam's memory of squared gradients"""
    epsilon: Epsilon = 1e-8
    """what Adam adds to their root"""
    dtype: str = "fast"
    """format of the matrices: float32, bfloat16, or fast: the faster one here, measured"""
    threads: Threads = 2
    """processor threads; another number gives slightly other weights"""
    device: str = field(default="auto", metadata=FREE)
    """what computes: cuda, mps, cpu, or auto: the first of these that is there"""
    compile: bool = field(default=False, metadata=FREE)
    """torch compiles the blocks first: a minute, then faster on a GPU"""
    mesh: Mesh = field(default=ONE_COPY, metadata=FREE)
    """how processes that torchrun started share the work; it may go on with others"""
    eval_every: Count = 200
    """steps between looks at held-out text"""
    save_every: Count = 400
    """steps between checkpoints"""
    keep_checkpoints: Count = 2
    """checkpoints that stay"""
    micro_batches: Count = 1
    """micro-batches a step, one after the other: more need less memory"""
    average_checkpoints: Count = 1
    """the model is the mean of the last so many checkpoints"""
    seed: Seed = 1
    """initial weights and order of the data"""

    def __post_init__(self) -> None:
        check_budget_conflicts(self)
        known(self.schedule, SCHEDULES, "schedule")
        known(self.optimizer, OPTIMIZERS, "rule")
        check_sizes(self.model)
        within_context(self.sequence_length, self.model.context)
        _fits_its_kind(self)
        _fits_its_steps(self)


def _fits_its_kind(config: Pretrain) -> None:
    family = family_of(config.model)
    if config.document_mask and family.kind != "decoder":
        raise ConfigError("document_mask with a decoder", f"a model of family {family.name}",
                          "Its examples hold no other document: leave it out.")  # fmt: skip
    if config.initial_batch_size and family.kind == "encoder-decoder":
        raise ConfigError("initial_batch_size of 0 where pairs are translated", f"{config.initial_batch_size}",
                          "Pairs come in fixed batches: leave it out.")  # fmt: skip
    if family.kind == "encoder" and config.sequence_length < SHORTEST:
        raise ConfigError(f"windows of at least {SHORTEST} tokens for [CLS] a [SEP] b [SEP]",
                          f"sequence_length = {config.sequence_length}", "Raise sequence_length.")  # fmt: skip


def _fits_its_steps(config: Pretrain) -> None:
    whole = ramp_of(config).before(config.steps) // config.batch_size
    if config.warmup is not None and config.warmup > whole:
        raise ConfigError(f"a warmup of at most the {whole:,} steps of {config.batch_size} rows", f"{config.warmup:,}",
                          "Lower warmup or raise steps.")  # fmt: skip
    if config.average_checkpoints > (saved := -(-config.steps // config.save_every)):
        raise ConfigError(
            f"an average of at most the {saved} checkpoints that are saved",
            f"{config.average_checkpoints}",
            "Lower save_every or average_checkpoints.",
        )


def run(config: Pretrain, folder: StageFolder) -> dict[str, Any]:
    """Leaves `model/` (a Hugging Face folder), samples.md, metrics.jsonl and the last checkpoints."""
    use_threads(config.threads)
    together = world(config.mesh, config.device)
    config = within_budget(config, folder, together)
    if said := rate_warning(config.optimizer, config.model.width, config.learning_rate):
        say(f"pretrain: {said}")
    material = material_of(config, together)
    lesson = LESSONS[family_of(config.model).kind](material)
    shard = together.batch_shard(config.micro_batches)
    shard.slices(lesson.fewest_rows)
    found = folder.freeze_choice("dtype", lambda: format_name(config.dtype, together.device.type))
    format = FORMATS[together.broadcast(FORMATS.index(found))]
    dtype = matrix_dtype(format)
    parameters, tokens = count(material.network), lesson.tokens(config.steps)
    how = f", {reason()}" if together.device.type == "cpu" and format == "bfloat16" else ""
    say(f"pretrain: {parameters:,} parameters, {tokens:,} tokens, matrices in {format}{how}")
    cast_linears(material.network, dtype)
    if config.compile:
        compile_parts(material.network, alone=together.axes is None)
    check_memory(material.network, -(-config.batch_size // shard.ranks), config.sequence_length, config.micro_batches)
    layout = shard_model(material.network, together)
    rule = OPTIMIZERS[config.optimizer](config.weight_decay, config.beta2, config.epsilon, dtype)
    optimizer = Optimizer(material.network.named_parameters(), rule, layout)
    keep_checkpoints = max(config.keep_checkpoints, config.average_checkpoints)
    with session(
        folder,
        optimizer,
        steps=config.steps,
        save_every=config.save_every,
        keep_checkpoints=keep_checkpoints,
        micro_batches=config.micro_batches,
    ) as run:
        for step in optimise(
            optimizer, lesson.losses, rate_of(config), run.train_state, steps=config.steps, shard=shard
        ):
            if step.number % config.eval_every == 0:
                with force_eager():
                    look = lesson.look(step.number)
                folder.metrics.log(step.number, **look.metrics)
                write_samples(folder, step.number, look.samples)
            read = lesson.tokens(step.number) - lesson.tokens(step.number - 1)
            run.record(step.number, loss_nats=step.loss, gradient_norm=step.gradient_norm, learning_rate=step.rate,
                       tokens_per_second=read / step.seconds)  # fmt: skip
    with force_eager():
        metrics = finished(config, folder, material, optimizer)
    return {
        "parameters": parameters,
        "tokens": tokens,
        "epochs": round(lesson.epochs(config.steps), 2),
        **metrics,
        "skipped_steps": optimizer.skipped,
        "dtype": format,
        "device": describe_device(together.device),
        "processes": together.process.count,
    }


def material_of(config: Pretrain, together: World) -> TaskInputs:
    """A fresh model, and what it is to learn from. Raises `ConfigError` when its sizes do not fit the mesh."""
    tokenizer = open_tokenizer(config.tokens)
    sizes = replace(config.model, vocab=tokenizer.vocab)
    check_parts(sizes, together.mesh.tensor)
    pairs = family_of(sizes).kind == "encoder-decoder"
    train, heldout = (open_tokens(config.tokens, split, tokenizer, pairs=pairs) for split in ("train", "heldout"))
    network = build(sizes, config.seed, together.process.beside)
    return TaskInputs(
        network=network,
        tokenizer=tokenizer,
        train=train,
        heldout=heldout,
        batch_schedule=ramp_of(config),
        length=config.sequence_length,
        seed=config.seed,
        by_document=config.document_mask,
    )


def finished(
    config: Pretrain, folder: StageFolder, material: TaskInputs, optimizer: Optimizer
) -> Mapping[str, float | str]:
    """Leaves the model with its float32 masters, and measures it; of several processes the first does."""
    network = material.network
    if optimizer.layout.world.axes is None:
        restore_master_weights(network, optimizer)
    else:
        network = gather_model(network, optimizer)
    if network is None:
        return {}
    if config.average_checkpoints > 1:
        take_average(network, folder / "checkpoints", config.average_checkpoints)
    export(network, material.tokenizer, folder / "model")
    network.to(optimizer.layout.world.device)
    metrics = LESSONS[family_of(config.model).kind](replace(material, network=network)).measure()
    shown = [(name, value) for name, value in metrics.items() if isinstance(value, float)]
    say(f"pretrain: held-out text: {', '.join(f'{name} {value:.3f}' for name, value in shown)}")
    return metrics


def ramp_of(config: Pretrain) -> BatchSizeSchedule:
    """Rows of every step."""
    return BatchSizeSchedule(
        config.batch_size,
        config.initial_batch_size or config.batch_size,
        config.batch_ramp_tokens // config.sequence_length,
    )


def rate_of(config: Pretrain) -> Schedule:
    """The learning rate of every step, counted in full batches."""
    batch_schedule = ramp_of(config)
    steps = batch_schedule.before(config.steps) / batch_schedule.full
    warmup = min(WARMUP, int(steps / 2)) if config.warmup is None else config.warmup
    rate = SCHEDULES[config.schedule](config.learning_rate, steps, warmup)
    return lambda step: rate(batch_schedule.before(int(step)) / batch_schedule.full)

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
from gptwright.pretraining.scaling_law import objection
from gptwright.pretraining.task import Lesson, Material
from gptwright.pretraining.translation import Translation
from gptwright.stages.budgets import refuse_two_wills, within_budget
from gptwright.stages.samples import write_samples
from gptwright.stages.tokenize import open_tokenizer, open_tokens
from gptwright.stages.validation import known, within_context
from gptwright.training.batch_schedule import Ramp
from gptwright.training.checkpoint import take_average
from gptwright.training.compile import as_written, compile_parts
from gptwright.training.distributed.mesh import ONE_COPY, Mesh, World, world
from gptwright.training.distributed.sharding import collected, spread
from gptwright.training.distributed.tensor_parallel import check_parts
from gptwright.training.memory_check import check_memory
from gptwright.training.optimizer import Optimizer, hold_matrices_in, release
from gptwright.training.optimizers import RULES
from gptwright.training.schedules import SCHEDULES, Schedule
from gptwright.training.session import session
from gptwright.training.train_step import optimise

LESSONS: Mapping[str, Callable[[Material], Lesson]] = {
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
    """how long it may take: width, layers, rows, steps and rate are chosen, and Muon; the family is the model's"""
    total_tokens: Annotated[int, Range(0, 10**15)] = 0
    """or how many tokens it is to read"""
    flops: Annotated[float, Range(0, 1e30)] = 0.0
    """or how much arithmetic it is to do"""
    steps: Count = 1000
    """optimiser steps"""
    rows: Rows = 16
    """windows a step; of pairs to translate, rows × length tokens a side"""
    first_rows: Annotated[int, Range(0, 10**6)] = 0
    """windows of the first step, when the batch is to grow (GPT-3); 0: all steps have as many"""
    ramp: Annotated[int, Range(0, 10**15)] = 0
    """tokens over which it grows"""
    length: Size = 128
    """tokens a window; the model may see up to its context"""
    document_mask: bool = False
    """a decoder sees nothing of the documents beside its own; GPT-2 and GPT-3 see what is before"""
    rate: Rate = 3e-3
    """peak learning rate"""
    warmup: Amount | None = None
    """steps of rising rate, half of a run below 100; a step with half the rows is half a step (default: 50)"""
    optim: str = "adamw"
    """who turns gradients into steps: adamw, as the papers have it, or muon for the blocks' matrices"""
    schedule: str = "trapezoid"
    """how the rate goes: trapezoid, cosine, cosine-to-zero, linear or inverse-root"""
    decay: Weight = 0.1
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
    evaluate_every: Count = 200
    """steps between looks at held-out text"""
    save_every: Count = 400
    """steps between checkpoints"""
    keep: Count = 2
    """checkpoints that stay"""
    pieces: Count = 1
    """micro-batches a step, one after the other: more need less memory"""
    average: Count = 1
    """the model is the mean of the last so many checkpoints"""
    seed: Seed = 1
    """initial weights and order of the data"""

    def __post_init__(self) -> None:
        refuse_two_wills(self)
        known(self.schedule, SCHEDULES, "schedule")
        known(self.optim, RULES, "rule")
        check_sizes(self.model)
        within_context(self.length, self.model.context)
        _fits_its_kind(self)
        _fits_its_steps(self)


def _fits_its_kind(config: Pretrain) -> None:
    family = family_of(config.model)
    if config.document_mask and family.kind != "decoder":
        raise ConfigError("document_mask with a decoder", f"a model of family {family.name}",
                          "Its examples hold no other document: leave it out.")  # fmt: skip
    if config.first_rows and family.kind == "encoder-decoder":
        raise ConfigError("first_rows of 0 where pairs are translated", f"{config.first_rows}",
                          "Pairs come in fixed batches: leave it out.")  # fmt: skip
    if family.kind == "encoder" and config.length < SHORTEST:
        raise ConfigError(f"windows of at least {SHORTEST} tokens for [CLS] a [SEP] b [SEP]",
                          f"length = {config.length}", "Raise length.")  # fmt: skip


def _fits_its_steps(config: Pretrain) -> None:
    whole = ramp_of(config).before(config.steps) // config.rows
    if config.warmup is not None and config.warmup > whole:
        raise ConfigError(f"a warmup of at most the {whole:,} steps of {config.rows} rows", f"{config.warmup:,}",
                          "Lower warmup or raise steps.")  # fmt: skip
    if config.average > (saved := -(-config.steps // config.save_every)):
        raise ConfigError(f"an average of at most the {saved} checkpoints that are saved", f"{config.average}",
                          "Lower save_every or average.")  # fmt: skip


def run(config: Pretrain, folder: StageFolder) -> dict[str, Any]:
    """Leaves `model/` (a Hugging Face folder), samples.md, metrics.jsonl and the last checkpoints."""
    use_threads(config.threads)
    together = world(config.mesh, config.device)
    config = within_budget(config, folder, together)
    if said := objection(config.optim, config.model.width, config.rate):
        say(f"pretrain: {said}")
    material = material_of(config, together)
    lesson = LESSONS[family_of(config.model).kind](material)
    share = together.share(config.pieces)
    share.slices(lesson.fewest_rows)
    found = folder.once("dtype", lambda: format_name(config.dtype, together.device.type))
    format = FORMATS[together.told(FORMATS.index(found))]
    dtype = matrix_dtype(format)
    parameters, tokens = count(material.network), lesson.tokens(config.steps)
    how = f", {reason()}" if together.device.type == "cpu" and format == "bfloat16" else ""
    say(f"pretrain: {parameters:,} parameters, {tokens:,} tokens, matrices in {format}{how}")
    hold_matrices_in(material.network, dtype)
    if config.compile:
        compile_parts(material.network, alone=together.axes is None)
    check_memory(material.network, -(-config.rows // share.ranks), config.length, config.pieces)
    layout = spread(material.network, together)
    rule = RULES[config.optim](config.decay, config.beta2, config.epsilon, dtype)
    optimizer = Optimizer(material.network.named_parameters(), rule, layout)
    kept = max(config.keep, config.average)
    with session(
        folder, optimizer, steps=config.steps, save_every=config.save_every, kept=kept, pieces=config.pieces
    ) as run:
        for step in optimise(optimizer, lesson.losses, rate_of(config), run.course, steps=config.steps, share=share):
            if step.number % config.evaluate_every == 0:
                with as_written():
                    look = lesson.look(step.number)
                folder.metrics.log(step.number, **look.figures)
                write_samples(folder, step.number, look.samples)
            read = lesson.tokens(step.number) - lesson.tokens(step.number - 1)
            run.record(step.number, loss_nats=step.loss, gradient_norm=step.gradient_norm, rate=step.rate,
                       tokens_per_second=read / step.seconds)  # fmt: skip
    with as_written():
        figures = finished(config, folder, material, optimizer)
    return {
        "parameters": parameters,
        "tokens": tokens,
        "epochs": round(lesson.epochs(config.steps), 2),
        **figures,
        "skipped_steps": optimizer.skipped,
        "dtype": format,
        "device": describe_device(together.device),
        "processes": together.process.count,
    }


def material_of(config: Pretrain, together: World) -> Material:
    """A fresh model, and what it is to learn from. Raises `ConfigError` when its sizes do not fit the mesh."""
    tokenizer = open_tokenizer(config.tokens)
    sizes = replace(config.model, vocab=tokenizer.vocab)
    check_parts(sizes, together.mesh.tensor)
    pairs = family_of(sizes).kind == "encoder-decoder"
    train, heldout = (open_tokens(config.tokens, split, tokenizer, pairs=pairs) for split in ("train", "heldout"))
    network = build(sizes, config.seed, together.process.beside)
    return Material(network=network, tokenizer=tokenizer, train=train, heldout=heldout, ramp=ramp_of(config),
                    length=config.length, seed=config.seed, by_document=config.document_mask)  # fmt: skip


def finished(
    config: Pretrain, folder: StageFolder, material: Material, optimizer: Optimizer
) -> Mapping[str, float | str]:
    """Leaves the model with its float32 masters, and measures it; of several processes the first does."""
    network = material.network
    if optimizer.layout.world.axes is None:
        release(network, optimizer)
    else:
        network = collected(network, optimizer)
    if network is None:
        return {}
    if config.average > 1:
        take_average(network, folder / "checkpoints", config.average)
    export(network, material.tokenizer, folder / "model")
    network.to(optimizer.layout.world.device)
    figures = LESSONS[family_of(config.model).kind](replace(material, network=network)).measure()
    shown = [(name, value) for name, value in figures.items() if isinstance(value, float)]
    say(f"pretrain: held-out text: {', '.join(f'{name} {value:.3f}' for name, value in shown)}")
    return figures


def ramp_of(config: Pretrain) -> Ramp:
    """Rows of every step."""
    return Ramp(config.rows, config.first_rows or config.rows, config.ramp // config.length)


def rate_of(config: Pretrain) -> Schedule:
    """The learning rate of every step, counted in full batches."""
    ramp = ramp_of(config)
    steps = ramp.before(config.steps) / ramp.full
    warmup = min(WARMUP, int(steps / 2)) if config.warmup is None else config.warmup
    rate = SCHEDULES[config.schedule](config.rate, steps, warmup)
    return lambda step: rate(ramp.before(int(step)) / ramp.full)

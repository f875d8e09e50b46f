"""pretrain: predict the next token of the corpus (GPT-1 §3.1, GPT-2 §2)."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from gptwright.evaluation.perplexity import text_loss
from gptwright.foundations.device import matrix_dtype, use_threads
from gptwright.foundations.progress import say
from gptwright.foundations.runs import StageFolder
from gptwright.generation.export import export
from gptwright.generation.model import Model
from gptwright.models.catalogue import ModelConfig, build, check_sizes, count, preset
from gptwright.objectives.language import next_token_loss
from gptwright.stages.limits import at_least, positive, within_context
from gptwright.stages.samples import write_sample
from gptwright.stages.tokenize import open_tokenizer, open_tokens
from gptwright.training.batches import Windows
from gptwright.training.optimise import optimise
from gptwright.training.optimizer import Optimizer, hold_matrices_in
from gptwright.training.schedules import trapezoid
from gptwright.training.session import session

NANO = preset("gpt2-nano")


@dataclass(frozen=True, kw_only=True)
class Pretrain:
    """Train a language model from nothing on packed text."""

    tokens: Path
    """folder of tokenize"""
    model: ModelConfig = NANO
    """sizes, all at once by a preset's name (--model gpt2-124m) or one by one; the vocab is the tokenizer's"""
    steps: int = 1000
    """optimiser steps"""
    rows: int = 16
    """windows a step"""
    length: int = 128
    """tokens a window; the model may see up to its context"""
    rate: float = 3e-3
    """peak learning rate"""
    warmup: int = 50
    """steps of rising rate"""
    decay: float = 0.1
    """weight decay of matrices"""
    dtype: str = "fast"
    """format of the matrices: float32, bfloat16, or fast: the faster one here, measured"""
    threads: int = 2
    """processor threads; another number gives slightly other weights"""
    evaluate_every: int = 200
    """steps between looks at held-out text"""
    save_every: int = 400
    """steps between checkpoints"""
    seed: int = 1
    """initial weights and order of the data"""

    def __post_init__(self) -> None:
        positive(self, "steps", "rows", "length", "rate", "threads", "evaluate_every", "save_every")
        at_least(0, self, "warmup", "decay")
        check_sizes(self.model)
        within_context(self.length, self.model.context)


def run(config: Pretrain, folder: StageFolder) -> dict[str, Any]:
    """Leaves `model/` (a Hugging Face folder), samples.md, metrics.jsonl and the last checkpoints."""
    use_threads(config.threads)
    tokenizer = open_tokenizer(config.tokens)
    train, heldout = open_tokens(config.tokens, "train"), open_tokens(config.tokens, "heldout")
    network: Any = build(replace(config.model, vocab=tokenizer.vocab), config.seed)
    hold_matrices_in(network, matrix_dtype(config.dtype))
    optimizer = Optimizer(network.named_parameters(), decay=config.decay)
    windows = Windows(train, config.length, config.rows, config.seed)
    say(f"pretrain: {count(network):,} parameters, {config.steps * config.rows * config.length:,} tokens, "
        f"matrices in {str(matrix_dtype(config.dtype)).removeprefix('torch.')}")  # fmt: skip

    def losses(step: int) -> Iterator[Tensor]:
        ids, targets = windows.batch(step)
        yield next_token_loss(network.hidden(ids), network.output, targets)

    seen = config.rows * config.length
    with session(folder, optimizer, steps=config.steps, save_every=config.save_every) as run:
        rate = trapezoid(config.rate, config.steps, config.warmup)
        for step in optimise(optimizer, losses, rate, first=run.first, steps=config.steps):
            if step.number % config.evaluate_every == 0:
                loss = text_loss(network, heldout, length=config.length, windows=48)
                folder.metrics.log(step.number, heldout_nats=loss.nats, heldout_bits_per_byte=loss.bits_per_byte)
                write_sample(Model(network, tokenizer, "pretrain"), folder, step.number)
            run.record(step.number, loss_nats=step.loss, gradient_norm=step.gradient_norm, rate=step.rate,
                       tokens_per_second=seen / step.seconds)  # fmt: skip
    return _finish(config, folder, network, optimizer, windows)


def _finish(
    config: Pretrain, folder: StageFolder, network: Any, optimizer: Optimizer, windows: Windows
) -> dict[str, Any]:
    tokenizer, heldout = open_tokenizer(config.tokens), open_tokens(config.tokens, "heldout")
    release(network, optimizer)
    export(network, tokenizer, folder / "model")
    loss = text_loss(network, heldout, length=config.length, windows=200)
    say(f"pretrain: held-out text {loss.bits_per_byte:.3f} bits a byte ({loss.nats:.3f} nats a token)")
    return {
        "parameters": count(network),
        "tokens": config.steps * config.rows * config.length,
        "epochs": round(config.steps * config.rows / windows.count, 2),
        "heldout_nats": loss.nats,
        "heldout_bits_per_byte": loss.bits_per_byte,
        "skipped_steps": optimizer.skipped,
        "dtype": str(matrix_dtype(config.dtype)).removeprefix("torch."),
    }


def release(network: nn.Module, optimizer: Optimizer) -> None:
    """Gives the model its float32 master weights, for evaluation and export."""
    network.float()
    for name, parameter in network.named_parameters():
        parameter.data = optimizer.masters[name].detach()
    network.requires_grad_(False)

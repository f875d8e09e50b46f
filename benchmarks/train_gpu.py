"""Whole training steps of GPT-2 on one GPU, beside nanoGPT or Hugging Face's GPT-2: tokens a second, and how much of
the card's arithmetic that is.

    python benchmarks/train_gpu.py [--nanogpt PATH] [--models 124m 1.5b] [--minutes 25]      unattended, offline
    python benchmarks/train_gpu.py --tiny                                   does it run at all: seconds on a processor
    torchrun --nproc-per-node 8 benchmarks/train_gpu.py --contestant gptwright --model 124m --rows 64

Same shapes, same random tokens, context 1024, bf16 matrices, torch.compile, FlashAttention through torch's
scaled_dot_product_attention, fused AdamW with clipping, steps of about half a million tokens. Every measurement is a
process of its own. The largest micro-batch that fits is found by trying, from large to small. Arithmetic is counted as
in PaLM (App. B): 6 N + 12 L H Q T a token, N without the positions; the peak is the card's dense bf16 peak as its maker
states it, or for another card the best of some matrix products. One line of JSON a measurement on stdout, a table on
stderr at the end.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from gptwright.foundations.errors import out_of_memory
from gptwright.models.catalogue import build, count
from gptwright.models.gpt2 import PRESETS, GPT2Config
from gptwright.objectives.language import next_token_loss
from gptwright.training.adamw import AdamW
from gptwright.training.compile import compile_parts
from gptwright.training.distributed.mesh import Mesh
from gptwright.training.distributed.sharding import shard_model
from gptwright.training.distributed.world import World, joined, world
from gptwright.training.optimizer import Optimizer, cast_linears

VOCAB, CONTEXT, TOKENS_A_STEP = 50_304, 1024, 524_288
MODELS = {"124m": PRESETS["gpt2-124m"], "1.5b": PRESETS["gpt2-1.5b"]}
TINY = GPT2Config(vocab=512, context=64, width=64, heads=2, layers=2)
CONTESTANTS = ("gptwright", "nanogpt", "transformers")
ROWS = (64, 32, 16, 8, 4, 2, 1)
PEAKS = {"H100": 989e12, "H200": 989e12, "A100": 312e12}
DID_NOT_FIT = 7
RATE, DECAY, BETAS = 6e-4, 0.1, (0.9, 0.95)
Batch = tuple[torch.Tensor, torch.Tensor]
Step = Callable[[list[Batch]], torch.Tensor]


def sizes(model: str) -> GPT2Config:
    """Faithful but for 47 rows of the embedding that no token uses."""
    if model == "tiny":
        return TINY
    return GPT2Config(**{**vars(MODELS[model]), "vocab": VOCAB, "context": CONTEXT})


def ours(config: GPT2Config, together: World) -> Step:
    """What `gptwright pretrain --compile` does."""
    network: Any = build(config, seed=1)
    cast_linears(network, torch.bfloat16)
    compile_parts(network, alone=together.axes is None)
    layout = shard_model(network, together)
    optimizer = Optimizer(network, AdamW(weight_decay=DECAY, betas=BETAS), layout)

    def step(batches: list[Batch]) -> torch.Tensor:
        total = torch.zeros((), device=together.device)
        tokens = sum(targets.numel() for _, targets in batches) * together.mesh.shard
        for ids, targets in batches:
            loss = next_token_loss(network.hidden(ids), network.output, targets, count=tokens)
            loss.backward()
            total += loss.detach()
        optimizer.step(RATE, 1.0)
        return total

    return step


def by_autocast(
    network: Any, optimizer: torch.optim.Optimizer, device: torch.device, loss_of: Callable[..., Any]
) -> Step:
    """nanoGPT's inner loop, without reading the loss."""
    compiled = torch.compile(network)
    cast = torch.autocast(device.type, torch.bfloat16)

    def step(batches: list[Batch]) -> torch.Tensor:
        total = torch.zeros((), device=device)
        for ids, targets in batches:
            with cast:
                loss = loss_of(compiled, ids, targets) / len(batches)
            loss.backward()
            total += loss.detach()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        return total

    return step


def nanogpt(config: GPT2Config, device: torch.device, path: Path) -> Step:
    """Its own model and optimiser at its own settings, biases as in GPT-2."""
    sys.path.insert(0, str(path))
    from model import GPT, GPTConfig  # type: ignore[import-not-found]

    network = GPT(GPTConfig(block_size=config.context, vocab_size=config.vocab, n_layer=config.layers,
                            n_head=config.heads, n_embd=config.width, dropout=0.0, bias=True)).to(device)  # fmt: skip
    optimizer = network.configure_optimizers(DECAY, RATE, BETAS, device.type)
    return by_autocast(network, optimizer, device, lambda model, ids, targets: model(ids, targets)[1])


def transformers(config: GPT2Config, device: torch.device) -> Step:
    from transformers import GPT2Config as TheirConfig
    from transformers import GPT2LMHeadModel

    table = TheirConfig(vocab_size=config.vocab, n_positions=config.context, n_embd=config.width, n_head=config.heads,
                        n_layer=config.layers, resid_pdrop=0.0, embd_pdrop=0.0, attn_pdrop=0.0, use_cache=False,
                        attn_implementation="sdpa")  # fmt: skip
    network = GPT2LMHeadModel(table).to(device).train()
    optimizer = torch.optim.AdamW(network.parameters(), lr=RATE, betas=BETAS, weight_decay=DECAY, fused=True)

    def loss_of(model: Any, ids: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        logits = model(input_ids=ids).logits
        return torch.nn.functional.cross_entropy(logits.flatten(0, 1), targets.flatten())

    return by_autocast(network, optimizer, device, loss_of)


def work_a_token(config: GPT2Config) -> float:
    """Floating-point operations of forward and backward, as PaLM counts them."""
    with torch.device("meta"):
        from gptwright.models.gpt2 import GPT2

        parameters = count(GPT2(config)) - config.context * config.width
    return 6 * parameters + 12 * config.layers * config.width * config.context


def peak(device: torch.device) -> tuple[float, str]:
    """Operations a second, and where the number is from."""
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else "processor"
    for card, rate in PEAKS.items():
        if card in name:
            return rate, f"{name}, stated"
    size = 8192 if device.type == "cuda" else 1024
    a, b = (torch.ones(size, size, device=device, dtype=torch.bfloat16) for _ in range(2))
    best = float("inf")
    for _ in range(8):
        start = time.perf_counter()
        finish(a @ b)
        best = min(best, time.perf_counter() - start)
    return 2 * size**3 / best, f"{name}, measured"


def finish(result: torch.Tensor) -> None:
    """Waits until the device has come to its end."""
    result.flatten()[:1].float().cpu()


def contest(given: argparse.Namespace) -> None:
    """One measurement in this process. Ends with `DID_NOT_FIT` when the memory does not suffice."""
    kind = "auto" if not given.tiny else "cpu"
    with joined(Mesh(), kind):
        together = world(Mesh(), kind)
        try:
            metrics = measured(given, together)
        except (RuntimeError, MemoryError) as error:
            if not out_of_memory(error):
                raise
            sys.exit(DID_NOT_FIT)
        if together.first:
            print(json.dumps(metrics), flush=True)


def measured(given: argparse.Namespace, together: World) -> dict[str, Any]:
    config, device = sizes(given.model), together.device
    step = {
        "gptwright": lambda: ours(config, together),
        "nanogpt": lambda: nanogpt(config, device, given.nanogpt),
        "transformers": lambda: transformers(config, device),
    }[given.contestant]()
    pieces = max(1, given.tokens // (given.batch_size * config.context * together.mesh.shard))
    random = torch.Generator().manual_seed(together.process.rank)
    data = torch.randint(config.vocab, (pieces, given.batch_size, config.context + 1), generator=random).to(device)
    batches = [(part[:, :-1].contiguous(), part[:, 1:].contiguous()) for part in data]
    losses = [step(batches) for _ in range(given.warm)]
    finish(losses[-1])
    start = time.perf_counter()
    losses += [step(batches) for _ in range(given.steps)]
    finish(losses[-1])
    seconds = (time.perf_counter() - start) / given.steps
    speed = pieces * given.batch_size * config.context / seconds  # of this process
    rate, source = peak(device)
    return {
        "contestant": given.contestant, "model": given.model, "batch_size": given.batch_size, "pieces": pieces,
        "processes": together.process.count, "tokens_per_second": round(speed * together.process.count),
        "tokens_per_second_and_device": round(speed), "mfu": round(speed * work_a_token(config) / rate, 4),
        "peak_tflops": round(rate / 1e12, 1), "peak_is": source, "seconds_a_step": round(seconds, 4),
        "first_loss": round(float(together.total(losses[0])), 4),
        "last_loss": round(float(together.total(losses[-1])), 4),
        "memory_gb": round(torch.cuda.max_memory_allocated() / 2**30, 1) if device.type == "cuda" else None,
    }  # fmt: skip


def largest_that_fits(
    words: list[str], model: str, contestant: str, given: argparse.Namespace
) -> dict[str, Any] | None:
    """The figures of a process of its own, with the most rows that fit."""
    for rows in (2,) if given.tiny else ROWS:
        left = given.deadline - time.monotonic()
        if left <= 0:
            return None
        command = [*words, "--contestant", contestant, "--model", model, "--batch-size", str(rows)]
        try:
            done = subprocess.run(command, stdout=subprocess.PIPE, text=True, timeout=left)
        except subprocess.TimeoutExpired:
            return None
        if done.returncode == 0:
            return json.loads(done.stdout.splitlines()[-1])
        if done.returncode != DID_NOT_FIT:
            print(f"{contestant} {model}: failed with code {done.returncode}", file=sys.stderr)
            return None
    return None


def main() -> None:
    given = options()
    os.environ.setdefault("GPTWRIGHT_KERNELS", "off")  # they are for processors, and not to be compiled again
    if given.contestant:
        contest(given)
        return
    given.deadline = time.monotonic() + 60 * given.minutes
    words = [sys.executable, __file__, "--steps", str(given.steps), "--warm", str(given.warm), "--tokens",
             str(given.tokens), *(["--tiny"] if given.tiny else []),
             *(["--nanogpt", str(given.nanogpt)] if given.nanogpt else [])]  # fmt: skip
    rival = "nanogpt" if given.nanogpt else "transformers"
    table: list[str] = []
    for model in ["tiny"] if given.tiny else given.models:
        found = {name: largest_that_fits(words, model, name, given) for name in ("gptwright", rival)}
        table += [row(model, name, metrics) for name, metrics in found.items()]
        if all(found.values()):
            ratio = found["gptwright"]["tokens_per_second"] / found[rival]["tokens_per_second"]
            table.append(f"{model:5} ratio {ratio:.2f}")
    print("\n".join(table), file=sys.stderr)


def row(model: str, name: str, metrics: dict[str, Any] | None) -> str:
    """Prints the figures, and gives their line in the table."""
    if metrics is None:
        return f"{model:5} {name:12} did not finish"
    print(json.dumps(metrics), flush=True)
    return (
        f"{model:5} {name:12} {metrics['tokens_per_second']:>10,} tokens/s  {metrics['mfu']:6.1%} of "
        f"{metrics['peak_tflops']:g} TFLOP/s ({metrics['peak_is']})  {metrics['rows']} rows"
    )


def options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--nanogpt", type=Path, help="a checkout of nanoGPT; without it transformers is the rival")
    parser.add_argument("--models", nargs="+", choices=MODELS, default=list(MODELS))
    parser.add_argument("--minutes", type=float, default=25.0, help="what is not measured by then is left out")
    parser.add_argument("--steps", type=int, default=10)
    parser.add_argument("--warm", type=int, default=3)
    parser.add_argument("--tokens", type=int, default=TOKENS_A_STEP, help="about so many a step")
    parser.add_argument("--tiny", action="store_true", help="a model of no use on the processor: does it run?")
    parser.add_argument("--contestant", choices=CONTESTANTS, help="measure this one alone, in this process")
    parser.add_argument("--model", choices=[*MODELS, "tiny"], default="124m")
    parser.add_argument("--batch-size", type=int, default=64)
    given = parser.parse_args()
    if given.tiny:
        given.steps, given.warm, given.tokens = 2, 1, 256
    return given


if __name__ == "__main__":
    main()

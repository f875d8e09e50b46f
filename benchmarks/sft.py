"""Real tokens a second of sft, padded and packed: forward and backward over the same conversations of the same steps.

    python benchmarks/sft.py --base runs/start/03-pretrain --conversations data/conversations.jsonl.xz [--steps 24]

Padded and packed take turns; time is the processor's, on one core. Prints the share of a batch that is real, the real
tokens a second, and how far the losses are apart.
"""

import argparse
import time
from pathlib import Path
from statistics import median

import torch

from gptwright.alignment.demonstrations import Demonstrations, demonstrations, read_conversations
from gptwright.alignment.packing import ROW, Packing
from gptwright.foundations.intake import Intake
from gptwright.models.decoder import Decoder
from gptwright.pipelines.load import load_decoder
from gptwright.training.batch_shard import WHOLE
from gptwright.training.next_token import next_token_losses


def run(network: Decoder, batches: Demonstrations, steps: int) -> tuple[float, list[float], int]:
    """Processor seconds, losses, and the size of all batches."""
    losses, size, began = list[float](), 0, time.process_time()
    for step in range(steps):
        batch = batches.batch(step)
        size += batch.ids.numel()
        for loss in next_token_losses(network, batch, WHOLE):
            loss.backward()
            losses.append(float(loss.detach()))
        network.zero_grad()
    return time.process_time() - began, losses, size


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--base", type=Path, required=True)
    parser.add_argument("--conversations", type=Path, nargs="+", required=True)
    parser.add_argument("--batch-size", type=int, default=20)
    parser.add_argument("--steps", type=int, default=24)
    parser.add_argument("--rounds", type=int, default=5)
    given = parser.parse_args()
    torch.set_num_threads(1)
    model, intake = load_decoder(given.base), Intake("sft")
    found = [conversation for path in given.conversations for conversation in read_conversations(path, intake)]
    examples = demonstrations(found, model.tokenizer, model.context, intake)
    packing = Packing(min(ROW, model.context))
    ways = {
        name: Demonstrations(examples, given.batch_size, 1, model.tokenizer.pad_id, how)
        for name, how in (("padded", None), ("packed", packing))
    }
    network = model.network.requires_grad_(True)
    real = sum(len(examples[i].ids) for step in range(given.steps) for i in ways["padded"].numbers(step))
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    losses: dict[str, list[float]] = {}
    for _ in range(given.rounds):
        for name, batches in ways.items():
            taken, losses[name], size = run(network, batches, given.steps)
            seconds[name].append(taken)
            print(f"{name}  {real / size:5.1%} real  {real / taken:7,.0f} real tokens/s")
    apart = max(abs(a - b) / a for a, b in zip(losses["padded"], losses["packed"], strict=True))
    faster = median(seconds["padded"]) / median(seconds["packed"])
    print(f"packed is {faster:.2f} times as fast; losses are {apart:.0e} apart at most")


if __name__ == "__main__":
    main()

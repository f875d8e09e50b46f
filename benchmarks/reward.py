"""A training step of a reward model: what a prompt's answers share read once, against every answer read whole.

    python benchmarks/reward.py [--answers 9] [--length 64] [--rounds 9] [--threads 1]

A GPT-2 of 4 layers × 256; 16 prompts, each as long as each of its answers. The two take turns, step by step, so that
what else the machine does falls on both. Prints processor seconds of the median step, and the median of their ratios.
"""

import argparse
import time
from statistics import median

import torch

from gptwright.alignment.answer_batch import AnswerBatch, by_prompt
from gptwright.alignment.rankings import RankedIds
from gptwright.foundations.device import use_threads
from gptwright.models.catalogue import build
from gptwright.models.gpt2 import GPT2Config
from gptwright.models.heads import RewardModel
from gptwright.objectives.ranking import ranking_loss
from gptwright.training.adamw import AdamW
from gptwright.training.optimizer import Optimizer

PROMPTS, VOCAB = 16, 4096


def items(answers: int, length: int) -> list[RankedIds]:
    found: list[RankedIds] = []
    for _ in range(PROMPTS):
        prompt = torch.randint(10, VOCAB, (length,)).tolist()
        ends = torch.randint(10, VOCAB, (answers, length - 1)).tolist()
        rows = [[*prompt, number, *end] for number, end in enumerate(ends)]
        found.append(RankedIds(rows, list(range(1, answers + 1))))
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--answers", type=int, default=9)
    parser.add_argument("--length", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--threads", type=int, default=1)
    args = parser.parse_args()
    use_threads(args.threads)
    model = RewardModel(build(GPT2Config(vocab=VOCAB, context=2 * args.length, width=256, heads=8, layers=4)))
    optimizer = Optimizer(model, AdamW())
    data = items(args.answers, args.length)
    batches = {"shared": AnswerBatch.of_items(data, 0), "whole": AnswerBatch.split(data, [0] * PROMPTS, 0)}
    taken: dict[str, list[float]] = {name: [] for name in batches}
    for turn in range(args.rounds + 1):
        for name, batch in batches.items():
            begin = time.process_time()
            ranking_loss(by_prompt(model.head(batch.states(model)), batch.ranks), batch.ranks).backward()
            optimizer.step(1e-5, 1.0)
            if turn:  # the first step makes the kernels
                taken[name].append(time.process_time() - begin)
    for name, batch in batches.items():
        print(f"{name:8} {median(taken[name]):.3f} s   {batch.tokens:,} tokens")
    print(f"whole / shared: {median(w / s for w, s in zip(taken['whole'], taken['shared'], strict=True)):.2f}")


if __name__ == "__main__":
    main()

"""Does pretraining help? Tasks learned by a pretrained model and by random weights of the same sizes, side by side.

python benchmarks/transfer.py --base runs/start/03-pretrain --tasks entailment=pairs.jsonl classification=topics.csv

Every task is SHAPE=TABLE, with the columns that `gptwright finetune` looks for. A run that is there is not made again.
"""

import argparse
from dataclasses import replace
from pathlib import Path

from gptwright.configs.finetune import Finetune
from gptwright.models.catalogue import build
from gptwright.pipelines.export import export
from gptwright.pipelines.load import load
from gptwright.recipes.stage import execute_stage
from gptwright.training.evaluation import Estimate, read_evaluations


def untrained(base: Path, folder: Path, seed: int) -> Path:
    """A model of the same sizes and tokenizer that has learned nothing."""
    if not folder.exists():
        model = load(base)
        export(build(model.network.config, seed), model.tokenizer, folder)
    return folder


def learned(config: Finetune, out: Path) -> Estimate:
    """Accuracy, or Pearson's correlation, on the held-out examples."""
    execute_stage("finetune", config, out)
    return next(iter(read_evaluations(out)["after"].estimates.values()))


def cell(found: list[Estimate]) -> str:
    """The mean over the seeds, and from the lowest to the highest end of their intervals."""
    mean = sum(estimate.value for estimate in found) / len(found)
    return f"{mean:.3f} ({min(e.low for e in found):.3f} to {max(e.high for e in found):.3f})"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--base", type=Path, required=True)
    parser.add_argument("--tasks", nargs="+", required=True, metavar="SHAPE=TABLE")
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--steps", type=int, default=250)
    parser.add_argument("--batch-size", type=int, default=16)
    parser.add_argument("--learning-rate", type=float, default=5e-4)
    parser.add_argument("--out", type=Path, default=Path("runs/transfer"))
    given = parser.parse_args()
    print("| task | pretrained | pretrained, λ = 0 | random weights |")
    print("|---|---:|---:|---:|")
    for task in given.tasks:
        shape, _, table = task.partition("=")
        found: dict[str, list[Estimate]] = {"pretrained": [], "without": [], "random": []}
        for seed in given.seeds:
            config = Finetune(base=given.base, data=(Path(table),), shape=shape, seed=seed, steps=given.steps,
                              batch_size=given.batch_size, learning_rate=given.learning_rate)  # fmt: skip
            kinds = {
                "pretrained": config,
                "without": replace(config, lm_weight=0.0),
                "random": replace(config, base=untrained(given.base, given.out / f"random-{seed}", seed)),
            }
            for name, asked in kinds.items():
                found[name].append(learned(asked, given.out / f"{Path(table).name}-{name}-{seed}"))
        print(f"| {task} | " + " | ".join(map(cell, found.values())) + " |", flush=True)


if __name__ == "__main__":
    main()

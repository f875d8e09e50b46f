"""The losses of rankings on the same rankings, as they are and with wrong labels: which reward model orders best.

    python benchmarks/ranking_losses.py --base runs/start/04-sft \
      --rankings data/teaching/rankings.jsonl.xz runs/start/05-rank/rankings.jsonl [--noise 0 0.3] [--seeds 1 2 3]

Each is the stage `reward`, with the same steps. Noise is the share of training rankings two of whose answers, drawn by
lot, change ranks; held-out rankings stay as they are. Prints means over seeds of held-out pair accuracy, Kendall's τ-b,
NDCG and the regret of taking the first answer, each with its lowest and highest seed.
"""

import argparse
import json
import random
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import mean
from typing import Any

from gptwright.configs.reward import Reward
from gptwright.recipes.stage import execute_stage
from gptwright.training.evaluation import read_evaluations

FIGURES = ("pair_accuracy", "kendall_tau_b", "ndcg", "top1_regret")
LOSSES: Mapping[str, Mapping[str, Any]] = {
    "bradley-terry": {},
    "lambdarank": {"loss": "lambdarank"},
    "lambdarank, pure": {"loss": "lambdarank", "pairwise_share": 0.0},
    "lambdaloss": {"loss": "lambdaloss"},
    "plackett-luce": {"loss": "plackett-luce"},
}


def noisy(source: Path, share: float, seed: int, out: Path) -> Path:
    """The rankings with two ranks exchanged in a share of those that are learned from."""
    dice = random.Random(seed)
    lines = [json.loads(line) for line in source.read_text(encoding="utf-8").splitlines()]
    for line in lines:
        if line["split"] == "train" and dice.random() < share:
            a, b = dice.sample(range(len(line["ranks"])), 2)
            line["ranks"][a], line["ranks"][b] = line["ranks"][b], line["ranks"][a]
    out.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    return out


def measured(config: Reward, out: Path) -> dict[str, float]:
    """The figures on held-out rankings of a reward model trained so."""
    estimates = read_evaluations(execute_stage("reward", config, out).path)["after"].estimates
    return {name: estimates[name].value for name in FIGURES}


def row(name: str, found: Sequence[Mapping[str, float]]) -> str:
    """A line of the table."""
    cells = [[each[figure] for each in found] for figure in FIGURES]
    return (
        f"| {name} | " + " | ".join(f"{mean(cell):.3f} ({min(cell):.3f} to {max(cell):.3f})" for cell in cells) + " |"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--base", type=Path, required=True)
    parser.add_argument("--rankings", type=Path, nargs="+", required=True)
    parser.add_argument("--noise", type=float, nargs="+", default=[0.0, 0.3])
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--steps", type=int, default=100)
    args = parser.parse_args()
    for noise in args.noise:
        print(f"| {noise:.0%} noise | {' | '.join(FIGURES)} |", flush=True)
        for name, options in LOSSES.items():
            found: list[dict[str, float]] = []
            for seed in args.seeds:
                with tempfile.TemporaryDirectory() as folder:
                    files = [noisy(path, noise, seed, Path(folder, f"{number}.jsonl"))
                             for number, path in enumerate(args.rankings)]  # fmt: skip
                    config = Reward(base=args.base, rankings=tuple(files), seed=seed, steps=args.steps, threads=1,
                                    **options)  # fmt: skip
                    found.append(measured(config, Path(folder, "reward")))
            print(row(name, found), flush=True)


if __name__ == "__main__":
    main()

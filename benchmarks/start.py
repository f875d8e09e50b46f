"""The figures of `gptwright start`, over several seeds, in a table for LOG.md.

python benchmarks/start.py [--minutes 5] [--seeds 1 2 3] [--out runs/figures]
"""

import argparse
import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any


def figures(run: Path, seconds: float) -> dict[str, float]:
    """What a finished run measured about itself."""

    def read(stage: str, name: str) -> Any:
        return json.loads((next(run.glob(f"*-{stage}")) / name).read_text())

    sft, ppo = read("sft", "evaluation.json"), read("ppo", "evaluation.json")
    return {
        "wall seconds": seconds,
        "peak memory, GiB": max(json.loads(p.read_text())["peak_memory_gb"] for p in run.glob("*/stage.json")),
        "pretrain tokens/s": read("pretrain", "stage.json")["figures"]["tokens"]
        / read("pretrain", "stage.json")["seconds"],
        "exact, untrained %": 100 * sft["untrained"]["exact_answers"]["held-out form"]["value"],
        "exact, pretrained %": 100 * sft["pretrained"]["exact_answers"]["held-out form"]["value"],
        "exact, sft %": 100 * sft["sft"]["exact_answers"]["held-out form"]["value"],
        "exact, ppo %": 100 * ppo["models"]["ppo"]["exact_answers"]["held-out form"]["value"],
        "sft: nats rise": sft["sft"]["heldout_nats"] - sft["pretrained"]["heldout_nats"],
        "reward pairs %": 100 * read("reward", "evaluation.json")["after"]["value"],
        "control pairs %": 100 * read("reward-control", "evaluation.json")["after"]["value"],
        "ppo wins %": 100 * ppo["win_rate"]["value"],
        "ppo wins, low %": 100 * ppo["win_rate"]["low"],
        "ppo KL, nats": ppo["kl_nats"],
        "ppo: nats rise": ppo["models"]["ppo"]["heldout_nats"] - ppo["models"]["sft"]["heldout_nats"],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=5)
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--out", type=Path, default=Path("runs/figures"))
    given = parser.parse_args()
    columns: list[dict[str, float]] = []
    for seed in given.seeds:
        run = given.out / f"{given.minutes:g}-minutes-seed-{seed}"
        began = time.monotonic()
        subprocess.run(
            [sys.executable, "-m", "gptwright", "start", "--minutes", str(given.minutes), "--seed", str(seed),
             "--out", str(run), "--no-serve"],
            check=True, stdin=subprocess.DEVNULL,
        )  # fmt: skip
        columns.append(metrics(run, time.monotonic() - began))
    print(f"| {given.minutes:g} minutes | " + " | ".join(f"seed {seed}" for seed in given.seeds) + " |")
    print("|---|" + "---:|" * len(columns))
    for name in columns[0]:
        print(f"| {name} | " + " | ".join(f"{column[name]:.3g}" for column in columns) + " |")


if __name__ == "__main__":
    main()

"""The figures of `gptwright start`, over several seeds, in a table for LOG.md.

python benchmarks/start.py [--minutes 5] [--seeds 1 2 3] [--out runs/figures]
"""

import argparse
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

from gptwright.reporting.checks.registry import check
from gptwright.reporting.collect import collect
from gptwright.reporting.lineage import CONTROL

STYLE, PAIRS = "friendly answers", "distinct_pairs"


def metrics(folder: Path, seconds: float) -> dict[str, float]:
    """What a finished run measured about itself."""
    run = collect(folder)
    sft, ppo = run.evaluations("sft"), run.evaluations("ppo")
    pretrain, wins = run.stage("pretrain"), ppo["comparison"].estimates["win_rate"]
    pairs = {role: run.evaluations(role)["after"].estimates["pair_accuracy"].value for role in ("reward", CONTROL)}
    assert pretrain and run.peak_memory_gb
    kinds = {
        f"{kind}, {name} %": 100 * share.value
        for kind in sft["sft"].estimates
        for name in ("sft", "ppo")
        if (share := ppo[name].estimates.get(kind))
    }
    levels = Counter(finding.level for finding in check(run))
    return {
        "wall seconds": seconds,
        "peak memory, GiB": run.peak_memory_gb,
        "pretrain tokens/s": pretrain.metrics["tokens"] / pretrain.seconds,
        "held out, bits a byte": pretrain.metrics["heldout_bits_per_byte"],
        **kinds,
        "sft: nats rise": sft["sft"].metrics["heldout_nats"] - sft["pretrained"].metrics["heldout_nats"],
        "reward pairs %": 100 * pairs["reward"],
        "control pairs %": 100 * pairs[CONTROL],
        **{f"preferred style, {name} %": 100 * ppo[name].estimates[STYLE].value for name in ("sft", "ppo")},
        "ppo wins %": 100 * wins.value,
        "ppo wins, low %": 100 * wins.low,
        "ppo KL, nats": ppo["comparison"].metrics["kl_nats"],
        "different word pairs, change %": 100 * (ppo["ppo"].metrics[PAIRS] - ppo["sft"].metrics[PAIRS]),
        "ppo: nats rise": ppo["ppo"].metrics["heldout_nats"] - ppo["sft"].metrics["heldout_nats"],
        "ill": levels["ill"],
        "to watch": levels["watch"],
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

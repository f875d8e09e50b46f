"""What holes cost from left to right: code learned with and without, at equal tokens from one base, over several seeds.

    python benchmarks/fill_in_the_middle.py --base runs/codex/03-pretrain --tokens runs/codex/02-tokenize

The base's tokenizer has the sentinels. A run that is there is not made again. Beside each model that learned no holes
stands a copy whose tokenizer has no sentinels, so that evaluate shows it the prefix alone:

    gptwright evaluate OUT/holes-1 --compare OUT/plain-1/prefix-alone --tasks humaneval_single_line
"""

import argparse
import shutil
from pathlib import Path

from gptwright.configs.codex import Codex
from gptwright.evaluation.intervals import mean
from gptwright.recipes.stage import execute_stage
from gptwright.training.evaluation import read_evaluations


def learned(config: Codex, out: Path) -> float:
    """Nats a token of held-out code, from left to right."""
    execute_stage("codex", config, out)
    return read_evaluations(out)["after"].metrics["heldout_nats"]


def without_sentinels(model: Path, copy: Path) -> None:
    """The same weights beside a tokenizer whose sentinels have other names."""
    shutil.copytree(model, copy, dirs_exist_ok=True)
    for path in copy.glob("tokenizer*.json"):
        path.write_text(path.read_text(encoding="utf-8").replace("<|fim_", "<|unlearned_"), encoding="utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--base", type=Path, required=True)
    parser.add_argument("--tokens", type=Path, required=True)
    parser.add_argument("--out", type=Path, default=Path("runs/fill-in-the-middle"))
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--steps", type=int, default=600)
    given = parser.parse_args()
    costs: list[float] = []
    for seed in given.seeds:
        holes, plain = (
            learned(Codex(base=given.base, tokens=given.tokens, fim_rate=rate, seed=seed, steps=given.steps,
                          optimizer="muon", learning_rate=4e-3, batch_size=8), given.out / f"{name}-{seed}")
            for name, rate in (("holes", 0.5), ("plain", 0.0))
        )  # fmt: skip
        without_sentinels(given.out / f"plain-{seed}/model", given.out / f"plain-{seed}/prefix-alone")
        costs.append(100 * (holes / plain - 1))
        print(f"seed {seed}: {holes:.4f} nats a token with holes, {plain:.4f} without: {costs[-1]:+.2f} %", flush=True)
    if len(costs) > 1:
        found = mean(costs)
        print(f"{found.value:+.2f} % ({found.low:+.2f} to {found.high:+.2f}) over {len(costs)} seeds")


if __name__ == "__main__":
    main()

"""What holes cost from left to right: code learned with and without, at equal tokens from one base, over several seeds.

    python benchmarks/fill_in_the_middle.py --base runs/codex/03-pretrain --tokens runs/codex/02-tokenize

The base's tokenizer has the sentinels. A run that is there is not made again. Beside each model that learned no holes
stands a copy whose tokenizer has no sentinels, so that it is shown the prefix alone: here, where both are asked for the
middles of held-out code, and by

    gptwright evaluate OUT/holes-1 --compare OUT/plain-1/prefix-alone --tasks humaneval_single_line
"""

import argparse
import shutil
from pathlib import Path
from random import Random

from gptwright.configs.codex import Codex
from gptwright.evaluation.harness.requests import Encoder, Reading, Row, read_rows
from gptwright.evaluation.intervals import mean, ratio, share
from gptwright.evaluation.metrics import mcnemar
from gptwright.foundations.atomic_io import MANIFEST
from gptwright.pipelines.load import load_decoder
from gptwright.recipes.stage import execute_stage
from gptwright.stages.tokenize import open_tokens
from gptwright.training.evaluation import read_evaluations

HOLES, WINDOW, LONGEST = 1000, 200, 16  # middles of held-out code, the tokens around each, and its tokens at most


def learned(config: Codex, out: Path) -> float:
    """Nats a token of held-out code, from left to right."""
    execute_stage("codex", config, out)
    return read_evaluations(out)["after"].metrics["heldout_nats"]


def without_sentinels(model: Path, copy: Path) -> None:
    """The same weights beside a tokenizer whose sentinels have other names."""
    shutil.copytree(model, copy, dirs_exist_ok=True, ignore=shutil.ignore_patterns(MANIFEST))
    for path in copy.glob("tokenizer*.json"):
        path.write_text(path.read_text(encoding="utf-8").replace("<|fim_", "<|unlearned_"), encoding="utf-8")


def middles(folder: Path, tokens: Path) -> tuple[list[Reading], list[int]]:
    """What the model thinks of middles of held-out code, and their numbers of tokens: after prefix and suffix, or
    without sentinels after the prefix alone. They are cut between its own tokens."""
    model, dice = load_decoder(folder), Random(0)
    text, encoder, rows = open_tokens(tokens, "heldout"), Encoder(model), list[Row]()
    for place in range(0, len(text) - WINDOW, (len(text) - WINDOW) // HOLES):
        ids = text.window(place, WINDOW).tolist()
        first = dice.randrange(1, WINDOW - LONGEST)
        last = first + dice.randrange(1, LONGEST)
        if model.tokenizer.eos_id not in ids:
            prompt = encoder.sentinels.prompt(ids[:first], ids[last:]) if encoder.sentinels else ids[:first]
            rows.append(Row((*prompt, *ids[first:last]), len(prompt)))
    return read_rows(model, rows), [row.count for row in rows]


def compared(holes: Path, plain: Path, tokens: Path) -> str:
    """Nats a token of the middles, the shares of which every token is the likeliest, and the paired difference."""
    (mine, counts), (theirs, _) = middles(holes, tokens), middles(plain, tokens)
    with_suffix, alone, gain = (
        ratio(nats, counts) for nats in ([-one.total for one in mine], [-other.total for other in theirs],
                                         [one.total - other.total for one, other in zip(mine, theirs, strict=True)])
    )  # fmt: skip
    exact, exact_alone = (share(sum(one.greedy for one in side), len(side)) for side in (mine, theirs))
    p = mcnemar([one.greedy for one in mine], [other.greedy for other in theirs])
    return (f"{len(counts)} middles: {with_suffix.value:.3f} nats a token after prefix and suffix, {alone.value:.3f} "
            f"after the prefix alone, {gain.value:.3f} ({gain.low:.3f} to {gain.high:.3f}) less; {exact.value:.1%} "
            f"exact, {exact_alone.value:.1%} (p = {p:.2g})")  # fmt: skip


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
        prefix_alone = given.out / f"plain-{seed}/prefix-alone"
        without_sentinels(given.out / f"plain-{seed}/model", prefix_alone)
        costs.append(100 * (holes / plain - 1))
        print(f"seed {seed}: {holes:.4f} nats a token with holes, {plain:.4f} without: {costs[-1]:+.2f} %")
        print(compared(given.out / f"holes-{seed}", prefix_alone, given.tokens), flush=True)
    if len(costs) > 1:
        found = mean(costs)
        print(f"{found.value:+.2f} % ({found.low:+.2f} to {found.high:+.2f}) over {len(costs)} seeds")


if __name__ == "__main__":
    main()

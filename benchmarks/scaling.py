"""How loss falls with size, tokens, rate and batch on the bundled corpus: what the budgets of pretrain are fitted to.

    python benchmarks/scaling.py --tokens FOLDER --out results.jsonl [--threads 1] [--minutes 40] [--only NAME …]

FOLDER is tokenize's. Every point is a training run at the wsd schedule; runs that differ in length only share
their steps until the shorter one begins to cool down, which changes no number. Points found in the file are not run
again; with `--minutes` no run is begun after so much processor time. `--fit` prints the fit of what is there.
"""

import argparse
import copy
import json
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

from gptwright.evaluation.perplexity import text_loss
from gptwright.foundations.device import fast_dtype
from gptwright.models.catalogue import build, count
from gptwright.models.gpt2 import GPT2Config
from gptwright.models.llama import LlamaConfig
from gptwright.models.modern import ModernConfig
from gptwright.objectives.language import next_token_loss
from gptwright.text.pack import TokenFile
from gptwright.training.adamw import AdamW
from gptwright.training.batches import Windows
from gptwright.training.muon import Muon
from gptwright.training.optimizer import Optimizer, cast_linears
from gptwright.training.schedules import wsd

LENGTH, COOLDOWN, WARMUP, HEAD = 256, 0.4, 20, 32


@dataclass(frozen=True, kw_only=True)
class Run:
    """One training run, and the shorter ones that it contains: `tokens` in thousands of 1,024."""

    study: str
    width: int
    layers: int
    rate: float
    tokens: tuple[int, ...] = (512,)
    optimizer: str = "muon"
    family: str = "llama"
    rows: int = 8

    def key(self, tokens: int) -> dict[str, Any]:
        """What says which point it is."""
        return {k: v for k, v in asdict(self).items() if k not in ("study", "tokens")} | {"kilotokens": tokens}


def study() -> list[Run]:
    """In the order of what they teach; the first ones are enough for a rough picture."""
    nano: dict[str, Any] = {"width": 192, "layers": 4}
    sizes = ((64, 2, 4), (128, 3, 4), (192, 4, 3), (256, 5, 3))
    lengths, optimizers = (256, 512, 1024, 2048), ("muon", "adamw")
    return [
        *(Run(study="rate", **nano, rate=r, optimizer=o) for r in (3e-3, 6e-3, 1.5e-3, 1.2e-2) for o in optimizers),
        *(Run(study="batch", **nano, rate=6e-3, rows=rows) for rows in (32, 16, 4)),
        *(Run(study="size", width=w, layers=n, rate=rate_for(w), tokens=lengths[:most]) for w, n, most in sizes),
        *(Run(study="family", **nano, rate=6e-3, family=family) for family in ("gpt2", "modern")),
        *(Run(study="width", width=128, layers=3, rate=rate) for rate in (3e-3, 1.8e-2)),
        Run(study="width", width=256, layers=5, rate=1.2e-2),
        Run(study="rate", **nano, rate=7.5e-4, optimizer="adamw"),
        Run(study="batch", **nano, rate=3e-3, rows=16),
        Run(study="batch", **nano, rate=1.2e-2, rows=32),
        Run(study="width", width=256, layers=5, rate=1.5e-3, optimizer="adamw"),
        Run(study="size", width=384, layers=6, rate=rate_for(384), tokens=(256, 512)),
    ]


def rate_for(width: int) -> float:
    """The rate of the size study."""
    return 6e-3 * (192 / width) ** 0.5


def model(run: Run, vocab: int) -> Any:
    """The family's configuration at the run's size."""
    sizes: dict[str, Any] = {"vocab": vocab, "context": LENGTH, "width": run.width, "layers": run.layers}
    heads = run.width // HEAD
    match run.family:
        case "llama":
            hidden = -(-8 * run.width // 96) * 32
            return LlamaConfig(**sizes, heads=heads, kv_heads=heads, hidden=hidden, tied=True)
        case "modern":
            return ModernConfig(**sizes, heads=heads // 2, kv_heads=heads // 2)
        case _:
            return GPT2Config(**sizes, heads=heads)


class Learner:
    """A model in training, which can be copied in the middle."""

    def __init__(self, run: Run, tokens: TokenFile, vocab: int) -> None:
        self.run, self.network = run, build(model(run, vocab), seed=1)
        cast_linears(self.network, fast_dtype())
        rule = Muon(dtype=fast_dtype()) if run.optimizer == "muon" else AdamW()
        self.optimizer = Optimizer(self.network, rule)
        self.windows = Windows(tokens, LENGTH, run.rows, seed=1)
        self.step, self.seconds = 0, 0.0

    def train(self, until: int, steps: int) -> None:
        """Goes on to step `until` of a run of `steps`."""
        rate = wsd(self.run.rate, steps, WARMUP, COOLDOWN)
        began = time.process_time()
        for step in range(self.step, until):
            batch = self.windows.batch(step)
            next_token_loss(self.network.hidden(batch.ids), self.network.output, batch.targets).backward()
            self.optimizer.step(rate(step), 1.0)
        self.step = until
        self.seconds += time.process_time() - began


def points(run: Run, train: TokenFile, heldout: TokenFile, vocab: int) -> Iterator[dict[str, Any]]:
    """The run's results, the shortest first."""
    trunk = Learner(run, train, vocab)
    for tokens in run.tokens:
        steps = tokens * 1024 // (run.rows * LENGTH)
        trunk.train(int(steps * (1 - COOLDOWN)), steps)
        branch = copy.deepcopy(trunk) if tokens != run.tokens[-1] else trunk
        branch.train(steps, steps)
        loss = text_loss(branch.network, heldout, length=LENGTH, windows=200)
        yield run.key(tokens) | {"study": run.study, "nats": round(loss.nats, 4),
                                 "bits_per_byte": round(loss.bits_per_byte, 4), "parameters": count(branch.network),
                                 "seconds": round(branch.seconds, 1)}  # fmt: skip


def done(path: Path) -> list[dict[str, Any]]:
    """The points of the file."""
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tokens", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--minutes", type=float, default=40)
    parser.add_argument("--only", nargs="*", default=[])
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    train, heldout = (TokenFile.open(given.tokens / split) for split in ("train", "heldout"))
    vocab = json.loads((given.tokens / "stage.json").read_text())["metrics"]["vocab"]
    for run in study():
        if given.only and run.study not in given.only:
            continue
        known = done(given.out)
        if all(any(line.items() >= run.key(n).items() for line in known) for n in run.tokens):
            continue
        if time.process_time() > 60 * given.minutes:
            break
        for line in points(run, train, heldout, vocab):
            print(json.dumps(line), flush=True)
            with given.out.open("a") as file:
                file.write(json.dumps(line) + "\n")


if __name__ == "__main__":
    main()

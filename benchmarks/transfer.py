"""Does pretraining help? Tasks learned by a pretrained model and by random weights of the same sizes, side by side.

python benchmarks/transfer.py --base runs/start/03-pretrain --others runs/bert/03-pretrain minilm-l6 \
  --tasks classification=topics.csv entailment=pairs.jsonl,premise=first,hypothesis=second

Every task is SHAPE=TABLE, with ROLE=COLUMN where a column has another name. Others, encoders or large models, learn it
once. The first seed of every task comes first, and a run that is there is not made again. Where other
programs run too, GOMP_SPINCOUNT=1000 before the command keeps threads that wait from slowing it down many times.
"""

import argparse
from collections.abc import Iterator
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


def kinds_of(given: argparse.Namespace, task: str, seed: int) -> Iterator[tuple[str, Finetune]]:
    """What is compared: the names of the columns, and the runs of this seed."""
    shape, _, rest = task.partition("=")
    table, *columns = rest.split(",")
    asked = Finetune(base=given.base, data=(Path(table),), shape=shape, columns=tuple(columns), seed=seed,
                     steps=given.steps, batch_size=given.batch_size, learning_rate=given.learning_rate)  # fmt: skip
    yield "pretrained", asked
    yield "random weights", replace(asked, base=untrained(given.base, given.out / f"random-{seed}", seed))
    yield "pretrained, λ = 0", replace(asked, lm_weight=0.0)
    if seed == given.seeds[0]:
        for base in given.others:
            rate, lora = (1e-3, 8) if base.name.startswith("smollm2") else (2e-4, 0)
            yield str(base), replace(asked, base=base, learning_rate=rate, lora=lora)


def cell(found: list[Estimate]) -> str:
    """The mean over the seeds, and from the lowest to the highest end of their intervals."""
    mean = sum(estimate.value for estimate in found) / len(found)
    return f"{mean:.3f} ({min(e.low for e in found):.3f} to {max(e.high for e in found):.3f})"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--base", type=Path, required=True)
    parser.add_argument("--others", type=Path, nargs="+", default=[], metavar="BASE")
    parser.add_argument("--tasks", nargs="+", required=True, metavar="SHAPE=TABLE[,ROLE=COLUMN]")
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--steps", type=int, default=250)
    parser.add_argument("--batch-size", type=int, default=16)
    parser.add_argument("--learning-rate", type=float, default=5e-4)
    parser.add_argument("--out", type=Path, default=Path("runs/transfer"))
    given = parser.parse_args()
    found: dict[tuple[str, str], list[Estimate]] = {}
    for seed in given.seeds:
        for task in given.tasks:
            for kind, config in kinds_of(given, task, seed):
                shape, table = config.shape, config.data[0].name.partition(".")[0]
                folder = given.out / f"{shape}-{table}-{kind.replace('/', '-')}-{seed}"
                found.setdefault((task, kind), []).append(learned(config, folder))
                print(f"{task}, {kind}, seed {seed}: {cell(found[task, kind][-1:])}", flush=True)
    kinds = list(dict.fromkeys(kind for _, kind in found))
    print(f"| task | {' | '.join(kinds)} |\n|---|{'---:|' * len(kinds)}")
    for task in given.tasks:
        print(f"| {task} | {' | '.join(cell(found[task, kind]) for kind in kinds)} |")


if __name__ == "__main__":
    main()

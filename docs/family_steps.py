"""Writes docs/family-steps.md: what changed from 2017 to now, as diffs of the models' own files and tables of their
sizes, and what each step bought, with its picture, by benchmarks/ladder.jsonl.
"""

import ast
import json
import re
from dataclasses import dataclass
from difflib import unified_diff
from math import ceil, floor
from pathlib import Path
from statistics import mean
from typing import Any

from gptwright.foundations.config import encode
from gptwright.models.catalogue import presets

ROOT = Path(__file__).parents[1]
MODELS = "src/gptwright/models"
LADDER = "benchmarks/ladder.py"
HEAD = """# From 2017 to now

Made by `make docs`: the differences are those of the files, the figures those of
[benchmarks/ladder.jsonl](../benchmarks/ladder.jsonl). What each family is, and how its folders are read:
[the families](families.md).
"""
MEASURED = """## What each step bought

Decoders of 4 layers × 128, a vocabulary of 2,048, windows of 256 tokens of the bundled text, AdamW. Every rung gets the
same floating-point operations, so a cheaper one reads more; the peak rate is each rung's own, the best of those that
lie twice as far apart, chosen with the first seed alone: the brackets tell where another bears it worse. Loss is on
held-out text, in nats a token: the mean over the seeds, and in brackets the least and the greatest. Some 320 steps show
how soon a network learns, and not where it ends. Processor seconds are those of one thread on a shared machine: small
differences say nothing.

```
python benchmarks/ladder.py --tokens runs/x/02-tokenize --out benchmarks/ladder.jsonl
```

"""


@dataclass(frozen=True)
class Step:
    """From one family to the next: which classes say it, the rung that measured it, and why it was done."""

    title: str
    before: tuple[str, str]
    """file and class; nothing where the other is shown whole, and no file where they are presets"""
    after: tuple[str, str]
    why: str
    rung: str = ""
    only: tuple[str, ...] = ()
    """methods that are compared, where not all are"""


STEPS = (
    Step("2017 → GPT-1", (LADDER, "Decoder2017"), (f"{MODELS}/gpt1.py", "GPT1"),
         "Radford et al. 2018 keep the decoder of Vaswani et al. 2017, here without what looks at an encoder, learn a "
         "vector for every place, and bend by GELU.", "gpt1"),
    Step("GPT-1 → BERT", (f"{MODELS}/gpt1.py", "GPT1"), (f"{MODELS}/bert.py", "BERT"),
         "Devlin et al. 2018 let every token see all others, and so ask for hidden ones instead of the next: it reads, "
         "and writes nothing. It is no rung, for its loss is another's.", only=("__init__", "run", "encode")),
    Step("GPT-1 → GPT-2", (f"{MODELS}/gpt1.py", "GPT1"), (f"{MODELS}/gpt2.py", "GPT2"),
         "Radford et al. 2019 move the norm before each branch: nothing stands on the way around it, so a gradient "
         "reaches the first layer as it was. What ends a branch begins the smaller, the deeper the network.", "gpt2"),
    Step("GPT-2 → GPT-3", ("", ""), (f"{MODELS}/gpt3.py", "GPT3"),
         "Brown et al. 2020 let every other layer see a sparse part of the past; all else is inherited. It is for long "
         "texts: of 256 tokens there is little to save.", "gpt3"),
    Step("GPT-2 → LLaMA", (f"{MODELS}/gpt2.py", "GPT2"), (f"{MODELS}/llama.py", "Llama"),
         "Touvron et al. 2023 join a norm that takes off no mean and adds no bias (Zhang & Sennrich 2019), positions "
         "that turn queries and keys, so that distances count and not places (Su et al. 2021), and a gate in the "
         "feed-forward (Shazeer 2020), whose three matrices are as large as two were; and have no biases.", "llama"),
    Step("LLaMA 1 → LLaMA 2 70B, LLaMA 3", ("", "llama-65b"), ("", "llama2-70b"),
         "The wiring stays; several heads share keys and values (Ainslie et al. 2023), so that less is kept of every "
         "token that was read.", "grouped"),
    Step("LLaMA → modern", (f"{MODELS}/llama.py", "Llama"), (f"{MODELS}/modern.py", "Modern"),
         "What public races to train GPT-2 fast have kept: squared ReLU, a norm on queries and keys, norms without "
         "gains, branches that begin at zero, an output matrix of its own.", "modern"),
)  # fmt: skip
RUNGS = {
    "2017": ("", "norms after, sinusoids, ReLU"),
    "gpt1": ("2017", "learned positions, GELU"),
    "gpt2": ("gpt1", "norms before each branch, and last"),
    "gpt3": ("gpt2", "odd layers see 64 tokens"),
    "llama": ("gpt2", "RMSNorm, rotary positions, SwiGLU, no biases"),
    "grouped": ("llama", "four heads share keys and values"),
    "modern": ("llama", "all of modern"),
}
"""of each the one below, and what changed"""
SIZES = (
    "transformer-base", "gpt1-117m", "bert-base", "gpt2-1.5b", "gpt3-175b", "llama-65b", "llama2-70b", "modern-162m",
)  # fmt: skip
Runs = dict[str, list[dict[str, Any]]]


def page() -> str:
    """The whole page."""
    runs, picture = best_runs(), "![Loss of each rung, a point a seed](family-steps.svg)"
    parts = [HEAD, MEASURED + table(runs), picture, "## Sizes", sizes()]
    for step in STEPS:
        parts += [f"## {step.title}", " ".join(filter(None, [step.why, bought(step, runs)])), changed(step)]
    return "\n\n".join(part.strip("\n") for part in parts) + "\n"


def best_runs() -> Runs:
    """Of each rung that was trained, the runs at its best rate."""
    lines = [json.loads(line) for line in (ROOT / "benchmarks/ladder.jsonl").read_text(encoding="utf-8").splitlines()]
    found: Runs = {}
    for rung in RUNGS:
        if own := [line for line in lines if line["rung"] == rung]:
            rate = min(own, key=lambda line: line["nats"] if line["seed"] == 1 else float("inf"))["rate"]
            found[rung] = [line for line in own if line["rate"] == rate]
    return found


def table(runs: Runs) -> str:
    heads = ("rung", "from", "changed", "peak rate", "parameters", "tokens", "processor", "seeds", "loss")
    rows = ["| " + " | ".join(heads) + " |", "|---|---|---|---:|---:|---:|---:|---:|---|"]
    for rung, own in runs.items():
        one, seconds = own[0], mean(line["seconds"] for line in own)
        rows.append(f"| {rung} | {' | '.join(RUNGS[rung])} | {one['rate']:g} | {one['parameters']:,} | "
                    f"{one['tokens']:,} | {seconds:.0f} s | {len(own)} | {spread(own)} |")  # fmt: skip
    return "\n".join(rows)


def spread(own: list[dict[str, Any]]) -> str:
    nats = [line["nats"] for line in own]
    return f"{mean(nats):.3f} ({min(nats):.3f} to {max(nats):.3f})"


def bought(step: Step, runs: Runs) -> str:
    """The change of the loss, and of the same seeds the least and the greatest; nothing where it was not measured."""
    pair = (RUNGS[step.rung][0], step.rung) if step.rung else ()
    before, after = ({line["seed"]: line["nats"] for line in runs.get(rung, [])} for rung in pair or ("", ""))
    if not (changes := [after[seed] - before[seed] for seed in sorted(before.keys() & after.keys())]):
        return ""
    return f"**{mean(changes):+.3f} nats** ({min(changes):+.3f} to {max(changes):+.3f} over {len(changes)} seeds)."


def changed(step: Step) -> str:
    """The difference of two presets or of two classes, whose names are the same to it, or all of one class."""
    one, (after, other) = step.before[1], step.after
    if not one:
        return f"{link(after, other)}:\n\n```python\n{source(after, other)}\n```"
    if after:
        both = step.before, step.after
        texts, names = [class_lines(*each, step.only) for each in both], [link(*each) for each in both]
    else:
        texts, names = [preset_lines(one), preset_lines(other)], [f"`{one}`", f"`{other}`"]
    lines = list(unified_diff(texts[0], texts[1], n=1, lineterm=""))[2:]
    shown = "\n".join("" if line.startswith("@@") else line for line in lines).strip("\n")
    return f"{' → '.join(names)}:\n\n```diff\n{shown}\n```"


def link(file: str, name: str) -> str:
    return f"`{name}` in [{Path(file).name}](../{file})"


def class_of(file: str, name: str) -> tuple[str, ast.ClassDef]:
    """The text of a file, and a class in it."""
    text = (ROOT / file).read_text(encoding="utf-8")
    (found,) = [node for node in ast.parse(text).body if isinstance(node, ast.ClassDef) and node.name == name]
    return text, found


def source(file: str, name: str) -> str:
    text, found = class_of(file, name)
    return "\n".join(text.splitlines()[found.lineno - 1 : found.end_lineno])


def class_lines(file: str, name: str, only: tuple[str, ...]) -> list[str]:
    """Of a class, or of some of its methods."""
    text, found = class_of(file, name)
    parts = [node for node in found.body if isinstance(node, ast.FunctionDef) and (not only or node.name in only)]
    lines = [f"class Model({', '.join(map(ast.unparse, found.bases))}):"]
    for part in parts:
        begin = min([part.lineno, *(decorator.lineno for decorator in part.decorator_list)])
        own = text.splitlines()[begin - 1 : part.end_lineno]
        lines += [re.sub(rf"\b({name}|GPT[12])Config\b", "Config", line) for line in own] + [""]
    return lines[:-1]


def preset_lines(name: str) -> list[str]:
    return [f"{field} = {value}" for field, value in encode_preset(name).items()]


def encode_preset(name: str) -> dict[str, Any]:
    return {field: encode(value) for field, value in vars(presets()[name]).items()}


def sizes() -> str:
    """Fields of well-known presets side by side."""
    known = {name: encode_preset(name) for name in SIZES}
    fields = ("vocab", "context", "width", "heads", "kv_heads", "layers", "hidden")
    rows = ["| preset | " + " | ".join(fields) + " |", "|---|" + "---:|" * len(fields)]
    for name, values in known.items():
        rows.append(f"| {name} | " + " | ".join(f"{values[f]:,}" if values.get(f) else "" for f in fields) + " |")
    return "\n".join(rows)


def picture() -> str:
    """A row a rung: each seed as a point, on an axis of nats."""
    runs = best_runs()
    nats = [line["nats"] for own in runs.values() for line in own]
    low, high = floor(10 * min(nats)), ceil(10 * max(nats))
    left, width, row = 290, 560, 30
    height = row * len(runs)

    def x(tenths: float) -> str:
        return f"{left + width * (tenths - low) / (high - low):.1f}"

    parts: list[str] = []
    for tick in range(low, high + 1, max(1, round((high - low) / 10))):
        parts.append(f'<line x1="{x(tick)}" x2="{x(tick)}" y1="0" y2="{height}" stroke="#ddd"/>'
                     f'<text x="{x(tick)}" y="{height + 18}" text-anchor="middle">{tick / 10:.1f}</text>')  # fmt: skip
    for number, (rung, own) in enumerate(runs.items()):
        y = row * number + row // 2
        parts.append(f'<text x="{left - 12}" y="{y + 4}" text-anchor="end">{rung}: {RUNGS[rung][1]}</text>')
        points = (x(10 * line["nats"]) for line in own)
        parts += [f'<circle cx="{point}" cy="{y}" r="4" fill="#1f77b4" fill-opacity="0.6"/>' for point in points]
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {left + width + 30} {height + 60}" '
        'font-family="sans-serif" font-size="12"><rect width="100%" height="100%" fill="white"/>'
        f'<g transform="translate(0,12)">{"".join(parts)}<text x="{left + width / 2}" y="{height + 38}" '
        'text-anchor="middle">held-out nats a token, after the same floating-point operations</text></g></svg>\n'
    )

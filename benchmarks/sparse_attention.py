"""Time and memory of banded and strided attention against dense causal attention, and how they grow with the context.

    python benchmarks/sparse_attention.py [--lengths 1024 … 16384] [--formats float32 bfloat16] [--out FOLDER]

One row, 12 heads of 64. Prints how far every pattern is from dense attention with the same mask, then tables of
forward and of forward + backward, with the exponent p of cost ~ nᵖ between the last and the middle context, then a
step of four GPT blocks, alternating dense and banded, against all dense. Runs on the GPU if there is one. Every
measurement is a process of its own, taken in turns; what is printed is the median. With one thread time is the
processor's, which other programs hardly change; else it is the clock's. Memory is what the work itself takes at its
highest: of the process on the CPU (Linux), of torch on the GPU. OUT keeps every measurement, so that a run that was
stopped goes on, and the plot.
"""

import argparse
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from math import log, log10
from pathlib import Path
from typing import Any

import psutil
import torch
from torch import Tensor

from gptwright.layers.attend import attend
from gptwright.layers.dense import masked
from gptwright.layers.masks import CAUSAL, Banded, PositionMask, Strided
from gptwright.models.gpt2 import GPT2, GPT2Config

HEADS, HEAD = 12, 64
PATTERNS = ("dense", "banded 128", "banded 256", "strided √n")
COLOURS = dict(zip(PATTERNS, ("#555555", "#1f77b4", "#17a2a2", "#d1495b"), strict=True))
STACKS = ("4 blocks, dense", "4 blocks, banded 128", "4 blocks, banded 256")
STACK_LENGTH = 2048


def mask_of(pattern: str, length: int) -> PositionMask:
    """The stride is √n rounded to a multiple of 16."""
    if pattern == "dense":
        return CAUSAL
    kind, number = pattern.split()
    return Banded(int(number)) if kind == "banded" else Strided(max(16, round(length**0.5 / 16) * 16))


def inputs(length: int, dtype: torch.dtype, device: str) -> list[Tensor]:
    """Queries, keys and values as projections leave them: heads beside each other in memory."""
    torch.manual_seed(0)
    shape = (1, length, HEADS, HEAD)
    return [torch.randn(shape, device=device).to(dtype).transpose(1, 2).requires_grad_() for _ in range(3)]


def attention(point: dict[str, Any], device: str) -> tuple[Callable[[], object], Callable[[], object]]:
    """Forward alone, as when a text is read; forward and backward, as in training."""
    length, dtype = point["length"], getattr(torch, point["format"])
    mask, qkv = mask_of(point["pattern"], length), inputs(length, dtype, device)
    up = torch.randn(qkv[0].shape, device=device).to(dtype)

    def forward() -> object:
        with torch.no_grad():
            return attend(*qkv, mask)

    return forward, lambda: torch.autograd.grad(attend(*qkv, mask), qkv, up)


def stack(point: dict[str, Any], device: str) -> tuple[Callable[[], object], Callable[[], object]]:
    """Four GPT blocks of width 768: layers 2 and 4 with the pattern, 1 and 3 dense."""
    dtype, sparse = getattr(torch, point["format"]), mask_of(point["pattern"].split(", ")[1], point["length"])
    torch.manual_seed(0)
    sizes = GPT2Config(vocab=1, context=1, width=HEADS * HEAD, heads=HEADS, layers=4)
    blocks = GPT2(sizes).blocks.to(device, dtype)
    x = torch.randn(1, point["length"], HEADS * HEAD, device=device).to(dtype)

    def forward() -> Tensor:
        y = x
        for index, block in enumerate(blocks):
            y = block(y, sparse if index % 2 else CAUSAL, None)
        return y

    def reading() -> object:
        with torch.no_grad():
            return forward()

    return reading, lambda: torch.autograd.grad(forward().square().mean(), list(blocks.parameters()))


def measure(point: dict[str, Any], device: str, seconds: float) -> dict[str, float]:
    """Milliseconds and MiB, forward and both ways, of one point in this process."""
    make = stack if point["pattern"] in STACKS else attention
    forward, both = make(point, device)
    small = make(point | {"length": 256}, device)
    for work in small if device == "cpu" else (forward, both):
        work()  # on a GPU this compiles
    found: dict[str, float] = {}
    for name, work in (("forward", forward), ("both", both)):
        before = used(device)
        found[f"{name} ms"] = 1e3 * timed(work, device, seconds)
        found[f"{name} MiB"] = peak(device) - before
    return found


def timed(work: Callable[[], object], device: str, seconds: float) -> float:
    """The median of about so many seconds of calls, the first not counted unless it took over two seconds alone."""
    clock = time.process_time if device == "cpu" and torch.get_num_threads() == 1 else time.perf_counter
    taken: list[float] = []
    while len(taken) < 50 and (sum(taken) < seconds or (len(taken) == 1 and taken[0] < 2)):
        start = clock()
        work()
        if device == "cuda":
            torch.cuda.synchronize()
        taken.append(clock() - start)
    return statistics.median(taken[1:] or taken)


def used(device: str) -> float:
    """MiB held now; the peak is counted from here."""
    if device == "cuda":
        torch.cuda.reset_peak_memory_stats()
        return torch.cuda.memory_allocated() / 2**20
    Path("/proc/self/clear_refs").write_text("5")
    return psutil.Process().memory_info().rss / 2**20


def peak(device: str) -> float:
    if device == "cuda":
        return torch.cuda.max_memory_allocated() / 2**20
    status = Path("/proc/self/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) / 2**10


def differences(device: str) -> None:
    """Prints the largest distance, of output and gradients, to dense attention with the same mask in float64."""
    for pattern in PATTERNS:
        for length in (1000, 1024):
            mask, qkv = mask_of(pattern, length), inputs(length, torch.float32, device)
            exact = [x.detach().double().requires_grad_() for x in qkv]
            allowed = mask.allowed(torch.arange(length, device=device)[None], length)
            up = torch.randn(qkv[0].shape, device=device)
            y, truth = attend(*qkv, mask), masked(*exact, allowed)
            pairs = zip(torch.autograd.grad(y, qkv, up), torch.autograd.grad(truth, exact, up.double()), strict=True)
            gradients = max(float((ours - theirs).abs().max()) for ours, theirs in pairs)
            print(f"{pattern}, {length} tokens, float32: output within {float((y - truth).detach().abs().max()):.1e}, "
                  f"gradients within {gradients:.1e} of the exact")  # fmt: skip


def collect(points: list[dict[str, Any]], given: argparse.Namespace) -> dict[tuple[str, str, int], dict[str, float]]:
    """The median over the rounds for every point; what `given.results` has already is not measured again."""
    lines = given.results.read_text().splitlines() if given.results.exists() else []
    done: list[dict[str, Any]] = [json.loads(line) for line in lines]
    for turn in range(given.rounds):
        for number, point in enumerate(points, 1):
            if sum(point.items() <= line.items() for line in done) > turn:
                continue
            print(f"\rround {turn + 1}/{given.rounds}, point {number}/{len(points)} ", end="", file=sys.stderr)
            command = [sys.executable, __file__, "--point", json.dumps(point), "--device", given.device,
                       "--threads", str(given.threads), "--seconds", str(given.seconds)]  # fmt: skip
            child = subprocess.run(command, stdout=subprocess.PIPE, text=True)
            if child.returncode == 0:
                done.append(point | json.loads(child.stdout.splitlines()[-1]))
                with given.results.open("a") as file:
                    file.write(json.dumps(done[-1], ensure_ascii=False) + "\n")
    print(file=sys.stderr)
    groups: dict[tuple[str, str, int], list[dict[str, Any]]] = {}
    for line in done:
        groups.setdefault((line["format"], line["pattern"], line["length"]), []).append(line)
    names = [f"{way} {unit}" for way in ("forward", "both") for unit in ("ms", "MiB")]
    return {key: {n: statistics.median(run[n] for run in runs) for n in names} for key, runs in groups.items()}


def exponent(values: dict[int, float]) -> float | None:
    """p of value ~ nᵖ between a quarter of the longest context and the longest."""
    last = max(values, default=0)
    if last // 4 not in values or min(values[last], values[last // 4]) <= 0:
        return None
    return log(values[last] / values[last // 4]) / log(4)


def table(found: dict[tuple[str, str, int], dict[str, float]], format_: str, unit: str, lengths: list[int]) -> str:
    """Markdown: a row for each context, cells of forward / both, and what is won against dense."""
    lines = [f"| {format_}, {unit}: forward / forward + backward | " + " | ".join(PATTERNS) + " |",
             "|---:|" + "---:|" * len(PATTERNS)]  # fmt: skip
    for length in lengths:
        cells: list[str] = []
        for pattern in PATTERNS:
            cell = found.get((format_, pattern, length))
            base = found.get((format_, "dense", length))
            if cell is None:
                cells.append("failed")
                continue
            text = f"{cell[f'forward {unit}']:,.0f} / {cell[f'both {unit}']:,.0f}"
            if base and pattern != "dense" and cell[f"both {unit}"] > 0:
                text += f" ({base[f'both {unit}'] / cell[f'both {unit}']:.1f} ×)"
            cells.append(text)
        lines.append(f"| {length:,} | " + " | ".join(cells) + " |")
    growth = [
        " / ".join(
            "–" if p is None else f"{p:.2f}"
            for p in (exponent(series(found, format_, pattern, f"{way} {unit}")) for way in ("forward", "both"))
        )
        for pattern in PATTERNS
    ]
    return "\n".join([*lines, "| exponent of n | " + " | ".join(growth) + " |"])


def series(
    found: dict[tuple[str, str, int], dict[str, float]], format_: str, pattern: str, name: str
) -> dict[int, float]:
    """Context → value."""
    return {n: value[name] for (f, p, n), value in sorted(found.items()) if (f, p) == (format_, pattern)}


def plot(found: dict[tuple[str, str, int], dict[str, float]], formats: list[str], title: str) -> str:
    """Both ways, time and memory for each format, on logarithmic axes: a straight line's slope is the exponent."""
    panels = [(f, unit) for f in formats for unit in ("ms", "MiB")]
    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 960 {40 + 300 * len(formats)}" '
             f'font-family="sans-serif" font-size="12"><rect width="100%" height="100%" fill="white"/>'
             f'<text x="20" y="24" font-size="15">{title}</text>']  # fmt: skip
    for index, (format_, unit) in enumerate(panels):
        curves = {p: series(found, format_, p, f"both {unit}") for p in PATTERNS}
        parts.append(f'<g transform="translate({60 + 480 * (index % 2)},{70 + 300 * (index // 2)})">'
                     f'<text y="-12">{format_}, forward + backward, {unit}</text>{panel(curves)}</g>')  # fmt: skip
    return "".join([*parts, "</svg>\n"])


def panel(curves: dict[str, dict[int, float]], width: float = 270, height: float = 210) -> str:
    """One pair of axes with its lines; a name at the end of each, moved apart where they meet."""
    drawn = {name: {n: y for n, y in curve.items() if y > 0} for name, curve in curves.items()}
    xs = sorted({n for curve in drawn.values() for n in curve})
    ys = [y for curve in drawn.values() for y in curve.values()]
    low, high = int(log10(min(ys)) // 1), int(-(-log10(max(ys)) // 1))

    def x(n: int) -> float:
        return width * log(n / xs[0]) / (log(xs[-1] / xs[0]) or 1)

    def y(value: float) -> float:
        return height * (high - log10(value)) / (high - low or 1)

    parts = [f'<line x1="0" x2="{width}" y1="{y(10.0**p):.1f}" y2="{y(10.0**p):.1f}" stroke="#ddd"/>'
             f'<text x="-6" y="{y(10.0**p) + 4:.1f}" text-anchor="end">{10.0**p:g}</text>'
             for p in range(low, high + 1)]  # fmt: skip
    parts += [f'<text x="{x(n):.1f}" y="{height + 18}" text-anchor="middle">{n // 1024}k</text>' for n in xs]
    ends = sorted((y(curve[max(curve)]), name) for name, curve in drawn.items() if curve)
    free = -20.0
    for at, name in ends:
        free = max(at, free + 14)
        colour, p = COLOURS[name], exponent(drawn[name])
        points = " ".join(f"{x(n):.1f},{y(value):.1f}" for n, value in drawn[name].items())
        label = name if p is None else f"{name}: n^{p:.2f}"
        parts.append(f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="2"/>'
                     f'<text x="{width + 8}" y="{free + 4:.1f}" fill="{colour}">{label}</text>')  # fmt: skip
    return "".join(parts)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--lengths", type=int, nargs="+", default=[1024, 2048, 4096, 8192, 16384])
    parser.add_argument("--formats", nargs="+", default=["float32", "bfloat16"])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=0.4, help="of calls for each figure, one call at least")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--out", type=Path, default=Path("runs/sparse-attention"), help="folder for results and plot")
    parser.add_argument("--point", type=json.loads, help=argparse.SUPPRESS)
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    if given.point:
        print(json.dumps(measure(given.point, given.device, given.seconds)))
        return
    where = torch.cuda.get_device_name() if given.device == "cuda" else f"threads: {given.threads}"
    print(f"torch {torch.__version__}, {where}; 1 row, {HEADS} heads of {HEAD}")
    differences(given.device)
    given.out.mkdir(parents=True, exist_ok=True)
    given.results = given.out / f"{given.device}.jsonl"
    points = [{"format": f, "pattern": p, "length": n} for n in given.lengths for f in given.formats for p in PATTERNS]
    points += [{"format": f, "pattern": p, "length": STACK_LENGTH} for f in given.formats for p in STACKS]
    found = collect(points, given)
    for format_ in given.formats:
        for unit in ("ms", "MiB"):
            print("\n" + table(found, format_, unit, given.lengths))
    for format_ in given.formats:
        steps = [found[format_, p, STACK_LENGTH] for p in STACKS if (format_, p, STACK_LENGTH) in found]
        for pattern, step in zip(STACKS, steps, strict=False):
            ratio = steps[0]["both ms"] / step["both ms"]
            print(f"\n{pattern}, a step of {STACK_LENGTH} tokens in {format_}: {step['both ms']:,.0f} ms, "
                  f"{step['both MiB']:,.0f} MiB; {ratio:.2f} × as fast as dense")  # fmt: skip
    title = f"Attention of {HEADS} heads of {HEAD} ({where})"
    (given.out / "growth.svg").write_text(plot(found, given.formats, title), encoding="utf-8")


if __name__ == "__main__":
    main()
